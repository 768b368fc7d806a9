"""Files that come along with the assembler, by name: ``builtin:livecd.toml`` is the same in a checkout and installed.

Such a name can stand wherever a recipe is named, on the command line or in ``extends``, and for the files that a recipe
takes (``builtin:cloud-init/kubeadm-init.yaml``). The lock of a recipe that comes along is in the working directory.
"""

import os
from pathlib import Path

from assembler.carried import RECIPES
from assembler.errors import Place
from assembler.recipe.document import RecipeError, did_you_mean

PREFIX = "builtin:"
"""What such a name begins with."""
_LONGEST = 200
"""Characters of a name that an error shows."""


def recipes() -> list[str]:
    """The names of the recipes that come along, without `PREFIX`, sorted."""
    return _recipes("[!.]*.toml")


def fragments() -> list[str]:
    """The names of parts of recipes that come along, to be extended beside one: ``containerd/docker.toml``."""
    return _recipes("[!.]*/[!.]*.toml")


def _recipes(pattern: str) -> list[str]:
    found = (path.relative_to(RECIPES).as_posix() for path in RECIPES.glob(pattern))
    return sorted(name for name in found if not name.endswith(".lock.toml"))


def located(name: str, directory: Path, where: Place, *, recipe: bool = False) -> Path:
    """The path of the file that somebody calls `name` in `directory`, or at `where`: a `recipe`, or one that it takes.

    Raises RecipeError for a name that begins with `PREFIX` and is nothing that comes along.
    """
    if not name.startswith(PREFIX):
        return directory / name
    wanted = name.removeprefix(PREFIX)
    known = [*recipes(), *fragments()] if recipe else _files()
    if wanted in known:
        return RECIPES / wanted
    shown = name[:_LONGEST]
    near = did_you_mean(shown, [PREFIX + each for each in known])
    listed = f"the recipes that come along: {', '.join(PREFIX + each for each in recipes())}" if recipe else ""
    what = "recipe" if recipe else "file"
    raise RecipeError(
        f"no {what} of this name comes with the assembler",
        where=where,
        why=f"there is no {shown}",
        hint=" ".join(filter(None, (near, listed))) or f"see {PREFIX}NAME in docs/install.md",
    )


def _files() -> list[str]:
    """The names of all files that come along, without `PREFIX`, sorted."""
    return sorted(
        Path(top, name).relative_to(RECIPES).as_posix()
        for top, _, names in os.walk(RECIPES)
        for name in names
        if not name.startswith(".") and not name.endswith((".lock.toml", "~"))
    )
