"""The seal covers every byte of an ISO, and whatever byte changes is named."""

import hashlib
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


def sealed(before: bytes, behind: bytes, *, padding: bytes = b"", spoil: tuple[bytes, bytes] = (b"", b"")) -> bytes:
    """An image with a seal between two parts, whose text may be spoilt."""
    names = (("[before]", 0, len(before)), ("[behind]", 0, len(behind)))
    room = 0
    for _ in range(3):
        starts = (0, len(before) + room)
        areas = [
            piece
            for (name, _, size), start in zip(names, starts, strict=True)
            for piece in seal.tile([], start, start + size, name)
        ]
        room = seal.space(areas)
    stream = io.BytesIO(before + bytes(room) + behind)
    seal.write(stream, len(before), areas)
    data = bytearray(stream.getvalue())
    if padding:
        data[len(before) + room - len(padding) : len(before) + room] = padding
    text = bytes(data[len(before) : len(before) + room])
    if spoil[0]:
        body = text[: text.index(b"sha256 ")].replace(*spoil)
        text = (body + b"sha256 %s\n" % hashlib.sha256(body).hexdigest().encode()).ljust(room, b"\0")
    return before + text + behind


PLAIN = bytes(20 * BLOCK)


def test_names_of_areas() -> None:
    known = [
        Area(BLOCK * 3, 5, "c"),
        Area(0, 10, "a"),
        Area(0, 4, "inside"),
        Area(BLOCK, BLOCK, "b"),
        Area(5, 0, "none"),
    ]
    assert list(seal.tile(known, 0, BLOCK * 5, "[rest]")) == [
        Area(0, 10, "a"),
        Area(10, BLOCK - 10, "[padding behind a]"),
        Area(BLOCK, BLOCK, "b"),
        Area(2 * BLOCK, BLOCK, "[rest]"),
        Area(3 * BLOCK, 5, "c"),
        Area(3 * BLOCK + 5, BLOCK - 5, "[padding behind c]"),
        Area(4 * BLOCK, BLOCK, "[rest]"),
    ]
    assert list(seal.tile([Area(0, 10, "a"), Area(20, 5, "b")], 0, 30, "[rest]")) == [
        Area(0, 10, "a"),
        Area(10, 10, "[padding behind a]"),
        Area(20, 5, "b"),
        Area(25, 5, "[padding behind b]"),
    ]
    mib = 1 << 20
    assert [(area.offset, area.size) for area in seal.tile([Area(0, 2 * mib + 1, "a")], 0, 3 * mib, "[rest]")] == [
        (0, mib),
        (mib, mib),
        (2 * mib, 1),
        (2 * mib + 1, BLOCK - 1),
        (2 * mib + BLOCK, mib - BLOCK),
    ]


def test_the_text_of_a_seal() -> None:
    areas = [Area(0, 3, "/a\\b é\n\udcff~"), Area(3, 0, "x")]
    stream = io.BytesIO(b"abc")
    body = b"assembler seal 1\n0 3 %s /a\\x5cb \\xc3\\xa9\\x0a\\xff~\n3 0 %s x\n" % (
        hashlib.sha256(b"abc").hexdigest().encode(),
        hashlib.sha256(b"").hexdigest().encode(),
    )
    text = body + b"sha256 %s\n" % hashlib.sha256(body).hexdigest().encode()
    seal.write(stream, BLOCK, areas)
    assert stream.getvalue() == (b"abc".ljust(BLOCK, b"\0") + text).ljust(2 * BLOCK, b"\0")
    assert seal.space(areas) == BLOCK
    assert seal.space([Area(0, 1, "n" * (BLOCK - 159))]) == BLOCK
    assert seal.space([Area(0, 1, "n" * (BLOCK - 158))]) == 2 * BLOCK


def found_at(data: bytes) -> int | str:
    """Where a seal is found, or why there is none."""
    try:
        return seal.read(io.BytesIO(data), file="x").offset
    except SealError as error:
        return error.why or error.what


def test_where_a_seal_is_looked_for() -> None:
    data = sealed(PLAIN, bytes(5 * BLOCK))
    assert found_at(data) == 20 * BLOCK
    fake = b"assembler seal 1\n".ljust(BLOCK, b"\0")
    assert found_at(sealed(PLAIN, fake * 15)) == 20 * BLOCK
    first = f"its own digest is wrong; it lies at byte {(20 + 1 + 15) * BLOCK}"
    assert found_at(sealed(PLAIN, fake * 16)) == first
    # It lies at the begin of a block; one wrong byte does not hide it.
    none = "it was not made by the assembler, or by an older version of it"
    assert found_at(bytes(16) + data) == none
    at = 20 * BLOCK
    for place in (0, 7, 8, 16):
        spoilt = data[: at + place] + b"?" + data[at + place + 1 :]
        assert found_at(spoilt) == f"its own digest is wrong; it lies at byte {at}"
    assert found_at(data[:at] + b"??" + data[at + 2 :]) == none
    assert found_at(b"") == none


def test_what_is_wrong_with_a_seal() -> None:
    size = 26 * BLOCK
    more = f"it covers {size - BLOCK} bytes, the image has {size}"
    digest = hashlib.sha256(PLAIN).hexdigest().encode()
    behind = 5 * BLOCK
    for spoil, why in (
        ((b"0 40960 ", b"0 4096x "), "it has a line that is not valid"),
        ((b" [before]", b" \x7f"), "it has a line that is not valid"),
        ((digest, digest.upper()), "it has a line that is not valid"),
        ((b"0 40960 ", b"0 0 "), "it has an area of none or of more than 1048576 bytes"),
        ((b"0 40960 ", b"0 1048577 "), "it has an area of none or of more than 1048576 bytes"),
        ((b"0 40960 ", b"1 40960 "), "it does not cover the bytes from 0 to 1"),
        ((b"0 40960 ", b"0 40959 "), "it does not cover the bytes from 40959 to 43008"),
        ((b"43008 10240 ", b"43008 8192 "), more),
        ((b"43008 10240 ", b"43009 10240 "), "it does not cover the bytes from 40960 to 43009"),
    ):
        assert found_at(sealed(PLAIN, bytes(behind), spoil=spoil)) == why
    assert found_at(sealed(PLAIN, bytes(behind), padding=b"x")) == "its padding is not zeros"
    # One that is the last of an image, or its first.
    assert found_at(sealed(PLAIN, b"")) == 20 * BLOCK
    changed = bytearray(sealed(PLAIN, bytes(behind)))
    changed[5] ^= 1
    changed[-1] ^= 1
    stream = io.BytesIO(bytes(changed))
    broken = [area.name for area in seal.broken(stream, seal.read(stream, file="x"))]
    assert broken == ["[before]", "[behind]"]
