"""An image opened for looking into: the files on an ISO, and the trees inside these.

The image may be anybody's: what is read of it has a limit each, links are not followed, and nothing of it is run.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import zstandard

from assembler.errors import AssembleError, Place
from assembler.formats import cpio, seal, zstd
from assembler.formats.iso_reader import BLOCK, read_files
from assembler.formats.seal import Seal
from assembler.formats.squashfs_reader import PATH_TEXT, PATHS, Squashfs
from assembler.hostfile import open_image
from assembler.image import contents
from assembler.image.names import ISO_INDEX, ISO_INITRD, ISO_SQUASHFS, lock_path
from assembler.initrd.microcode import PATHS as MICROCODE
from assembler.lockfile.model import Lock
from assembler.lockfile.toml import parse_lock
from assembler.tree import content as contents_of
from assembler.tree import digest
from assembler.tree.content import Content, Slice
from assembler.tree.staging import Kind, Tree

LARGEST_INITRD = 512 << 20
"""Bytes of an initramfs at most, unpacked."""
INITRD_EXPANSION, INITRD_ALLOWANCE = 64, 16 << 20
"""It may have INITRD_EXPANSION bytes for each one of its file, and INITRD_ALLOWANCE more."""
LARGEST_LOCK = 16 << 20
"""Bytes of a lock at most; that of a node with 243 packages has 85,000."""
LARGEST_DOCUMENT = 16 << 20
"""Bytes of a bill of materials or a provenance at most; that of a node with 243 packages has 260,000."""


def is_iso(path: Path) -> bool:
    """Whether a host file begins as an ISO 9660 file system does. Raises HostFileError when it cannot be read."""
    with open_image(path) as stream:
        stream.seek(16 * BLOCK)
        return stream.read(6)[1:] == b"CD001"


class ImageError(AssembleError):
    """Not an image that can be looked into."""


@dataclass(frozen=True, slots=True)
class OpenTree:
    """The tree inside a file of an image, and how the bytes of its files are read."""

    tree: Tree
    chunks: Callable[[Content], Iterator[bytes]]

    def listing(self) -> str:
        """The tree as text: see tree/digest.py. Raises ImageError when it is larger than listings may be."""
        lines, size = [], 0
        for line in digest.listing(self.tree, content=self.sha256):
            size += len(line)
            if size > contents.LISTING:
                raise ImageError("a tree is larger than what is read", why=f"its listing has {contents.LISTING} bytes")
            lines.append(line)
        return "".join(lines)

    def sha256(self, content: Content) -> str:
        """SHA-256 (hex) of a file's bytes."""
        return digest.sha256_of(self.chunks(content))


class Image:
    """The ISO in the host file `path`. Everything raises ImageError or another AssembleError when it is damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def files(self) -> Mapping[str, Slice]:
        """The files of its file system, empty ones included, by path: see formats/iso_reader.py."""
        return read_files(self.path)

    @cached_property
    def size(self) -> int:
        """Bytes of the whole image."""
        with open_image(self.path) as stream:
            return stream.seek(0, 2)

    def file(self, path: str) -> Slice:
        """Where a file is. Raises ImageError when there is none."""
        if path not in self.files:
            raise ImageError("the image has no such file", where=Place(file=str(self.path), path=path))
        return self.files[path]

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a file. Raises ImageError when it has more than `limit`."""
        found = self.file(path)
        if found.size > limit:
            raise ImageError(
                "a file on the image is larger than what is read",
                where=Place(file=str(self.path), path=path),
                why=f"{found.size} bytes, more than {limit}",
            )
        return contents_of.read(found)

    @cached_property
    def seal(self) -> Seal:
        """Its seal. Raises SealError."""
        with open_image(self.path) as stream:
            return seal.read(stream, file=str(self.path))

    @cached_property
    def index(self) -> Mapping[str, Any]:
        """What it says of its contents: see image/contents.py."""
        if ISO_INDEX not in self.files:
            raise ImageError(
                "the image does not list its contents",
                where=Place(file=str(self.path), path=ISO_INDEX),
                hint="it was not built by the assembler, or is no live ISO",
            )
        return contents.read_index(self.read(ISO_INDEX, contents.LARGEST_INDEX))

    @property
    def trees(self) -> Mapping[str, Mapping[str, str]]:
        """For each file with a tree in it, the path of its listing and the listing's digest."""
        found = dict(self.index["trees"])
        if other := found.keys() - {ISO_SQUASHFS, ISO_INITRD}:
            raise ImageError(
                "the image lists a tree in a file that has none", where=Place(file=str(self.path), path=min(other))
            )
        return found

    def listing(self, path: str) -> str:
        """The listing that the image has of the tree in its file `path`."""
        where = self.trees[path]["listing"]
        return contents.read_listing(self.read(where, contents.LISTING), where)

    @property
    def lock_path(self) -> str:
        """Where the lock is that it was built from."""
        return lock_path(str(self.index["name"]))

    @cached_property
    def lock(self) -> Lock:
        """The lock that it was built from."""
        path = self.lock_path
        return parse_lock(self.read(path, LARGEST_LOCK).decode("utf-8", "replace"), f"{self.path}{path}")

    @contextmanager
    def tree(self, path: str) -> Iterator[OpenTree]:
        """The tree in the file `path`: a squashfs, or an initramfs."""
        if path.endswith(".squashfs"):
            there = self.file(path)
            with Squashfs(self.path, there.offset, there.size) as squashfs:
                yield OpenTree(squashfs.tree, squashfs.chunks)
            return
        yield OpenTree(self._initramfs(path), contents_of.chunks)

    def _initramfs(self, path: str) -> Tree:
        def refused(why: str) -> ImageError:
            return ImageError("the initramfs cannot be read", where=Place(file=str(self.path), path=path), why=why)

        packed = self.read(path, LARGEST_INITRD)
        early, packed = _early(packed)
        try:
            limit = min(LARGEST_INITRD, INITRD_EXPANSION * len(packed) + INITRD_ALLOWANCE)
            data = zstd.decompress(packed, limit, alone=True)
        except zstandard.ZstdError as error:
            raise refused(str(error)) from error
        if data.count(cpio.MAGIC) > PATHS:
            raise refused(f"it has more than {PATHS} files")
        stream = io.BytesIO(data)
        tree = cpio.read(stream)
        # A kernel reads on, and takes what it finds over what it has.
        if stream.read().strip(b"\0"):
            raise refused("something follows its archive")
        for name, inode in early.root.children.items():
            if tree.lexists(name):
                raise refused(f"/{name} is in both of its archives")
            tree.put(name, inode)
        if not _fits(tree):
            raise refused(f"its paths have more than {PATH_TEXT} characters")
        return tree


def _early(data: bytes) -> tuple[Tree, bytes]:
    """The archive in front of an initramfs, which is not compressed, and what follows it; an empty tree for none.

    Raises ImageError when it has something else than microcode.
    """
    if not data.startswith(cpio.MAGIC):
        return Tree(), data
    if data.count(cpio.MAGIC) > PATHS:
        raise ImageError("too much is in front of the initramfs", why=f"it has more than {PATHS} files")
    stream = io.BytesIO(data)
    tree = cpio.read(stream)
    above = {str(each) for path in MICROCODE for each in PurePosixPath(path).parents}
    for path, inode in tree.walk():
        if not (path in MICROCODE and inode.kind is Kind.FILE) and not (path in above and inode.kind is Kind.DIR):
            raise ImageError("something else than microcode is in front of the initramfs", where=Place(path=path))
    return tree, stream.read().lstrip(b"\0")


def _fits(tree: Tree) -> bool:
    """Whether the paths of `tree`, which may lie behind links of it, are no more than those of a squashfs may be."""
    left, pending = PATH_TEXT, [(tree.root, 0)]
    while pending:
        directory, above = pending.pop()
        for name, inode in directory.children.items():
            length = above + 1 + len(name)
            left -= length
            if inode.children:
                pending.append((inode, length))
        if left < 0:
            return False
    return True
