"""Directories of the host that a recipe lays over the image: what of them becomes files and directories there."""

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from assembler.errors import Place
from assembler.patterns import pattern_to_regex
from assembler.reading import Reach, UnreadableError, is_of_kernel
from assembler.recipe.additions import Directory, File, FileTree
from assembler.recipe.document import RecipeError
from assembler.recipe.walk import Entry, walk


def entries(tree: FileTree, directory: Path, where: Place, reach: Reach) -> list[File | Directory]:
    """What `tree`, whose host directory is `directory`, puts into the image; files name their sources as it does.

    `where` says in a recipe who wants it. Raises RecipeError when it cannot be read, or is no directory.
    """
    try:
        real = reach.find(directory)
        mode = real.lstat().st_mode
    except UnreadableError as error:
        raise RecipeError(f"the directory {error.what}", where=where, why=error.why) from error
    except OSError as error:
        raise RecipeError(
            "the directory cannot be read", where=where, why=f"{directory}: {error.strerror or error}"
        ) from error
    if not stat.S_ISDIR(mode) or is_of_kernel(real):
        hint = "rootfs.files is for files" if stat.S_ISREG(mode) else ""
        raise RecipeError("the directory is none", where=where, why=str(directory), hint=hint)
    kept: list[Entry] = []
    left_out: set[str] = set()
    for entry in walk(real, where):
        if _above(entry) in left_out or any(matches(pattern, entry.name) for pattern in tree.exclude):
            left_out.add(entry.name)
        else:
            kept.append(entry)
    full = set(map(_above, kept))
    made = [_entry(tree, entry) for entry in kept if _counts(tree, entry, full)]
    if not made:
        raise RecipeError("the directory has nothing for the image", where=where, why=str(directory))
    return made


def _above(entry: Entry) -> str:
    """The directory that something lies in."""
    return entry.name.rpartition("/")[0]


def _counts(tree: FileTree, entry: Entry, full: set[str]) -> bool:
    """Whether something is to be put into the image by itself: directories come with what is in them, as `full` says,
    unless the recipe says more of them.
    """
    said = _last(tree.modes, entry.name) or _last(tree.owners, entry.name)
    return entry.kind != "directory" or entry.name not in full or bool(said)


def _entry(tree: FileTree, entry: Entry) -> File | Directory:
    path = f"{tree.path.rstrip('/')}/{entry.name}"
    owner, _, group = _last(tree.owners, entry.name).partition(":")
    mode = _last(tree.modes, entry.name)
    if entry.kind == "link":
        return File(path=path, link=entry.target)
    if entry.kind == "directory":
        return Directory(path=path, mode=mode, owner=owner, group=group)
    source, usual = f"{tree.source.rstrip('/')}/{entry.name}", "0755" if entry.executable else "0644"
    return File(path=path, source=source, mode=mode or usual, owner=owner or "root", group=group or "root")


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern fits the path `name` below a directory: with a slash all of it, otherwise the last part."""
    return pattern_to_regex(pattern).match(name if "/" in pattern else name.rpartition("/")[2]) is not None


def _last(patterns: Mapping[str, str], name: str) -> str:
    """What the last of `patterns` that fits says; empty when none does."""
    return next((value for pattern, value in reversed(list(patterns.items())) if matches(pattern, name)), "")


def laid_over(
    trees: Sequence[Sequence[File | Directory]], own: Sequence[File | Directory]
) -> list[tuple[int, File | Directory]]:
    """All that `trees` have, each with the number of its tree, but for what a later one or `own` has at its path."""
    last: dict[str, tuple[int, File | Directory]] = {}
    for number, tree in enumerate(trees):
        for entry in tree:
            last.pop(entry.path, None)
            last[entry.path] = number, entry
    for entry in own:
        last.pop(entry.path, None)
    return list(last.values())
