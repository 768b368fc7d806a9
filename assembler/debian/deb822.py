"""deb822 paragraphs with line numbers, for files that people write; see deb822(5)."""

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


Paragraph = Mapping[str, Field]
"""Fields by their names in lower case, since names are matched without regard to case."""


class Deb822Error(ValueError):
    """A line that is none of deb822; `line` is its 1-based number."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def paragraphs(text: str) -> Iterator[Paragraph]:
    """The paragraphs of `text`, empty ones left out. Raises :class:`Deb822Error` on reaching a wrong line."""
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
