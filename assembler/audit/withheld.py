"""What the recipe on an image withholds, given back out of the image's root file system: see recipe/portable.py."""

from pathlib import Path

from assembler.audit.image import Image, ImageError, OpenTree
from assembler.errors import Place
from assembler.image.names import ISO_SQUASHFS
from assembler.recipe.document import MOST_VALUES
from assembler.recipe.load import MAX_FILE
from assembler.recipe.portable import PASSWORD, withheld
from assembler.toml import bounds
from assembler.tree.content import size_of
from assembler.tree.staging import Kind

_SHADOW = 1 << 20
"""Bytes of a shadow(5) at most."""


def give_back(image: Image, recipe: Path) -> dict[str, str]:
    """Write the private files of `image` beside `recipe`, which was taken out of it, for nobody else to read.

    Returns the values of the recipe's arguments: root's password, hashed. Raises ImageError when the image does not
    have them, and OSError when they cannot be written.
    """
    try:
        values = bounds.loads(recipe.read_text("utf-8"), most=MOST_VALUES)
    except ValueError:
        return {}  # whoever loads it says so
    files, args = withheld(values), values.get("args")
    locked = isinstance(args, dict) and PASSWORD in args
    if not files and not locked:
        return {}
    with image.tree(ISO_SQUASHFS) as system:
        for name, path in files.items():
            target = recipe.parent / name
            target.parent.mkdir(mode=0o700, exist_ok=True)
            target.touch(0o600, exist_ok=False)
            target.write_bytes(_read(image, system, path, MAX_FILE))
        return {PASSWORD: _password(image, system)} if locked else {}


def _read(image: Image, system: OpenTree, path: str, limit: int) -> bytes:
    where = Place(file=str(image.path), path=f"{ISO_SQUASHFS}!{path}")
    found = system.tree.get(path)
    if found is None or found.kind is not Kind.FILE:
        raise ImageError("the image does not have a private file of its recipe", where=where)
    if size_of(found.content) > limit:
        raise ImageError(
            "a private file of the image's recipe is too large", where=where, why=f"more than {limit} bytes"
        )
    return b"".join(system.chunks(found.content))


def _password(image: Image, system: OpenTree) -> str:
    """Root's field of shadow(5), or of passwd(5) in a system that has no shadow."""
    path = "/etc/shadow" if system.tree.get("/etc/shadow") is not None else "/etc/passwd"
    for line in _read(image, system, path, _SHADOW).split(b"\n"):
        name, _, rest = line.partition(b":")
        if name == b"root":
            return rest.partition(b":")[0].decode("ascii", "replace")
    raise ImageError("the image has no root", where=Place(file=str(image.path), path=f"{ISO_SQUASHFS}!{path}"))
