"""Every compression that is read, within bounds: damage, bombs, dictionaries, and files of many streams."""

import bz2
import gzip
import io
import lzma
import os
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.errors import AssembleError, Place
from assembler.tree.compressed import CompressionError, Window, expand, expanded, plain
from assembler.tree.content import CHUNK

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".xz": lambda data: lzma.compress(data, preset=0),
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE, preset=0),
}
MANY = [ending for ending in PACK if ending != ".lzma"]
"""Compressions whose files may be several streams."""
SAMPLE = bytes(range(256)) * 40 + b"abc" * 500_000 + os.urandom(3001)
PACKED = {ending: pack(SAMPLE) for ending, pack in PACK.items()}


@pytest.mark.parametrize("ending", PACK)
def test_what_was_packed_comes_back(ending: str) -> None:
    assert expand(PACKED[ending], ending, 1 << 30) == SAMPLE


@pytest.mark.parametrize("ending", MANY)
@settings(max_examples=30)
@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_streams_one_after_another_are_one(ending: str, parts: list[bytes]) -> None:
    assert expand(b"".join(map(PACK[ending], parts)), ending, 1 << 20) == b"".join(parts)


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("size", [0, 1, 5, 11, 1000, -9, -1])
def test_what_is_cut_off_is_damaged(ending: str, size: int) -> None:
    with pytest.raises(CompressionError):
        expand(PACKED[ending][:size], ending, 1 << 30)


@pytest.mark.parametrize("ending", PACK)
def test_garbage_behind_a_stream_is_damage(ending: str) -> None:
    with pytest.raises(CompressionError):
        expand(PACK[ending](b"x") + b"garbage", ending, 1 << 30)


def test_padding() -> None:
    assert expand(lzma.compress(b"a") + bytes(8) + lzma.compress(b"b") + bytes(5000), ".xz", 9) == b"ab"
    assert expand(gzip.compress(b"a") + bytes(10_001), ".gz", 9) == b"a"
    with pytest.raises(CompressionError, match="padding"):
        expand(lzma.compress(b"a") + bytes(7), ".xz", 9)


def test_frames_that_are_to_be_skipped() -> None:
    skipped = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello"
    assert expand(skipped + zstandard.compress(b"a") + skipped + zstandard.compress(b"b"), ".zst", 9) == b"ab"


@pytest.mark.parametrize("ending", MANY)
def test_many_empty_streams_take_no_time(ending: str) -> None:
    """What is left of a file must not be copied for each of its streams."""
    empty = PACK[ending](b"")
    began = time.process_time()
    assert expand(empty * 30_000 + PACK[ending](b"y"), ending, 9) == b"y"
    assert time.process_time() - began < 5


def test_the_frames_of_a_file_share_a_decompressor(monkeypatch: pytest.MonkeyPatch) -> None:
    """To make one takes twenty times as long as to read an empty frame."""
    made = []
    real = zstandard.ZstdDecompressor

    def make(max_window_size: int) -> zstandard.ZstdDecompressor:
        made.append(max_window_size)
        return real(max_window_size=max_window_size)

    monkeypatch.setattr(zstandard, "ZstdDecompressor", make)
    assert expand(zstandard.compress(b"") * 1000 + zstandard.compress(b"y"), ".zst", 9) == b"y"
    assert len(made) == 1


@pytest.mark.parametrize("ending", PACK)
def test_a_bomb_takes_no_memory(ending: str) -> None:
    """Nothing of what it unpacks to is held but what was asked for."""
    bomb = PACK[ending](bytes(32 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(CompressionError, match="more than"):
            expand(bomb, ending, 1 << 20)
        total = 0
        with expanded(io.BytesIO(bomb), ending) as stream:
            while piece := stream.read(CHUNK):
                total += len(piece)
        assert total == 32 << 20
        # zstd's pieces are unpacked whole: 2 KiB of a frame may be 64 MiB.
        assert tracemalloc.get_traced_memory()[1] < (150 << 20 if ending == ".zst" else 16 << 20)
    finally:
        tracemalloc.stop()


def _dictionary(data: bytes, code: int) -> bytes:
    """An xz stream that says that it needs a dictionary of size `code` (the .xz file format, 5.3.1)."""
    raw = bytearray(data)
    size = (raw[12] + 1) * 4
    raw[raw.index(b"\x21\x01", 12, 12 + size) + 2] = code
    raw[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(bytes(raw[12 : 12 + size - 4])))
    return bytes(raw)


def test_dictionaries_are_bounded() -> None:
    packed = lzma.compress(b"x" * 1000)
    assert expand(_dictionary(packed, 30), ".xz", 1000) == b"x" * 1000, "128 MiB"
    for code in (31, 39, 40):
        with pytest.raises(CompressionError, match=r"[Mm]emory"):
            expand(_dictionary(packed, code), ".xz", 1000)
    alone = bytearray(lzma.compress(b"x" * 1000, lzma.FORMAT_ALONE))
    alone[1:5] = struct.pack("<I", 1 << 30)
    with pytest.raises(CompressionError, match=r"[Mm]emory"):
        expand(bytes(alone), ".lzma", 1000)


def _window(log: int) -> bytes:
    """A zstd frame with a window of 2**log bytes that holds ``abc`` as it is."""
    block = struct.pack("<I", 3 << 3 | 1)[:3] + b"abc"
    return b"\x28\xb5\x2f\xfd" + bytes([0, (log - 10) << 3]) + block


def test_windows_are_bounded() -> None:
    assert expand(_window(27), ".zst", 9) == b"abc"
    for log in (28, 31, 41):
        with pytest.raises(CompressionError):
            expand(_window(log), ".zst", 9)


def test_the_size_that_a_frame_states_is_not_believed() -> None:
    """A library makes room for it, if it is let."""
    frame = bytearray(zstandard.ZstdCompressor(write_content_size=True).compress(b"x" * 100_000))
    assert frame[4] >> 6 == 2, "its size has four bytes"
    frame[5 : 5 + 4] = b"\xff\xff\xff\xff"
    tracemalloc.start()
    try:
        with pytest.raises(CompressionError):
            expand(bytes(frame), ".zst", 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", PACK)
@settings(max_examples=50)
@given(at=st.integers(0, 1 << 16), noise=st.binary(min_size=1, max_size=9))
def test_changed_bytes_are_read_or_refused(ending: str, at: int, noise: bytes) -> None:
    data = bytearray(PACK[ending](b"abc" * 500 + bytes(range(256))))
    data[at % len(data) : at % len(data) + len(noise)] = noise
    try:
        expand(bytes(data), ending, 1 << 20)
    except CompressionError:
        return


def test_the_compression_is_found_out() -> None:
    for ending in (".xz", ".gz", ".zst"):
        with plain(io.BytesIO(PACK[ending](b"hello")), Place()) as stream:
            assert stream.read() == b"hello"
    with plain(Window(io.BytesIO(b"--hello--"), 2, 5), Place()) as stream:
        assert stream.read() == b"hello"
    for ending in (".bz2", ".lzma"):
        with pytest.raises(AssembleError, match="not read here"):
            plain(io.BytesIO(PACK[ending](b"hello")), Place())


def test_errors_of_the_disk_are_no_damage() -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:  # noqa: ARG002
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"), expanded(Broken(), ".bz2") as stream:
        stream.read()


def test_as_much_as_is_read_and_as_much_as_is_counted() -> None:
    data = gzip.compress(b"12345")
    assert expand(data, ".gz", 5) == expand(data, ".gz", 9, most=5) == b"12345"
    for limit, most, why in (
        (4, None, "it unpacks to more than 4 bytes"),
        (4, 9, "it unpacks to more than 4 bytes"),
        (5, 4, f"{len(data)} bytes unpack to 5; at most 4 are read"),
    ):
        with pytest.raises(CompressionError) as caught:
            expand(data, ".gz", limit, most=most)
        assert str(caught.value) == why
