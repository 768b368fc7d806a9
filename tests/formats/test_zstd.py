"""A frame of a stranger is never unpacked beyond the limit, whatever it states."""

import struct
import tracemalloc

import pytest
import zstandard

from assembler.formats.zstd import decompress

PIECE = 128 << 10


def zeros(total: int, stated: int) -> bytes:
    """A frame of blocks that each stand for 128 KiB of one byte (RFC 8878, 3.1.1)."""
    head = b"\x28\xb5\x2f\xfd" + bytes([0xC0, (20 - 10) << 3]) + struct.pack("<Q", stated)
    count = total // PIECE
    blocks = (struct.pack("<I", PIECE << 3 | 1 << 1 | (number == count - 1))[:3] + b"0" for number in range(count))
    return head + b"".join(blocks)


def test_what_is_no_more_comes_back() -> None:
    assert decompress(zeros(1 << 20, 1 << 20), 1 << 20) == b"0" * (1 << 20)
    streamed = zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 1000)
    assert decompress(streamed, 1000) == b"x" * 1000
    assert decompress(zstandard.compress(b""), 0) == b""


@pytest.mark.parametrize(
    "data",
    [
        zeros(6 << 30, 6 << 30),
        zeros(1 << 30, 1 << 10),
        zeros(1 << 20, 1 << 62),
        zstandard.ZstdCompressor(write_content_size=False).compress(bytes(8 << 20)),
        b"",
        b"\x28\xb5\x2f\xfd",
        b"no frame",
    ],
    ids=["6 GiB", "says less", "says more", "says nothing", "empty", "short", "none"],
)
def test_what_is_more_or_damaged_is_an_error(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(zstandard.ZstdError):
        decompress(data, 1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_what_follows_is_seen() -> None:
    data = zstandard.compress(b"x") + b"more"
    assert decompress(data, 10) == b"x"
    with pytest.raises(zstandard.ZstdError):
        decompress(data, 10, alone=True)
