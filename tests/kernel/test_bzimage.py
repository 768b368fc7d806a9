"""What QEMU is to start is taken out of a bzImage, or the image is left as it is."""

import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from assembler.kernel.bzimage import startable

ENTRY = struct.pack("<III", 4, 8, 18) + b"Xen\0" + struct.pack("<Q", 0x1000000)
ELF = b"\x7fELF\x02\x01\x01" + bytes(57) + b"code" * 1000 + ENTRY
SIZE = b"\0\0\x10\0"
"""What gzip(1) appends, and Linux' makefiles to what is packed otherwise."""


def bzimage(payload: bytes, *, sectors: int = 3, version: int = 0x20F, signature: bytes = b"HdrS") -> bytes:
    """As Linux' makefiles build it: a header of sectors, code that unpacks, and the payload."""
    head = bytearray(((sectors or 4) + 1) * 512)
    head[0x1F1] = sectors
    head[0x202:0x206] = signature
    struct.pack_into("<H", head, 0x206, version)
    struct.pack_into("<II", head, 0x248, 100, len(payload))
    return bytes(head) + b"u" * 100 + payload + b"and what follows"


@pytest.mark.parametrize("sectors", [0, 3, 60])
def test_the_elf_file_is_unpacked(sectors: int) -> None:
    packed = zstandard.ZstdCompressor().compress(ELF)
    assert startable(bzimage(packed + SIZE, sectors=sectors)) == ELF


def test_a_kernel_that_states_no_size_is_unpacked() -> None:
    packed = zstandard.ZstdCompressor(write_content_size=False).compress(ELF)
    assert startable(bzimage(packed + SIZE)) == ELF


@pytest.mark.parametrize(
    "image",
    [
        bzimage(zstandard.compress(ELF), version=0x207),
        bzimage(zstandard.compress(ELF), signature=b"none"),
        bzimage(zstandard.compress(ELF.replace(ENTRY, b""))),
        bzimage(zstandard.compress(b"not " + ELF)),
        bzimage(b"\xfd7zXZ\0 and so on"),
        bzimage(zstandard.compress(ELF)[:-9]),
        ELF,
        b"",
        b"MZ" + bytes(600) + b"ARM\x64",
    ],
    ids=["old", "no signature", "no entry", "no ELF", "xz", "cut", "ELF already", "empty", "arm64"],
)
def test_others_are_left_as_they_are(image: bytes) -> None:
    assert startable(image) == image


@given(st.binary(max_size=700), st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_nothing_in_a_header_is_believed(rest: bytes, sectors: int, offset: int, length: int) -> None:
    image = bytearray(bzimage(rest))
    image[0x1F1] = sectors
    struct.pack_into("<II", image, 0x248, offset, length)
    assert startable(bytes(image)) == bytes(image)
