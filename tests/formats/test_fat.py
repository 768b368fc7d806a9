import contextlib
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
