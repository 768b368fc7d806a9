"""Where the inputs that are kept as files lie."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
LARGEST = 64 << 10
"""Bytes of an input that long runs found and that is kept here."""


def kept(name: str) -> list[bytes]:
    """The files of one target, by name."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def found(name: str) -> list[bytes]:
    """The inputs of one target that long runs found: each ends at another place in the code."""
    path = CORPUS / f"{name}.tar.xz"
    if not path.is_file():
        return []
    with tarfile.open(path) as archive:
        return [stream.read() for member in archive if (stream := archive.extractfile(member))]


def keep_found(name: str, inputs: Iterable[Path]) -> int:
    """Keep those of `inputs` that are not too large for it in place of what was kept; returns how many."""
    chosen = [path for path in sorted(inputs) if path.stat().st_size <= LARGEST]
    with tarfile.open(CORPUS / f"{name}.tar.xz", "w:xz", format=tarfile.USTAR_FORMAT) as archive:
        for path in chosen:
            member = tarfile.TarInfo(path.name)
            data = path.read_bytes()
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return len(chosen)
