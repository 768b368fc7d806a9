"""TOML from strangers: what :mod:`tomllib` takes, within bounds.

tomllib itself needs time by the square of how many parts a key has, fails on nesting with a RecursionError and on long
numbers with a plain ValueError. Here each of these is a TOMLDecodeError, in time that grows with the text alone.
"""

import re
import tomllib
from typing import Any

from assembler.toml.strings import MULTILINE, end_of_multiline

DEEPEST = 32
"""Parts of a key, brackets in brackets, and tables in tables; recipes and locks need six."""

_TOKEN = re.compile(
    r"\"\"\"|'''"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|[\"'][^\n]*+"  # it does not end
    r"|#[^\n]*+"
    r"|[][{}.=,\n]",
    re.DOTALL,
)
_LARGEST = 1 << 63
"""Integers are of 64 bits (TOML 1.0, Integer)."""


def loads(text: str, *, most: int) -> dict[str, Any]:
    """The document `text`, which has at most that many values, tables and arrays among them.

    Raises tomllib.TOMLDecodeError, whose text ends with a line and a column where these are known.
    """
    _check_nesting(text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError as error:
        raise tomllib.TOMLDecodeError("Values are nested too deeply") from error
    except ValueError as error:  # of an integer with thousands of digits
        raise tomllib.TOMLDecodeError("A number is too long") from error
    _check_values(document, most)
    return document


def _check_nesting(text: str) -> None:
    open_brackets = dots = 0
    at = 0
    while match := _TOKEN.search(text, at):
        found, at = match[0], match.end()
        if found in MULTILINE:
            at = end_of_multiline(text, match.start())
            if at < 0:
                return
        elif found == ".":
            dots += 1
        elif found in "[{":
            open_brackets, dots = open_brackets + 1, 0
        elif found in "]}":
            open_brackets, dots = max(0, open_brackets - 1), 0
        elif found in "=,\n":
            dots = 0
        if dots >= DEEPEST or open_brackets > DEEPEST:
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - text.rfind("\n", 0, match.start())
            what = "A key has too many parts" if dots >= DEEPEST else "Values are nested too deeply"
            raise tomllib.TOMLDecodeError(f"{what} (at line {line}, column {column})")


def _check_values(document: dict[str, Any], most: int) -> None:
    pending: list[tuple[Any, int]] = [(document, 0)]
    seen = 0
    while pending:
        value, depth = pending.pop()
        seen += 1
        if seen > most:
            raise tomllib.TOMLDecodeError(f"It has more than {most} values")
        if depth > DEEPEST:
            raise tomllib.TOMLDecodeError("Tables are nested too deeply")
        if isinstance(value, dict):
            pending.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            pending.extend((item, depth + 1) for item in value)
        elif isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            raise tomllib.TOMLDecodeError("A number is larger than 64 bits hold")
