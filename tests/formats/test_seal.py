"""The seal covers every byte of an ISO, and whatever byte changes is named."""

import io
import random
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.formats import seal
from assembler.formats.iso import write_iso
from assembler.formats.seal import BLOCK, SEAL, Area, SealError


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("iso") / "x.iso"
    files = {"/a/ü \\ x": b"x" * 5000, "/big": random.Random(1).randbytes((2 << 20) + 7), "/none": b""}  # noqa: S311  not for secrets
    write_iso(path, files, label="X", epoch=0, joliet=True)
    return path.read_bytes()


def names(data: bytes) -> list[str]:
    """What `verify` would name: areas that are broken, or the seal."""
    stream = io.BytesIO(data)
    try:
        return [area.name for area in seal.broken(stream, seal.read(stream, file="x"))]
    except SealError as error:
        return [error.where.path]


def test_an_image_is_as_it_was_sealed_and_every_byte_is_covered(image: bytes) -> None:
    found = seal.read(io.BytesIO(image), file="x")
    assert names(image) == []
    assert sum(area.size for area, _ in found.areas) + found.size == len(image)
    assert {area.name for area, _ in found.areas} >= {"/a/ü \\ x", "/big", "[folder /a]", "[padding behind /big]"}
    assert len([area for area, _ in found.areas if area.name == "/big"]) == 3


def test_every_changed_byte_is_named(image: bytes) -> None:
    chance = random.Random(2)  # noqa: S311  as above
    found = seal.read(io.BytesIO(image), file="x")
    areas = [*(area for area, _ in found.areas), Area(found.offset, found.size, f"[{SEAL}]")]
    places = [chance.randrange(len(image)) for _ in range(60)]
    # Half of all bytes are in the big file; the small areas shall have their turn, too.
    places += [chance.randrange(area.offset, area.end) for area in areas for _ in range(2)]
    places += range(16 * BLOCK + 80, 16 * BLOCK + 88)  # says where the seal is
    for place in places:
        data = bytearray(image)
        data[place] ^= chance.randrange(1, 256)
        (expected,) = [area.name for area in areas if area.offset <= place < area.end]
        assert names(bytes(data)) == [expected], place


def test_other_sizes_are_no_sealed_image(image: bytes) -> None:
    for data, why in ((image[:-1], "it covers"), (image + b"\0", "it covers"), (image[: len(image) // 2], "")):
        with pytest.raises(SealError, match="damaged" if why else "no checksum manifest") as caught:
            seal.read(io.BytesIO(data), file="x")
        assert why in caught.value.why


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), st.sampled_from("abc")), max_size=6))
def test_areas_have_no_gap(known: list[tuple[int, int, str]]) -> None:
    areas = list(seal.tile([Area(*each) for each in known], 0, 60, "[rest]"))
    assert [area.offset for area in areas] == [0, *(area.end for area in areas[:-1])]
    assert areas[-1].end == 60
    assert all(area.size for area in areas)


def test_an_area_is_no_larger_than_any_that_is_written(tmp_path: Path) -> None:
    """A large one would be read at once by whoever believes it."""
    path = tmp_path / "x"
    size = 300 << 20
    with path.open("w+b") as stream:
        stream.truncate(size)
        head = Area(0, 2048, "head")
        area = Area(4096, size - 4096, "rest")
        stream.seek(16 * BLOCK + 80)
        stream.write((1).to_bytes(4, "little") + (1).to_bytes(4, "big"))
        stream.seek(2048)
        stream.write(seal._text([(head, "0" * 64), (area, "0" * 64)]))
        with pytest.raises(SealError, match="an area of none or of more than"):
            seal.read(stream, file="x")


def test_an_area_of_nothing_is_none(tmp_path: Path) -> None:
    """As many of them as one likes would lie at one place, each with a digest that is wrong."""
    path = tmp_path / "x"
    areas = [Area(0, 4096, "x"), Area(4096, 0, "y"), Area(4096, 4096, "x")]
    path.write_bytes(bytes(8192) + seal._text([(area, "0" * 64) for area in areas]).ljust(2048, b"\0"))
    with path.open("rb") as stream, pytest.raises(SealError) as caught:
        seal.read(stream, file="x")
    assert "an area of none" in caught.value.why


def test_what_looks_like_a_seal_everywhere(tmp_path: Path) -> None:
    """Only some of it is tried: each costs as much as the largest seal."""
    path = tmp_path / "x"
    path.write_bytes(b"assembler seal 1\n".ljust(2048, b"x") * 4000)
    reads = []

    class Counting(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            reads.append(len(data or b""))
            return data or b""

    with Counting(path) as stream, pytest.raises(SealError, match="damaged"):
        seal.read(cast("BinaryIO", stream), file="x")
    assert sum(reads) < 20 * path.stat().st_size
