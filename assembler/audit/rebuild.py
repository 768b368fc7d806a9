"""Building an image again from what it holds itself, and stating what came of that.

The statement is an in-toto statement (https://in-toto.io/Statement/v1) about the image, with a predicate of our own:
SLSA's verification summary has no place for what differs. It has no times or hosts, as the provenance has none.
"""

from pathlib import Path
from typing import Any

from assembler import __version__
from assembler.audit.compare import Comparison
from assembler.audit.image import Image, ImageError
from assembler.audit.provenance import STATEMENT
from assembler.errors import Place
from assembler.layers import contents
from assembler.lock.model import Lock
from assembler.recipe.load import LoadedRecipe
from assembler.recipe.portable import RECIPE

PREDICATE = "https://assembler.invalid/rebuild/v1"
"""What the statement says; a name, not an address."""


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


def require_own_files(loaded: LoadedRecipe, folder: Path) -> None:
    """Raise ImageError when the recipe taken out into `folder` names files elsewhere: those of whoever rebuilds it."""
    inside = folder.resolve()
    for path in (*loaded.sources, *(file.path for file in loaded.files.values())):
        if not path.resolve().is_relative_to(inside):
            raise ImageError(
                "the image's recipe names a file that is not on the image",
                where=Place(path=f"{contents.RECIPE_FOLDER}/{RECIPE}"),
                why=f"it names {path}",
                hint="it was not written by the assembler; do not trust the image",
            )


def statement(image: Image, sha256: str, rebuilt: str, lock: Lock, found: Comparison | None) -> dict[str, Any]:
    """The statement that the `image` with SHA-256 `sha256` was built again, which made a file with SHA-256 `rebuilt`.

    `found` is how the two differ; None when they are the same.
    """
    listed = image.index["files"]
    inputs = {
        "recipe": f"{contents.RECIPE_FOLDER}/{RECIPE}",
        "lock": contents.lock_path(str(image.index["name"])),
    }
    return {
        "_type": STATEMENT,
        "subject": [{"name": image.path.name, "digest": {"sha256": sha256}}],
        "predicateType": PREDICATE,
        "predicate": {
            "result": "identical" if found is None else "different",
            "rebuilt": {"digest": {"sha256": rebuilt}},
            "assembler": {"locked": lock.assembler, "rebuilt": __version__},
            **{
                name: {"name": path, "digest": {"sha256": listed[path]["sha256"]}}
                for name, path in inputs.items()
                if path in listed
            },
            "differences": [
                {
                    "layer": change.layer,
                    "path": change.path,
                    "fields": {name: list(pair) for name, pair in sorted(change.fields.items())},
                    **({"offset": change.offset, "bytes": change.bytes} if change.offset >= 0 else {}),
                }
                for change in (found.changes if found else ())
            ],
        },
    }
