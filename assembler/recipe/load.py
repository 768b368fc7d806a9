"""From a recipe file to a checked recipe: reading, extending, arguments, types, and the files that it names."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from assembler.errors import AssembleError, Problems
from assembler.recipe import arguments
from assembler.recipe.checks import check, named_files
from assembler.recipe.document import Node, RecipeError, dotted, place, plain, read_bytes
from assembler.recipe.extend import merge, read_chain
from assembler.recipe.model import Recipe
from assembler.recipe.positions import Path as KeyPath
from assembler.recipe.validation import explanations

MAX_FILE = 64 << 20
"""Bytes of a file that a recipe names; larger things belong in a package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A host file that a recipe names, as it was when the recipe was loaded."""

    path: Path
    """Relative to the working folder, or absolute."""
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRecipe:
    """A recipe, complete and free of contradictions."""

    recipe: Recipe
    path: Path
    """The recipe file, as it was named."""
    sources: tuple[Path, ...]
    """All recipe files that went into it, the most basic first, `path` last."""
    sha256: str
    """Of the canonical JSON of the recipe after ``extends`` and arguments, without what equals its default: neither
    comments, order, line ends nor a new kind of key change it. The contents of `files` are not part of it."""
    inputs_sha256: str
    """The same of those parts only that decide what is locked: another password or host name needs no new lock."""
    files: Mapping[str, NamedFile]
    """By the key that names them: ``rootfs.files[2].source``, ``cloudinit.user_data``."""

    @property
    def lock_path(self) -> Path:
        """Where this recipe's lock is: beside it."""
        return self.path.with_name(f"{self.recipe.name}.lock.toml")


_NO_INPUTS: dict[str, Any] = {
    "args": True,  # their values are in place already
    "debian": {"mirror", "mirror_security"},  # what comes from there is signed, whoever sends it
    "rootfs": {
        "first_boot",
        "rules",
        "ids",
        "hostname",
        "root_password",
        "locale",
        "timezone",
        "exclude",
        "include",
        "enable",
        "disable",
        "mask",
        "files",
    },
    "artifacts": True,
    "kernel": {"base", "fragments"},
    "livecd": True,
    "cloudinit": True,
}
"""What has no say in which packages and files a lock names."""


def digest(recipe: Recipe, *, exclude: dict[str, Any] | None = None) -> str:
    """SHA-256 (hex) of a recipe's canonical JSON, `exclude` (as pydantic's model_dump takes it) left out."""
    values = recipe.model_dump(mode="json", exclude_defaults=True, exclude=exclude)
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def load(path: Path, args: Mapping[str, str] | None = None) -> LoadedRecipe:
    """The recipe in the file `path`, with `args` in place of its arguments' defaults.

    Raises Problems with everything that is wrong in it at once, each with its file, line, column and key.
    """
    chain = read_chain(path)
    root, found = merge(chain)
    errors: list[AssembleError] = [*found, *arguments.override(root, args or {})]
    wrong: set[KeyPath] = set()

    def problem(where: KeyPath, what: str, hint: str) -> None:
        # One cause a value: the first is the one nearest to what was written.
        if not any(where[: len(known)] == known for known in wrong):
            wrong.add(where)
            errors.append(RecipeError(what, where=place(root, where), hint=hint))

    for each in arguments.substitute(root):
        problem(*each)
    data = plain(root)
    recipe = None
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        for each in explanations(error, Recipe):
            problem(*each)
    for each in check(data):
        problem(*each)
    files = {}
    for key, name in named_files(data):
        if name and key not in wrong:
            node = _at(root, key)
            file = node.file.parent / name
            try:
                content = read_bytes(file, limit=MAX_FILE, where=place(root, key), what="the file")
                files[dotted(key)] = NamedFile(path=file, data=content)
            except RecipeError as error:
                errors.append(error)
    if errors or recipe is None:
        raise Problems(sorted(errors, key=lambda error: (error.where.file, error.where.line, error.where.column)))
    sources = tuple(document.file for document in chain)
    return LoadedRecipe(
        recipe=recipe,
        path=path,
        sources=sources,
        sha256=digest(recipe),
        inputs_sha256=digest(recipe, exclude=_NO_INPUTS),
        files=files,
    )


def _at(root: Node, path: KeyPath) -> Node:
    node: Any = root
    for part in path:
        node = node.value[part]
    assert isinstance(node, Node)
    return node
