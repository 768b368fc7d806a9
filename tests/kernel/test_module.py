"""One reader of modules for depmod and the initrd: the same answers, and the same refusals, in bounded memory."""

import lzma
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.initrd.modules import Kernel
from assembler.kernel import depmod as subject
from assembler.kernel import module as reader
from assembler.kernel.depmod import index
from assembler.kernel.module import MOST_WORDS, ModuleError, read_module, unsigned
from assembler.tree.staging import Tree
from tests.kernel.ko import module

DIRECTORY = "/usr/lib/modules/6.1-test"


def kernel(files: dict[str, bytes]) -> Kernel:
    tree = Tree()
    tree.mkdir(DIRECTORY, parents=True)
    for name, data in files.items():
        tree.write(f"{DIRECTORY}/{name}", data, parents=True)
    return Kernel(tree, "6.1-test")


def both(data: bytes, name: str = "bad.ko.xz") -> list[ModuleError]:
    """What depmod and the initrd say of a module that they refuse."""
    errors = []
    for use in (lambda: index({name: data}), lambda: kernel({name: data}).closure([], ["bad"])):
        with pytest.raises(ModuleError) as caught:
            use()
        assert caught.value.where.path.endswith(name)
        errors.append(caught.value)
    return errors


def packed(data: bytes) -> bytes:
    return lzma.compress(data, check=lzma.CHECK_CRC32)


SECTIONS = (".modinfo", "__ksymtab_strings", ".symtab", ".strtab", ".shstrtab")


def claiming(section: str, size: int) -> bytes:
    """A module one of whose sections claims another size than it has."""
    data = bytearray(module(["name=bad"], ["a"], ["b"]))
    (table,) = struct.unpack_from("<Q", data, 40)
    struct.pack_into("<Q", data, table + 64 * (1 + SECTIONS.index(section)) + 32, size)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (packed(module(["name=bad"]) + bytes(70 << 20)), "at most 67108864 are read"),
        (packed(module([f"alias={number}" for number in range(MOST_WORDS + 1)])), "entries of .modinfo"),
        (packed(module(imports=[f"s{number}" for number in range(MOST_WORDS + 1)])), "symbols that it needs"),
        (packed(module(exports=[f"s{number}" for number in range(MOST_WORDS + 1)])), "exported symbols"),
        (packed(module(exports=["s"] * (MOST_WORDS + 1), checksums=False)), "exported symbols"),
        (packed(module() + bytes(5 << 20))[:-100], "ends too early"),
        (packed(claiming(".modinfo", 1 << 40)), "may have 4194304"),
        (packed(claiming(".strtab", 1 << 20)), "ends beyond the file"),
        (packed(claiming(".symtab", 25)), ""),
        (packed(b"#!/bin/sh\n"), ""),
        (b"no module", "no packed module"),
    ],
    ids=range(11),
)
def test_both_refuse_the_same_with_the_same_words(data: bytes, why: str) -> None:
    one, other = both(data)
    assert why in one.why
    assert (one.what, one.why) == (other.what, other.why)


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("name", ["a.ko", "a.ko.xz", "a.ko.zst"])
def test_both_take_the_same(wide: bool, name: str) -> None:  # noqa: FBT001  a parameter
    """Whatever its name ends with: its first bytes count, as for kmod."""
    data = module(["alias=x", "softdep=nls pre: one post: two"], wide=wide)
    for raw in (data, packed(data)):
        (found,) = kernel({name: raw}).closure([], ["a"])
        indexed = index({name: raw})
        assert (found.data, found.aliases) == (data, indexed.aliases["a"])
        assert indexed.softdeps["a"] == (("nls", "one"), ("two",))


_MEASURE = """
import resource, sys
from pathlib import Path
from assembler.errors import AssembleError
from assembler.initrd.modules import Kernel
from assembler.kernel.depmod import index
from assembler.tree.staging import Tree
data = Path(sys.argv[1]).read_bytes()
tree = Tree()
tree.write("/usr/lib/modules/6/bad.ko.xz", data, parents=True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for use in (
    lambda: index({"bad.ko.xz": data, "bad2.ko.xz": data}), lambda: Kernel(tree, "6").closure([], ["bad"])
):
    try:
        use()
    except AssembleError as error:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


@pytest.mark.parametrize("kind", ["zeros", "symbols"])
def test_a_small_file_takes_little_memory(kind: str, tmp_path: Path) -> None:
    """Small ones that unpack to 80 MB, or hold a million symbols without a name of their own, are refused by both."""
    if kind == "zeros":
        stream = lzma.LZMACompressor(check=lzma.CHECK_CRC32, preset=0)
        parts = [stream.compress(module(["name=bad"])), *(stream.compress(bytes(1 << 20)) for _ in range(80))]
        data = b"".join([*parts, stream.flush()])
    else:
        symbol = struct.pack("<IBBHQQ", 1, 0x10, 0, 0, 0, 0)
        data = lzma.compress(_with_symbols(symbol * 1_000_000), check=lzma.CHECK_CRC32, preset=0)
    assert len(data) < 50_000
    file = tmp_path / "bad"
    file.write_bytes(data)
    command = [sys.executable, "-P", "-c", _MEASURE, str(file)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2], env={"PYTHONPATH": "."}
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        taken, message = line.split(" ", 1)
        assert int(taken) < 200 << 10  # KiB: two at a time of 64 MiB
        assert "bad.ko.xz" in message


def _with_symbols(symbols: bytes) -> bytes:
    """A module with these in its symbol table."""
    data = bytearray(module(imports=["x"]))
    (table,) = struct.unpack_from("<Q", data, 40)
    struct.pack_into("<QQ", data, table + 64 * 3 + 24, len(data), len(symbols))
    return bytes(data) + symbols


def _many(text: str, count: int) -> dict[str, bytes]:
    return {f"m{number}.ko": module([text]) for number in range(count)}


def chain(count: int) -> dict[str, bytes]:
    return {
        f"m{number}.ko": module(["depends=" + (f"m{number + 1}" if number + 1 < count else "")], [f"s{number}"],
                                [f"s{number + 1}"])
        for number in range(count)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "most", "files", "why"),
    [
        ("_MOST_MODULES", 9, lambda: _many("a=b", 10), "9 modules"),
        ("_MOST_WORDS", 9, lambda: _many("a=b", 10), "9 entries"),
        ("_MOST_TEXT", 100, lambda: _many("a=" + "b" * 9, 11), "100 characters"),
        ("_MOST_STEPS", 40, lambda: chain(10), "40 steps"),
        ("_LARGEST_TRIE", 1000, lambda: _many("alias=" + "b" * 99, 11) | _many("alias=" + "c" * 999, 3), "1000 bytes"),
    ],
)
def test_all_modules_together_are_bounded(
    limit: str, most: int, files: Callable[[], dict[str, bytes]], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(files())
    monkeypatch.setattr(subject, limit, most)
    with pytest.raises(ModuleError, match="too many modules") as caught:
        index(files())
    assert why in caught.value.why


def test_an_initrd_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModuleError, match="without end"):
        kernel(chain(1500)).closure([], ["m0"])
    data = module() + bytes(1000)
    monkeypatch.setattr("assembler.initrd.modules._LARGEST", 10 * len(data))
    few = kernel(dict.fromkeys([f"m{number}.ko" for number in range(11)], data))
    # Each time that it is asked, it begins anew.
    for _ in range(2):
        assert len(few.closure([], [f"m{number}" for number in range(10)])) == 10
    with pytest.raises(ModuleError, match="too large"):
        few.closure([], [f"m{number}" for number in range(11)])


def test_a_plain_module_is_not_read_when_it_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LARGEST", 500)
    monkeypatch.setattr(subject, "LARGEST", 500)
    one, other = both(module() + bytes(500), "bad.ko")
    assert one.what == other.what == "the module is too large"


def test_an_index_of_names_in_names() -> None:
    """Each is the beginning of the next: no recursion goes that deep."""
    words = ["a" * length for length in range(1, 1500)]
    assert index({"a.ko": module([f"alias={word}" for word in words])}).aliases["a"] == tuple(words)


@given(st.data())
def test_damage_is_a_module_error(data: st.DataObject) -> None:
    raw = bytearray(module(["alias=a", "softdep=b"], ["out"], ["in"]))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ModuleError):
        read_module(bytes(raw))
    with suppress(ModuleError):
        read_module(packed(bytes(raw)))


SIGNER, KEY, SIGNATURE = b"signer", b"identifier", b"signature" * 30


def signed(data: bytes) -> bytes:
    """As scripts/sign-file.c appends a signature (struct module_signature)."""
    about = struct.pack(">BBBBBxxxI", 0, 4, 2, len(SIGNER), len(KEY), len(SIGNATURE))
    return data + SIGNER + KEY + SIGNATURE + about + b"~Module signature appended~\n"


def test_a_signature_is_taken_off() -> None:
    data = module(["license=GPL"])
    assert unsigned(signed(data)) == data
    assert unsigned(signed(signed(data))) == signed(data)


def test_what_has_none_stays() -> None:
    data = module(["license=GPL"])
    assert unsigned(data) == data
    for other in (b"", b"~Module signature appended~\n", signed(b""), signed(b"x")[40:]):
        assert unsigned(other) == other
