"""A comparison as one HTML page of its own: no script, nothing fetched, and readable on a phone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from assembler.audit import markup
from assembler.audit.compare import Change, Comparison, PackageChange
from assembler.audit.image import Image, is_iso
from assembler.audit.inventory import Item, inventory
from assembler.audit.maps import by_directory, by_package, figure
from assembler.audit.markup import count, growth, pair, size, text
from assembler.audit.notable import notable
from assembler.audit.treemap import Part
from assembler.errors import AssembleError
from assembler.image.names import ISO, ISO_CONTENTS
from assembler.lock.changes import describe
from assembler.tree.content import whole
from assembler.tree.digest import sha256

SHOWN, TOGETHER = 2000, 200
"""Paths that the page lists, and those of one package; a page of more is of no use to anybody."""
_OPEN, _SHORT = 80, 40
"""Paths that a page shows without being asked, and those of one package."""
_ROWS = 40
"""Packages that are shown without being asked."""
_DIGITS = 16
"""Hexadecimal digits of a digest that are shown."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_SIGNS = ("", "del", "add")
"""Classes of report.css: a path differs, went, came."""
_TRIVIAL = (", outside of files", ", its own lists of what is inside")
"""What differs whenever anything does."""
_BESIDE = "beside the ISO"
"""What the page calls the other files in an output directory."""
_LAYERS = ("kernel", "initrd", "rootfs", "iso")


def page(found: Comparison, old: Path, new: Path) -> str:
    """The page about `found`, what `new` has otherwise than `old`; maps are of the ISO that `new` is or has.

    Raises OSError when they cannot be read.
    """
    if new.is_dir():
        found = _of_directories(found)
    images = [_image(path) for path in (old, new)]
    held, trouble = [], ""
    try:
        held = [list(inventory(image)) if image else None for image in images]
    except AssembleError as error:  # what differs can be told all the same
        trouble = f"There are no maps of the images, as one cannot be looked into: {error}"
    before, now = held or (None, None)
    packages = by_package(found, before, now) if now is not None else None
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{text(old.name)} and {text(new.name)}</title>",
        f"<style>{files('assembler.audit').joinpath('report.css').read_text('utf-8')}</style></head><body>",
        *_head(found, (old, new), images, packages if before is not None else None),
        *_notable(found, before or (), now or ()),
        *_layers(found, packages if before is not None else None),
        *_packages(found),
        *_paths(found),
        *_lock(found),
        *([f'<p class="note">{text(trouble)}</p>'] if trouble else []),
        *(_maps(found, packages, before, now) if packages and now is not None else ()),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _image(path: Path) -> Image | None:
    """The ISO that `path` is or has."""
    path = path / ISO if path.is_dir() else path
    return Image(path) if path.is_file() and is_iso(path) else None


def _of_directories(found: Comparison) -> Comparison:
    """`found` in output directories: paths in the live ISO as if that were all, and everything else a layer of its
    own.
    """
    start = f"{ISO}:"
    changes = (
        replace(change, path=change.path.removeprefix(start))
        if change.path.startswith(start)
        else replace(change, layer=_BESIDE)
        for change in found.changes
    )
    return replace(found, changes=tuple(changes))


def _head(
    found: Comparison, paths: tuple[Path, Path], images: Sequence[Image | None], packages: Part | None
) -> Iterator[str]:
    old, new = (text(path.name) for path in paths)
    yield f"<h1>{old if old == new else f'{old} and {new}'}</h1>"
    yield f'<p class="verdict">{_verdict(found, packages)}</p>'
    yield '<div class="sides">'
    for label, path, image in zip(("A, the old one", "B, the new one"), paths, images, strict=True):
        file = image.path if image else path
        yield f"<div><b>{label}</b><dl><dt>file</dt><dd>{text(str(file)).replace('/', '/<wbr>')}</dd>"
        if file.is_file():
            content = whole(file)
            yield f"<dt>size</dt><dd>{count(content.size, 'byte')}</dd><dt>SHA-256</dt><dd>{sha256(content)}</dd>"
        yield "</dl></div>"
    yield "</div>"


def _verdict(found: Comparison, packages: Part | None) -> str:
    if not found:
        return "They are the same, byte for byte."
    kinds = Counter(map(_done, found.packages))
    said = [f"{count(number, 'package')} {kind}" for kind, number in sorted(kinds.items())]
    if found.changes:
        said.append(f"{count(len(found.changes), 'path')} that {'differs' if len(found.changes) == 1 else 'differ'}")
    if packages and packages.size != packages.before:
        said.append(f"{growth(packages.before, packages.size)} of files")
    return "They differ" + (f": {', '.join(said)}." if said else ".")


def _done(package: PackageChange) -> str:
    return "added" if not package.old else "changed" if package.new else "removed"


def _notable(found: Comparison, old: Iterable[Item], new: Iterable[Item]) -> Iterator[str]:
    flags = list(notable(found, old, new))
    if not flags:
        return
    yield '<h2>To look at first</h2><ul class="flags">'
    lines = [f"<li><code>{markup.path(flag.what)}</code><span>{text(flag.why)}</span></li>" for flag in flags]
    yield from lines[:_ROWS]
    yield "</ul>"
    if len(lines) > _ROWS:
        yield f"<details><summary>{len(lines) - _ROWS:,} more</summary>"
        yield f'<ul class="flags">{"".join(lines[_ROWS:])}</ul></details>'


def _layers(found: Comparison, packages: Part | None) -> Iterator[str]:
    """A line about each layer."""
    numbers = Counter(change.layer for change in found.changes)
    parts = {part.name: part for part in packages.children} if packages else {}
    if not found or not numbers.keys() | parts.keys():
        return
    yield "<h2>Layers</h2><table><tr><th>layer</th><th>paths that differ</th>"
    yield ("<th>size</th><th>since A</th>" if parts else "") + "</tr>"
    for name in sorted(numbers.keys() | parts.keys(), key=_order):
        yield f"<tr><td>{text(name)}</td><td>{f'{numbers[name]:,}' if numbers[name] else 'none'}</td>"
        if parts:
            part = parts.get(name)
            changed = growth(part.before, part.size) if part and part.size != part.before else "—"
            yield f'<td class="n">{size(part.size) if part else "—"}</td><td class="n">{changed}</td>'
        yield "</tr>"
    yield "</table>"


def _order(layer: str) -> tuple[int, str]:
    return (_LAYERS.index(layer) if layer in _LAYERS else len(_LAYERS)), layer


def _packages(found: Comparison) -> Iterator[str]:
    if not found.packages:
        return
    rows = [
        f'<tr><td>{text(package.name)} <span class="tag">{text(package.architecture)}</span></td>'
        f"<td>{pair(package.old, package.new)} {_done(package)}</td></tr>"
        for package in found.packages
    ]
    yield f'<h2>Packages</h2><table class="versions">{"".join(rows[:_ROWS])}</table>'
    if len(rows) > _ROWS:
        yield f"<details><summary>{len(rows) - _ROWS:,} more</summary>"
        yield f'<table class="versions">{"".join(rows[_ROWS:])}</table></details>'


def _lock(found: Comparison) -> Iterator[str]:
    if found.lock:
        lines = "\n".join(map(text, describe(found.lock)))
        yield f"<h2>Lock</h2><details{'' if found.packages else ' open'}>"
        yield "<summary>By source package, with reasons</summary>"
        yield f'<div class="pre">{lines or "Another recipe."}</div></details>'


# --- paths -----------------------------------------------------------------------------------------------------------


def _paths(found: Comparison) -> Iterator[str]:
    if not found.changes:
        return
    groups: dict[tuple[tuple[int, str], str, str], list[Change]] = {}
    for change in found.changes:
        groups.setdefault((_order(change.layer), change.package, _kind(change)), []).append(change)
    versions = {package.name: (package.old, package.new) for package in found.packages}
    yield "<h2>Paths</h2>"
    left, unasked = SHOWN, _OPEN
    for (_, package, kind), members in sorted(groups.items()):
        label = text(f"{members[0].layer}: {package}" if package else members[0].layer + kind)
        old, new = versions.get(package, ("", ""))
        note = "a package that came" if new and not old else "a package that went" if old and not new else ""
        # Of those that came or went as a whole, nobody has to see each path.
        is_open = not note and kind not in _TRIVIAL and len(members) <= min(_SHORT, unasked)
        unasked -= len(members) if is_open else 0
        listed = sorted(members, key=lambda change: _SIGNS.index(_sign(change)))[: min(TOGETHER, left)]
        left -= len(listed)
        yield f'<details class="group-of"{" open" if is_open else ""}><summary>{label}'
        yield f"{f' <span class=tag>{note}</span>' if note else ''}{_tags(members)}</summary>"
        yield f'<ul class="paths">{"".join(map(_item, listed))}</ul>'
        if len(listed) < len(members):
            yield f"<p>{count(len(members) - len(listed), 'path')} more; <code>--json</code> has them all.</p>"
        yield "</details>"
    yield f'<p class="note">Digests are SHA-256, of which the first {_DIGITS} digits are shown.</p>'


def _kind(change: Change) -> str:
    """What tells paths of no package apart, for their label."""
    if change.layer == "iso":
        if change.path.startswith("["):
            return _TRIVIAL[0]
        if change.path.startswith(f"{ISO_CONTENTS}/"):
            return _TRIVIAL[1]
        return ""
    return ", of no package" if change.layer == "rootfs" else ""


def _tags(changes: Iterable[Change]) -> str:
    numbers = Counter(map(_sign, changes))
    signs = zip(_SIGNS, ("±", markup.MINUS, "+"), strict=True)
    return "".join(f'<span class="tag {name}">{sign}{numbers[name]:,}</span>' for name, sign in signs if numbers[name])


def _sign(change: Change) -> str:
    """Whether the path came or went, as a class of report.css."""
    old, new = change.fields.get("there", ("both", "both"))
    return "add" if not old else "" if new else "del"


def _item(change: Change) -> str:
    kind = "".join(change.fields.get("there", ("", "")))
    note = f'<span class="tag">{text(kind)}</span>' if kind not in {"", "file"} else ""
    rows = "".join(f"<dt>{text(name)}</dt><dd>{value}</dd>" for name, value in _rows(change))
    about = f"<dl>{rows}</dl>" if rows else ""
    return f'<li class="{_sign(change)}"><code>{markup.path(change.path)}</code>{note}{about}</li>'


def _rows(change: Change) -> Iterator[tuple[str, str]]:
    if change.offset >= 0:
        differ = f"{count(change.bytes, 'byte')} differ{'s' if change.bytes == 1 else ''}"
        start = f"the same up to byte {change.offset:,}" if change.offset else "other from the start"
        yield "bytes", f"{start}; {differ}" if change.bytes else f"{start}, where one ends"
    for name, (was, now) in sorted(change.fields.items(), key=lambda field: field[0] == "content"):
        if name == "there":
            continue
        yield ("SHA-256" if name == "content" else name), pair(_value(name, was), _value(name, now))


def _value(name: str, raw: str) -> str:
    """The value of a field, to be read."""
    if name == "content" and len(raw) == 64:
        return f"{raw[:_DIGITS]}…"
    if name == "size" and raw.isdigit():
        return f"{int(raw):,}"
    if name == "mtime" and raw.isdigit():
        return f"{datetime.fromtimestamp(int(raw), UTC):%Y-%m-%d %H:%M:%S} UTC"
    return raw


# --- maps ------------------------------------------------------------------------------------------------------------


def _maps(found: Comparison, packages: Part, old: Sequence[Item] | None, new: Sequence[Item]) -> Iterator[str]:
    compared = old is not None
    yield "<h2>What takes the space in B</h2>"
    yield "<p>Rectangles, and names below, lead to what is inside. Sizes are those of files, before compression.</p>"
    if compared and found:
        yield '<p class="legend note"><span>as in A</span><span class="is-other">'
        yield '± filled as far as its bytes differ</span><span class="is-new">+ not in A</span></p>'
    yield "<h3>By layer, package and directory</h3>"
    yield from figure(packages, "p", compared=compared)
    directories = by_directory(found, old, new)
    if directories.size:
        yield "<h3>The root file system by directory</h3>"
        yield from figure(directories, "f", compared=compared)
