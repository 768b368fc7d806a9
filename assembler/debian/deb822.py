"""deb822 (deb822(5)) of whoever is asked: Releases, indices, control files and dpkg's status, within bounds.

What people write, and speed is nothing to, python-debian reads: see :mod:`assembler.debian.documents`. It judges this
reader in the tests.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a paragraph."""

    name: str
    """As it is written."""
    lines: tuple[str, ...]
    """Its value: the rest of the first line, then each further line, stripped; a lone dot becomes an empty line."""
    line: int
    """1-based number of its first line."""

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the value, over all its lines."""
        return tuple(" ".join(self.lines).split())


MOST_LINES = 1 << 19
"""Lines of a text of paragraphs, as each of them can be a field; the status of 243 packages has 6000."""

_FIELD = re.compile(r"([!\"$-,.-9;-~][!-9;-~]*):(.*)", re.DOTALL)
"""A field's first line: its name does not begin with a number sign or a hyphen."""
_FIELDS = (
    "Package Essential Protected Priority Section Installed-Size Origin Maintainer Bugs Architecture Multi-Arch Source "
    "Version Replaces Provides Depends Pre-Depends Recommends Suggests Breaks Conflicts Enhances Description"
)
_SPELLING = {name.lower(): name for name in _FIELDS.split()}
"""Fields that dpkg knows, in whatever case they are written."""

Paragraph = Mapping[str, Field]
"""Fields by their names in lower case, since names are matched without regard to case."""


class Deb822Error(ValueError):
    """A line that is none of deb822; `line` is its 1-based number."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def paragraphs(text: str) -> Iterator[Paragraph]:
    """The paragraphs of `text`, empty ones left out. Raises :class:`Deb822Error` on reaching a wrong line."""
    if text.count("\n") > MOST_LINES:
        raise Deb822Error(f"more than {MOST_LINES} lines", MOST_LINES)
    fields: dict[str, Field] = {}
    name, lines, first = "", list[str](), 0

    def close() -> None:
        nonlocal name
        if name:
            fields[name.lower()] = Field(name, tuple(lines), first)
            name = ""

    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#"):
            continue
        content = line.strip()
        if not content:
            close()
            if fields:
                yield fields
                fields = {}
        elif line[0] in " \t":
            if not name:
                raise Deb822Error("a continuation line without a field before it", number)
            lines.append("" if content == "." else content)
        else:
            close()
            name, colon, value = line.partition(":")
            if not colon or not name or set(name) & set(" \t"):
                raise Deb822Error("not a field, which looks like `Name: value`", number)
            if name.lower() in fields:
                raise Deb822Error(f"{name} is there twice", number)
            lines, first = [value.strip()], number
    close()
    if fields:
        yield fields


def control(text: str) -> dict[str, str]:
    """The fields of a control file, which is one deb822 paragraph, in order (Debian policy 5.1).

    As dpkg does, only the ends of a whole value are trimmed, not those of its lines, and names are matched without
    regard to case: those that dpkg knows come as policy spells them. Raises ValueError for what dpkg refuses: a second
    paragraph or a field twice, comments, a file that does not end with its line, NUL and the end of file of MS-DOS.
    """
    if not text.endswith("\n"):
        raise ValueError("the control file's last line does not end")
    if "\0" in text or "\x1a" in text:
        raise ValueError("the control file has characters that no text has")
    fields: dict[str, list[str]] = {}
    seen: set[str] = set()
    value: list[str] = []
    for line in text.strip("\n").split("\n"):
        if not line:
            raise ValueError("the control file has more than one paragraph")
        if line[0] in " \t" and fields:
            if not line.strip():
                raise ValueError("the control file has a blank line within a field")
            value.append(line)
            continue
        found = _FIELD.fullmatch(line)
        if found is None:
            raise ValueError(f"not a field: {line[:80]!r}")
        name = _SPELLING.get(found[1].lower(), found[1])
        if name.lower() in seen:
            raise ValueError(f"{name} is there twice")
        seen.add(name.lower())
        value = fields[name] = [found[2]]
    return {name: "\n".join(lines).strip() for name, lines in fields.items()}


def stanza(text: str) -> dict[str, str]:
    """The fields of one stanza of an index by name, as it is written there; lines that are none are passed over.

    Only the ends of a value are trimmed, and the last of two fields of a name counts.
    """
    fields: dict[str, str] = {}
    key = ""
    for line in text.split("\n"):
        if line[:1] in {" ", "\t"}:
            if key:
                fields[key] += "\n" + line
        else:
            key, _colon, value = line.partition(":")
            if key:
                fields[key] = value.strip()
    return fields
