"""Taking out of an image what it takes to build it again."""

from pathlib import Path

from assembler.audit.image import Image, ImageError
from assembler.errors import Place, Problems
from assembler.layers import contents
from assembler.recipe.document import OutOfReachError
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.portable import RECIPE


def take_out(image: Image, folder: Path) -> Path:
    """Write the recipe of `image`, the files that it names and its lock into the empty `folder`; returns the recipe.

    Raises ImageError when it has none, or one that would lie elsewhere, and OSError when they cannot be written.
    """
    prefix = f"{contents.RECIPE_FOLDER}/"
    lock = contents.lock_path(str(image.index["name"]))
    wanted = {path: path.removeprefix(prefix) for path in image.files if path.startswith(prefix)}
    if RECIPE not in wanted.values():
        raise ImageError("the image does not hold its recipe", where=Place(file=str(image.path), path=prefix + RECIPE))
    wanted[lock] = lock.rpartition("/")[2]
    for path, name in wanted.items():
        target = folder / name
        if ".." in target.parts:
            raise ImageError("a file of the image's recipe has no proper name", where=Place(path=path))
        data = image.read(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder / RECIPE


def load_own(path: Path) -> LoadedRecipe:
    """The recipe `path`, which was taken out into a folder of its own.

    Raises ImageError when it names files elsewhere, those of whoever rebuilds it, and Problems when it is wrong.
    """
    try:
        loaded = load(path)
    except Problems as problems:
        out = next((error for error in problems.errors if isinstance(error, OutOfReachError)), None)
        if out is None:
            raise
        raise _names_others(str(out.where)) from problems
    inside = path.resolve().parent
    for source in (*loaded.sources, *(file.path for file in loaded.files.values())):
        if not source.resolve().is_relative_to(inside):
            raise _names_others(str(source))
    return loaded


def _names_others(which: str) -> ImageError:
    return ImageError(
        "the image's recipe names a file that is not on the image",
        where=Place(path=f"{contents.RECIPE_FOLDER}/{RECIPE}"),
        why=f"at {which}",
        hint="it was not written by the assembler; do not trust the image",
    )
