"""What is in a directory of the host that a recipe names, without following links."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assembler.errors import Place
from assembler.recipe.document import RecipeError

MAX_ENTRIES = 5000
"""Files and directories in a directory that a recipe names."""
MAX_DEPTH = 50
"""Directories in one another there."""
_LONGEST_NAME = 255
"""Bytes of a name in a directory (NAME_MAX)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in such a directory."""

    name: str
    """Its path below the directory."""
    kind: Literal["file", "directory", "link"]
    executable: bool = False
    """Whether a file's owner may execute it."""
    target: str = ""
    """Where a link leads."""


def walk(real: Path, where: Place) -> Iterator[Entry]:
    """All that is below the directory `real`, which is no link, each directory before what is in it, by name.

    Raises RecipeError for one that is very large or deep, or has names that are no text, or anything but files,
    directories and links; `where` says in a recipe who wants it.
    """
    for count, entry in enumerate(_below(real, "", where)):
        if count >= MAX_ENTRIES:
            why = f"more than {MAX_ENTRIES} files and directories"
            hint = "pack them into a package or an archive"
            raise RecipeError("the directory is too large to bring along", where=where, why=why, hint=hint)
        yield entry


def _below(real: Path, prefix: str, where: Place) -> Iterator[Entry]:
    if prefix.count("/") > MAX_DEPTH:
        why = f"more than {MAX_DEPTH} directories in one another"
        raise RecipeError("the directory is too deep to bring along", where=where, why=why)
    try:
        with os.scandir(real) as entries:
            listed = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        for entry in listed:
            name = prefix + entry.name
            _require_name(entry.name, where)
            if entry.is_dir(follow_symlinks=False):
                yield Entry(name, "directory")
                yield from _below(real / entry.name, f"{name}/", where)
            elif entry.is_file(follow_symlinks=False):
                yield Entry(name, "file", executable=bool(entry.stat(follow_symlinks=False).st_mode & 0o100))
            elif entry.is_symlink():
                target = str(Path(entry.path).readlink())
                if not target.isprintable():
                    why = f"{name} leads to {os.fsencode(target)!r}"
                    raise RecipeError("a link in the directory has a target that is not text", where=where, why=why)
                yield Entry(name, "link", target=target)
            else:
                raise RecipeError(
                    "the directory has something that is not brought along",
                    where=where,
                    why=f"{name} is neither a file nor a directory",
                    hint="remove it",
                )
    except OSError as error:
        raise RecipeError("the directory cannot be read", where=where, why=error.strerror or str(error)) from error


def _require_name(name: str, where: Place) -> None:
    if not name.isprintable() or len(os.fsencode(name)) > _LONGEST_NAME:
        shown = os.fsencode(name)[:_LONGEST_NAME]
        raise RecipeError("a file in the directory has a name that is not text", where=where, why=repr(shown)[1:])
