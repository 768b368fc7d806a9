"""Small ext4 images, and changing them by hand, so that anything in them can be a lie. One group each."""

import lzma
import struct
import subprocess
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from assembler.formats.ext4_reader import Bounds, Ext4, Ext4Error
from assembler.tree import tar
from assembler.tree.staging import Tree
from tests.fuzz.seeds import CORPUS

BLOCK = 1024
_FEATURES = "^has_journal,^resize_inode"


def by_linux() -> bytes:
    """An image that mke2fs has made and Linux has changed, as tests/formats/ext4_by_linux.json says."""
    return lzma.decompress((CORPUS / "ext4/linux.xz").read_bytes())


def made(out: Path, tree: Tree | None = None, *commands: str, size: str = "256k", block: int = BLOCK) -> Path:
    """An image with `tree` in it, changed by commands of debugfs(8)."""
    options = ["-q", "-F", "-t", "ext4", "-b", str(block), "-O", _FEATURES, "-N", "64", "-d", "-", str(out), size]
    out.unlink(missing_ok=True)
    subprocess.run(["mke2fs", *options], input=b"".join(tar.write(tree or Tree())), check=True, capture_output=True)
    if commands:
        debugfs(out, *commands)
    return out


def debugfs(image: Path, *commands: str) -> str:
    """What debugfs(8) answers to commands, which may change the image."""
    script = image.with_suffix(".commands")
    script.write_bytes("".join(f"{command}\n" for command in commands).encode("utf-8", "surrogateescape"))
    run = subprocess.run(["debugfs", "-w", "-f", script, image], capture_output=True, check=True)
    assert run.stderr.count(b"\n") == 1, run.stderr
    return run.stdout.decode("utf-8", "surrogateescape")


def contents(path: Path, bounds: Bounds | None = None) -> dict[str, tuple[object, ...]]:
    """All that a reader can get: fields and bytes, by path."""
    with Ext4(path, bounds=bounds) as ext4:
        return {
            path: (each, b"".join(ext4.chunks(each, path)) if each.kind is not None and each.kind.value == "0" else b"")
            for path, each in ext4.entries()
        }


class Hand:
    """An image of `BLOCK` bytes a block that is changed byte by byte."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.size: int = struct.unpack_from("<H", data, 1024 + 88)[0]
        self.table: int = struct.unpack_from("<I", data, 2 * BLOCK + 8)[0]
        """The block where the inodes begin."""

    def put(self, at: int, form: str, *values: int | bytes) -> None:
        struct.pack_into(form, self.data, at, *values)

    def superblock(self, at: int, form: str, *values: int) -> None:
        self.put(1024 + at, form, *values)

    def place(self, number: int) -> int:
        """Where an inode is."""
        return self.table * BLOCK + (number - 1) * self.size

    def inode(self, number: int, at: int, form: str, *values: int | bytes) -> None:
        self.put(self.place(number) + at, form, *values)

    def extents(self, number: int, records: Sequence[tuple[int, int, int]], *, depth: int = 0) -> None:
        """Give an inode other extents: first block of the file, how many, and the first block there is."""
        self.inode(number, 40, "<60s", node(records, depth=depth, room=4))

    def block(self, number: int) -> int:
        """The first block of an inode with an extent."""
        (found,) = struct.unpack_from("<I", self.data, self.place(number) + 40 + 12 + 8)
        assert isinstance(found, int)
        return found

    def name(self, directory: int, name: bytes) -> int:
        """Where the entry with that name is."""
        start = self.block(directory) * BLOCK
        at = self.data.index(bytes([len(name)]), start)
        while self.data[at + 2 : at + 2 + len(name)] != name:
            at = self.data.index(bytes([len(name)]), at + 1, start + BLOCK)
        return at - 6


def node(records: Sequence[tuple[int, int, int]], *, depth: int, room: int, magic: int = 0xF30A) -> bytes:
    """A node of a tree of extents; of a record above the leaves the second value does not count."""
    head = struct.pack("<HHHHI", magic, len(records), room, depth, 0)
    if depth:
        return head + b"".join(struct.pack("<IIHH", first, start, 0, 0) for first, _, start in records)
    return head + b"".join(struct.pack("<IHHI", first, length, 0, start) for first, length, start in records)


ROOT, FILE, LINK, LONG, OUTER, INNER, LIST, MORE = 2, 12, 13, 14, 15, 16, 17, 18
"""The numbers of the inodes in :func:`sound`."""
SIZE, SIZE_HIGH, LINKS, FLAGS, MAP, ACL, EXTRA = 4, 108, 26, 32, 40, 104, 128
"""Where fields of an inode are."""
FIRST_BLOCK = MAP + 12 + 8
EXTENTS, HUGE = 0x80000, 1 << 30
FREE = 200
"""A block that nobody has, as are those behind it."""


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    tree = Tree(mtime=5)
    tree.write("/file", b"some text" * 300)
    tree.symlink("file", "/link")
    tree.symlink("t" * 100, "/long")
    tree.mkdir("/outer")
    tree.mkdir("/outer/inner")
    tree.write("/user", b"")
    tree.write("/zmore", b"x")
    out = made(
        *(tmp_path_factory.mktemp("ext4") / "x", tree),
        *("ea_set user user.a 1234", "ea_set user user.b 5678", f"ea_set zmore user.large {'v' * 300}"),
    )
    assert list(contents(out)) == [
        *("/", "/file", "/link", "/long", "/lost+found", "/outer", "/outer/inner", "/user", "/zmore"),
    ]
    return out.read_bytes()


@pytest.fixture
def hand(sound: bytes) -> Hand:
    return Hand(sound)


def refused(directory: Path, hand: Hand, why: str, path: str | None = None, bounds: Bounds | None = None) -> None:
    image = directory / "image"
    image.write_bytes(hand.data)
    tracemalloc.start()
    with pytest.raises(Ext4Error, match=why) as caught:
        contents(image, bounds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
    assert caught.value.where.file == str(image)
    if path is not None:
        assert caught.value.where.path == path


def read(directory: Path, hand: Hand, bounds: Bounds | None = None) -> dict[str, Any]:
    image = directory / "image"
    image.write_bytes(hand.data)
    return contents(image, bounds)
