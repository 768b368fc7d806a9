"""Reading single files out of an ISO, or out of the root of a FAT file system."""

from collections.abc import Iterable
from pathlib import Path

from assembler.errors import AssembleError, Place
from assembler.formats import fat_reader, iso_reader
from assembler.tree.content import read

LARGEST = 16 << 20
"""Bytes of a file at most."""


def read_volume(volume: Path, paths: Iterable[str]) -> dict[str, bytes]:
    """The same of any volume that a seed may be: an ISO, or a FAT file system, where case is no matter.

    Raises AssembleError when it is neither.
    """
    if not fat_reader.is_fat(volume):
        return read_files(volume, paths)
    there = {path.casefold(): data for path, data in fat_reader.read_root(volume).items()}
    found = {path: there[path.casefold()] for path in paths if path.casefold() in there}
    for path, data in found.items():
        if len(data) > LARGEST:
            where = Place(file=str(volume), path=path)
            raise AssembleError("a file is larger than it may be", where=where, why=f"it has more than {LARGEST} bytes")
    return found


def read_files(iso: Path, paths: Iterable[str]) -> dict[str, bytes]:
    """Those of `paths` (absolute, Rock Ridge names) that are files in `iso`, with their bytes.

    Raises AssembleError when `iso` cannot be read or is none, and for a file of more than `LARGEST` bytes.
    """
    there = iso_reader.read_files(iso)
    found = {}
    for path in paths:
        if path not in there:
            continue
        if there[path].size > LARGEST:
            raise AssembleError(
                "a file on the ISO is larger than it may be",
                where=Place(file=str(iso), path=path),
                why=f"it has {there[path].size} bytes, more than {LARGEST}",
            )
        found[path] = read(there[path])
    return found
