"""sort, after GNU coreutils 9.1 to 9.7, in the locale C.UTF-8, whose order is that of bytes.

Keys are found as begfield() and limfield() of sort.c find them, and versions compared as filevercmp() of gnulib does.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cmp_to_key
from itertools import pairwise
from typing import Any

from assembler.programs.inputs import Failure, content_of, lines, once, options_of, text, written
from assembler.programs.versions import compare_file_versions
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused

_ORDERING = frozenset("bfnrV")
_MAX_COLUMN = 1 << 30
_MAX_VERSION = 1000
"""Bytes of a version that is compared: it takes Python a while."""
_MAX_VERSIONS = 1 << 18
_MAX_LINES, _MAX_KEYS = 200_000, 20


@dataclass(slots=True)
class _Field:
    """A key: from a field and a byte in it to another; `last` is None for the end of the line."""

    first: tuple[int, int] = (0, 0)
    last: tuple[int, int] | None = None
    options: set[str] = field(default_factory=set)
    skips: set[str] = field(default_factory=set)
    """Of which ends blanks are skipped: ``first``, ``last``."""


def sort(process: Process) -> int:
    """``sort``, with ``-u``, ``-r``, ``-n``, ``-V``, ``-f``, ``-b``, ``-s``, ``-k``, ``-t``, ``-o`` and ``-c``."""
    options, names = options_of(
        process,
        "u|unique r|reverse n|numeric-sort V|version-sort f|ignore-case b|ignore-leading-blanks s|stable k|key= "
        "t|field-separator= o|output= c",
        repeated={"k", "t", "o"},
    )
    once(options, "t", "o")
    tab = options.get("t")
    if tab is not None and (len(tab) != 1 or not tab.isascii()):
        raise Refused("a separator of sort that is no ASCII character", why=tab)
    keys = _keys(options)
    if keys is None:
        process.complain("sort: a key is not valid")
        return 2
    wanted: list[bytes] = []
    if "c" in options and (len(names) > 1 or "o" in options):
        process.complain("sort: extra operand")
        return 2
    for name in names or ["-"]:
        try:
            wanted += [line.removesuffix(b"\n") for line in lines(content_of(process, name))]
        except Failure as error:
            process.complain(str(error))
            return 2
    process.budget.spend(sum(map(len, wanted)))
    if len(wanted) > _MAX_LINES or len(keys) > _MAX_KEYS:
        raise Refused("sort of many lines, or with many keys")
    if any("V" in each.options for each in keys) and sum(map(len, wanted)) > _MAX_VERSIONS:
        raise Refused("sort of many versions")
    keyed, whole = _compared(keys, tab), "u" not in options and "s" not in options
    reverse = "r" in options

    def key(line: bytes) -> tuple[object, ...]:
        return (*keyed(line), _Reversed(line) if reverse else line) if whole else keyed(line)

    if "c" in options:
        return _check(process, wanted, key, unique="u" in options)
    out = sorted(wanted, key=key)
    if "u" in options:
        seen: list[bytes] = []
        for line in out:
            if not seen or keyed(seen[-1]) != keyed(line):
                seen.append(line)
        out = seen
    data = b"".join(line + b"\n" for line in out)
    if "o" not in options:
        process.print(text(data))
        return 0
    try:
        written(process, options["o"], data)
    except Failure as error:
        process.complain(str(error))
        return 2
    return 0


def _check(process: Process, wanted: list[bytes], key: Callable[[bytes], tuple[object, ...]], *, unique: bool) -> int:
    for one, other in pairwise(wanted):
        before, after = key(one), key(other)
        if after < before or (unique and not before < after):
            process.complain("sort: disorder")
            return 1
    return 0


class _Reversed:
    """What is greater is less."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_Reversed") -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


def _keys(options: dict[str, str]) -> list[_Field] | None:
    """The keys that are asked for; None when one is not valid. Raises Refused."""
    general = set(options) & _ORDERING
    if "k" not in options:
        ends = {"first", "last"} if "b" in options else set()
        return [_Field(options=general - {"b"}, skips=ends)]
    found = []
    for words in options["k"].split("\n"):
        match = re.fullmatch(r"([0-9]+)(?:\.([0-9]+))?([a-zA-Z]*)(?:,([0-9]+)(?:\.([0-9]+))?([a-zA-Z]*))?", words)
        if match is None:
            return None
        start, start_at, start_options, end, end_at, end_options = match.groups()
        if int(start) == 0 or (start_at is not None and int(start_at) == 0) or (end is not None and int(end) == 0):
            return None
        if max(int(each or 0) for each in (start, start_at, end, end_at)) > _MAX_COLUMN:
            raise Refused("a key of sort that is far", why=words)
        own = set(start_options) | set(end_options or "")
        if own - _ORDERING:
            raise Refused("an order of a key that is not computed", why=words)
        made = _Field((int(start) - 1, int(start_at or 1) - 1), None, own - {"b"})
        if end is not None:
            made.last = (int(end) - 1, int(end_at or 0))
        if "b" in start_options:
            made.skips.add("first")
        if "b" in (end_options or ""):
            made.skips.add("last")
        if not own:
            made.options = general - {"b"}
            made.skips = {"first", "last"} if "b" in general else set()
        found.append(made)
    return found


def _compared(keys: list[_Field], tab: str | None) -> Callable[[bytes], tuple[object, ...]]:
    """What lines are compared by."""
    if any({"n", "V"} <= each.options for each in keys):
        raise Refused("options of sort that do not go together")
    separator = tab.encode("latin-1") if tab is not None else None

    def one(line: bytes, key: _Field) -> object:
        part = _part(line, key, separator)
        if "f" in key.options:
            part = part.upper()
        value: object = part
        if "n" in key.options:
            value = _number(part)
        elif "V" in key.options:
            if len(part) > _MAX_VERSION:
                raise Refused("a long line, compared as a version")
            value = _VERSION(part)
        return _Reversed(value) if "r" in key.options else value

    return lambda line: tuple(one(line, key) for key in keys)


_VERSION = cmp_to_key(compare_file_versions)


def _skip(line: bytes, at: int, *, blanks: bool) -> int:
    match = (_SOME_BLANKS if blanks else _NO_BLANKS).match(line, at)
    return match.end() if match else at


_SOME_BLANKS, _NO_BLANKS = re.compile(rb"[ \t]*"), re.compile(rb"[^ \t]*")


def _past(line: bytes, fields: int, separator: bytes | None, *, behind: bool) -> int:
    """Where a number of fields ends; `behind` the separator that follows the last of them."""
    at = 0
    while at < len(line) and fields:
        fields -= 1
        if separator is None:
            at = _skip(line, _skip(line, at, blanks=True), blanks=False)
            continue
        there = line.find(separator, at)
        at = len(line) if there < 0 else there
        if at < len(line) and (fields or behind):
            at += 1
    return at


def _part(line: bytes, key: _Field, separator: bytes | None) -> bytes:
    """The bytes of a key."""
    if key.first == (0, 0) and key.last is None and not key.skips:
        return line
    start = _past(line, key.first[0], separator, behind=True)
    if "first" in key.skips:
        start = _skip(line, start, blanks=True)
    start = min(len(line), start + key.first[1])
    if key.last is None:
        return line[start:]
    fields, column = key.last
    end = _past(line, fields + (column == 0), separator, behind=column != 0)
    if column:
        if "last" in key.skips:
            end = _skip(line, end, blanks=True)
        end = min(len(line), end + column)
    return line[start : max(start, end)]


def _number(part: bytes) -> tuple[int, int, bytes, bytes]:
    """What compares as the number at the beginning does, however long it is."""
    match = re.match(rb"[ \t\n]*(-?)0*([0-9]*)(?:\.([0-9]*))?", part)
    assert match is not None
    sign, whole, fraction = match.group(1), match.group(2), (match.group(3) or b"").rstrip(b"0")
    if not whole and not fraction:
        return 0, 0, b"", b""
    if not sign:
        return 1, len(whole), whole, fraction
    inverted = bytes.maketrans(b"0123456789", b"9876543210")
    return -1, -len(whole), whole.translate(inverted), fraction.translate(inverted) + b"~"


PROGRAMS: dict[str, Program] = {"sort": sort}
"""Programs by name."""
