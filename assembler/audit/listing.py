"""Listings of trees (see tree/digest.py) as values, and what differs between two."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

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


def parse(text: str) -> dict[str, Entry]:
    """The entries of a listing by path. Raises ValueError when it is none."""
    entries = {}
    for line in text.splitlines():
        *fields, rest = line.split(" ", 7)
        path, _, target = rest.partition(" -> ")
        if len(fields) != 7 or not path.startswith("/"):
            raise ValueError(f"not a line of a listing: {line[:80]!r}")
        kind, mode, owner, mtime, length, content, xattrs = fields
        entries[path] = Entry(path, kind, mode, owner, mtime, length, content, xattrs, target)
    return entries


def resolved(entries: Mapping[str, Entry], entry: Entry) -> Entry:
    """What `entry` is, when it is a further name of a file."""
    return entries.get(entry.target, entry) if entry.kind == "link" else entry


def differences(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> Iterator[Difference]:
    """Every path that differs, in the order of paths."""
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
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


def size(entries: Iterable[Entry]) -> int:
    """Bytes of all files, each counted once."""
    return sum(int(entry.size) for entry in entries if entry.kind == "file")
