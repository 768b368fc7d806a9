"""What changed in the packages of an upgrade, in the words of their changelogs, as far as they are in the store."""

import dataclasses
from collections.abc import Sequence
from io import BytesIO

from assembler.debian.deb import Deb, open_package
from assembler.debian.documents import LARGEST_CHANGELOG, changelog_entries
from assembler.errors import AssembleError
from assembler.lock.changes import Changes, SourceChange
from assembler.lockfile.model import Lock, LockedPackage
from assembler.store.objects import Store
from assembler.tree.compressed import CompressionError, expanded

LARGEST = 32 << 20
"""Bytes of a .deb that is opened for its changelog."""
MOST_OPENED = 3
"""Packages of a source that are opened: some have a link to another's directory."""
MOST_SOURCES = 200
"""Source packages whose changelogs are looked for."""
MOST_LINES = 40
"""Lines that are told of a source package."""


def with_changelogs(found: Changes, new: Lock, store: Store) -> Changes:
    """`found`, which leads to the lock `new`, with what changelogs say of the versions between.

    Nobody is asked: packages that are not in `store` have nothing to say, nor have those that cannot be read.
    """
    sources = [
        dataclasses.replace(source, changelog=_changelog(source, new, store)) if number < MOST_SOURCES else source
        for number, source in enumerate(found.sources)
    ]
    return dataclasses.replace(found, sources=tuple(sources))


def _changelog(source: SourceChange, new: Lock, store: Store) -> tuple[str, ...]:
    if not source.old or not source.new or source.old == source.new or ", " in source.old + source.new:
        return ()
    packages = [each for each in new.packages if each.source == source.source and each.size <= LARGEST]
    opened = 0
    for package in sorted(packages, key=lambda each: (each.size, each.name)):
        if opened < MOST_OPENED and store.has(package.sha256):
            opened += 1
            if lines := _lines(_data(package, store), source.old, source.new):
                return lines
    return ()


def _data(package: LockedPackage, store: Store) -> bytes:
    """The begin of a package's changelog; empty when it has none."""
    try:
        deb = open_package(store, package.sha256, package.name)
        return _member(deb, package.name)
    except (AssembleError, CompressionError, OSError):
        return b""


def _member(deb: Deb, name: str) -> bytes:
    directory = f"/usr/share/doc/{name}"
    members = {member.path: member for member in deb.members if member.type == "0" and member.size <= LARGEST}
    # That of the archive, or of a package that is Debian's own.
    for path in (f"{directory}/changelog.Debian.gz", f"{directory}/changelog.gz"):
        if member := members.get(path):
            with deb.data.open("rb") as stream:
                stream.seek(member.offset)
                with expanded(BytesIO(stream.read(member.size)), ".gz") as text:
                    return text.read(LARGEST_CHANGELOG)
    return b""


def _lines(data: bytes, old: str, new: str) -> tuple[str, ...]:
    lines: list[str] = []
    for entry in changelog_entries(data, old, new):
        lines += (entry.version, *entry.lines)
    return _cut(lines)


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    if len(lines) <= MOST_LINES:
        return tuple(lines)
    return (*lines[:MOST_LINES], f"... and {len(lines) - MOST_LINES} lines more")
