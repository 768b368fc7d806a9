"""Upstream archives in the store: decompressed and indexed once, and read by the members that somebody has declared."""

import json
from collections.abc import Mapping
from pathlib import Path

from assembler.errors import AssembleError, Place
from assembler.store.objects import CHUNK, Store
from assembler.tree.compressed import DAMAGE, plain
from assembler.tree.content import Slice
from assembler.tree.tar import Limits, Member, index

_KIND = "archive-2"
LIMITS = Limits(unpacked=4 << 30, members=100_000)
"""What an archive may ask of us; containerd's has 130 MB."""


class ArchiveError(AssembleError):
    """An archive that is damaged, or does not have what is asked for."""


def members(store: Store, sha256: str, names: Mapping[str, str], where: Place) -> dict[str, Slice]:
    """The bytes of the regular files that are keys of `names` in the tar archive with digest `sha256`.

    They come by the values of `names`, in their order; whatever else the archive holds is not looked at. It may be
    compressed with gzip, xz or zstd. Raises ArchiveError or TarError, naming `where`.
    """
    source = store.get(sha256, what=where.package)

    def make(directory: Path) -> None:
        directory.mkdir()
        _decompress(source, directory / "data.tar", where)
        (directory / "index.json").write_text(json.dumps(index(directory / "data.tar", where, LIMITS)), "ascii")

    directory = store.derived(_KIND, sha256, make)
    listed = [Member(*member) for member in json.loads((directory / "index.json").read_bytes())]
    files = {member.path: member for member in listed if member.type == "0"}
    if missing := [name for name in names if name not in files]:
        raise ArchiveError(
            f"the archive has no {', '.join(name.lstrip('/') for name in missing)}",
            where=where,
            hint="is it the right file?",
            details=[f"it has {member.path.lstrip('/')}" for member in listed[:20] if member.type == "0"],
        )
    return {
        target: Slice(str(directory / "data.tar"), files[name].offset, files[name].size)
        for name, target in names.items()
    }


def _decompress(source: Path, target: Path, where: Place) -> None:
    total = 0
    try:
        with source.open("rb") as raw, plain(raw, where) as stream, target.open("wb") as out:
            while chunk := stream.read(CHUNK):
                total += len(chunk)
                if total > LIMITS.unpacked:
                    raise ArchiveError(
                        "the archive unpacks to too much", where=where, why=f"more than {LIMITS.unpacked} bytes"
                    )
                out.write(chunk)
    except DAMAGE as error:
        raise ArchiveError("the archive is damaged", where=where, why=str(error)) from error
