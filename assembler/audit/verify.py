"""Verifying an image without building it: every byte against its seal, every path against its list of contents, and all
of that against a lock.

The seal finds damage. It does not find forgery, as whoever makes another image seals that too; a lock that has recorded
the outputs does.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from assembler.audit import listing
from assembler.audit.image import INITRD, SQUASHFS, Image
from assembler.audit.packages import installed
from assembler.debian.dpkg_database import ADMINDIR
from assembler.errors import AssembleError
from assembler.formats import seal
from assembler.formats.seal import SEAL, Area, SealError
from assembler.formats.squashfs_reader import Squashfs, SquashfsError
from assembler.layers import contents
from assembler.lock.changes import changes, describe
from assembler.lock.model import Lock, LockedBuild
from assembler.lock.toml import LockError
from assembler.progress import SILENT, Reporter
from assembler.store.objects import sha256_of
from assembler.tree import digest
from assembler.tree.digest import escaped


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
    areas: int
    """Of the seal."""
    paths: int
    """In the ISO and the trees inside."""
    packages: int


def verify(path: Path, lock: Lock | None = None, *, reporter: Reporter = SILENT) -> Verified:
    """Look at every byte and path of the ISO at `path`, and compare it with `lock` if there is one.

    Damage is not an error but a finding. Raises OSError when the file cannot be read.
    """
    image = Image(path)
    with reporter.step("seal"):
        findings = tuple(sealed(image))
    areas = 0 if any(finding.path == f"[{SEAL}]" for finding in findings) else len(image.seal.areas)
    if findings:
        # What is damaged is known; to look into it would only tell the same once more.
        return Verified(findings=findings, areas=areas, paths=0, packages=0)
    try:
        if contents.INDEX not in image.files:
            # A seed, say: it has nothing inside.
            extra = (Finding("", "it has no list of its contents, so it cannot be compared with a lock"),)
            return Verified(findings=extra if lock else (), areas=areas, paths=len(image.files), packages=0)
        return _inside(image, lock, areas, reporter)
    except AssembleError as error:
        return Verified(findings=(_finding(error),), areas=areas, paths=0, packages=0)


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
    with image.path.open("rb") as stream:
        broken = list(seal.broken(stream, found))
    start = next((area.offset for area, _ in found.areas if area.name == SQUASHFS), 0)
    listed = _listed(image, broken)
    for area in broken:
        inside = list(_blamed(image.path, start, area, listed)) if area.name == SQUASHFS else []
        yield from inside or [Finding(area.name, "it is not what was sealed", area.offset, area.size)]


def _listed(image: Image, broken: list[Area]) -> Mapping[str, listing.Entry]:
    """The listing of the squashfs, when it is needed and itself as it was sealed; found without the file system."""
    if not any(area.name == SQUASHFS for area in broken):
        return {}
    name = f"{contents.FOLDER}/rootfs.zst"
    if any(area.name == name for area in broken):
        return {}
    data = b""
    with image.path.open("rb") as stream:
        for area, _ in image.seal.areas:
            if area.name == name:
                stream.seek(area.offset)
                data += stream.read(area.size)
    try:
        return listing.parse(contents.read_listing(data, name))
    except (AssembleError, ValueError):
        return {}


def _blamed(path: Path, start: int, area: Area, listed: Mapping[str, listing.Entry]) -> Iterator[Finding]:
    """The paths inside the squashfs at `start` whose bytes in `area` are not as listed; else the table that is hit."""
    first, last = area.offset - start, area.end - start
    try:
        with Squashfs(path, start) as squashfs:
            found = [
                Finding(
                    f"{SQUASHFS}!{owner}",
                    f"its bytes from {at} on are not what was sealed",
                    start + extent.offset,
                    extent.size,
                )
                for extent in squashfs.extents
                if extent.offset < last and extent.offset + extent.size > first
                for owner, at in extent.owners
                if (entry := listed.get(escaped(owner))) and not _same(squashfs, owner, listing.resolved(listed, entry))
            ]
            yield from found or _tables(squashfs, start, first, last)
    except SquashfsError as error:
        yield Finding(SQUASHFS, f"it is not what was sealed, and cannot be read: {error.why}", area.offset, area.size)


def _tables(squashfs: Squashfs, start: int, first: int, last: int) -> Iterator[Finding]:
    """The tables of the squashfs at `start` between its bytes `first` and `last`."""
    marks = sorted([*squashfs.tables.items(), ("padding", squashfs.size)], key=lambda item: item[1])
    for (name, begin), (_, end) in zip(marks, [*marks[1:], ("", last)], strict=True):
        begins, ends = start + max(begin, first), start + min(end, last)
        if begins < ends:
            label = "superblock and data" if name == "superblock" else name
            yield Finding(f"{SQUASHFS}![{label}]", "it is not what was sealed", begins, ends - begins)


def _same(squashfs: Squashfs, path: str, entry: listing.Entry) -> bool:
    inode = squashfs.tree.get(path)
    try:
        return inode is not None and squashfs.sha256(inode.content) == entry.content
    except SquashfsError:
        return False


# --- paths -----------------------------------------------------------------------------------------------------------


def _inside(image: Image, lock: Lock | None, areas: int, reporter: Reporter) -> Verified:
    findings = [*_files(image)]
    paths = len(image.files)
    packages = 0
    for path in image.trees:
        with reporter.step(path), image.tree(path) as tree:
            text = tree.listing()
            found = listing.parse(text)
            paths += len(found)
            findings += _tree(image, path, text, found)
            if path == SQUASHFS and tree.tree.is_file(f"{ADMINDIR}/status"):
                there = {(name, version, arch) for (name, arch), version in installed(tree).items()}
                packages = len(there)
                findings += _packages(there, image.lock)
    if lock is not None:
        findings += _against(image, lock)
    return Verified(findings=tuple(findings), areas=areas, paths=paths, packages=packages)


def _files(image: Image) -> Iterator[Finding]:
    """Every file on the ISO against its list, and nothing more."""
    listed = {**image.index["files"], contents.INDEX: None}
    # The boot loader's images are written by the ISO writer itself, which the seal speaks for.
    own = {"/boot/grub/eltorito.img", "/boot/grub/efi.img", "/boot/grub/boot.cat"}
    for path in sorted(listed.keys() | image.files.keys()):
        if path not in image.files:
            yield Finding(path, "it is missing")
        elif path not in listed:
            if path not in own:
                yield Finding(path, "nothing says that it belongs here")
        elif listed[path] is not None and digest.sha256(image.files[path]) != listed[path]["sha256"]:
            yield Finding(path, "it is not what the list of contents says", image.files[path].offset)


def _tree(image: Image, path: str, text: str, found: Mapping[str, listing.Entry]) -> Iterator[Finding]:
    said = image.listing(path)
    if hashlib.sha256(said.encode()).hexdigest() != image.trees[path]["sha256"]:
        yield Finding(image.trees[path]["listing"], "it is not the listing that the list of contents means")
    if text == said:
        return
    for difference in listing.differences(listing.parse(said), found):
        if "there" in difference.fields:
            missing = not difference.fields["there"][1]
            what = "it is missing" if missing else "nothing says that it belongs here"
        else:
            what = ", ".join(f"{name} is {new}, not {old}" for name, (old, new) in difference.fields.items())
        yield Finding(f"{path}!{difference.path}", what)


def _packages(there: set[tuple[str, str, str]], lock: Lock) -> Iterator[Finding]:
    """Every package that dpkg knows of against the lock, and nothing more."""
    locked = {(package.name, package.version, package.architecture) for package in lock.role("rootfs")}
    status = f"{SQUASHFS}!{ADMINDIR}/status"
    for name, version, architecture in sorted(locked - there):
        yield Finding(status, f"{name} {version} ({architecture}) is in the lock and not installed")
    for name, version, architecture in sorted(there - locked):
        yield Finding(status, f"{name} {version} ({architecture}) is installed and not in the lock")


# --- the lock --------------------------------------------------------------------------------------------------------


def _against(image: Image, lock: Lock) -> Iterator[Finding]:
    where = contents.lock_path(str(image.index["name"]))
    try:
        own = image.lock
    except LockError as error:
        yield Finding(where, str(error))
        return
    if own != replace(lock, build=None):
        lines = describe(changes(lock, own)) or ["roles, reasons or names of archives differ"]
        yield Finding(where, f"the image was built from another lock: {'; '.join(lines[:5])}")
    if lock.build is None:
        return
    recorded = {output.name: output for output in lock.build.outputs}
    output = recorded.get(image.path.name) or recorded.get("node.iso")
    if output and (output.size, output.sha256) != (image.path.stat().st_size, sha256_of(image.path)):
        parts = list(_other_parts(image, lock.build))
        hint = f"; other than recorded: {', '.join(parts)}" if parts else ""
        yield Finding("", f"it is not the {output.name} that the lock has recorded{hint}")


def _other_parts(image: Image, build: LockedBuild) -> Iterator[str]:
    """Those parts of `image` that are not as recorded, for people."""
    recorded = {layer.name: layer.sha256 for layer in build.layers}
    recorded |= {output.name: output.sha256 for output in build.outputs}
    files = {path: described["sha256"] for path, described in image.index["files"].items()}
    tree = recorded.get("kubernetes.tree", recorded.get("rootfs.tree"))
    for what, wanted, there in (
        ("its kernel", recorded.get("vmlinuz"), files.get("/boot/vmlinuz")),
        ("its initrd", recorded.get("initrd.img"), files.get(INITRD)),
        ("its root file system", tree, image.trees.get(SQUASHFS, {}).get("sha256")),
        ("its squashfs", recorded.get("livecd.squashfs"), files.get(SQUASHFS)),
    ):
        if wanted is not None and wanted != there:
            yield what
