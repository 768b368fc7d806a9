"""What differs between two images: layer by layer, path by path, field by field, package by package.

Everything is read from the images' own bytes, not from what they say of themselves.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TypeVar

from assembler.audit import listing
from assembler.audit.image import LARGEST_LOCK, Image, OpenTree, is_iso
from assembler.audit.packages import installed, owners
from assembler.errors import AssembleError, Place
from assembler.formats import seal
from assembler.formats.seal import SealError
from assembler.hostfile import open_image, read_named
from assembler.image.names import ISO_INDEX, ISO_INITRD, ISO_KERNEL, ISO_SQUASHFS
from assembler.lock.changes import Changes, changes
from assembler.lockfile.toml import parse_lock
from assembler.progress import SILENT, Reporter
from assembler.tree.content import Content, chunks, whole
from assembler.tree.staging import Inode, Kind

LAYERS: Mapping[str, str] = {ISO_SQUASHFS: "rootfs", ISO_INITRD: "initrd", ISO_KERNEL: "kernel"}
"""Layers by the files on an ISO that hold them; all else is the layer ``iso``."""
_NOTHING = Changes(archives=(), sources=(), files=(), other={})

Bytes = Callable[[], Iterator[bytes]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A path that differs."""

    layer: str
    path: str
    """In the image; what lies inside another file of it has that file's name and ``!`` before it."""
    package: str
    """The Debian package that ships it; empty when none does."""
    fields: Mapping[str, tuple[str, str]]
    """Old and new by field: ``there``, ``kind``, ``mode``, ``owner``, ``mtime``, ``size``, ``content`` (SHA-256) ..."""
    offset: int = -1
    """Of the first byte that differs; -1 when the bytes are the same, or not there."""
    bytes: int = 0
    """How many bytes differ, where both have some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """An installed package that differs; a version is empty where it is not installed."""

    name: str
    architecture: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that differs."""

    changes: tuple[Change, ...]
    packages: tuple[PackageChange, ...]
    lock: Changes

    def __bool__(self) -> bool:
        return bool(self.changes or self.packages or self.lock)


def compare(old: Path, new: Path, *, reporter: Reporter = SILENT, pair: "Pair | None" = None) -> Comparison:
    """What `new` has otherwise than `old`: two ISOs, two locks, two files of any other kind, or two output directories.

    A link inside a directory is compared as a link, whatever it leads to.
    `pair` is handed the bytes of every two files that differ. Raises AssembleError when one cannot be read, or when
    they are not of one kind.
    """
    if old.is_dir() != new.is_dir():
        raise AssembleError("a directory and a file cannot be compared", where=Place(file=f"{old} {new}"))
    if old.is_dir():
        return _directories(old, new, reporter, pair)
    if old.name.endswith(".lock.toml") and new.name.endswith(".lock.toml"):
        before, after = (
            parse_lock(read_named(path, LARGEST_LOCK).decode("utf-8", "replace"), str(path)) for path in (old, new)
        )
        if moved := changes(before, after):
            return Comparison(changes=(), packages=(), lock=moved)
    if is_iso(old) and is_iso(new):
        return _isos(Image(old), Image(new), reporter, pair)
    found = _bytes(old.name, "file", _content(whole(old)), _content(whole(new)), pair)
    return Comparison(changes=tuple(found), packages=(), lock=_NOTHING)


Pair = Callable[[str, Bytes, Bytes], None]


def _directories(old: Path, new: Path, reporter: Reporter, pair: Pair | None) -> Comparison:
    sides = [_entries(directory) for directory in (old, new)]
    found: list[Change] = []
    inner: list[Comparison] = []
    for name in sorted(sides[0].keys() | sides[1].keys()):
        before, after = (side.get(name, ("", "")) for side in sides)
        if before != after:
            fields = {"there" if not (before[0] and after[0]) else "kind": (before[0], after[0])}
            if before[0] == after[0]:
                fields = {"target": (before[1], after[1])}
            found.append(Change(layer="out", path=name, package="", fields=fields))
            continue
        if before[0] != _REGULAR:
            continue
        one = compare(old / name, new / name, reporter=reporter, pair=pair)
        # Among several, a path says in which file it is.
        found += (replace(change, path=_within(name, change.path)) for change in one.changes)
        inner.append(one)
    return Comparison(
        changes=tuple(found),
        packages=_united(one.packages for one in inner),
        lock=Changes(
            archives=_united(one.lock.archives for one in inner),
            sources=_united(one.lock.sources for one in inner),
            files=_united(one.lock.files for one in inner),
            other={name: pair for one in inner for name, pair in one.lock.other.items()},
        ),
    )


_REGULAR = "file"


def _entries(directory: Path) -> dict[str, tuple[str, str]]:
    """Kind, and target of a link, of everything below `directory` but directories, by path; no link is followed."""
    found = {}
    for here, names, files in os.walk(directory):
        for name in (*names, *files):
            path = Path(here, name)
            mode = path.lstat().st_mode
            kinds = {stat.S_ISREG: _REGULAR, stat.S_ISLNK: "symlink", stat.S_ISDIR: ""}
            kind = next((kind for test, kind in kinds.items() if test(mode)), "special file")
            if kind:
                target = str(path.readlink()) if kind == "symlink" else ""
                found[path.relative_to(directory).as_posix()] = kind, target
    return found


def _within(name: str, path: str) -> str:
    """`path`, which is in the file `name` of a directory, or that file itself."""
    return f"{name}:{path}" if path.startswith(("/", "[")) else name


def _united(tuples: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    """Everything in them once, in their order."""
    return tuple(dict.fromkeys(chain.from_iterable(tuples)))


# --- ISOs ------------------------------------------------------------------------------------------------------------


def _isos(old: Image, new: Image, reporter: Reporter, pair: Pair | None) -> Comparison:
    found: list[Change] = []
    packages: tuple[PackageChange, ...] = ()
    for path in sorted(old.files.keys() | new.files.keys()):
        before, after = old.files.get(path), new.files.get(path)
        layer = LAYERS.get(path, "iso")
        if before is None or after is None:
            there = ("", "file") if before is None else ("file", "")
            found.append(Change(layer=layer, path=path, package="", fields={"there": there}))
            continue
        outside = list(_bytes(path, layer, _content(before), _content(after), pair if path not in LAYERS else None))
        if outside and path in {ISO_SQUASHFS, ISO_INITRD}:
            try:
                with reporter.step(path):
                    inside, versions = _trees(old, new, path, pair)
            except AssembleError as error:  # one of them cannot be looked into
                reporter.warn(str(error))
                inside, versions = [], ()
            found += inside or outside
            packages = packages or versions
        else:
            found += outside
    # Boot records, tables and padding; when nothing else differs, they are all that does.
    found += _areas(old, new)
    lock = _NOTHING
    if ISO_INDEX in old.files and ISO_INDEX in new.files:
        lock = changes(old.lock, new.lock)
    return Comparison(changes=tuple(found), packages=packages, lock=lock)


def _content(content: Content) -> Bytes:
    return lambda: chunks(content)


def _areas(old: Image, new: Image) -> Iterator[Change]:
    """What lies outside of files, by the names that the seals have for it."""
    try:
        sides = [_digests(image) for image in (old, new)]
    except SealError:
        return
    for name in sorted(sides[0].keys() | sides[1].keys()):
        before, after = sides[0].get(name, ""), sides[1].get(name, "")
        if before != after and not name.startswith("[folder") and not name.startswith("[padding behind"):
            yield Change(layer="iso", path=name, package="", fields={"content": (before, after)})


def _digests(image: Image) -> dict[str, str]:
    states: dict[str, hashlib._Hash] = {}
    with open_image(image.path) as stream:
        for area, _ in image.seal.areas:
            if area.name.startswith("["):
                state = states.setdefault(area.name, hashlib.sha256())
                for chunk in seal.chunks(stream, area):
                    state.update(chunk)
    return {name: state.hexdigest() for name, state in states.items()}


def _trees(old: Image, new: Image, path: str, pair: Pair | None) -> tuple[list[Change], tuple[PackageChange, ...]]:
    with ExitStack() as stack:
        before, after = (stack.enter_context(image.tree(path)) for image in (old, new))
        owned = owners(after) | owners(before)
        found = []
        sides = [listing.lines(tree.listing()) for tree in (before, after)]
        for difference in listing.differences(*sides):
            name = listing.unescaped(difference.path)
            place = f"{path}!{name}"
            offset = count = -1
            if "content" in difference.fields:
                reads = [_read(tree, name) for tree in (before, after)]
                offset, count = first_difference(*reads)
                if pair:
                    pair(place, *reads)
            found.append(
                Change(
                    layer=LAYERS[path],
                    path=place,
                    package=owned.get(name, ""),
                    fields=difference.fields,
                    offset=offset,
                    bytes=max(count, 0),
                )
            )
        versions = [installed(tree) for tree in (before, after)]
    packages = tuple(
        PackageChange(name=name, architecture=architecture, old=was, new=now)
        for name, architecture in sorted(versions[0].keys() | versions[1].keys())
        if (was := versions[0].get((name, architecture), "")) != (now := versions[1].get((name, architecture), ""))
    )
    return found, packages


def _read(tree: OpenTree, path: str) -> Bytes:
    def read() -> Iterator[bytes]:
        inode: Inode | None = tree.tree.get(path)
        return tree.chunks(inode.content) if inode and inode.kind is Kind.FILE else iter(())

    return read


def _bytes(path: str, layer: str, old: Bytes, new: Bytes, pair: Pair | None) -> Iterator[Change]:
    """The change of a file, when its bytes differ."""
    offset, count = first_difference(old, new)
    if offset < 0:
        return
    sizes, digests = [], []
    for read in (old, new):
        state, size = hashlib.sha256(), 0
        for chunk in read():
            state.update(chunk)
            size += len(chunk)
        sizes.append(str(size))
        digests.append(state.hexdigest())
    fields = {"content": (digests[0], digests[1])}
    if sizes[0] != sizes[1]:
        fields["size"] = sizes[0], sizes[1]
    if pair:
        pair(path, old, new)
    yield Change(layer=layer, path=path, package="", fields=fields, offset=offset, bytes=count)


def first_difference(old: Bytes, new: Bytes) -> tuple[int, int]:
    """Offset of the first byte that differs (-1 when none does), and how many do as far as both go."""
    first, count, position = -1, 0, 0
    sides = [_blocks(old()), _blocks(new())]
    while True:
        before, after = (next(side, b"") for side in sides)
        if before != after:
            both = min(len(before), len(after))
            if first < 0:
                first = position + next((at for at in range(both) if before[at] != after[at]), both)
            mixed = int.from_bytes(before[:both], "big") ^ int.from_bytes(after[:both], "big")
            count += both - mixed.to_bytes(both, "big").count(0)
        if not before or not after:
            return first, count
        position += len(before)


def _blocks(source: Iterator[bytes], size: int = 1 << 16) -> Iterator[bytes]:
    """The same bytes in pieces of `size`."""
    rest = b""
    for chunk in source:
        rest += chunk
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    if rest:
        yield rest
