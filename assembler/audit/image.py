"""An image opened for looking into: the files on an ISO, and the trees inside these."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import zstandard

from assembler.errors import AssembleError, Place
from assembler.formats import cpio, seal
from assembler.formats.iso import BLOCK, records
from assembler.formats.seal import Seal
from assembler.formats.squashfs_reader import Squashfs
from assembler.layers import contents
from assembler.lock.model import Lock
from assembler.lock.toml import parse_lock
from assembler.tree import content as contents_of
from assembler.tree import digest
from assembler.tree.content import Content, Slice
from assembler.tree.staging import Tree

SQUASHFS, INITRD = "/live/filesystem.squashfs", "/boot/initrd.img"
_LARGEST_INITRD = 1 << 30


def is_iso(path: Path) -> bool:
    """Whether a host file begins as an ISO 9660 file system does. Raises OSError when it cannot be read."""
    with path.open("rb") as stream:
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
        """The tree as text: see tree/digest.py."""
        return "".join(digest.listing(self.tree, content=self.sha256))

    def sha256(self, content: Content) -> str:
        """SHA-256 (hex) of a file's bytes."""
        return digest.sha256_of(self.chunks(content))


class Image:
    """The ISO in the host file `path`. Everything raises ImageError or another AssembleError when it is damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def files(self) -> Mapping[str, Slice]:
        """The files of its file system, empty ones included, by path (Rock Ridge names), as pycdlib finds them."""
        from pycdlib import pycdlib, pycdlibexception  # noqa: PLC0415  slow to load

        image = pycdlib.PyCdlib()
        try:
            with self.path.open("rb") as stream:
                image.open_fp(stream)
                found = {
                    path: Slice(str(self.path), record.extent_location() * BLOCK, record.get_data_length())
                    for path, record in records(image)
                    if not record.is_dir()
                }
                image.close()
        except OSError as error:
            raise ImageError(
                "the image cannot be read", where=Place(file=str(self.path)), why=error.strerror or str(error)
            ) from error
        except (pycdlibexception.PyCdlibException, ValueError, IndexError, AttributeError) as error:
            raise ImageError(
                "this is no ISO, or a damaged one", where=Place(file=str(self.path)), why=str(error)
            ) from error
        return dict(sorted(found.items()))

    def read(self, path: str) -> bytes:
        """The bytes of a file; for files known to be small."""
        if path not in self.files:
            raise ImageError("the image has no such file", where=Place(file=str(self.path), path=path))
        return contents_of.read(self.files[path])

    @cached_property
    def seal(self) -> Seal:
        """Its seal. Raises SealError."""
        with self.path.open("rb") as stream:
            return seal.read(stream, file=str(self.path))

    @cached_property
    def index(self) -> Mapping[str, Any]:
        """What it says of its contents: see layers/contents.py."""
        if contents.INDEX not in self.files:
            raise ImageError(
                "the image does not list its contents",
                where=Place(file=str(self.path), path=contents.INDEX),
                hint="it was not built by the assembler, or is no live ISO",
            )
        return contents.read_index(self.read(contents.INDEX))

    @property
    def trees(self) -> Mapping[str, Mapping[str, str]]:
        """For each file with a tree in it, the path of its listing and the listing's digest."""
        return dict(self.index["trees"])

    def listing(self, path: str) -> str:
        """The listing that the image has of the tree in its file `path`."""
        where = self.trees[path]["listing"]
        return contents.read_listing(self.read(where), where)

    @cached_property
    def lock(self) -> Lock:
        """The lock that it was built from."""
        path = contents.lock_path(str(self.index["name"]))
        return parse_lock(self.read(path).decode("utf-8", "replace"), f"{self.path}{path}")

    @contextmanager
    def tree(self, path: str) -> Iterator[OpenTree]:
        """The tree in the file `path`: a squashfs, or an initramfs."""
        if path.endswith(".squashfs"):
            with Squashfs(self.path, self.files[path].offset) as squashfs:
                yield OpenTree(squashfs.tree, squashfs.chunks)
            return
        try:
            data = zstandard.ZstdDecompressor().decompress(self.read(path), max_output_size=_LARGEST_INITRD)
        except zstandard.ZstdError as error:
            raise ImageError(
                "the initramfs cannot be decompressed", where=Place(file=str(self.path), path=path), why=str(error)
            ) from error
        yield OpenTree(cpio.read(io.BytesIO(data)), contents_of.chunks)
