import contextlib
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.formats.fat import FatError, write_fat
from assembler.tools.toolbox import Toolbox
from tests.formats.fat_reader import read_fat

EPOCH = 1_700_000_001  # 2023-11-14 22:13:21 UTC
FILES = {
    "/EFI/BOOT/BOOTX64.EFI": bytes(range(256)) * 4000,
    "/EFI/BOOT/EMPTY.TXT": b"",
    "/STARTUP.NSH": b"exactly 512 bytes".ljust(512),
    "/A/B/C/D/E": b"deep",
}


def test_dosfstools_and_mtools_agree(toolbox: Toolbox, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(write_fat(FILES, label="EFI TEST", epoch=EPOCH))
    checked = toolbox.run("fsck.fat", ["-n", "-v", image], reads=[image])
    assert "Checking we can access the last sector" in checked
    assert "differences" not in checked.lower()
    for path, content in FILES.items():
        out = tmp_path / "out"
        toolbox.run("mcopy", ["-n", "-o", "-i", image, f"::{path}", out], reads=[image], writes=[tmp_path])
        assert out.read_bytes() == content
    listing = toolbox.run("mdir", ["-i", image, "::/EFI/BOOT"], reads=[image])
    assert "Volume in drive : is EFI TEST" in listing
    assert "2023-11-14  22:13" in listing


@pytest.mark.parametrize("size", [1, 40 << 20])
def test_sizes_from_small_to_large_are_sound(toolbox: Toolbox, tmp_path: Path, size: int) -> None:
    image = tmp_path / "image"
    files = {"/FILE": bytes(size)}
    image.write_bytes(write_fat(files, label="X", epoch=0))
    # It counts the label as a file.
    assert "2 files" in toolbox.run("fsck.fat", ["-n", "-v", image], reads=[image])
    assert read_fat(image.read_bytes()) == files


NAME = st.from_regex(r"[A-Z0-9_-]{1,8}(\.[A-Z0-9_-]{1,3})?", fullmatch=True)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.lists(NAME, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)),
        st.binary(max_size=3000),
        max_size=30,
    ).filter(lambda files: not any(other.startswith(path + "/") for path in files for other in files))
)
def test_what_is_written_is_read(files: dict[str, bytes]) -> None:
    assert read_fat(write_fat(files, label="X", epoch=EPOCH)) == files


def test_the_same_files_give_the_same_bytes_and_others_another_serial() -> None:
    image = write_fat(FILES, label="X", epoch=EPOCH)
    assert write_fat(dict(reversed(FILES.items())), label="X", epoch=EPOCH) == image
    other = write_fat(FILES | {"/STARTUP.NSH": b""}, label="X", epoch=EPOCH)
    assert other[39:43] != image[39:43]


@pytest.mark.parametrize(
    "files",
    [
        {"/lower.txt": b""},
        {"/TOO_LONG_NAME": b""},
        {"/A.LONG": b""},
        {"/": b""},
        {"//A": b""},
        {"": b""},
        {"/A": b"", "/A/B": b""},
        {f"/{number}": b"" for number in range(512)},
    ],
    ids=min,
)
def test_what_fat16_cannot_hold_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(FatError):
        write_fat(files, label="X", epoch=0)


def test_labels_are_checked() -> None:
    for label in ("", "TWELVE_CHARS", "low"):
        with pytest.raises(FatError):
            write_fat({}, label=label, epoch=0)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1023), st.binary(min_size=1, max_size=16))
def test_damage_never_ends_in_anything_but_an_error(place: int, noise: bytes) -> None:
    image = write_fat({"/A/B": b"x" * 1000, "/C": b"y"}, label="X", epoch=0)
    damaged = image[:place] + noise + image[place + len(noise) :]
    with contextlib.suppress(FatError):
        read_fat(damaged)
    with pytest.raises(FatError):
        read_fat(image[:place])


TIME, DATE = 22 << 11 | 13 << 5 | 10, 43 << 9 | 11 << 5 | 14
"""22:13:20 of 14 November 2023, as the format has it."""


def entry(name: bytes, attributes: int, first: int, size: int, when: tuple[int, int] = (TIME, DATE)) -> bytes:
    """An entry of a directory, byte by byte; created, read and written at once."""
    time, date = when
    times = struct.pack("<HHHHHH", time, date, date, 0, time, date)
    return name.ljust(11) + bytes([attributes, 0, 0]) + times + struct.pack("<HI", first, size)


def test_every_byte_of_a_small_image() -> None:
    files = {"/DIR/FILE.TXT": b"x" * 513, "/B": b"yy", "/EMPTY": b""}
    image = write_fat(files, label="LABEL", epoch=EPOCH)
    serial = 0
    for path, content in sorted(files.items()):
        serial = zlib.crc32(f"{path}\0{len(content)}\0".encode() + content, serial)
    clusters, table_sectors = 4085, 16
    sectors = 1 + 2 * table_sectors + 32 + clusters
    boot = b"\xeb\x3c\x90MSWIN4.1" + struct.pack(
        "<HBHBHHBHHHII", 512, 1, 1, 2, 512, sectors, 0xF8, table_sectors, 63, 255, 0, 0
    )
    boot += bytes([0x80, 0, 0x29]) + struct.pack("<I", serial) + b"LABEL      FAT16   "
    table = struct.pack("<7H", 0xFFF8, 0xFFFF, 0xFFFF, 4, 0xFFFF, 0xFFFF, 0).ljust(table_sectors * 512, b"\0")
    root = b"LABEL".ljust(11) + b"\x08" + bytes(10) + struct.pack("<HHHI", TIME, DATE, 0, 0)
    root += entry(b"DIR", 0x10, 2, 0) + entry(b"B", 0x20, 5, 2) + entry(b"EMPTY", 0x20, 0, 0)
    inside = entry(b".", 0x10, 2, 0) + entry(b"..", 0x10, 0, 0) + entry(b"FILE    TXT", 0x20, 3, 513)
    data = inside.ljust(512, b"\0") + (b"x" * 513).ljust(1024, b"\0") + b"yy"
    expected = boot.ljust(510, b"\0") + b"\x55\xaa" + 2 * table + root.ljust(512 * 32, b"\0") + data
    assert image == expected.ljust(sectors * 512, b"\0")


def numbers(image: bytes) -> tuple[int, int, int, int]:
    """Sectors of a cluster, sectors in 16 and in 32 bits, and sectors of a table."""
    small, large = struct.unpack_from("<H", image, 19)[0], struct.unpack_from("<I", image, 32)[0]
    return image[13], small, large, struct.unpack_from("<H", image, 22)[0]


@pytest.mark.parametrize(
    ("clusters", "expected"),
    [
        (4085, (1, 4150, 0, 16)),
        (4086, (1, 4151, 0, 16)),
        (4095, (1, 4162, 0, 17)),
        (64994, (1, 65535, 0, 254)),
        (64995, (1, 0, 65536, 254)),
        (65524, (1, 0, 66069, 256)),
        (65525, (2, 0, 33 + 2 * 128 + 2 * 32763, 128)),
    ],
)
def test_sizes_at_which_numbers_change(clusters: int, expected: tuple[int, int, int, int]) -> None:
    image = write_fat({"/F": bytes(clusters * 512)}, label="X", epoch=EPOCH)
    assert numbers(image) == expected
    assert len(image) == 512 * (expected[1] + expected[2])


def test_a_directory_takes_as_many_clusters_as_its_entries() -> None:
    for files, last in ((14, 3 + 14), (15, 4 + 15)):
        image = write_fat({f"/D/{number:02}": b"x" for number in range(files)}, label="X", epoch=EPOCH)
        table = struct.unpack_from("<40H", image, 512)
        assert table.index(0) == last
        assert len(read_fat(image)) == files


@pytest.mark.parametrize(
    ("epoch", "time", "date"),
    [
        (0, 0, 1 << 5 | 1),
        (315532799, 0, 1 << 5 | 1),
        (315532802, 1, 1 << 5 | 1),
        (4354819198, 23 << 11 | 59 << 5 | 29, 127 << 9 | 12 << 5 | 31),
        (4354819200, 23 << 11 | 59 << 5 | 29, 127 << 9 | 12 << 5 | 31),
    ],
)
def test_times_are_of_1980_to_2107(epoch: int, time: int, date: int) -> None:
    image = write_fat({"/A": b""}, label="X", epoch=epoch)
    root = (1 + 2 * 16) * 512
    assert image[root + 32 : root + 64] == entry(b"A", 0x20, 0, 0, (time, date))


def test_what_is_said_of_what_does_not_fit() -> None:
    short = ("not a short FAT name", "use 8.3, upper case")
    large = bytes(64 << 20)
    for files, what, path, why, hint in (
        ({"/lower.txt": b""}, short[0], "/lower.txt", "lower.txt", short[1]),
        ({"/ABCDEFGHI": b""}, short[0], "/ABCDEFGHI", "ABCDEFGHI", short[1]),
        ({"/A.ABCD": b""}, short[0], "/A.ABCD", "A.ABCD", short[1]),
        ({"/A": b"", "/A/B": b""}, "a file is in the way of a directory", "/A/B", "A", ""),
        ({f"/{number}": b"" for number in range(512)}, "too many entries in the root", "", "at most 511", ""),
        (
            {f"/{number}": large for number in range(32)},
            "the files are too large for FAT16",
            "",
            "",
            "2 GiB is the most",
        ),
    ):
        with pytest.raises(FatError) as caught:
            write_fat(files, label="X", epoch=0)
        error = caught.value
        assert (error.what, error.where.path, error.why, error.hint) == (what, path, why, hint)
    fine = {f"/{number:03}/ABCDEFGH.ABC": b"" for number in range(500)} | {f"/F{number}": b"" for number in range(11)}
    assert read_fat(write_fat(fine, label="A" * 11, epoch=0)) == fine
    for label in ("", "A" * 12, "a", "A.B"):
        with pytest.raises(FatError) as caught:
            write_fat({}, label=label, epoch=0)
        assert (caught.value.what, caught.value.why) == ("not a FAT volume label", label)
        assert caught.value.hint == "at most 11 of A-Z, 0-9, _, - and space"
