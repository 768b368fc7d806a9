"""What people write, as python-debian reads it: deb822(5) with the lines that errors name, copyright files, changelogs.

Sources, of a recipe or a host, and files of packages which say something to people. What is fetched to be acted upon is
read by :mod:`assembler.debian.deb822`, which is faster by far. The files may be a stranger's: their size is limited
before python-debian sees them, and what it raises is one of our errors. It takes 20 microseconds and 1.3 kB of memory a
line, and 30 ms to be imported, so that it is when it is needed.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from assembler.debian.deb822 import Deb822Error, Field, Paragraph

if TYPE_CHECKING:
    from debian._deb822_repro.parsing import Deb822FileElement, Deb822ParagraphElement

LARGEST = 1 << 20
"""Characters of a file; its sources are part of a recipe, which is no longer either."""
FAILURES = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)
"""What python-debian may raise for what is none of its formats."""
MOST_LINES = 20_000
"""Lines of a file. A certificate has up to a thousand."""
LARGEST_COPYRIGHT, MOST_COPYRIGHT = 4 << 20, 100_000
"""Bytes and lines of a copyright file; of those in a node's image, the largest is perl's, with 110 kB."""
LARGEST_CHANGELOG = 512 << 10
"""Bytes of a changelog that are looked at, from its begin: the newest entries are the first."""
LONGEST = 300
"""Characters of a line of a changelog; what follows is cut off."""
MOST_ENTRIES = 100
"""Entries of a changelog that are looked at."""

# It tells a logger what it makes of odd files, which would be shown when nobody listens.
logging.getLogger("debian").addHandler(logging.NullHandler())


def paragraphs(text: str) -> Iterator[Paragraph]:
    """The paragraphs of `text`, empty ones left out. Raises Deb822Error on reaching a wrong line."""
    if len(text) > LARGEST or text.count("\n") > MOST_LINES:
        raise Deb822Error(f"more than {LARGEST} characters or {MOST_LINES} lines", 1)
    from debian._deb822_repro.parsing import Deb822ParagraphElement  # noqa: PLC0415  it takes time

    line = 1
    last: Paragraph | None = None
    for part in _parsed(text).iter_parts():
        written = part.convert_to_text()
        if isinstance(part, Deb822ParagraphElement):
            last = _paragraph(part, line)
        elif wrong := next((each for each in written.split("\n") if each.strip() and each[0] != "#"), ""):
            if wrong[0] in " \t":
                raise Deb822Error("a continuation line without a field before it", line)
            raise Deb822Error("not a field, which looks like `Name: value`", line)
        elif last and not written.startswith("#"):
            # A wrong line right after it is one of it.
            yield last
            last = None
        line += written.count("\n")
    if last:
        yield last


def _parsed(text: str) -> "Deb822FileElement":
    from debian._deb822_repro.parsing import parse_deb822_file  # noqa: PLC0415  it takes time

    # Only a line feed ends a line, and a return before it is white space.
    lines = [f"{line.rstrip()}\n" for line in text.split("\n")]
    try:
        return parse_deb822_file(lines, accept_files_with_error_tokens=True, accept_files_with_duplicated_fields=True)
    except FAILURES as error:
        raise Deb822Error(f"it cannot be read: {error}", 1) from error


def _paragraph(element: "Deb822ParagraphElement", line: int) -> Paragraph:
    fields: dict[str, Field] = {}
    for part in element.iter_parts():
        written = part.convert_to_text()
        first, *more = [
            (line + offset, each) for offset, each in enumerate(written.split("\n")[:-1]) if not each.startswith("#")
        ] or [(line, "")]
        name, colon, value = first[1].partition(":")
        if colon:
            if name.lower() in fields:
                raise Deb822Error(f"{name} is there twice", first[0])
            values = [value.strip(), *("" if each.strip() == "." else each.strip() for _, each in more)]
            fields[name.lower()] = Field(name, tuple(values), first[0])
        line += written.count("\n")
    return fields


def copyright_licences(data: bytes) -> Sequence[str] | None:
    """The first lines of all License fields that files of a package are under, from its copyright file.

    None when the file is not in the form for machines (copyright format 1.0), or larger than such files are.
    """
    if len(data) > LARGEST_COPYRIGHT or data.count(b"\n") > MOST_COPYRIGHT:
        return None
    from debian.copyright import Copyright, Error  # noqa: PLC0415  it takes time

    lines = [f"{line}\n" for line in data.decode("utf-8", "replace").split("\n")]
    try:
        found = Copyright(lines, strict=False)
        texts = [
            str(part["License"])
            for part in found.all_files_paragraphs()
            if "license" in {name.lower() for name in cast("Iterable[str]", part)}
        ]
    except (Error, *FAILURES):
        return None
    return [" ".join(text.partition("\n")[0].split()) for text in texts if text.strip()]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a changelog."""

    version: str
    lines: tuple[str, ...]
    """What changed, as it is written, without empty lines at begin and end."""


def changelog_entries(data: bytes, after: str, to: str) -> list[Entry]:
    """The entries of a changelog (deb-changelog(5)) that are later than version `after` and not later than `to`.

    As they are in the file, which is the newest first; none when it cannot be read.
    """
    from debian.changelog import Changelog, ChangelogParseError, VersionError  # noqa: PLC0415  it takes time
    from debian.debian_support import NativeVersion  # noqa: PLC0415  it takes time

    lines = data[:LARGEST_CHANGELOG].decode("utf-8", "replace").split("\n")
    found = []
    try:
        first, last = NativeVersion(after), NativeVersion(to)
        for block in Changelog([line[:LONGEST] for line in lines], max_blocks=MOST_ENTRIES, strict=False):
            version = str(block._raw_version)  # noqa: SLF001  `version` may be that of another library
            if first < NativeVersion(version) <= last:
                found.append(Entry(version, tuple("\n".join(block.changes()).strip("\n").split("\n"))))
    except (ChangelogParseError, VersionError, *FAILURES):
        return []
    return found
