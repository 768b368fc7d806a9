"""A recipe that is shown, as TOML: every value with a comment that says where it comes from.

Whatever is in it, no terminal and no CI service obeys a line of it (see printable.py): strings have escapes of TOML
there, so that it is read back as it was.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from assembler.printable import COMMAND, printable
from assembler.recipe.shown import Lost, Origin, Shown, Spot
from assembler.toml.document import dotted
from assembler.toml.positions import Path as KeyPath

_WIDTH = 100
"""Characters of a line with elements of an array."""
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def text(shown: Shown) -> str:
    """The recipe as TOML, with a final line feed."""
    return "\n".join([*_head(shown), *_Listing(shown).table((), shown.values)]) + "\n"


def _head(shown: Shown) -> Iterator[str]:
    profiles = "".join(f" --profile {name}" for name in shown.profiles)
    yield _comment(f"{shown.file}{profiles}, for {shown.architecture}")
    if len(shown.parts) > 1:
        yield "# made of, each laid over those before:"
        yield from (_comment(f"  {file}{f' [{dotted(path)}]' if path else ''}") for file, path in shown.parts)
    yield ""


class _Listing:
    def __init__(self, shown: Shown) -> None:
        self.origins = shown.origins
        self.lost: dict[KeyPath, list[Lost]] = {}
        for each in shown.lost:
            self.lost.setdefault(each.path, []).append(each)

    def table(self, path: KeyPath, values: Mapping[str, Any]) -> Iterator[str]:
        """The lines of a table without its header, and of those in it."""
        inner = {key: value for key, value in values.items() if _is_table(value)}
        for key, value in values.items():
            if key not in inner:
                yield from self.pair((*path, key), value)
                yield from self.less((*path, key))
        here = [each for each in self.lost if each[:-1] == path and each[-1] not in inner]
        for each in here:
            yield from self.less(each)
        for key, value in inner.items():
            yield from self.tables((*path, key), value)
        if not path:  # what was in tables that are not there
            for each in list(self.lost):
                yield from self.less(each)

    def tables(self, path: KeyPath, value: Any) -> Iterator[str]:
        """The table, or the array of tables, at `path`."""
        name = ".".join(_key(part) for part in path if isinstance(part, str))
        if isinstance(value, list):
            yield from ["", *less] if (less := list(self.less(path))) else []
            for index, item in enumerate(value):
                yield from ("", f"[[{name}]]{self.source((*path, index))}")
                yield from self.table((*path, index), item)
            return
        lines = list(self.table(path, value))
        if not lines or lines[0]:  # a header for nothing but tables says nothing
            yield from ("", f"[{name}]{self.source(path) if not value else ''}")
        yield from lines

    def pair(self, path: KeyPath, value: Any) -> Iterator[str]:
        """A key and its value."""
        start = f"{_key(str(path[-1]))} = "
        if not isinstance(value, list) or not value:
            yield from f"{start}{_value(value)}{self.source(path)}".split("\n")
            return
        texts = [_value(item) for item in value]
        if not self.is_of_one_part(path, len(value)):
            yield f"{start}[{self.source(path, instead=True)}"
            yield from (f"  {each},{self.source((*path, index))}" for index, each in enumerate(texts))
            yield "]"
        elif len(line := f"{start}[{', '.join(texts)}]") <= _WIDTH:
            yield f"{line}{self.source(path)}"
        else:
            yield f"{start}[{self.source(path)}"
            yield from _wrapped(texts)
            yield "]"

    def is_of_one_part(self, path: KeyPath, length: int) -> bool:
        """Whether all elements of an array are of one file and table, and nothing else is to be said of any."""
        own = [self.origins[*path, index] for index in range(length)]
        return len({each.part for each in own}) == 1 and not any(each.arguments or each.instead for each in own)

    def source(self, path: KeyPath, *, instead: bool = False) -> str:
        """The comment on what is at `path`, or only that on what it is there `instead` of."""
        if (origin := self.origins.get(path)) is None:
            return ""
        said = _instead(origin.instead) if instead else _said(origin)
        return f"  {_comment(said)}" if said else ""

    def less(self, path: KeyPath) -> Iterator[str]:
        """Comments on what is no longer at `path`; told once."""
        lost = self.lost.pop(path, [])
        name = dotted(path)
        for each in lost:
            if each.by:
                what = f"{each.value} of {each.spot}" if each.value else str(each.spot)
                yield _comment(f"{name}: {what} is removed by {each.by}")
        for file, hidden in groupby((each.spot for each in lost if not each.by), key=lambda spot: spot.file):
            lines = sorted({spot.line for spot in hidden})
            spots = str(Spot(file, lines[0])) + (f" to {lines[-1]}" if len(lines) > 1 else "")
            yield _comment(f"{name}: {spots} is not shown, as it is outside of the project (--project)")


def _said(origin: Origin) -> str:
    parts = [str(origin.spot), *(f"and {spot}" for spot in origin.added)]
    if origin.arguments:
        parts.append(f"with {', '.join(origin.arguments)}")
    if origin.given:
        parts.append(f"and {origin.given}" if origin.given.startswith("--profile") else f"given by {origin.given}")
    if origin.withheld:
        parts.append("not shown")
    return ", ".join(filter(None, [*parts, _instead(origin.instead)]))


def _instead(spots: Sequence[Spot]) -> str:
    return f"in place of {', '.join(map(str, spots))}" if spots else ""


def _comment(said: str) -> str:
    return f"# {printable(said)}"


def _wrapped(texts: Sequence[str]) -> Iterator[str]:
    line = " "
    for each in texts:
        if len(line) > 1 and len(line) + len(each) + 2 > _WIDTH:
            yield line
            line = " "
        line += f" {each},"
    yield line


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _string(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return _lines(value) if "\n" in value.rstrip("\n") else _string(value)
        case []:
            return "[]"
    raise TypeError(value)


def _string(value: str) -> str:
    """A basic string, in one line."""
    return _obeyed_by_nobody(f'"{_escaped(value)}"')


def _lines(value: str) -> str:
    """A multi-line basic string."""
    quotes = '"""' in value or value.endswith('"')
    lines = (_escaped(line, quotes=quotes) for line in value.split("\n"))
    return '"""\n' + "\n".join(map(_obeyed_by_nobody, lines)) + '"""'


def _escaped(value: str, *, quotes: bool = True) -> str:
    short = _SHORT if quotes else {**_SHORT, '"': '"'}
    return "".join(short.get(one) or (one if one.isprintable() else _escape(one)) for one in value)


def _escape(one: str) -> str:
    return f"\\u{ord(one):04x}" if ord(one) <= 0xFFFF else f"\\U{ord(one):08x}"


def _obeyed_by_nobody(line: str) -> str:
    return COMMAND.sub(lambda found: f"{found[1] or ''}{_escape(found[0][-1])}", line)
