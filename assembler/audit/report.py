"""A comparison as one HTML page of its own: no script, nothing fetched, and readable on a phone."""

from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from assembler.audit.compare import LAYERS, Change, Comparison
from assembler.audit.image import SQUASHFS, Image, is_iso
from assembler.audit.packages import owners
from assembler.audit.treemap import Box, Node, boxes
from assembler.lock.changes import describe
from assembler.tree.content import size_of
from assembler.tree.staging import Kind

WIDTH, HEIGHT = 1000.0, 640.0
SHOWN = 2000
"""Paths that the page lists; a page of more is of no use to anybody."""
_HUES = {"rootfs": 210, "initrd": 150, "kernel": 30, "iso": 270}

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --old: #c0392b; --new: #1e8449; }
@media (prefers-color-scheme: dark) { :root { --old: #ff8a7a; --new: #7ddf9a; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2rem; }
ul.sum { list-style: none; padding: 0; display: grid; gap: .5rem;
  grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); }
ul.sum li { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .75rem; }
ul.sum b { display: block; font-size: 1.5rem; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; padding: .25rem .75rem; }
summary { cursor: pointer; padding: .35rem 0; font-weight: 600; }
.path { font-family: ui-monospace, monospace; font-size: .9rem; }
.item { border-top: 1px solid var(--soft); padding: .5rem 0; }
.tag { background: var(--soft); border-radius: .3rem; padding: 0 .4rem; font-size: .8rem; margin-left: .25rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 .75rem; margin: .25rem 0 0; font-size: .85rem; }
dt { opacity: .75; } dd { margin: 0; font-family: ui-monospace, monospace; }
del { color: var(--old); text-decoration: none; } ins { color: var(--new); text-decoration: none; }
del::before { content: "- "; } ins::before { content: "+ "; } dd del, dd ins { display: block; }
svg { width: 100%; height: auto; display: block; border-radius: .5rem; }
svg text { font: 11px system-ui, sans-serif; fill: #111; pointer-events: none; }
figure { margin: 0; } figcaption { font-size: .9rem; opacity: .8; margin: .25rem 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td, th { text-align: left; padding: .2rem .5rem .2rem 0; }
td:last-child, th:last-child { text-align: right; white-space: nowrap; }
"""


def page(found: Comparison, old: Path, new: Path) -> str:
    """The page about `found`, what `new` has otherwise than `old`; treemaps are of the ISO that `new` is or has."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(old.name)} and {escape(new.name)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(str(old))}<br>and {escape(str(new))}</h1>",
        f"<p>{'They differ.' if found else 'They are the same, byte for byte.'}</p>",
        *_summary(found),
        *_packages(found),
        *_lock(found),
        *_paths(found.changes),
        *_maps(new),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _summary(found: Comparison) -> Iterator[str]:
    if not found:
        return
    layers = Counter(change.layer for change in found.changes)
    yield '<ul class="sum">'
    for name, number in sorted(layers.items()):
        yield f"<li><b>{number}</b>paths in {escape(name)}</li>"
    for number, name in ((len(found.packages), "packages"), (len(found.lock.sources), "source packages in the lock")):
        if number:
            yield f"<li><b>{number}</b>{name}</li>"
    yield "</ul>"


def _packages(found: Comparison) -> Iterator[str]:
    if found.packages:
        yield "<h2>Packages</h2>"
    for package in found.packages:
        yield f'<div class="item"><b>{escape(package.name)}</b><span class="tag">{escape(package.architecture)}</span>'
        yield f"<dl><dt>version</dt><dd>{_pair(package.old, package.new)}</dd></dl></div>"


def _lock(found: Comparison) -> Iterator[str]:
    if found.lock:
        lines = "".join(f"<li>{escape(line)}</li>" for line in describe(found.lock))
        yield f"<h2>Lock</h2><ul>{lines}</ul>"


def _paths(changes: Iterable[Change]) -> Iterator[str]:
    listed = list(changes)
    if not listed:
        return
    yield "<h2>Paths</h2>"
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in listed[:SHOWN]:
        groups.setdefault((change.layer, change.package), []).append(change)
    for (layer, package), members in sorted(groups.items()):
        label = f"{layer}: {package}" if package else layer
        is_open = " open" if len(listed) <= 50 else ""
        yield f'<details{is_open}><summary>{escape(label)}<span class="tag">{len(members)}</span></summary>'
        for change in members:
            yield f'<div class="item"><span class="path">{escape(_shown(change.path))}</span><dl>'
            if change.offset >= 0:
                yield f"<dt>bytes</dt><dd>from {change.offset} on; {change.bytes} differ</dd>"
            for name, (was, now) in change.fields.items():
                yield f"<dt>{escape(name)}</dt><dd>{_pair(was, now)}</dd>"
            yield "</dl></div>"
        yield "</details>"
    if len(listed) > SHOWN:
        yield f"<p>{len(listed) - SHOWN} more are not shown; --json has them all.</p>"


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _pair(old: str, new: str) -> str:
    parts = [f"<{tag}>{escape(_shown(text))}</{tag}>" for tag, text in (("del", old), ("ins", new)) if text]
    return "".join(parts)


# --- treemaps --------------------------------------------------------------------------------------------------------


def _maps(path: Path) -> Iterator[str]:
    path = path / "node.iso" if path.is_dir() else path
    image = Image(path)
    try:
        if not is_iso(path) or SQUASHFS not in image.files:
            return
    except OSError:
        return
    by_package, by_folder = Node(""), Node("")
    for name, content in image.files.items():
        if name != SQUASHFS:
            layer = LAYERS.get(name, "iso")
            by_package.at(layer, name.rpartition("/")[2]).own += size_of(content)
    with image.tree(SQUASHFS) as tree:
        owned = owners(tree)
        seen = set()
        for name, inode in tree.tree.walk():
            if inode.kind is Kind.FILE and id(inode) not in seen:
                seen.add(id(inode))
                parts = name.split("/")[1:-1]
                by_package.at("rootfs", owned.get(name, "(made while building)")).own += size_of(inode.content)
                by_folder.at(*(parts[:3] or ["/"])).own += size_of(inode.content)
    yield "<h2>What takes the room</h2>"
    yield from _figure(by_package, "By layer and package. The root file system is uncompressed here.")
    yield from _figure(by_folder, "The root file system by folder.")


def _figure(root: Node, caption: str) -> Iterator[str]:
    yield f'<figure><svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(caption)}">'
    yield from (_rectangle(box) for box in boxes(root, WIDTH, HEIGHT))
    yield f"</svg><figcaption>{escape(caption)} {_bytes(root.size)} in all.</figcaption></figure>"
    # For those who see no picture, and on a phone, where the small ones cannot be read.
    largest = sorted(_leaves(root, ()), key=lambda item: -item[1])[:15]
    rows = "".join(f"<tr><td>{escape(' / '.join(path))}</td><td>{_bytes(size)}</td></tr>" for path, size in largest)
    yield f"<details><summary>The largest</summary><table><tr><th>what</th><th>size</th></tr>{rows}</table></details>"


def _leaves(node: Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    for child in node.children.values():
        if child.own:
            yield (*path, child.name), child.own
        yield from _leaves(child, (*path, child.name))


def _rectangle(box: Box) -> str:
    hue = _HUES.get(box.path[0], sum(map(ord, box.path[0])) * 37 % 360)
    shift = sum(map(ord, box.path[-1])) % 12 if box.leaf else 0
    fill = f"hsl({hue} 55% {58 + 6 * len(box.path) + shift}%)"
    title = f"{' / '.join(box.path)}: {_bytes(box.size)}"
    shape = (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" fill="{fill}" '
        f'stroke="#fff" stroke-width=".6"><title>{escape(title)}</title></rect>'
    )
    room = int((box.width - 4) / 6)
    if room < 4 or box.height < 14:
        return shape
    label = box.path[-1] if len(box.path[-1]) <= room else box.path[-1][: room - 1] + "…"
    return shape + f'<text x="{box.x + 3:.1f}" y="{box.y + 11:.1f}">{escape(label)}</text>'


def _bytes(number: int) -> str:
    value = float(number)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
