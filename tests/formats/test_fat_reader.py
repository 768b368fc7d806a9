"""FAT file systems of dosfstools and mtools, as we read them."""

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.errors import AssembleError
from assembler.formats import fat_reader
from assembler.formats.fat_reader import FatReadError, is_fat, read_root
from assembler.tools.toolbox import Toolbox

FILES = {
    "/user-data": b"#cloud-config\n{}\n",
    "/meta-data": b"instance-id: a\n" * 5000,
    "/a name that is long, longer than one entry holds": b"x",
    "/Größe": b"not ASCII",
    "/SHORT.TXT": b"short",
    "/lower.txt": b"lower",
    "/empty": b"",
}


def made(toolbox: Toolbox, directory: Path, bits: int, files: dict[str, bytes] | None = None) -> Path:
    """A file system of that kind with `files`, a directory, and the traces of one that was deleted."""
    image = directory / f"fat{bits}"
    image.touch()
    with image.open("r+b") as stream:
        stream.truncate({12: 1 << 20, 16: 16 << 20, 32: 64 << 20}[bits])
    toolbox.run("mkfs.fat", ["-F", str(bits), "-n", "CIDATA", image], reads=[image], writes=[image])
    for path, data in {"/gone-with-a-long-name": b"gone", **(FILES if files is None else files)}.items():
        source = directory / "source"
        source.write_bytes(data)
        toolbox.run("mcopy", ["-i", image, source, f"::{path}"], reads=[source, image], writes=[image])
    toolbox.run("mdel", ["-i", image, "::/gone-with-a-long-name"], reads=[image], writes=[image])
    toolbox.run("mmd", ["-i", image, "::/directory"], reads=[image], writes=[image])
    return image


@pytest.mark.parametrize("bits", [12, 16, 32])
def test_what_others_write(toolbox: Toolbox, tmp_path: Path, bits: int) -> None:
    image = made(toolbox, tmp_path, bits)
    assert is_fat(image)
    assert read_root(image) == FILES


def test_many_files(toolbox: Toolbox, tmp_path: Path) -> None:
    files = {f"/number-{number:03}": str(number).encode() for number in range(40)}
    assert read_root(made(toolbox, tmp_path, 32, files)) == files


def test_what_is_none(tmp_path: Path) -> None:
    for data in (b"", bytes(512), b"\xeb\x3c\x90".ljust(510, b"\0") + b"\x55\xaa", b"x" * 4096):
        (tmp_path / "x").write_bytes(data)
        assert not is_fat(tmp_path / "x")
        with pytest.raises(FatReadError, match="no FAT file system"):
            read_root(tmp_path / "x")


def test_chains_that_do_not_end(toolbox: Toolbox, tmp_path: Path) -> None:
    image = made(toolbox, tmp_path, 16, {"/meta-data": bytes(20_000)})
    data = bytearray(image.read_bytes())
    reserved, per_table = struct.unpack_from("<H", data, 14)[0], struct.unpack_from("<H", data, 22)[0]
    for copy in range(2):
        at = (reserved + copy * per_table) * 512
        for cluster in range(2, 20):
            struct.pack_into("<H", data, at + cluster * 2, 2)
    entry = data.index(b"META-D~1")
    struct.pack_into("<I", data, entry + 28, 2**31)
    image.write_bytes(data)
    with pytest.raises(FatReadError, match="its clusters go round in circles"):
        read_root(image)
    struct.pack_into("<H", data, reserved * 512 + 4, 0xFFFF)
    image.write_bytes(data)
    with pytest.raises(FatReadError, match="a file ends before its size"):
        read_root(image)


def test_as_much_as_may_be_of_a_file(toolbox: Toolbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = made(toolbox, tmp_path, 12, {"/x": b"x" * 5000})
    monkeypatch.setattr(fat_reader, "LARGEST", 4000)
    assert read_root(image) == {"/x": b"x" * 4001}


@pytest.fixture(scope="module")
def whole(toolbox: Toolbox, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(toolbox, tmp_path_factory.mktemp("fat"), 12, {"/user-data": b"x" * 3000}).read_bytes()


@given(st.lists(st.tuples(st.integers(0, 40_000), st.binary(min_size=1, max_size=4)), max_size=20))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_explained(whole: bytes, tmp_path: Path, changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(whole)
    for at, change in changes:
        data[at : at + len(change)] = change
    (tmp_path / "x").write_bytes(data)
    with suppress(AssembleError):
        read_root(tmp_path / "x")
