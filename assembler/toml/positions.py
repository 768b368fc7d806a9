"""Where in a TOML text each key and each array element stands (TOML 1.0, https://toml.io/en/v1.0.0).

:mod:`tomllib` gives values without positions. This scanner gives positions without values: it reads a text that tomllib
has accepted, so it checks nothing and only needs to know where things begin and end.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from assembler.toml.strings import MULTILINE, end_of_multiline

Path = tuple[str | int, ...]
"""Keys and array indices from the root of the document, as ``("rootfs", "packages", 3)``."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text."""

    line: int
    """1-based."""
    column: int
    """1-based, in characters."""


# Nothing is tried twice: going back would take memory for each step.
_BLANK = re.compile(r"[ \t\r\n]*+(?:#[^\n]*+[ \t\r\n]*+)*+")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"' r"|'[^']*+'", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


def _unescape(match: re.Match[str]) -> str:
    number = match[1] or match[2] or match[3]
    return chr(int(number, 16)) if number else _ESCAPED.get(match[4], match[4])


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self.lengths: dict[Path, int] = {}
        """Elements seen so far of each array of tables."""

    def skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def here(self, character: str) -> bool:
        return self.text.startswith(character, self.at)

    def document(self) -> None:
        table: Path = ()
        self.skip(_BLANK)
        while self.at < len(self.text):
            if self.here("["):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)

    def header(self) -> Path:
        start = self.at
        array = self.here("[[")
        self.at += 2 if array else 1
        table: Path = ()
        keys = self.keys()
        for depth, (key, offset) in enumerate(keys, start=1):
            table = (*table, key)
            self.found.setdefault(table, offset)
            if array and depth == len(keys):
                index = self.lengths.get(table, 0)
                self.lengths[table] = index + 1
                table = (*table, index)
                self.found[table] = start
            elif table in self.lengths:
                # Inside an array of tables, its last element is meant.
                table = (*table, self.lengths[table] - 1)
        self.at += 2 if array else 1
        return table

    def keys(self) -> list[tuple[str, int]]:
        """The parts of a dotted key with their offsets, and white space around them."""
        parts = []
        while True:
            self.skip(_SPACE)
            offset = self.at
            if self.here('"'):
                key = _ESCAPE.sub(_unescape, self.skip(_STRING)[1:-1])
            elif self.here("'"):
                key = self.skip(_STRING)[1:-1]
            else:
                key = self.skip(_BARE_KEY)
            parts.append((key, offset))
            self.skip(_SPACE)
            if not self.here("."):
                return parts
            self.at += 1

    def pair(self, table: Path) -> None:
        for key, offset in self.keys():
            table = (*table, key)
            self.found.setdefault(table, offset)
        self.at += 1  # the equals sign
        self.skip(_SPACE)
        self.value(table)

    def value(self, path: Path) -> None:
        """A value; iterative for arrays within arrays would save no depth: tomllib itself recurses."""
        if self.here("["):
            self.array(path)
        elif self.here("{"):
            self.inline_table(path)
        elif self.text.startswith(MULTILINE, self.at):
            self.at = end_of_multiline(self.text, self.at)
        elif not self.skip(_STRING):
            self.skip(_SCALAR)

    def array(self, path: Path) -> None:
        self.at += 1
        self.skip(_BLANK)
        index = 0
        while not self.here("]"):
            self.found[*path, index] = self.at
            self.value((*path, index))
            index += 1
            self.skip(_BLANK)
            if self.here(","):
                self.at += 1
                self.skip(_BLANK)
        self.at += 1

    def inline_table(self, path: Path) -> None:
        self.at += 1
        self.skip(_BLANK)
        while not self.here("}"):
            self.pair(path)
            self.skip(_BLANK)
            if self.here(","):
                self.at += 1
                self.skip(_BLANK)
        self.at += 1


def positions(text: str) -> Mapping[Path, Position]:
    """Where each key and array element of `text` begins.

    `text` is valid TOML (tomllib.loads accepts it). A member of a table stands where its key is first named, be it the
    table's header; an element of an array where its value begins, one of an array of tables at its ``[[``.
    """
    scanner = _Scanner(text)
    scanner.document()
    result = {}
    line, begin, before = 1, 0, 0
    for path, offset in sorted(scanner.found.items(), key=lambda item: item[1]):
        if breaks := text.count("\n", before, offset):
            line, begin = line + breaks, text.rindex("\n", before, offset) + 1
        before = offset
        result[path] = Position(line, offset - begin + 1)
    return result
