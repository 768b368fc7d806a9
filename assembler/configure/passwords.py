"""Passwords of a recipe as shadow(5) has them."""

import hashlib
from typing import Any

from assembler.programs.sha_crypt import SALT_CHARACTERS, sha512_crypt
from assembler.recipe.additions import User
from assembler.recipe.model import Rootfs

_LATER_KEYS = frozenset({
    "scripts", "byte_code", "debconf", "run", "locales", "keymap", "units", "sysctl", "modules", "groups", "users",
    "certificates", "trees", "directories", "remove",
})  # fmt: skip
"""Keys that came after the salt of passwords was defined: without them, images have the salt that they had before."""
_LATER_KEYS_OF_FILES = frozenset({"url", "sha256", "template"})


def _seed(recipe: Rootfs) -> bytes:
    """What salts are made of: the recipe's table, so that a rebuild gives the same bytes, but no passwords.

    A salt made from a password by one round of a hash would spare whoever guesses all the rounds of SHA-crypt.
    """
    left_out: Any = {**dict.fromkeys(_LATER_KEYS, True), "root_password": True}
    left_out["files"] = {"__all__": set(_LATER_KEYS_OF_FILES)}
    return recipe.model_dump_json(exclude=left_out).encode()


def _hashed(password: str, recipe: Rootfs, user: str = "") -> str:
    """A field of shadow(5): a crypt(5) hash, and ``!`` for none, are taken as they are; all else is a password in
    clear, which is hashed here with a salt from `recipe`, another one for each `user`; root is "".
    """
    if password == "!" or password.startswith("$"):  # noqa: S105  a mark, which is no password
        return password
    whose = f"{user}\0".encode() if user else b""
    digest = hashlib.sha512(b"root password salt\0" + whose + _seed(recipe)).digest()
    return sha512_crypt(password.encode(), "".join(SALT_CHARACTERS[byte % 64] for byte in digest[:16]))


def of_root(recipe: Rootfs) -> str:
    """Root's password, hashed."""
    return _hashed(recipe.root_password, recipe)


def of_users(recipe: Rootfs) -> dict[str, User]:
    """The users of `recipe`, with their passwords hashed."""
    return {
        name: user.model_copy(update={"password": _hashed(user.password, recipe, name)})
        for name, user in recipe.users.items()
    }
