"""Showing a recipe as it is after all that makes it up."""

from dataclasses import dataclass

from assembler.api.workspace import RecipeFile
from assembler.recipe import listing
from assembler.recipe.load import LoadedRecipe
from assembler.recipe.shown import Shown, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowResult:
    """A recipe as it is after ``extends``, conditions and arguments; secrets are withheld."""

    loaded: LoadedRecipe
    shown: Shown
    """Each value, with where it comes from."""
    text: str
    """The same as TOML: a recipe, with comments."""


def show(recipe: RecipeFile) -> ShowResult:
    """What `recipe` is. Nothing but its files is read. Raises Problems with everything that is wrong in it."""
    loaded = recipe.load()
    found = shown(loaded)
    return ShowResult(loaded=loaded, shown=found, text=listing.text(found))
