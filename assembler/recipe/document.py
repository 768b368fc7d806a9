"""A recipe's files: reading what it may read, and the values in them, which know where they stand."""

import difflib
import os
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assembler import reading
from assembler.errors import AssembleError, Place
from assembler.reading import MissingError, OutsideError, Reach, UnreadableError, is_of_kernel
from assembler.toml.document import Node, decode, read

_HOMES = Path("/home")

MAX_RECIPE = 1 << 20
"""Bytes; no recipe for people is longer."""
MOST_VALUES = 50_000
"""In all files of a recipe together."""


class RecipeError(AssembleError):
    """Something is wrong in a recipe."""


class TooLargeError(RecipeError):
    """A recipe names a file that is larger than what is read."""


class MissingFileError(RecipeError):
    """A recipe names a file that is not there."""


class OutOfReachError(RecipeError):
    """A recipe names a file that it may not read."""


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """A question for the candidate nearest to `word`, or nothing."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(candidates)}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"did you mean {by_lower[close[0]]}?" if close else ""


def read_bytes(
    path: Path, *, limit: int, where: Place, what: str, reach: Reach, instead: str = ""
) -> tuple[bytes, bool]:
    """The bytes of the regular file `path`, and whether it is the project's own.

    RecipeError at `where` when it is missing, too large, unreadable or out of reach; `instead` as for `explained`.
    """
    with explained(path, where=where, what=what, reach=reach, instead=instead):
        return reach.read(path, limit=limit)


@contextmanager
def explained(path: Path, *, where: Place, what: str, reach: Reach, instead: str = "") -> Iterator[None]:
    """Within, what keeps `path` from being read is a RecipeError at `where`; `what` calls it ("the file"). `instead` is
    the hint for a directory.
    """
    try:
        yield
    except OutsideError as error:
        raise _outside(error, path, where=where, what=what, reach=reach) from error
    except MissingError as error:
        near = did_you_mean(path.name, _names(path.parent, reach))
        raise MissingFileError(f"{what} {error.what}", where=where, why=error.why, hint=near) from error
    except UnreadableError as error:
        kind = TooLargeError if isinstance(error, reading.TooLargeError) else RecipeError
        hint = instead if instead and _is_directory(path, reach) else ""
        raise kind(f"{what} {error.what}", where=where, why=error.why, hint=hint) from error


def _is_directory(path: Path, reach: Reach) -> bool:
    try:
        return reach.find(path).is_dir()
    except (OSError, UnreadableError):
        return False


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


def parse(data: bytes, file: Path) -> Node:
    """The document in `data`, the bytes of `file`. RecipeError with its line and column when it is not TOML."""
    text = decode(data, str(file), RecipeError)
    return read(text, str(file), most=MOST_VALUES, error=RecipeError).nodes()
