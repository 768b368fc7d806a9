"""The kernel in a bzImage: what would unpack itself first, as its own ELF file.

Specification: the Linux/x86 boot protocol (Documentation/arch/x86/boot.rst), 2.08 and later, and for starting an ELF
file the x86/HVM direct boot ABI (Xen), which QEMU follows.
"""

import struct

import zstandard

from assembler.formats.zstd import decompress
from assembler.kernel.elf import MAGIC

_SECTORS, _SIGNATURE, _VERSION, _PAYLOAD = 0x1F1, 0x202, 0x206, 0x248
"""Offsets in the header."""
_SECTOR = 512
_SINCE = 0x0208
_LARGEST = 256 << 20
"""Bytes of a kernel; Debian's for virtual machines has 55 MiB."""
_ENTRY = b"".join((struct.pack("<I", 18), b"Xen\0"))
"""Type and name of the note XEN_ELFNOTE_PHYS32_ENTRY, which says where such a start begins."""


def startable(image: bytes) -> bytes:
    """The ELF file in a bzImage, when a machine can be started with it; otherwise `image` as it is.

    That is so when it is packed with zstd, as Debian's are, and has a note of where to begin.
    """
    if len(image) < _PAYLOAD + 8 or image[_SIGNATURE : _SIGNATURE + 4] != b"HdrS":
        return image
    (version,) = struct.unpack_from("<H", image, _VERSION)
    if version < _SINCE:
        return image
    offset, length = struct.unpack_from("<II", image, _PAYLOAD)
    # A zero means four sectors; the first one of all is not counted.
    begin = ((image[_SECTORS] or 4) + 1) * _SECTOR + offset
    try:
        found = decompress(image[begin : begin + length], _LARGEST)
    except zstandard.ZstdError:
        return image
    return found if found.startswith(MAGIC) and _ENTRY in found else image
