"""A recipe file as a tree of values that know where they stand."""

import datetime as dt
import difflib
import os
import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assembler import tomltext
from assembler.errors import AssembleError, Place
from assembler.reading import MissingError, OutsideError, Reach, UnreadableError, is_of_kernel
from assembler.recipe.positions import Path as KeyPath
from assembler.recipe.positions import Position, positions

Scalar = str | int | float | bool | dt.datetime | dt.date | dt.time

_HOMES = Path("/home")

MAX_RECIPE = 1 << 20
"""Bytes; no recipe for people is longer."""
MOST_VALUES = 50_000
"""In all files of a recipe together."""


class RecipeError(AssembleError):
    """Something is wrong in a recipe."""


class OutOfReachError(RecipeError):
    """A recipe names a file that it may not read."""


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


def plain(node: Node) -> Any:
    """The values alone, as tomllib gives them."""
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def count(node: Node) -> int:
    """How many values there are, `node` itself among them."""
    inside = node.value.values() if isinstance(node.value, dict) else node.value if isinstance(node.value, list) else ()
    return 1 + sum(map(count, inside))


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """A question for the candidate nearest to `word`, or nothing."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(candidates)}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"did you mean {by_lower[close[0]]}?" if close else ""


def read_bytes(path: Path, *, limit: int, where: Place, what: str, reach: Reach) -> tuple[bytes, bool]:
    """The bytes of the regular file `path`, and whether it is the project's own.

    RecipeError at `where` when it is missing, too large, unreadable or out of reach.
    """
    try:
        return reach.read(path, limit=limit)
    except OutsideError as error:
        raise _outside(error, path, where=where, what=what, reach=reach) from error
    except MissingError as error:
        near = did_you_mean(path.name, _names(path.parent, reach))
        raise RecipeError(f"{what} {error.what}", where=where, why=error.why, hint=near) from error
    except UnreadableError as error:
        raise RecipeError(f"{what} {error.what}", where=where, why=error.why) from error


def _outside(error: OutsideError, path: Path, *, where: Place, what: str, reach: Reach) -> OutOfReachError:
    """That a file lies outside of what may be read, and what whoever runs the recipe can say to have it read."""
    if is_of_kernel(error.real):
        return OutOfReachError(f"{what} is of the kernel", where=where, why="nothing of /proc and /sys is read")
    hints = [f"--allow-read {shlex.quote(str(path))}"]
    common = Path(os.path.commonpath((reach.project, error.real)))
    hidden = any(part.startswith(".") for part in error.real.relative_to(common).parts)
    if not hidden and len(common.parts) > 2 and common.parent != _HOMES:
        hints.insert(0, f"--project {shlex.quote(str(common))}")
    return OutOfReachError(
        f"{what} is outside of the recipe's project",
        where=where,
        why=f"it is not below {reach.project}",
        hint=f"if it may be read: {' or '.join(hints)}",
    )


def _names(directory: Path, reach: Reach) -> list[str]:
    try:
        return [entry.name for entry in reach.find(directory).iterdir()]
    except (OSError, UnreadableError):
        return []


def _decode(data: bytes, file: str) -> str:
    """The text of a recipe: UTF-8, a byte order mark and CR LF accepted."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        raise RecipeError(
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            where=Place(file=file, line=line, column=column),
            hint="save the file as UTF-8",
        ) from error
    return text.replace("\r\n", "\n")


def _syntax_error(error: tomllib.TOMLDecodeError, text: str, file: str) -> RecipeError:
    message = str(error)
    match = re.search(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    line = column = 0
    if match:
        message = message[: match.start()]
        lines = text.split("\n")
        line, column = (int(match[1]), int(match[2])) if match[1] else (len(lines), len(lines[-1]) + 1)
    hints = {
        "Cannot overwrite a value": "a key or table may be given only once",
        "Invalid value": "strings are in quotes, lists in brackets, true and false in lower case",
        "Cannot declare": "a table may be given only once",
    }
    hint = next((hint for start, hint in hints.items() if message.startswith(start)), "see https://toml.io/en/v1.0.0")
    return RecipeError("not valid TOML", where=Place(file=file, line=line, column=column), why=message, hint=hint)


def parse(data: bytes, file: Path) -> Node:
    """The document in `data`, the bytes of `file`. RecipeError with its line and column when it is not TOML."""
    text = _decode(data, str(file))
    try:
        document = tomltext.loads(text, most=MOST_VALUES)
        known = positions(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(error, text, str(file)) from error
    return _nodes(document, (), file, known)


def _nodes(value: Any, path: KeyPath, file: Path, known: Mapping[KeyPath, Position]) -> Node:
    content = value
    if isinstance(value, dict):
        content = {key: _nodes(item, (*path, key), file, known) for key, item in value.items()}
    elif isinstance(value, list):
        content = [_nodes(item, (*path, index), file, known) for index, item in enumerate(value)]
    return Node(content, file, path, known.get(path, Position(0, 0)))
