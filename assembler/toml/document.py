"""A TOML document whose values know where they stand: the one way in which people's files of TOML are read.

Whoever reads one says which of the assembler's errors to raise; each has file, line and column. Where values stand is
worked out when somebody asks, as nobody does of a file that is right.
"""

import datetime as dt
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from assembler.errors import AssembleError, Place
from assembler.toml import bounds
from assembler.toml.positions import Path as KeyPath
from assembler.toml.positions import Position, positions

Scalar = str | int | float | bool | dt.datetime | dt.date | dt.time


@dataclass(frozen=True)
class Document:
    """A file of TOML."""

    file: str
    """Its name in errors."""
    text: str = field(repr=False)
    values: dict[str, Any] = field(repr=False)
    """As tomllib gives them."""

    @cached_property
    def _positions(self) -> Mapping[KeyPath, Position]:
        return positions(self.text)

    def place(self, path: KeyPath, key: str = "") -> Place:
        """Where `path` stands, or the nearest thing above that is there; `key` is its name, if that is another."""
        found = (self._positions.get(path[:depth]) for depth in range(len(path), 0, -1))
        position = next((each for each in found if each), Position(0, 0))
        return Place(self.file, position.line, position.column, key or dotted(path))

    def nodes(self) -> "Node":
        """All values, each with where it stands."""
        return _nodes(self.values, (), Path(self.file), self._positions)


def decode(data: bytes, file: str, error: type[AssembleError]) -> str:
    """The text of a file: UTF-8, a byte order mark and CR LF accepted. Raises `error`."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as found:
        before = data[: found.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        raise error(
            f"byte 0x{data[found.start]:02x} is not UTF-8",
            where=Place(file=file, line=line, column=column),
            hint="save the file as UTF-8",
        ) from found


def read(
    text: str, file: str, *, most: int, error: type[AssembleError], what: str = "not valid TOML", hint: str = ""
) -> Document:
    """The document `text` of `file`, which has `most` values at most.

    Raises `error`, which says `what` and why, with a hint for what people often get wrong unless `hint` is another.
    """
    try:
        return Document(file, text, bounds.loads(text, most=most))
    except tomllib.TOMLDecodeError as found:
        why, line, column = _reason(str(found), text)
        usual = next((each for start, each in _HINTS.items() if why.startswith(start)), _SPECIFICATION)
        if line and _OCTAL.match(text.split("\n")[line - 1]):
            usual = "a mode is text, in quotes"
        raise error(what, where=Place(file=file, line=line, column=column), why=why, hint=hint or usual) from found


_OCTAL = re.compile(r"""\s*mode\s*=\s*0[0-7]""")
_SPECIFICATION = "see https://toml.io/en/v1.0.0"
_HINTS = {
    "Cannot overwrite a value": "a key or table may be given only once",
    "Invalid value": "strings are in quotes, lists in brackets, true and false in lower case",
    "Cannot declare": "a table may be given only once",
}


def _reason(message: str, text: str) -> tuple[str, int, int]:
    """What tomllib says, and its line and column, 0 where they are not known."""
    match = re.search(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    if not match:
        return message, 0, 0
    lines = text.split("\n")
    line, column = (int(match[1]), int(match[2])) if match[1] else (len(lines), len(lines[-1]) + 1)
    return message[: match.start()], line, column


@dataclass(slots=True)
class Node:
    """A value of a recipe file and where it stands."""

    value: "dict[str, Node] | list[Node] | Scalar"
    file: Path
    """The recipe file, as it was named."""
    path: KeyPath
    """Where it is in that file, which is not always where it ends up."""
    position: Position
    """Of its key, or of the value itself in an array. Line 0 for a whole document."""

    def place(self, below: KeyPath = ()) -> Place:
        """Where this is, or what would be at `below` inside it."""
        return Place(str(self.file), self.position.line, self.position.column, dotted((*self.path, *below)))


def dotted(path: KeyPath) -> str:
    """A key path as people write it: ``rootfs.files[2].source``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else repr(part)
            text += f".{name}" if text else name
    return text


def place(root: Node, path: KeyPath) -> Place:
    """Where `path` stands in the document `root`, or the nearest that is there."""
    node = root
    for depth, part in enumerate(path):
        value: Any = node.value
        inside = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if not inside:
            return node.place(path[depth:])
        node = value[part]
    return node.place()


def at(root: Node, path: KeyPath) -> Node:
    """What is at `path` of the document `root`, which has it."""
    node: Any = root
    for part in path:
        node = node.value[part]
    assert isinstance(node, Node)
    return node


def plain(node: Node) -> Any:
    """The values alone, as tomllib gives them."""
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def inside(node: Node) -> Iterator[tuple[str | int, Node]]:
    """The values of a table or an array, by key or index; none of anything else."""
    if isinstance(node.value, dict):
        yield from node.value.items()
    elif isinstance(node.value, list):
        yield from enumerate(node.value)


def count(node: Node) -> int:
    """How many values there are, `node` itself among them."""
    return 1 + sum(count(each) for _, each in inside(node))


def _nodes(value: Any, path: KeyPath, file: Path, known: Mapping[KeyPath, Position]) -> Node:
    content = value
    if isinstance(value, dict):
        content = {key: _nodes(item, (*path, key), file, known) for key, item in value.items()}
    elif isinstance(value, list):
        content = [_nodes(item, (*path, index), file, known) for index, item in enumerate(value)]
    return Node(content, file, path, known.get(path, Position(0, 0)))
