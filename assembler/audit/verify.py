"""Verifying an image without building it: every byte against its seal, every path against its list of contents, and all
of that against a lock.

The seal finds damage. It does not find forgery, as whoever makes another image seals that too; a lock that has recorded
the outputs does.
"""

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from assembler.audit import listing
from assembler.audit.image import Image
from assembler.audit.listing import shortened
from assembler.audit.packages import installed
from assembler.boot.loaders import unlisted
from assembler.debian.dpkg_database import ADMINDIR
from assembler.errors import AssembleError
from assembler.formats import seal
from assembler.formats.seal import SEAL, Area, SealError
from assembler.formats.squashfs_reader import Squashfs, SquashfsError
from assembler.hostfile import open_image
from assembler.image import contents
from assembler.image.names import INITRD, ISO, ISO_INDEX, ISO_INITRD, ISO_KERNEL, ISO_SQUASHFS, KERNEL, listing_path
from assembler.lock.changes import changes, describe
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import Lock, LockedBuild, LockedOutput
from assembler.progress import SILENT, Reporter
from assembler.store.objects import sha256_of
from assembler.tree import digest
from assembler.tree.digest import escaped

FINDINGS = 1000
"""Findings that are told; of all others only how many there are."""
LOOKED_AT = 16 << 20
"""Pairs of a damaged area and a file's block in the squashfs that are compared, to tell whose bytes it hits: whoever
writes a seal and a squashfs can have many of both. A node with 11,000 paths makes 2 million at
most."""
_LARGEST_PACKED = 32 << 20
"""Bytes of a listing that is read without its file system, compressed."""

Compared = Literal["nothing", "packages", "outputs"]
"""What of a lock an image was compared with: nothing without a lock; the packages when it has recorded no outputs, and
these say nothing of a recipe's own files; else the very bytes that it has recorded."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be."""

    path: str
    """In the image: ``/boot/vmlinuz``, ``/live/filesystem.squashfs!/usr/bin/su``, ``[GPT]``."""
    what: str
    offset: int = -1
    """Of the bytes concerned in the image; -1 when that is not known."""
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was looked at, and what was found."""

    findings: tuple[Finding, ...]
    """`FINDINGS` at most."""
    more: int = 0
    """Further ones."""
    compared: Compared = "nothing"
    areas: int
    """Of the seal."""
    paths: int
    """In the ISO and the trees inside."""
    packages: int


@dataclass(slots=True)
class _Found:
    """Findings as they come in."""

    first: list[Finding] = field(default_factory=list)
    more: int = 0

    def add(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if len(self.first) < FINDINGS:
                self.first.append(finding)
            else:
                self.more += 1

    def verified(self, *, areas: int, paths: int = 0, packages: int = 0, compared: Compared = "nothing") -> Verified:
        return Verified(
            findings=tuple(self.first), more=self.more, compared=compared, areas=areas, paths=paths, packages=packages
        )


def verify(path: Path, lock: Lock | None = None, *, reporter: Reporter = SILENT) -> Verified:
    """Look at every byte and path of the ISO at `path`, and compare it with `lock` if there is one.

    Damage is not an error but a finding. Raises HostFileError when the file cannot be read.
    """
    image = Image(path)
    found = _Found()
    with reporter.step("checksums"):
        found.add(sealed(image))
    if found.first:
        # What is damaged is known; to look into it would only tell the same once more.
        sound = all(finding.path != f"[{SEAL}]" for finding in found.first)
        return found.verified(areas=len(image.seal.areas) if sound else 0)
    areas = len(image.seal.areas)
    try:
        output = _recorded(image, lock)
        if ISO_INDEX in image.files:
            return _inside(image, lock, output, found, reporter=reporter)
        # A seed, say: it has nothing inside.
        if output is not None:
            found.add(_against_output(image, output, None))
        elif lock is not None:
            found.add([Finding("", "it has no list of its contents, so it cannot be compared with a lock")])
        return found.verified(areas=areas, paths=len(image.files), compared=_compared(lock, output))
    except AssembleError as error:
        found.add([_finding(error)])
        return found.verified(areas=areas)


def _finding(error: AssembleError) -> Finding:
    what = f"{error.what}: {error.why}" if error.why else error.what
    return Finding(error.where.path or error.where.key, what)


# --- bytes -----------------------------------------------------------------------------------------------------------


def sealed(image: Image) -> Iterator[Finding]:
    """What of the image is not as it was sealed, down to paths inside the squashfs."""
    try:
        found = image.seal
    except SealError as error:
        yield Finding(error.where.path or f"[{SEAL}]", f"{error.what}: {error.why}")
        return
    with open_image(image.path) as stream:
        broken = list(seal.broken(stream, found))
    inside = [area for area in broken if area.name == ISO_SQUASHFS]
    others = [area for area in broken if area.name != ISO_SQUASHFS]
    before = [area for area in others if inside and area.offset < inside[0].offset]
    yield from map(_broken, before)
    if inside:
        yield from _blamed(image, inside, _listed(image, broken))
    yield from map(_broken, others[len(before) :])


def _broken(area: Area) -> Finding:
    return Finding(area.name, "its checksum is wrong", area.offset, area.size)


def _listed(image: Image, broken: list[Area]) -> Mapping[str, listing.Entry]:
    """The listing of the squashfs, when it is itself as it was sealed; found without the file system."""
    name = listing_path("rootfs")
    areas = [area for area, _ in image.seal.areas if area.name == name]
    if any(area.name == name for area in broken) or sum(area.size for area in areas) > _LARGEST_PACKED:
        return {}
    with open_image(image.path) as stream:
        data = b"".join(chunk for area in areas for chunk in seal.chunks(stream, area))
    try:
        return listing.parse(contents.read_listing(data, name))
    except AssembleError:
        return {}


def _blamed(image: Image, broken: list[Area], listed: Mapping[str, listing.Entry]) -> Iterator[Finding]:
    """For each area of the squashfs that is `broken`: the paths inside whose bytes in it are not as listed; else the
    table that is hit. Areas that it would take too long to look into are told as they are.
    """
    start = next(area.offset for area, _ in image.seal.areas if area.name == ISO_SQUASHFS)
    done = 0
    try:
        with Squashfs(image.path, start) as squashfs:
            same = functools.cache(functools.partial(_same, squashfs, listed))
            each = max(sum(len(extent.owners) for extent in squashfs.extents), 1)
            for area in broken[: LOOKED_AT // each]:
                yield from _blamed_in(squashfs, start, area, same) or [_broken(area)]
                done += 1
        yield from map(_broken, broken[done:])
    except SquashfsError as error:
        what = f"its checksum is wrong, and it cannot be read: {error.why}"
        yield from (Finding(ISO_SQUASHFS, what, area.offset, area.size) for area in broken[done:])


def _blamed_in(squashfs: Squashfs, start: int, area: Area, same: Callable[[str], bool]) -> list[Finding]:
    first, last = area.offset - start, area.end - start
    found = [
        Finding(
            f"{ISO_SQUASHFS}!{owner}",
            f"its bytes from {at} on are not those that its checksum is of",
            start + extent.offset,
            extent.size,
        )
        for extent in squashfs.extents
        if extent.offset < last and extent.offset + extent.size > first
        for owner, at in extent.owners
        if not same(owner)
    ]
    return found or list(_tables(squashfs, start, first, last))


def _tables(squashfs: Squashfs, start: int, first: int, last: int) -> Iterator[Finding]:
    """The tables of the squashfs at `start` between its bytes `first` and `last`."""
    marks = sorted([*squashfs.tables.items(), ("padding", squashfs.size)], key=lambda item: item[1])
    for (name, begin), (_, end) in zip(marks, [*marks[1:], ("", last)], strict=True):
        begins, ends = start + max(begin, first), start + min(end, last)
        if begins < ends:
            label = "superblock and data" if name == "superblock" else name
            yield Finding(f"{ISO_SQUASHFS}![{label}]", "its checksum is wrong", begins, ends - begins)


def _same(squashfs: Squashfs, listed: Mapping[str, listing.Entry], path: str) -> bool:
    """Whether a file is as listed, or the listing has no word on it."""
    entry = listed.get(escaped(path))
    if entry is None:
        return True
    inode = squashfs.tree.get(path)
    try:
        return inode is not None and squashfs.sha256(inode.content) == listing.resolved(listed, entry).content
    except SquashfsError:
        return False


# --- paths -----------------------------------------------------------------------------------------------------------


def _inside(
    image: Image, lock: Lock | None, output: LockedOutput | None, found: _Found, *, reporter: Reporter
) -> Verified:
    found.add(_files(image))
    for path in sorted({ISO_SQUASHFS, ISO_INITRD} & image.files.keys() - image.trees.keys()):
        found.add([Finding(path, "nothing lists what is in it")])
    paths = len(image.files)
    packages = 0
    for path in image.trees:
        with reporter.step(path), image.tree(path) as tree:
            text = tree.listing()
            paths += text.count("\n")
            found.add(_tree(image, path, text))
            if path == ISO_SQUASHFS and tree.tree.is_file(f"{ADMINDIR}/status"):
                there = {(name, version, arch) for (name, arch), version in installed(tree).items()}
                packages = len(there)
                found.add(_packages(there, image.lock))
    if lock is not None:
        found.add(_against(image, lock))
        if output is not None:
            found.add(_against_output(image, output, lock.build))
        elif not packages:
            found.add([Finding(ISO_SQUASHFS, "dpkg knows of no package in it, so it cannot be compared with a lock")])
    return found.verified(areas=len(image.seal.areas), paths=paths, packages=packages, compared=_compared(lock, output))


def _files(image: Image) -> Iterator[Finding]:
    """Every file on the ISO against its list, and nothing more."""
    listed = {**image.index["files"], ISO_INDEX: None}
    # The boot loader's images are written by the ISO writer itself, which the seal speaks for.
    own = unlisted()
    for path in sorted(listed.keys() | image.files.keys()):
        if path not in image.files:
            yield Finding(path, "it is missing")
        elif path not in listed:
            if path not in own:
                yield Finding(path, "nothing says that it belongs here")
        elif listed[path] is not None and digest.sha256(image.files[path]) != listed[path]["sha256"]:
            yield Finding(path, "it is not what the list of contents says", image.files[path].offset)


def _tree(image: Image, path: str, text: str) -> Iterator[Finding]:
    said = image.listing(path)
    if hashlib.sha256(said.encode()).hexdigest() != image.trees[path]["sha256"]:
        yield Finding(image.trees[path]["listing"], "it is not the listing that the list of contents means")
    if text == said:
        return
    for difference in listing.differences(listing.lines(said), listing.lines(text)):
        if "there" in difference.fields:
            missing = not difference.fields["there"][1]
            what = "it is missing" if missing else "nothing says that it belongs here"
        else:
            fields = difference.fields.items()
            what = ", ".join(f"{name} is {shortened(new)}, not {shortened(old)}" for name, (old, new) in fields)
        yield Finding(f"{path}!{difference.path}", what)


def _packages(there: set[tuple[str, str, str]], lock: Lock) -> Iterator[Finding]:
    """Every package that dpkg knows of against the lock, and nothing more."""
    locked = {(package.name, package.version, package.architecture) for package in lock.role("rootfs")}
    status = f"{ISO_SQUASHFS}!{ADMINDIR}/status"
    for name, version, architecture in sorted(locked - there):
        yield Finding(status, f"{name} {version} ({architecture}) is in the lock and not installed")
    for name, version, architecture in sorted(there - locked):
        yield Finding(status, f"{name} {version} ({architecture}) is installed and not in the lock")


# --- the lock --------------------------------------------------------------------------------------------------------


def _recorded(image: Image, lock: Lock | None) -> LockedOutput | None:
    """What `lock` has recorded of the image: under its own name, else as the node's ISO."""
    if lock is None or lock.build is None:
        return None
    recorded = {output.name: output for output in lock.build.outputs}
    return recorded.get(image.path.name) or recorded.get(ISO)


def _compared(lock: Lock | None, output: LockedOutput | None) -> Compared:
    return "nothing" if lock is None else "packages" if output is None else "outputs"


def _against(image: Image, lock: Lock) -> Iterator[Finding]:
    where = image.lock_path
    try:
        own = image.lock
    except LockError as error:
        yield Finding(where, str(error))
        return
    if own != replace(lock, build=None):
        lines = describe(changes(lock, own)) or ["roles, reasons or names of archives differ"]
        yield Finding(where, f"the image was built from another lock: {'; '.join(lines[:5])}")


def _against_output(image: Image, output: LockedOutput, build: LockedBuild | None) -> Iterator[Finding]:
    """Whether the image is the `output` that a lock has recorded, byte by byte; `build` tells which parts are."""
    if (output.size, output.sha256) != (image.size, sha256_of(image.path)):
        parts = list(_other_parts(image, build)) if build else []
        hint = f"; other than recorded: {', '.join(parts)}" if parts else ""
        yield Finding("", f"it is not the {output.name} that the lock has recorded{hint}")


def _other_parts(image: Image, build: LockedBuild) -> Iterator[str]:
    """Those parts of `image` that are not as recorded, for people."""
    recorded = {layer.name: layer.sha256 for layer in build.layers}
    recorded |= {output.name: output.sha256 for output in build.outputs}
    files = {path: described["sha256"] for path, described in image.index["files"].items()}
    tree = recorded.get("kubernetes.tree", recorded.get("rootfs.tree"))
    for what, wanted, there in (
        ("its kernel", recorded.get(KERNEL), files.get(ISO_KERNEL)),
        ("its initrd", recorded.get(INITRD), files.get(ISO_INITRD)),
        ("its root file system", tree, image.trees.get(ISO_SQUASHFS, {}).get("sha256")),
        ("its squashfs", recorded.get("livecd.squashfs"), files.get(ISO_SQUASHFS)),
    ):
        if wanted is not None and wanted != there:
            yield what
