"""What a step of a recipe is executed with: its script, and files and directories that it brings along.

These are read within the reach of the recipe.

Which directory entries there are is looked at first, and each file is then read like any other file that a recipe
names. What another machine could have otherwise decides nothing: modes, times, owners, order. So links are refused.
"""

import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from assembler.errors import Place
from assembler.reading import Reach, UnreadableError, is_of_kernel
from assembler.recipe.document import RecipeError
from assembler.recipe.model import Run
from assembler.recipe.walk import walk

INTERPRETER = b"#!/bin/sh -e\n"
"""What comes before a script that names no interpreter."""
MAX_LISTED = 512 << 10
"""Characters of the list of all that steps bring along, which the recipe on a medium has: see recipe/portable.py."""
_LISTED = 80
"""Of these, those of one file besides its place."""
_BROUGHT = re.compile(r"rootfs\.run\[[0-9]+\]\.files/")


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
    for entry in walk(real, where):
        if entry.kind == "file":
            found.append((entry.name, path / entry.name))
        elif entry.kind != "directory":
            raise RecipeError(
                "the directory has something that is not brought along",
                where=where,
                why=f"{entry.name} is a symbolic link",
                hint="name the file that is meant by itself, or remove it",
            )
    if not found:
        raise RecipeError("the directory has no file to bring along", where=where, why=str(path))
    return sorted(found)


def places(path: Path, target: str, where: Place, reach: Reach) -> Iterator[tuple[str, Path]]:
    """Each file of what a step brings along as `target`: its place, and its path. Raises RecipeError."""
    for name, file in paths(path, where, reach):
        yield f"{target}/{name}" if name else target, file
