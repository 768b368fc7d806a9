"""What the recipe on an image withholds, given back out of the image's root file system: see recipe/portable.py."""

from pathlib import Path

from assembler.audit.image import Image, ImageError, OpenTree
from assembler.errors import Place
from assembler.image.names import ISO_SQUASHFS
from assembler.recipe.document import MOST_VALUES
from assembler.recipe.named import MAX_LARGE
from assembler.recipe.portable import PASSWORD, locked_users, withheld
from assembler.toml import bounds
from assembler.tree.content import Content, size_of
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
    locked = locked_users(values)
    if isinstance(args, dict) and PASSWORD in args:
        locked[PASSWORD] = "root"
    if not files and not locked:
        return {}
    with image.tree(ISO_SQUASHFS) as system:
        for name, path in files.items():
            target = recipe.parent / name
            target.parent.mkdir(mode=0o700, exist_ok=True)
            target.touch(0o600, exist_ok=False)
            with target.open("wb") as out:
                out.writelines(system.chunks(_content(image, system, path, MAX_LARGE)))
        return {argument: _password(image, system, name) for argument, name in locked.items()}


def _content(image: Image, system: OpenTree, path: str, limit: int) -> Content:
    where = Place(file=str(image.path), path=f"{ISO_SQUASHFS}!{path}")
    found = system.tree.get(path)
    if found is None or found.kind is not Kind.FILE:
        raise ImageError("the image does not have a private file of its recipe", where=where)
    if size_of(found.content) > limit:
        raise ImageError(
            "a private file of the image's recipe is too large", where=where, why=f"more than {limit} bytes"
        )
    return found.content


def _password(image: Image, system: OpenTree, user: str) -> str:
    """The field of `user` in shadow(5), or in passwd(5) in a system that has no shadow."""
    path = "/etc/shadow" if system.tree.get("/etc/shadow") is not None else "/etc/passwd"
    for line in b"".join(system.chunks(_content(image, system, path, _SHADOW))).split(b"\n"):
        name, _, rest = line.partition(b":")
        if name == user.encode():
            return rest.partition(b":")[0].decode("ascii", "replace")
    where = Place(file=str(image.path), path=f"{ISO_SQUASHFS}!{path}")
    raise ImageError("the image has no such user of its recipe", where=where, why=user[:40])
