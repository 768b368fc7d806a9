"""Reading single files out of an ISO."""

from collections.abc import Iterable
from pathlib import Path

from assembler.errors import AssembleError, Place
from assembler.formats import iso_reader
from assembler.tree.content import read

LARGEST = 16 << 20
"""Bytes of a file at most."""


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
