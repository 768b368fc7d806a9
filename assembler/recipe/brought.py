"""What a step of a recipe is executed with: its script, and files and directories that it brings along.

These are read within the reach of the recipe.

Which directory entries there are is looked at first, and each file is then read like any other file that a recipe
names. What another machine could have otherwise decides nothing: modes, times, owners, order. So links are refused.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from assembler.errors import Place
from assembler.reading import Reach, UnreadableError, is_of_kernel
from assembler.recipe.document import RecipeError, read_bytes
from assembler.recipe.model import Run

INTERPRETER = b"#!/bin/sh -e\n"
"""What comes before a script that names no interpreter."""
MAX_ENTRIES = 5000
"""Files and directories in a directory that a step brings along."""
MAX_LISTED = 512 << 10
"""Characters of the list of all that steps bring along, which the recipe on a medium has: see recipe/portable.py."""
_LISTED = 80
"""Of these, those of one file besides its place."""
MAX_DEPTH = 50
"""Directories in one another there."""
_BROUGHT = re.compile(r"rootfs\.run\[[0-9]+\]\.files/")
_LONGEST_NAME = 255
"""Bytes of a name in a directory (NAME_MAX)."""


def key(index: int, target: str = "") -> str:
    """What a file that step `index` brings along is called among the files of a recipe; `target` is its place there.

    Without a place, what all of these begin with.
    """
    return f"rootfs.run[{index}].files/{target}"


def of_step(files: Mapping[str, bytes], index: int) -> dict[str, bytes]:
    """What step `index` brings along: bytes by the path below the directory that `ASSEMBLE_FILES` names, sorted.

    `files` are those that the recipe names, by key.
    """
    prefix = key(index)
    return {name.removeprefix(prefix): files[name] for name in sorted(files) if name.startswith(prefix)}


def require_listable(files: Iterable[str], where: Place) -> None:
    """Raise RecipeError when steps bring along more `files`, by key, than the recipe on a medium can list."""
    marks = [name for name in files if _BROUGHT.match(name)]
    if sum(len(name) + _LISTED for name in marks) > MAX_LISTED:
        hint = "pack them into an archive, which the step unpacks"
        raise RecipeError(f"steps bring along {len(marks)} files, which is too many", where=where, hint=hint)


def script(step: Run, files: Mapping[str, bytes], index: int) -> bytes:
    """The script of step `index`, which begins with its interpreter; `files` as in :func:`of_step`."""
    text = step.script.encode() if step.script is not None else files[f"rootfs.run[{index}].file"]
    return text if text.startswith(b"#!") else INTERPRETER + text


def paths(path: Path, where: Place, reach: Reach) -> list[tuple[str, Path]]:
    """The files of what a step brings along as `path`: where each is in it, and its path; a file is alone, as "".

    Raises RecipeError for a directory that is empty, has links or anything but files, or is very large. A file that
    cannot be read is for :func:`assembler.recipe.document.read_bytes` to tell.
    """
    try:
        real = reach.find(path)
        if not stat.S_ISDIR(real.lstat().st_mode) or is_of_kernel(real):
            return [("", path)]
    except (OSError, UnreadableError):
        return [("", path)]
    found = []
    for count, (name, is_file) in enumerate(_entries(real, "", where)):
        if count >= MAX_ENTRIES:
            why = f"more than {MAX_ENTRIES} files and directories"
            raise RecipeError("the directory is too large to bring along", where=where, why=why)
        if is_file:
            found.append((name, path / name))
    if not found:
        raise RecipeError("the directory has no file to bring along", where=where, why=str(path))
    return sorted(found)


def _entries(real: Path, prefix: str, where: Place) -> Iterator[tuple[str, bool]]:
    """What is below the directory `real`: its name with `prefix` before it, and whether it is a file."""
    if prefix.count("/") > MAX_DEPTH:
        why = f"more than {MAX_DEPTH} directories in one another"
        raise RecipeError("the directory is too deep to bring along", where=where, why=why)
    try:
        with os.scandir(real) as entries:
            listed = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise RecipeError("the directory cannot be read", where=where, why=error.strerror or str(error)) from error
    for entry in listed:
        name = prefix + entry.name
        _require_name(entry.name, where)
        if entry.is_dir(follow_symlinks=False):
            yield name, False
            yield from _entries(real / entry.name, f"{name}/", where)
        elif entry.is_file(follow_symlinks=False):
            yield name, True
        else:
            what = "a symbolic link" if entry.is_symlink() else "neither a file nor a directory"
            raise RecipeError(
                "the directory has something that is not brought along",
                where=where,
                why=f"{name} is {what}",
                hint="name the file that is meant by itself, or remove it",
            )


def _require_name(name: str, where: Place) -> None:
    if not name.isprintable() or len(os.fsencode(name)) > _LONGEST_NAME:
        shown = os.fsencode(name)[:_LONGEST_NAME]
        raise RecipeError("a file in the directory has a name that is not text", where=where, why=repr(shown)[1:])


def read(path: Path, target: str, where: Place, *, reach: Reach, limit: int) -> Iterator[tuple[str, Path, bytes, bool]]:
    """Each file of what a step brings along as `target`: its place, its path, its bytes, whether it is the project's.

    Raises RecipeError.
    """
    for name, file in paths(path, where, reach):
        data, own = read_bytes(file, limit=limit, where=where, what="the file", reach=reach)
        yield f"{target}/{name}" if name else target, file, data, own
