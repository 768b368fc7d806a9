"""Reading a .deb (deb(5)): an ar archive of debian-binary, control.tar and data.tar.

A package is decompressed once, into the store; afterwards its files are slices of that archive. The index of members
is kept beside it, so that composing an image parses nothing again.

What dpkg refuses is refused, and where it looks at the first of several members, so is it here: a package has to be
the same for whoever looked at it before. Where dpkg asks its caller (``--force-bad-version``), or makes something of
what no tool writes (the same path twice), it is refused as well. Besides what unpacking a stream takes
(tree/compressed.py) and the index (tree/tar.py), reading takes six times `_MAX_CONTROL` bytes of memory at most.
"""

import hashlib
import io
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, cast

from assembler.debian import deb822
from assembler.errors import AssembleError, Place
from assembler.store.objects import Store
from assembler.tree.compressed import DAMAGE, ENDINGS, Window, expanded
from assembler.tree.content import CHUNK
from assembler.tree.tar import Limits, Member, index, index_of

_KIND = "unpacked-3"
_MAX_CONTROL = 64 << 20
"""Bytes that a control archive may have after decompression."""
_MAX_FIELDS = 1 << 20
"""Bytes of the largest control file."""
_CONTROL_LIMITS = Limits(members=1000, text=1 << 20)
_MAX_NAME = 100
"""Bytes of the longest name of a control file (dpkg's MAXCONTROLFILENAME)."""
_CONTROL_ENDINGS = frozenset({".xz", ".gz", ".zst"})
"""Compressions of the control archive, besides none, that dpkg takes."""
_UNREADABLE = (FileNotFoundError, ValueError, LookupError, TypeError)
"""What reading an unpacked package raises when its files are not whole."""
_FORMAT = re.compile(rb"2\.[0-9]{1,9}\n")
_SIZE = re.compile(rb" *([0-9]+) *")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{0,199}")
_VERSION = re.compile(r"(?:[0-9]{1,9}:[A-Za-z0-9][A-Za-z0-9.+:~-]{0,254}|[A-Za-z0-9][A-Za-z0-9.+~-]{0,254})")
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")


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
    """(name, offset, size) of each member of a common-format ar archive, which are all there."""
    if stream.read(8) != b"!<arch>\n":
        raise DebError("not a Debian package", where=where, why="it does not begin as an ar archive")
    end = stream.seek(0, io.SEEK_END)
    position = 8
    while position < end:
        stream.seek(position)
        header = stream.read(60)
        size = _SIZE.fullmatch(header[48:58])
        if len(header) < 60 or header[58:] != b"`\n" or size is None:
            raise DebError("the package is damaged", where=where, why=f"no ar header at byte {position}")
        start = position + 60
        position = start + int(size[1])
        if position > end:
            raise DebError("the package is damaged", where=where, why=f"it ends within the member at byte {start}")
        yield header[:16].rstrip(b" ").removesuffix(b"/").decode("ascii", "replace"), start, int(size[1])
        position += position % 2


@dataclass(frozen=True, slots=True)
class _Part:
    """A member of the package."""

    offset: int
    size: int
    ending: str
    """How its name goes on after ``.tar``: empty, or one of `ENDINGS`."""

    def open(self, stream: BinaryIO) -> IO[bytes]:
        """What it holds, without its compression."""
        part = Window(stream, self.offset, self.size)
        return expanded(part, self.ending) if self.ending else cast("IO[bytes]", io.BufferedReader(part, CHUNK))


def _parts(stream: BinaryIO, where: Place) -> tuple[_Part, _Part]:
    """Where control.tar and data.tar are, as dpkg finds them (its extracthalf()).

    They follow debian-binary in this order. Members whose names begin with ``_`` may stand between them, and those
    after data.tar are not looked at.
    """
    control = data = None
    for number, (name, offset, size) in enumerate(_members(stream, where)):
        if data is not None:
            continue
        if number == 0:
            if name != "debian-binary":
                raise DebError("not a Debian package", where=where, why="its first member is not debian-binary")
            stream.seek(offset)
            if not _FORMAT.match(stream.read(min(size, 16))):
                raise DebError("the package's format is not 2.x", where=where)
        elif name.startswith("_"):
            pass
        elif name.startswith("control.tar"):
            if control is not None:
                raise DebError("the package has 2 control.tar", where=where)
            control = _Part(offset, size, _ending(name, _CONTROL_ENDINGS, where))
        elif control is None:
            raise DebError("the package has no control.tar before another member", where=where, why=name)
        elif name.startswith("data.tar"):
            data = _Part(offset, size, _ending(name, ENDINGS, where))
        else:
            raise DebError("the package has another member before its data.tar", where=where, why=name)
    if control is None or data is None:
        raise DebError(f"the package has no {'data.tar' if control else 'control.tar'}", where=where)
    return control, data


def _ending(name: str, known: frozenset[str], where: Place) -> str:
    ending = name.partition(".tar")[2]
    if ending and ending not in known:
        raise DebError("a member's compression is not known", where=where, why=f"{name}: {ending}")
    return ending


def _control(stream: IO[bytes], where: Place) -> tuple[dict[str, str], dict[str, bytes]]:
    pieces, total = list[bytes](), 0
    while piece := stream.read(CHUNK):
        pieces.append(piece)
        total += len(piece)
        if total > _MAX_CONTROL:
            raise DebError("the control archive is absurdly large", where=where, why=f"more than {_MAX_CONTROL} bytes")
    raw = b"".join(pieces)
    files: dict[str, bytes] = {}
    total = 0
    for member in index_of(raw, where, _CONTROL_LIMITS):
        name = member.path[1:]
        if member.type == "5" and not name:
            continue
        if member.type not in "01" or "/" in name or not name.isprintable() or len(name) > _MAX_NAME:
            raise DebError("the control archive has a member that it cannot have", where=where, why=repr(name[:200]))
        if name in files:
            raise DebError("the control archive has the same file twice", where=where, why=name)
        if member.type == "1" and member.target[1:] not in files:
            raise DebError("the control archive has a link to what is not in it", where=where, why=name)
        files[name] = (
            files[member.target[1:]] if member.type == "1" else raw[member.offset : member.offset + member.size]
        )
        total += len(files[name])
        if total > _MAX_CONTROL or (name == "control" and len(files[name]) > _MAX_FIELDS):
            raise DebError(
                "the control archive is absurdly large", where=where, why=f"{name} has {len(files[name])} bytes"
            )
    # dpkg passes over a file of this name, which its database has for the list of the package's paths.
    files.pop("list", None)
    control = files.pop("control", None)
    if control is None:
        raise DebError("the package has no control file", where=where)
    return _checked(control, where), files


def _checked(control: bytes, where: Place) -> dict[str, str]:
    try:
        fields = deb822.control(control.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise DebError("the package is damaged", where=where, why=str(error)) from None
    for required, what, allowed in (
        ("Package", "name", _PACKAGE),
        ("Version", "version", _VERSION),
        ("Architecture", "architecture", _ARCHITECTURE),
    ):
        if required not in fields:
            raise DebError(f"the control file has no {required}", where=where)
        if not allowed.fullmatch(fields[required]):
            raise DebError(f"the package's {what} is not allowed", where=where, why=repr(fields[required][:200]))
    return fields


def _copy(source: IO[bytes], target: IO[bytes], limits: Limits, where: Place) -> None:
    total = 0
    while chunk := source.read(CHUNK):
        total += len(chunk)
        if total > limits.unpacked:
            raise DebError("the package unpacks to too much", where=where, why=f"more than {limits.unpacked} bytes")
        target.write(chunk)


def unpack(package: Path, directory: Path, where: Place, limits: Limits | None = None, sha256: str = "") -> None:
    """Decompress `package` into `directory` (which is made) as ``data.tar`` and ``index.json``.

    With `sha256` its bytes are verified against that digest as well. Raises DebError or TarError for anything unsound.
    """
    limits = limits or Limits()
    directory.mkdir()
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
            first, second = _parts(stream, where)
            fields, control = _control(first.open(stream), where)
            with (directory / "data.tar").open("wb") as out:
                _copy(second.open(stream), out, limits, where)
        members = index(directory / "data.tar", where, limits, dpkg=True)
    except DAMAGE as error:
        raise DebError("the package is damaged", where=where, why=str(error)) from error
    listing = {
        "fields": fields,
        "control": {name: b64encode(data).decode() for name, data in sorted(control.items())},
        "members": members,
    }
    (directory / "index.json").write_text(json.dumps(listing, separators=(",", ":")), "ascii")


def read_control(package: Path, where: Place) -> tuple[dict[str, str], dict[str, bytes]]:
    """The control paragraph of a .deb and the other files of its control archive; the rest is not read.

    Raises DebError or TarError.
    """
    with package.open("rb") as stream:
        return control_of(stream, where)


def control_of(stream: BinaryIO, where: Place) -> tuple[dict[str, str], dict[str, bytes]]:
    """The same of the .deb that `stream` has from its beginning."""
    try:
        return _control(_parts(stream, where)[0].open(stream), where)
    except DAMAGE as error:
        raise DebError("the package is damaged", where=where, why=str(error)) from error


def read(directory: Path) -> Deb:
    """The package that :func:`unpack` left in `directory`. Raises one of `_UNREADABLE` when it is not whole."""
    listing = json.loads((directory / "index.json").read_bytes())
    data = directory / "data.tar"
    members = tuple(Member(*member) for member in listing["members"])
    if data.stat().st_size < max((member.offset + member.size for member in members), default=0):
        raise ValueError("data.tar is cut off")
    return Deb(
        fields=listing["fields"],
        control={name: b64decode(text) for name, text in listing["control"].items()},
        data=data,
        members=members,
    )


def open_package(store: Store, sha256: str, name: str = "", limits: Limits | None = None) -> Deb:
    """The package whose .deb has this digest, unpacked in the store if it is not yet. Raises as :func:`unpack`."""
    package = store.get(sha256, what=name or "a package")
    where = Place(package=name, file="" if name else str(package))

    def make(directory: Path) -> None:
        unpack(package, directory, where, limits, sha256)

    try:
        return read(store.derived(_KIND, sha256, make))
    except _UNREADABLE:
        return read(store.derived(_KIND, sha256, make, sound=_readable))


def _readable(directory: Path) -> bool:
    try:
        read(directory)
    except _UNREADABLE:
        return False
    return True
