"""FAT16 file systems, read back for the tests."""

import struct

from assembler.formats.fat import _BOOT, _DIRECTORY, _ENTRY, _VOLUME, FatError


def read_fat(image: bytes) -> dict[str, bytes]:
    """Every file of a FAT16 image by absolute path (directories without files do not show).

    Reads what :func:`write_fat` writes, so no long names. Raises FatError when the image is no FAT16 or damaged.
    """
    try:
        (_, _, sector, per_cluster, reserved, copies, root_entries, *_, fat_sectors, _, _, _, _, _, _, extended, _, _,
         kind) = _BOOT.unpack_from(image)  # fmt: skip
        if image[510:512] != b"\x55\xaa" or extended != 0x29 or kind != b"FAT16   " or not per_cluster:
            raise FatError("no FAT16 file system")
        table = struct.unpack_from(f"<{fat_sectors * sector // 2}H", image, reserved * sector)
        root = (reserved + copies * fat_sectors) * sector
        start, cluster = root + root_entries * _ENTRY.size, per_cluster * sector

        def chain(first: int) -> bytes:
            parts, seen = [], set()
            while first and first < 0xFFF8:
                if first in seen:
                    raise FatError("a FAT chain is a loop")
                seen.add(first)
                at = start + (first - 2) * cluster
                parts.append(image[at : at + cluster])
                first = table[first]
            return b"".join(parts)

        found: dict[str, bytes] = {}
        pending = [("/", image[root:start])]
        while pending:
            prefix, entries = pending.pop()
            for offset in range(0, len(entries), _ENTRY.size):
                raw, attributes, *_, first, size = _ENTRY.unpack_from(entries, offset)
                if raw[0] == 0:
                    break
                if raw[0] in (0xE5, 0x2E) or attributes & _VOLUME:
                    continue
                name = raw[:8].decode("ascii").rstrip() + ("." + raw[8:].decode("ascii").rstrip()).rstrip(".")
                if attributes & _DIRECTORY:
                    pending.append((f"{prefix}{name}/", chain(first)))
                else:
                    found[prefix + name] = chain(first)[:size]
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise FatError("the FAT file system is damaged", why=str(error)) from error
    return found
