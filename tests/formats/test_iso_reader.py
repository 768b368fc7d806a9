"""The ISO reader against pycdlib on what we write, and against what nobody would write."""

import os
import struct
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycdlib.pycdlib import PyCdlib

from assembler.formats import iso_reader
from assembler.formats.iso import records, write_iso
from assembler.formats.iso_reader import BLOCK, IsoReadError, read_files
from assembler.hostfile import HostFileError
from assembler.tree.content import read

FILES = {
    "/dir/sub/file": b"x" * 5000,
    "/dir/other": b"",
    f"/{'long-' * 45}name": b"long",
    "/Größe ☃": b"not ASCII",
    "/live/recipe/Zplace": b"data",
    "/live/recipe/Zpla.e": b"more data",
}


def made(path: Path, files: dict[str, bytes] = FILES) -> bytearray:
    write_iso(path, files, label="X", epoch=0)
    return bytearray(path.read_bytes())


def places(data: bytes | bytearray, name: bytes) -> list[int]:
    """Where the directory records of `name` (of ISO 9660) begin."""
    found, at = [], data.find(name)
    while at >= 0:
        if data[at - 1] == len(name):
            found.append(at - 33)
        at = data.find(name, at + 1)
    return found


def both(number: int) -> bytes:
    return struct.pack("<I", number) + struct.pack(">I", number)


def refused(path: Path, data: bytes | bytearray, why: str) -> None:
    path.write_bytes(data)
    with pytest.raises(IsoReadError, match=why):
        read_files(path)


def test_what_we_write_comes_back_as_pycdlib_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "x.iso"
    made(path)
    found = read_files(path)
    assert {name: read(content) for name, content in found.items()} == FILES
    image = PyCdlib()
    image.open(str(path))
    theirs = {
        name: (record.extent_location() * BLOCK, record.get_data_length())
        for name, record in records(image)
        if not record.is_dir()
    }
    image.close()
    assert theirs == {name: (content.offset, content.size) for name, content in found.items()}


def joliet(path: Path, files: dict[str, bytes], *, rock_ridge: str | None = None) -> Path:
    """An ISO with Joliet's names, as Windows and macOS write them: without Rock Ridge."""
    iso = PyCdlib()
    iso.new(joliet=3, rock_ridge=rock_ridge, vol_ident="CIDATA")
    iso.add_directory("/DIR", joliet_path="/Dir", rr_name="rr-dir" if rock_ridge else None)
    for number, (name, data) in enumerate(files.items()):
        rr_name = f"rr-{number}" if rock_ridge else None
        iso.add_fp(BytesIO(data), len(data), f"/DIR/F{number}.;1", rr_name=rr_name, joliet_path=f"/Dir/{name}")
    iso.write(str(path))
    iso.close()
    return path


def test_names_of_joliet_where_there_is_no_rock_ridge(tmp_path: Path) -> None:
    files = {"user-data": b"#cloud-config", "Größe ☃.txt": b"", "A;1": b"version", "dots..": b"dots"}
    found = read_files(joliet(tmp_path / "x.iso", files))
    assert {path: read(content) for path, content in found.items()} == {
        "/Dir/user-data": b"#cloud-config",
        "/Dir/Größe ☃.txt": b"",
        "/Dir/A": b"version",
        "/Dir/dots": b"dots",
    }
    both_ways = read_files(joliet(tmp_path / "y.iso", {"user-data": b"x"}, rock_ridge="1.09"))
    assert list(both_ways) == ["/rr-dir/rr-0"]


def test_names_of_joliet_are_plain(tmp_path: Path) -> None:
    data = bytearray(joliet(tmp_path / "x.iso", {"abc": b"x"}).read_bytes())
    wanted = "abc".encode("utf-16-be")
    for name in ("a/c", "a\0c", "..."):
        other = data.replace(wanted, name.encode("utf-16-be"))
        refused(tmp_path / "y.iso", other, "which is none")


@pytest.mark.parametrize("name", [b"/place", b"/etc/x", b"../../", b"a/../b", b"a\0b/cd"])
def test_names_are_plain(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "x.iso"
    refused(path, made(path).replace(b"Zplace", name.ljust(6, b"/")), "a file with the name '.*', which is none")


@pytest.mark.parametrize(("name", "flags"), [(b"..", 0), (b".", 0), (b"", 0), (b"", 2), (b"", 4)])
def test_names_are_not_those_of_directories(tmp_path: Path, name: bytes, flags: int) -> None:
    path = tmp_path / "x.iso"
    data = made(path, {"/Zx": b"x"} if len(name) == 2 else {"/Z": b"x"})
    old = b"NM" + bytes([7 if len(name) == 2 else 6, 1, 0]) + (b"Zx" if len(name) == 2 else b"Z")
    assert data.count(old) == 1
    # What is left of the field is one of nothing: padding.
    new = b"NM" + bytes([5 + len(name), 1, flags]) + name
    refused(path, data.replace(old, new + bytes(len(old) - len(new))), "name")


def test_one_name_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.iso"
    refused(path, made(path).replace(b"Zpla.e", b"Zplace"), "two files with one name")


def test_a_directory_in_itself_and_in_two_places(tmp_path: Path) -> None:
    path = tmp_path / "x.iso"
    data = made(path)
    (directory,), (sub,) = places(data, b"DIR"), places(data, b"SUB")
    for start in (directory, places(data, b"LIVE")[0]):
        changed = bytearray(data)
        changed[sub + 2 : sub + 10] = data[start + 2 : start + 10]
        refused(path, bytes(changed), "a directory is in two places")


@pytest.mark.parametrize("size", [0xFFFFF800, 65 << 20, 10 << 20])
def test_a_directory_that_is_larger_than_the_image(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.iso"
    data = made(path)
    (at,) = places(data, b"DIR")
    data[at + 10 : at + 18] = both(size)
    refused(path, bytes(data), "more than is read|it ends before byte|damaged")


def test_a_file_beyond_the_end_and_files_that_share(tmp_path: Path) -> None:
    path = tmp_path / "x.iso"
    data = made(path)
    for place, size in ((0xFFFFFFF0, 10), (0, 0xFFFFFFFF), (100, len(data))):
        changed = bytearray(data)
        (at,) = places(data, b"OTHER.;1")
        changed[at + 2 : at + 18] = both(place) + both(size)
        refused(path, bytes(changed), "beyond the end")
    many = made(path, {f"/f{number}": b"x" for number in range(10)})
    for number in range(10):
        (at,) = places(many, b"F%d.;1" % number)
        many[at + 2 : at + 18] = both(0) + both(len(many))
    refused(path, bytes(many), "more than 4 times the bytes of the image")


def test_a_file_in_several_sections(tmp_path: Path) -> None:
    """As files of more than 4 GiB have them; here the second one is another file that follows."""
    path = tmp_path / "x.iso"
    data = made(path, {"/a": b"a" * BLOCK, "/b": b"b" * 10})
    (first,), (second,) = places(data, b"A.;1"), places(data, b"B.;1")
    data[first + 25] |= 0x80
    data = data.replace(b"NM\x06\x01\0b", b"NM\x06\x01\0a")
    path.write_bytes(data)
    (content,) = read_files(path).values()
    assert read(content) == b"a" * BLOCK + b"b" * 10
    last = bytearray(data)
    last[second + 25] |= 0x80
    refused(path, bytes(last), "sections that do not follow")
    last = bytearray(data)
    last[second + 2 : second + 10] = both(3)
    refused(path, bytes(last), "in several pieces")


def test_fields_that_go_on_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "x.iso"
    data = made(path)
    at = data.rindex(b"CE\x1c\x01", 0, 40 * BLOCK)
    block, offset = struct.unpack_from("<I4xI", data, at + 4)
    place = block * BLOCK + offset
    data[place : place + 28] = b"CE\x1c\x01" + both(block) + both(offset) + both(28)
    data[at + 20 : at + 28] = both(28)
    refused(path, bytes(data), "go on without an end")
    data[at + 12 : at + 20] = both(BLOCK - 4)
    refused(path, bytes(data), "Rock Ridge is damaged")


def test_fields_that_are_read_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of many files go on at the same place, which is as large as it can be."""
    path = tmp_path / "x.iso"
    data = made(path, {f"/{number}-{'long-' * 40}": b"" for number in range(20)})
    fields = len(data) // BLOCK
    data += (b"XX\x04\x01" * (BLOCK // 4)).ljust(BLOCK, b"\0")
    (at,) = struct.unpack_from("<I", data, 16 * BLOCK + 158)
    for place in range(at * BLOCK, (at + 4) * BLOCK):
        if data[place : place + 4] == b"CE\x1c\x01":
            data[place + 4 : place + 28] = both(fields) + both(0) + both(BLOCK)
    path.write_bytes(data)
    monkeypatch.setattr(iso_reader, "DIRECTORIES", 30 * BLOCK)
    assert read_files(path)
    monkeypatch.setattr(iso_reader, "DIRECTORIES", 20 * BLOCK)
    refused(path, bytes(data), "directories have more than 40960 bytes")


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.iso"
    data = made(path)
    entries = 10
    monkeypatch.setattr(iso_reader, "ENTRIES", entries)
    assert read_files(path)
    monkeypatch.setattr(iso_reader, "ENTRIES", entries - 1)
    refused(path, bytes(data), "more than 9 files")
    monkeypatch.setattr(iso_reader, "ENTRIES", entries)
    monkeypatch.setattr(iso_reader, "DEPTH", 1)
    refused(path, bytes(data), "directories more than 1 deep")
    monkeypatch.setattr(iso_reader, "DIRECTORIES", BLOCK)
    refused(path, bytes(data), "directories have more than 2048 bytes")


def test_what_is_no_iso(tmp_path: Path) -> None:
    path = tmp_path / "x.iso"
    for data in (b"", b"x" * 100_000, bytes(40 * BLOCK), bytes(made(path))[: 17 * BLOCK]):
        refused(path, data, ".")
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(HostFileError, match="no regular file"):
            read_files(other)
    with pytest.raises(HostFileError, match="No such file"):
        read_files(tmp_path / "missing")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return bytes(made(tmp_path_factory.mktemp("iso") / "x.iso"))


def _numbers() -> st.SearchStrategy[bytes]:
    values = st.sampled_from([0, 1, 23, 24, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
    forms = st.sampled_from([(1, "B"), (2, "<H"), (2, ">H"), (4, "<I"), (4, ">I")])
    packed = st.builds(lambda value, form: struct.pack(form[1], value % 256 ** form[0]), values, forms)
    return packed | st.binary(min_size=1, max_size=6)


@settings(max_examples=200, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(16 * BLOCK, 40 * BLOCK), _numbers()), min_size=1, max_size=5))
def test_any_damage_is_explained(whole: bytes, tmp_path: Path, changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(whole)
    for at, new in changes:
        data[at : at + len(new)] = new
    path = tmp_path / "x.iso"
    path.write_bytes(data)
    with suppress(IsoReadError):
        for name, content in read_files(path).items():
            assert name.startswith("/")
            assert not {"", ".", ".."} & set(name[1:].split("/"))
            assert content.offset + content.size <= len(data)
