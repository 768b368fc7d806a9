"""Taking out of an image what it takes to build it again."""

import hashlib
import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from assembler import jsontext
from assembler.audit.image import LARGEST_DOCUMENT, LARGEST_LOCK, Image, ImageError
from assembler.errors import Place, Problems
from assembler.image.names import ISO_PROVENANCE, ISO_RECIPE
from assembler.lock.own import brought
from assembler.reading import Reach
from assembler.recipe.document import OutOfReachError
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.portable import RECIPE
from assembler.tree.content import chunks

LARGEST_RECIPE = 4 << 20
"""Bytes of a recipe at most; the files that it names are apart."""
_VERSIONS = 64
"""Of which an image is believed to have been made."""
_VERSION = re.compile(r"[A-Za-z0-9+.~:-]{1,128}")
_FILE = re.compile(r"files/([0-9a-f]{64})")
"""The name of a file that a recipe names: its own digest, see recipe/portable.py."""


def take_out(image: Image, directory: Path) -> Path:
    """Write the recipe of `image`, the files that it names and its lock into the empty `directory`; returns the recipe.

    Only what recipe/portable.py writes is taken: the recipe, and files under their digests. Raises ImageError for an
    image that has no recipe, or anything else in its place, and OSError when they cannot be written.
    """
    prefix = f"{ISO_RECIPE}/"
    held = {path.removeprefix(prefix): path for path in image.files if path.startswith(prefix)}
    if RECIPE not in held:
        raise ImageError("the image does not hold its recipe", where=Place(file=str(image.path), path=prefix + RECIPE))
    (directory / "files").mkdir()
    for name, path in held.items():
        if name == RECIPE:
            (directory / RECIPE).write_bytes(image.read(path, LARGEST_RECIPE))
            continue
        match = _FILE.fullmatch(name)
        if match is None or not _copied(image, path, directory / name, match[1]):
            raise ImageError(
                "a file of the image's recipe is not under its own digest",
                where=Place(file=str(image.path), path=path),
                hint="it was not written by the assembler; do not trust the image",
            )
    lock = image.lock_path
    (directory / lock.rpartition("/")[2]).write_bytes(image.read(lock, LARGEST_LOCK))
    return directory / RECIPE


def _copied(image: Image, path: str, target: Path, sha256: str) -> bool:
    """Copy a file of the image; returns whether it has that digest."""
    state = hashlib.sha256()
    with target.open("xb") as out:
        for chunk in chunks(image.file(path)):
            state.update(chunk)
            out.write(chunk)
    return state.hexdigest() == sha256


def made_with(image: Image) -> dict[str, str]:
    """The versions that `image` says it was made with, by name: of the assembler, and of libraries.

    Nothing when it does not say. What it says proves nothing, and is for people.
    """
    try:
        document = jsontext.parse(image.read(ISO_PROVENANCE, LARGEST_DOCUMENT), limit=LARGEST_DOCUMENT)
        said = document["predicate"]["runDetails"]["builder"]["version"]
        pairs = [(name, version) for name, version in islice(said.items(), _VERSIONS)]
    except (ImageError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: version for name, version in pairs if isinstance(version, str) and _VERSION.fullmatch(name + version)}


def require_no_compiling(loaded: LoadedRecipe, image: Image) -> None:
    """Raise ImageError when the image's kernel or modules of it are compiled: that runs programs of their source on the
    host.
    """
    if compiled := loaded.recipe.kernel.compiled:
        key, what = compiled
        raise ImageError(
            f"building this image again compiles {what}, which runs programs of the source here",
            where=Place(file=str(image.path), path=f"{ISO_RECIPE}/{RECIPE}", key=key),
            hint="if you trust whoever wrote its recipe and lock, say --allow-compile",
        )


def load_own(path: Path, args: Mapping[str, str] | None = None) -> LoadedRecipe:
    """The recipe `path`, which was taken out into a directory of its own, with the arguments `args`.

    Raises ImageError when it names files elsewhere, those of whoever rebuilds it, and Problems when it is wrong.
    """
    try:
        loaded = load(path, args)
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


def with_debs(loaded: LoadedRecipe, directory: Path) -> LoadedRecipe:
    """The recipe, which takes packages of its own, of which an image has the digests alone, from files of their names
    in `directory`; what is in the place of one is none when its digest is another.
    """
    debs, real = dict(loaded.local.debs), directory.resolve()
    for sha256, names in brought(loaded.recipe).items():
        for name in (posixpath.basename(path) for path, _ in sorted(names) if path):
            if (real / name).is_file():
                debs.setdefault(sha256, real / name)
    reach = Reach(loaded.reach.project, tuple(debs.values()))
    return replace(loaded, local=replace(loaded.local, debs=debs, reach=reach))


def _names_others(which: str) -> ImageError:
    return ImageError(
        "the image's recipe names a file that is not on the image",
        where=Place(path=f"{ISO_RECIPE}/{RECIPE}"),
        why=f"at {which}",
        hint="it was not written by the assembler; do not trust the image",
    )
