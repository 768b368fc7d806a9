"""depmod against files that kmod 34's depmod wrote for the same modules, and with a reader of its own."""

import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.kernel import depmod as subject
from assembler.kernel.depmod import depmod, index, module_name
from assembler.kernel.module import ModuleError, read_module
from assembler.tree.content import Slice
from assembler.tree.staging import Tree, TreeError
from tests.kernel.ko import module
from tests.kernel.sample import BUILTIN, BUILTIN_MODINFO, MODULES, ORDER, RELEASE

RECORDED = Path(__file__).parent / "data" / "depmod"


def sample_tree() -> Tree:
    tree = Tree()
    top = f"/usr/lib/modules/{RELEASE}"
    tree.symlink("usr/lib", "/lib")
    for path, data in MODULES.items():
        tree.write(f"{top}/{path}", data, parents=True)
    tree.write(f"{top}/modules.order", ORDER.encode())
    tree.write(f"{top}/modules.builtin", BUILTIN.encode())
    tree.write(f"{top}/modules.builtin.modinfo", BUILTIN_MODINFO)
    return tree


def test_all_files_are_those_of_kmod() -> None:
    tree = sample_tree()
    found = depmod(tree, RELEASE)
    recorded = {path.name: path.read_bytes() for path in RECORDED.iterdir()}
    assert found.files.keys() == recorded.keys()
    for name, data in recorded.items():
        assert tree.read(f"/lib/modules/{RELEASE}/{name}") == data, name


def test_what_the_initramfs_needs_to_know() -> None:
    found = depmod(sample_tree(), RELEASE)
    assert found.paths["leaf"] == "updates/leaf.ko"
    assert found.paths["ext_9"] == "kernel/fs/ext-9.ko.xz"
    assert found.softdeps["ext_9"] == (("crc-x", "hub"), ("leaf",))
    assert found.firmware == {"ext_9": ("ext/9.bin",)}
    assert found.builtin == {"first", "se_cond"}
    assert found.depends["hub"] == ("ext_9", "crc", "base")
    assert found.closure(["hub", "se-cond"], soft=False) == ["base", "crc", "ext_9", "hub"]
    assert found.closure(["ext-9"]) == ["base", "crc", "ext_9", "hub", "leaf"]
    with pytest.raises(ModuleError, match="nosuch"):
        found.closure(["nosuch"])


def test_contents_may_lie_in_a_file(tmp_path: Path) -> None:
    data = MODULES["kernel/base.ko"]
    (tmp_path / "pool").write_bytes(b"..." + data)
    found = index({"kernel/base.ko": Slice(str(tmp_path / "pool"), 3, len(data))}, jobs=1)
    assert found.files["modules.dep"] == b"kernel/base.ko:\n"


def test_a_kernel_without_modules() -> None:
    assert index({}).files["modules.dep"] == b""
    with pytest.raises(TreeError):
        depmod(Tree(), "1.0")


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize("checksums", [True, False])
def test_modules_of_every_class_and_byte_order(wide: bool, little: bool, checksums: bool) -> None:  # noqa: FBT001  parameters
    info = read_module(
        module(
            ["alias=a", "alias=b", "license=GPL"],
            ["out"],
            ["one", "two"],
            wide=wide,
            little=little,
            checksums=checksums,
        )
    )
    assert (info.exports, info.imports) == (("out",), ("one", "two"))
    assert info.values("alias") == ["a", "b"]


_BYTES = bytearray(module())
_BYTES[40:48] = b"\xff" * 8
FAR = bytes(_BYTES)
"""Its section headers are beyond what Python counts offsets in."""


@pytest.mark.parametrize(
    "data", [b"", b"#!/bin/sh", b"\xfd7zXZ\0rubbish", b"\x28\xb5\x2f\xfdrubbish", module()[:-200], FAR]
)
def test_what_is_no_module_is_named(data: bytes) -> None:
    with pytest.raises(ModuleError) as caught:
        index({"kernel/bad.ko": data})
    assert caught.value.where.path == "kernel/bad.ko"


def test_a_module_that_unpacks_to_too_much() -> None:
    # A zstd frame with a window of 1 KiB... and blocks of 128 KiB that are one repeated byte each.
    blocks = b"".join(struct.pack("<I", (1 << 17) << 3 | 1 << 1 | last)[:3] + b"x" for last in [0] * 2100 + [1])
    with pytest.raises(ModuleError, match="unpacks to more than 268435456 bytes"):
        index({"kernel/bad.ko.zst": b"\x28\xb5\x2f\xfd\0\x38" + blocks})


def test_sections_without_number_take_no_memory() -> None:
    """Their names are all different, and each is as long as the file."""
    count = 60_000
    names = b"".join(b"n%05d\0" % number for number in range(count)) + b".modinfo\0"
    size = 64 + 64 * count + len(names)
    table = b"".join(struct.pack("<IIQQQQIIQQ", 6 * n, 1, 0, 0, 0, size, 0, 0, 1, 0) for n in range(count - 1))
    table += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, 64 + 64 * count, len(names), 0, 0, 1, 0)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, 64, 0, 64, 0, 0, 64, count, count - 1)
    tracemalloc.start()
    try:
        assert read_module(head + table + names).modinfo == ()
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_circles_are_errors() -> None:
    circle = {"a.ko": module([], ["a_sym"], ["b_sym"]), "b.ko": module([], ["b_sym"], ["a_sym"])}
    with pytest.raises(ModuleError, match="cycle"):
        index(circle)


def test_names() -> None:
    assert module_name("kernel/drivers/net/virtio-net.ko.xz") == "virtio_net"


def entries(data: bytes) -> dict[str, list[tuple[int, str]]]:
    """Read an index file, written here from the format alone."""
    magic, version, root = struct.unpack_from(">III", data)
    assert (magic, version) == (0xB007F457, 0x00020001)
    found: dict[str, list[tuple[int, str]]] = {}

    def walk(node: int, key: bytes) -> None:
        at = node & 0x0FFFFFFF
        if node & 0x80000000:
            end = data.index(b"\0", at)
            key += data[at:end]
            at = end + 1
        children = []
        if node & 0x20000000:
            first, last = data[at], data[at + 1]
            offsets = struct.unpack_from(f">{last - first + 1}I", data, at + 2)
            children = [(first + slot, child) for slot, child in enumerate(offsets) if child]
            at += 2 + 4 * len(offsets)
        if node & 0x40000000:
            (count,) = struct.unpack_from(">I", data, at)
            at += 4
            for _ in range(count):
                (priority,) = struct.unpack_from(">I", data, at)
                end = data.index(b"\0", at + 4)
                found.setdefault(key.decode(), []).append((priority, data[at + 4 : end].decode()))
                at = end + 1
        for byte, child in children:
            walk(child, key + bytes((byte,)))

    if len(data) > root & 0x0FFFFFFF:
        walk(root, b"")
    return found


words = st.text(st.sampled_from("ab_*:0"), max_size=8)


@given(st.lists(st.tuples(words, words, st.integers(0, 9)), max_size=30))
def test_an_index_gives_back_what_went_in(pairs: list[tuple[str, str, int]]) -> None:
    expected: dict[str, list[tuple[int, str]]] = {}
    for key, value, priority in reversed(pairs):
        expected.setdefault(key, []).append((priority, value))
    for same in expected.values():
        same.sort(key=lambda pair: pair[0])
    assert entries(subject._trie(pairs)) == expected
