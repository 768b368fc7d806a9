"""A recipe at length: its directories of the host are listed, templates filled in, and all their files are read."""

from collections.abc import Iterator
from pathlib import Path

from assembler.errors import AssembleError
from assembler.recipe import authorities
from assembler.recipe.arguments import Values
from assembler.recipe.builtin import located
from assembler.recipe.document import RecipeError
from assembler.recipe.expand import Expanded, Laid, expand
from assembler.recipe.model import Recipe
from assembler.recipe.named import NamedFile, NamedFiles
from assembler.recipe.trees import entries
from assembler.toml.document import Node, at, place
from assembler.toml.positions import Path as KeyPath

MAX_LISTED = 20_000
"""Files and directories of an image that a recipe names: the recipe on a medium lists them one by one."""


def in_full(recipe: Recipe, root: Node, files: NamedFiles, values: Values) -> tuple[Expanded, list[AssembleError]]:
    """`recipe`, whose document is `root`, at length, and what is wrong; `files` are those that it names by itself, and
    get all others.
    """
    errors: list[AssembleError] = []
    trees: list[Laid] = []
    for index, tree in enumerate(recipe.rootfs.trees):
        key: KeyPath = ("rootfs", "trees", index, "source")
        where = place(root, key)
        try:
            base = at(root, key).file.parent
            trees.append(Laid(entries(tree, located(tree.source, base, where), where, files.reach), base))
        except RecipeError as error:
            errors.append(error)
            trees.append(Laid((), Path()))
    for index, name in enumerate(recipe.rootfs.certificates):
        key = ("rootfs", "certificates", index)
        named = files.found.get(f"rootfs.certificates[{index}]")
        if named and (wrong := authorities.wrong(named.data)):
            errors.append(RecipeError(wrong[0], where=place(root, key), why=name, hint=wrong[1]))
    errors += _filled_in(recipe, root, files, values)
    result = expand(recipe, trees)
    listed = len(result.recipe.rootfs.files) + len(result.recipe.rootfs.directories)
    if listed > MAX_LISTED:
        why = f"{listed} files and directories; at most {MAX_LISTED}"
        errors.append(
            RecipeError("the image has too many files of the recipe", where=place(root, ("rootfs",)), why=why)
        )
        return result, errors
    for file_key, (number, path) in result.sources.items():
        where = place(root, ("rootfs", "trees", number))
        try:
            files.read_any(file_key, path, where, called=str(path))
        except RecipeError as error:
            errors.append(error)
            if files.full:
                break
    files.move((old, new) for new, old in result.data.items() if old in files.found)
    return result, errors


def _filled_in(recipe: Recipe, root: Node, files: NamedFiles, values: Values) -> Iterator[RecipeError]:
    """Fill in what is a template, in the place of its bytes."""
    for index, file in enumerate(recipe.rootfs.files):
        key = f"rootfs.files[{index}].source"
        if not file.template or key not in files.found:
            continue
        named, path = files.found[key], ("rootfs", "files", index, "source")
        try:
            text = named.data.decode()
        except UnicodeDecodeError:
            text = ""
        if named.large or (named.data and not text):
            what = "is too large for a template" if named.large else "is no text, as a template is"
            yield RecipeError(f"the file {what}", where=place(root, path), why=str(named.path))
            continue
        before = len(values.problems)
        data = values.put_in(text, path).encode()
        files.found[key] = NamedFile(path=named.path, data=data)
        for where, what, hint in values.problems[before:]:
            yield RecipeError(what, where=place(root, where), why=f"in {named.path}", hint=hint)
