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


def test_kmods_hash_of_every_length() -> None:
    """SuperFastHash as kmod's hash.c has it, written once more from there with numbers of 32 bits."""

    def word(value: int) -> int:
        return value & 0xFFFFFFFF

    def expected(key: bytes) -> int:
        found, at = len(key), 0
        while len(key) - at >= 4:
            low, high = struct.unpack_from("<HH", key, at)
            found = word(found + low)
            found = word(word(found << 16) ^ word(high << 11) ^ found)
            found = word(found + (found >> 11))
            at += 4
        rest = key[at:]
        if rest:
            found = word(found + (struct.unpack("<H", rest[:2])[0] if len(rest) > 1 else rest[0]))
        if len(rest) == 3:
            found = word(found ^ word(found << 16) ^ word(rest[2] << 18))
        elif rest:
            found = word(found ^ word(found << (11 if len(rest) == 2 else 10)))
        if rest:
            found = word(found + (found >> {1: 1, 2: 17, 3: 11}[len(rest)]))
        for left, right in ((3, 5), (4, 17), (25, 6)):
            found = word(found ^ word(found << left))
            found = word(found + (found >> right))
        return found

    keys = [bytes(range(33 + length, 33 + 2 * length)) for length in range(40)] + [
        b"\xff" * length for length in range(9)
    ]
    assert [subject._hash(key) for key in keys] == [expected(key) for key in keys]
    names = [f"symbol_{number}" for number in range(3000)]
    assert subject._hash_order(names) == sorted(names, key=lambda name: (expected(name.encode()) % 2048, name))


@pytest.mark.parametrize(
    ("aliases", "line"),
    [
        (["devname:a/b", "char-major-10-200"], "m a/b c10:200"),
        (["block-major-7-0", "devname:loop"], "m loop b7:0"),
        (["devname:a", "devname:b", "char-major-1-2", "char-major-3-4"], "m b c1:2"),
        (["char-major-1-2", "char-major-3-4", "devname:a"], "m a c3:4"),
        (["devname:a", "char-major-10-*"], ""),
        (["devname:a"], ""),
        (["char-major-1-2"], ""),
        (["xdevname:a", "xchar-major-1-2", "net-major-1-2"], ""),
    ],
)
def test_device_nodes(aliases: list[str], line: str) -> None:
    found = index({"m.ko": module([f"alias={each}" for each in aliases])}).files["modules.devname"].decode()
    assert found.splitlines() == ["# Device nodes to trigger on-demand module loading.", *([line] if line else [])]


def test_aliases_as_kmod_compares_them() -> None:
    words = {"a-b": "a_b", "a[-b]-c[x-z]": "a[-b]_c[x-z]", "[0-9]-": "[0-9]_", "[]-": "[]_"}
    wrong = ["a]b", "[a", "a[b]]", "[[a]"]
    found = index({"m.ko": module([f"alias={each}" for each in (*words, *wrong)])})
    assert set(entries(found.files["modules.alias.bin"])) == {*words.values(), "[[a]"}
    # People read them as they are.
    assert [line.split()[1] for line in found.files["modules.alias"].decode().splitlines()[1:]] == [*words, *wrong]
    builtin = b"a.alias=x-y\0b-c.alias=[\0b-c.alias=z\0b-c.license=GPL\0alias=q\0a.alias.b=r\0"
    found = index({}, builtin_modinfo=builtin)
    assert entries(found.files["modules.builtin.alias.bin"]) == {"x_y": [(0, "a")], "z": [(0, "b_c")]}


def test_which_module_of_two_and_in_which_order() -> None:
    """Of one name that in updates; first those of modules.order, then by path, those in updates before others."""
    files = {
        "kernel/b.ko": module(), "kernel/a-x.ko.xz": module(), "kernel/c.ko.zst": module(), "kernel/z.ko": module(),
        "updates/z.ko": module(), "updates/y.ko": module(), "updatesx/k.ko": module(), "kernel/a_x.ko": module(),
    }  # fmt: skip
    found = index(files, order="kernel/c.ko\n  kernel/b.ko \nkernel/gone.ko\n")
    assert list(found.paths.items()) == [
        ("c", "kernel/c.ko.zst"),
        ("b", "kernel/b.ko"),
        ("y", "updates/y.ko"),
        ("z", "updates/z.ko"),
        ("a_x", "kernel/a-x.ko.xz"),
        ("k", "updatesx/k.ko"),
    ]
    assert list(entries(found.files["modules.dep.bin"]).values()) == [
        [(4, "kernel/a-x.ko.xz:")],
        [(1, "kernel/b.ko:")],
        [(0, "kernel/c.ko.zst:")],
        [(5, "updatesx/k.ko:")],
        [(2, "updates/y.ko:")],
        [(3, "updates/z.ko:")],
    ]


def test_which_files_are_modules() -> None:
    tree = Tree()
    top = "/lib/modules/1.0"
    names = ("a.ko", "b.ko.xz", "c.ko.zst", "d.ko.gz", "e.o", "f.ko.txt", "ko")
    for name in names:
        tree.write(f"{top}/kernel/{name}", module(), parents=True)
    tree.symlink("a.ko", f"{top}/kernel/g.ko")
    tree.mkdir(f"{top}/modules.order")
    found = depmod(tree, "1.0")
    assert sorted(found.paths) == ["a", "b", "c"]
    assert tree.read(f"{top}/modules.dep") == found.files["modules.dep"]


def test_what_is_needed_first() -> None:
    files = {
        "a.ko": module(["softdep=pre: s1 none post: s-2"], [], ["b_sym", "c_sym", "b_other"]),
        "b.ko": module([], ["b_sym", "b_other"], ["d_sym"]),
        "c.ko": module([], ["c_sym"], ["d_sym"]),
        "d.ko": module(["softdep=pre: built"], ["d_sym"]),
        "s1.ko": module([], [], ["c_sym"]),
        "s_2.ko": module(["firmware=x", "firmware=y"]),
    }
    found = index(files, builtin="kernel/built.ko\n\n kernel/in-it.ko\n")
    assert found.builtin == {"built", "in_it"}
    assert found.depends["a"] == ("c", "b", "d")
    assert found.softdeps == {"a": (("s1", "none"), ("s-2",)), "d": (("built",), ())}
    assert found.firmware == {"s_2": ("x", "y")}
    assert found.closure(["a"]) == ["d", "b", "c", "a", "s1", "s_2"]
    assert found.closure(["a"], soft=False) == ["d", "b", "c", "a"]
    assert found.closure(["c", "c", "in-it"]) == ["d", "c"]
    with pytest.raises(ModuleError) as caught:
        found.closure(["c", "no-such"])
    assert caught.value.what == "the kernel has no module no_such"


def test_circles_name_those_in_them() -> None:
    circle = {f"m{at:02}.ko": module([], [f"s{at}"], [f"s{(at + 1) % 12}"]) for at in range(12)}
    outside = {"user.ko": module([], [], ["s0"]), "alone.ko": module()}
    with pytest.raises(ModuleError) as caught:
        index(circle | outside)
    assert caught.value.what == "modules need each other in a cycle"
    assert caught.value.why == ", ".join(f"m{at:02}" for at in range(10))


def test_the_largest_module_and_the_most_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    large = 256 << 20
    with pytest.raises(ModuleError) as caught:
        index({"a.ko": Slice("/nowhere", 0, large + 1)})
    assert (caught.value.what, caught.value.where.path) == ("the module is too large", "a.ko")
    assert caught.value.why == f"{large + 1} bytes; at most {large} are read"
    with pytest.raises(OSError, match="/nowhere"):
        index({"a.ko": Slice("/nowhere", 0, large)})
    too_many = {f"{number}.ko": b"" for number in range(20_001)}
    with pytest.raises(ModuleError) as caught:
        index(too_many)
    assert caught.value.what == "the kernel has too many modules for one"
    assert caught.value.why == "there are more than 20000 modules"
    # Entries of modinfo, exports and imports, and characters in them: nine of each here.
    one = {"a.ko": module(["a=b", "cc="], ["d", "e", "f"], ["g", "h", "i", "j"])}
    needs = {"a.ko": module([], [], ["x"]), "b.ko": module([], ["x"], ["y"]), "c.ko": module([], ["y"])}
    for limit, most, files, why in (
        ("_MOST_MODULES", 3, needs, "2 modules"),
        ("_MOST_WORDS", 9, one, "8 entries, or 67108864 characters, in its modules"),
        ("_MOST_TEXT", 11, one, "2000000 entries, or 10 characters, in its modules"),
        ("_MOST_STEPS", 3, needs, "2 steps, or 67108864 characters, in what its modules need"),
        ("_MOST_TEXT", 12, needs, "20000000 steps, or 11 characters, in what its modules need"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(subject, limit, most)
            index(files)
            patch.setattr(subject, limit, most - 1)
            with pytest.raises(ModuleError) as caught:
                index(files)
        assert caught.value.why == f"there are more than {why}"


def test_the_largest_index(monkeypatch: pytest.MonkeyPatch) -> None:
    (largest,) = {len(subject._trie([("abc", "value", 1), ("abd", "", 2)]))}
    monkeypatch.setattr(subject, "_LARGEST_TRIE", largest)
    assert len(subject._trie([("abc", "value", 1), ("abd", "", 2)])) == largest
    monkeypatch.setattr(subject, "_LARGEST_TRIE", largest - 1)
    with pytest.raises(ModuleError) as caught:
        subject._trie([("abc", "value", 1), ("abd", "", 2)])
    assert caught.value.why == f"there are more than {largest - 1} bytes in one of its indexes"
