"""Listings of trees (see tree/digest.py) as values, and what differs between two."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from assembler.errors import AssembleError
from assembler.formats.squashfs_reader import PATHS

LINES = PATHS + 1
"""Lines of a listing at most."""
FIELDS = ("kind", "mode", "owner", "mtime", "size", "content", "xattrs")


@dataclass(frozen=True, slots=True)
class Entry:
    """A path, with every field as the listing has it."""

    path: str
    """Escaped as in the listing."""
    kind: str
    mode: str
    owner: str
    """``UID:GID``."""
    mtime: str
    size: str
    content: str
    """SHA-256 of a file's bytes, or ``major,minor``."""
    xattrs: str
    target: str
    """Of a symbolic link, or the first name of a file with several."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A path that differs."""

    path: str
    fields: Mapping[str, tuple[str, str]]
    """Old and new value by field; with ``there`` alone when the path is only on one side."""


class ListingError(AssembleError):
    """A text that is no listing."""


def lines(text: str) -> dict[str, str]:
    """The lines of a listing by path, escaped. Raises ListingError when it is none."""
    return {_entry(line).path: line for line in _split(text)}


def parse(text: str) -> dict[str, Entry]:
    """The entries of a listing by path. Raises ListingError when it is none."""
    return {entry.path: entry for entry in map(_entry, _split(text))}


def _split(text: str) -> list[str]:
    if text.count("\n") > LINES:
        raise ListingError("the listing of a tree is damaged", why=f"it has more than {LINES} lines")
    return text.removesuffix("\n").split("\n") if text else []


def _entry(line: str) -> Entry:
    *fields, rest = line.split(" ", 7)
    path, _, target = rest.partition(" -> ")
    if len(fields) != 7 or not path.startswith("/"):
        raise ListingError("the listing of a tree is damaged", why=f"not a line of a listing: {line[:80]!r}")
    kind, mode, owner, mtime, length, content, xattrs = fields
    return Entry(path, kind, mode, owner, mtime, length, content, xattrs, target)


def unescaped(path: str) -> str:
    """The path that stands in a listing as `path`: see :func:`assembler.tree.digest.escaped`."""
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), path.encode("ascii", "replace"))
    return raw.decode("utf-8", "surrogateescape")


def resolved(entries: Mapping[str, Entry], entry: Entry) -> Entry:
    """What `entry` is, when it is a further name of a file."""
    return entries.get(entry.target, entry) if entry.kind == "link" else entry


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    """Every path that differs, in the order of paths; from :func:`lines`, as most of them are the same."""
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) == new.get(path):
            continue
        before, after = (_entry(side[path]) if path in side else None for side in (old, new))
        if before is None or after is None:
            there = ("", after.kind) if after else (before.kind if before else "", "")
            yield Difference(path, {"there": there})
            continue
        fields = {
            name: (getattr(before, name), getattr(after, name))
            for name in (*FIELDS, "target")
            if getattr(before, name) != getattr(after, name)
        }
        yield Difference(path, fields)
