"""Microcode to order, in the formats of both vendors, as far as somebody looks at it."""

import struct


def update(signature: int, size: int = 2000, *, revision: int = 1, old: bool = False) -> bytes:
    """An update of Intel's for processors with this signature; an `old` one does not say how long it is."""
    total = 2048 if old else -(-(48 + size) // 1024) * 1024
    said = (0, 0) if old else (size, total)
    fields = [1, revision, 0x05202026, signature, 0, 1, 1, *said, 0, 0, 0]
    body = b"".join(struct.pack("<I", signature ^ at) for at in range((total - 48) // 4))
    fields[4] = -sum(struct.unpack(f"<{total // 4}I", struct.pack("<12I", *fields) + body)) & 0xFFFFFFFF
    return struct.pack("<12I", *fields) + body


def container(*patches: bytes) -> bytes:
    """A container of AMD's with these patches."""
    table = bytes(32)
    sections = [(0, table), *((1, patch) for patch in patches)]
    return b"DMA\0" + b"".join(struct.pack("<2I", kind, len(data)) + data for kind, data in sections)
