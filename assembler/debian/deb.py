"""Reading a .deb (deb(5)): an ar archive of debian-binary, control.tar and data.tar.

A package is decompressed once, into the store; afterwards its files are slices of that archive. The index of members
is kept beside it, so that composing an image parses nothing again.
"""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, cast

import zstandard

from assembler.errors import AssembleError, Place
from assembler.store.objects import Store
from assembler.tree.compressed import Window, Xz
from assembler.tree.tar import Limits, Member, index

_KIND = "unpacked-2"
_MAX_CONTROL = 64 << 20
"""Bytes that a control archive may have after decompression."""
_CHUNK = 1 << 20
_DAMAGE = (
    ValueError,
    EOFError,
    lzma.LZMAError,
    zlib.error,
    gzip.BadGzipFile,
    zstandard.ZstdError,
    tarfile.TarError,
)
"""What the decompressors and parsers raise for bytes that are not theirs."""
_UNREADABLE = (FileNotFoundError, ValueError, LookupError, TypeError)
"""What reading an unpacked package raises when its files are not whole."""


class DebError(AssembleError):
    """A file that is no sound Debian package."""


@dataclass(frozen=True, slots=True)
class Deb:
    """A package's metadata, and where its files are."""

    fields: Mapping[str, str] = field(repr=False)
    """The control paragraph, in its order; continuation lines joined by newlines with their leading space."""
    control: Mapping[str, bytes] = field(repr=False)
    """The other files of the control archive by name."""
    data: Path
    """data.tar, uncompressed."""
    members: tuple[Member, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """Its Package field."""
        return self.fields["Package"]


def _members(stream: BinaryIO, where: Place) -> Iterator[tuple[str, int, int]]:
    """(name, offset, size) of each member of a common-format ar archive."""
    if stream.read(8) != b"!<arch>\n":
        raise DebError("not a Debian package", where=where, why="it does not begin as an ar archive")
    position = 8
    while header := stream.read(60):
        size_text = header[48:58].strip()
        if len(header) < 60 or header[58:] != b"`\n" or not size_text.isdigit():
            raise DebError("the package is damaged", where=where, why=f"no ar header at byte {position}")
        size = int(size_text)
        yield header[:16].decode("ascii", "replace").strip().rstrip("/"), position + 60, size
        position += 60 + size + size % 2
        stream.seek(position)


def _decompressed(name: str, part: IO[bytes], where: Place) -> IO[bytes]:
    match name.partition(".tar")[2]:
        case "":
            return part
        case ".xz":
            return cast("IO[bytes]", Xz(part))
        case ".gz":
            return cast("IO[bytes]", gzip.open(part))
        case ".zst":
            return cast("IO[bytes]", zstandard.ZstdDecompressor().stream_reader(part, read_across_frames=True))
        case ".lzma":
            return cast("IO[bytes]", lzma.open(part, format=lzma.FORMAT_ALONE))
        case ".bz2":
            return cast("IO[bytes]", bz2.open(part))
        case other:
            raise DebError("a member's compression is not known", where=where, why=f"{name}: {other}")


def paragraph(text: str) -> dict[str, str]:
    """The fields of one deb822 paragraph, in order (Debian policy 5.1).

    As dpkg does, only the ends of a whole value are trimmed, not those of its lines.
    """
    fields: dict[str, str] = {}
    last = ""
    for line in text.split("\n"):
        if line[:1] in {" ", "\t"} and last:
            fields[last] += "\n" + line
        elif line.strip() and not line.startswith("#"):
            last, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"not a field: {line!r}")
            fields[last] = value.lstrip()
    return {name: value.rstrip() for name, value in fields.items()}


def _control(stream: IO[bytes], where: Place) -> tuple[dict[str, str], dict[str, bytes]]:
    raw = bytearray()
    while chunk := stream.read(_CHUNK):
        raw += chunk
        if len(raw) > _MAX_CONTROL:
            raise DebError("the control archive is absurdly large", where=where)
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if member.isfile() and "/" not in name:
                content = archive.extractfile(member)
                files[name] = content.read() if content else b""
    control = files.pop("control", None)
    if control is None:
        raise DebError("the package has no control file", where=where)
    fields = paragraph(control.decode("utf-8", "surrogateescape"))
    for required in ("Package", "Version", "Architecture"):
        if required not in fields:
            raise DebError(f"the control file has no {required}", where=where)
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]*", fields["Package"]):
        raise DebError("the package's name is not allowed", where=where, why=fields["Package"])
    return fields, files


def _copy(source: IO[bytes], target: IO[bytes], limits: Limits, where: Place) -> None:
    total = 0
    while chunk := source.read(_CHUNK):
        total += len(chunk)
        if total > limits.unpacked:
            raise DebError("the package unpacks to too much", where=where, why=f"more than {limits.unpacked} bytes")
        target.write(chunk)


def unpack(package: Path, folder: Path, where: Place, limits: Limits | None = None, sha256: str = "") -> None:
    """Decompress `package` into `folder` (which is made) as ``data.tar`` and ``index.json``.

    With `sha256` its bytes are verified against that digest as well. Raises DebError or TarError for anything unsound.
    """
    limits = limits or Limits()
    folder.mkdir()
    try:
        with package.open("rb") as stream:
            if sha256 and (found := hashlib.file_digest(stream, "sha256").hexdigest()) != sha256:
                raise DebError(
                    "a package in the store is damaged",
                    where=where,
                    why=f"its SHA-256 is {found}, not {sha256}",
                    hint="build without --offline, which fetches it again",
                )
            stream.seek(0)
            parts = {name: (offset, size) for name, offset, size in _members(stream, where)}
            names = list(parts)
            if names[:1] != ["debian-binary"]:
                raise DebError("not a Debian package", where=where, why="its first member is not debian-binary")
            for required in ("control.tar", "data.tar"):
                if (count := sum(name.startswith(required) for name in names)) != 1:
                    raise DebError(f"the package has {count or 'no'} {required}", where=where)
            for name, (offset, size) in parts.items():
                part = io.BufferedReader(Window(stream, offset, size), _CHUNK)
                if name == "debian-binary":
                    if not part.read(8).startswith(b"2."):
                        raise DebError("the package's format is not 2.x", where=where)
                elif name.startswith("control.tar"):
                    fields, control = _control(_decompressed(name, part, where), where)
                elif name.startswith("data.tar"):
                    with (folder / "data.tar").open("wb") as out:
                        _copy(_decompressed(name, part, where), out, limits, where)
        members = index(folder / "data.tar", where, limits)
    except _DAMAGE as error:
        raise DebError("the package is damaged", where=where, why=str(error)) from error
    listing = {
        "fields": fields,
        "control": {name: data.decode("latin-1") for name, data in sorted(control.items())},
        "members": members,
    }
    (folder / "index.json").write_text(json.dumps(listing, separators=(",", ":")), "ascii")


def read_control(package: Path, where: Place) -> tuple[dict[str, str], dict[str, bytes]]:
    """The control paragraph of a .deb and the other files of its control archive; the rest is not read.

    Raises DebError.
    """
    try:
        with package.open("rb") as stream:
            for name, offset, size in _members(stream, where):
                if name.startswith("control.tar"):
                    part = io.BufferedReader(Window(stream, offset, size), _CHUNK)
                    return _control(_decompressed(name, part, where), where)
    except _DAMAGE as error:
        raise DebError("the package is damaged", where=where, why=str(error)) from error
    raise DebError("the package has no control.tar", where=where)


def read(folder: Path) -> Deb:
    """The package that :func:`unpack` left in `folder`. Raises one of `_UNREADABLE` when it is not whole."""
    listing = json.loads((folder / "index.json").read_bytes())
    data = folder / "data.tar"
    members = tuple(Member(*member) for member in listing["members"])
    if data.stat().st_size < max((member.offset + member.size for member in members), default=0):
        raise ValueError("data.tar is cut off")
    return Deb(
        fields=listing["fields"],
        control={name: text.encode("latin-1") for name, text in listing["control"].items()},
        data=data,
        members=members,
    )


def open_package(store: Store, sha256: str, name: str = "", limits: Limits | None = None) -> Deb:
    """The package whose .deb has this digest, unpacked in the store if it is not yet. Raises as :func:`unpack`."""
    package = store.get(sha256, what=name or "a package")
    where = Place(package=name, file="" if name else str(package))

    def make(folder: Path) -> None:
        unpack(package, folder, where, limits, sha256)

    try:
        return read(store.derived(_KIND, sha256, make))
    except _UNREADABLE:
        return read(store.derived(_KIND, sha256, make, sound=_readable))


def _readable(folder: Path) -> bool:
    try:
        read(folder)
    except _UNREADABLE:
        return False
    return True
