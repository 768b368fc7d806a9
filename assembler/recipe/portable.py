"""A recipe as a directory of its own, complete and without secrets: what goes onto an image, so that it can be rebuilt.

``extends`` and arguments are resolved, and the files that it names are beside it under their digests. What is private
is withheld, for it is in the root file system with its mode, and shall be nowhere else: passwords are arguments, and
private files are named as those below ``private/``, which are not there, nor are their digests. So are large files,
which the medium shall not have twice. Whoever has the image can give them back from its root file system
(audit/withheld.py). Passwords that answer debconf are arguments, too. The cloud-init seed, which is no part of the
image and may hold tokens, is left out, and so are packages that the recipe brings: it has their digests. What is made
of such a recipe is made of the one that it came from, and the other way round.
"""

import hashlib
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from assembler.recipe import brought, debs
from assembler.recipe.additions import User
from assembler.recipe.arguments import escaped
from assembler.recipe.load import LoadedRecipe
from assembler.recipe.model import Debconf
from assembler.toml.writing import key, pair

RECIPE = "recipe.toml"
"""The recipe's name in the directory."""


ANSWER = "DEBCONF_PASSWORD_"
"""Begins the names of the arguments for answers that are secrets, which have a number from 1. They must be given: the
image has such an answer only where a package keeps it."""
USER = "USER_PASSWORD_"
"""Begins the names of the arguments for passwords of users, which have a number from 1; their default is for none."""
PASSWORD = "ROOT_PASSWORD"  # noqa: S105  a name
"""The argument with root's password; its default is for none."""
MODULES_KEY = "MODULES_KEY"
"""The argument with the key that modules are signed with; without it they are not signed."""
_PRIVATE = re.compile(r"private/(0|[1-9][0-9]{0,5})")


def withheld(values: Mapping[str, Any]) -> dict[str, str]:
    """Which files the plain `values` of a recipe from such a directory want, with their path in the image."""
    rootfs = values.get("rootfs")
    files = rootfs.get("files") if isinstance(rootfs, dict) else None
    named = [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    return {
        file["source"]: file["path"]
        for file in named
        if isinstance(file.get("path"), str)
        and isinstance(file.get("source"), str)
        and _PRIVATE.fullmatch(file["source"])
    }


def portable(loaded: LoadedRecipe) -> dict[str, bytes]:
    """The directory's files by name."""
    values = loaded.recipe.model_dump(mode="json", exclude_defaults=True, exclude={"args", "cloudinit"})
    rootfs = values.get("rootfs", {})
    if "root_password" in rootfs:
        rootfs["root_password"] = _Argument(PASSWORD)
        values["args"] = {PASSWORD: "!"}
    if "modules_key" in values.get("kernel", {}):
        values["kernel"]["modules_key"] = _Argument(MODULES_KEY)
        values.setdefault("args", {})[MODULES_KEY] = ""
    _withhold_answers(values, loaded.recipe.rootfs.debconf)
    _withhold_passwords(values, loaded.recipe.rootfs.users)
    _name_packages(values)
    withheld_sources = _withheld(loaded)
    for index, one in enumerate(loaded.recipe.rootfs.files):
        if one.private or f"rootfs.files[{index}].source" in withheld_sources:
            others = {
                name: value for name, value in rootfs["files"][index].items() if name not in {"content", "source"}
            }
            rootfs["files"][index] = {"path": others.pop("path"), "source": f"private/{index}", **others}
    carried = {
        where: file.data
        for where, file in loaded.files.items()
        if not where.startswith("cloudinit.") and where not in withheld_sources
    }
    files = {f"files/{hashlib.sha256(data).hexdigest()}": data for data in carried.values()}
    steps = rootfs.get("run", ())
    for index, step in enumerate(steps):
        if own := brought.of_step(carried, index):
            step["files"] = {name: f"files/{hashlib.sha256(data).hexdigest()}" for name, data in own.items()}
            carried = {where: data for where, data in carried.items() if not where.startswith(brought.key(index))}
    for where, data in carried.items():
        _set(values, where, f"files/{hashlib.sha256(data).hexdigest()}")
    return {RECIPE: _toml(values).encode(), **dict(sorted(files.items()))}


def _withheld(loaded: LoadedRecipe) -> frozenset[str]:
    """The keys that name host files whose bytes are in the root file system alone: those of private files, and what is
    so large that the medium shall not have it twice.
    """
    large = {where for where, file in loaded.files.items() if file.large}
    return loaded.recipe.rootfs.private_sources | large


def _withhold_passwords(values: dict[str, Any], users: Mapping[str, User]) -> None:
    """Put an argument in the place of each user's password."""
    for number, name in enumerate((name for name, user in users.items() if user.has_password), 1):
        values["rootfs"]["users"][name]["password"] = _Argument(f"{USER}{number}")
        values.setdefault("args", {})[f"{USER}{number}"] = "!"


def locked_users(values: Mapping[str, Any]) -> dict[str, str]:
    """The arguments of the plain `values` of such a recipe that are users' passwords, with these users."""
    rootfs = values.get("rootfs")
    users = rootfs.get("users") if isinstance(rootfs, dict) else None
    return {
        found[1]: name
        for name, user in (users.items() if isinstance(users, dict) else ())
        if isinstance(user, dict)
        and isinstance(user.get("password"), str)
        and (found := re.fullmatch(rf"\$\{{({USER}[0-9]+)\}}", user["password"]))
    }


def _name_packages(values: dict[str, Any]) -> None:
    """Name what the recipe brings in packages as things in the directory; they are not there, and have digests."""
    debian = values.get("debian", {})
    taken: set[str] = set()
    for index, deb in enumerate(debian.get("debs", ())):
        if "path" in deb:
            name = posixpath.basename(deb["path"])
            deb["path"] = name if name not in taken else f"{index}/{name}"
            taken.add(name)
    for archive in debian.get("archives", ()):
        if "path" in archive:
            path = debs.carried(archive["path"])
            archive["path"] = path if "suites" in archive else path.lstrip("/") or "."


def _withhold_answers(values: dict[str, Any], debconf: Debconf) -> None:
    """Put an argument in the place of each answer that is a secret."""
    secrets = [(package, question) for package, question, answer in debconf.listed() if answer.private]
    for number, (package, question) in enumerate(secrets, 1):
        values["rootfs"]["debconf"]["answers"][package][question]["value"] = _Argument(f"{ANSWER}{number}")
        values.setdefault("args", {})[f"{ANSWER}{number}"] = ""


class _Argument(str):
    """The name of an argument, which is a value's whole text."""

    __slots__ = ()


def _set(values: Any, where: str, value: str) -> None:
    """Put `value` where the dotted key `where` says, as ``rootfs.files[2].source``."""
    *path, last = (int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", where))
    for part in path:
        values = values[part]
    values[last] = value


def _toml(values: Mapping[str, Any]) -> str:
    values = _written(values)
    lines = ["# As it was built: complete, but for the cloud-init seed and what is private."]
    lines += [pair(name, value) for name, value in values.items() if not isinstance(value, dict)]
    for table, entries in values.items():
        if isinstance(entries, dict):
            lines += ["", f"[{table}]", *(pair(key(name), value) for name, value in entries.items())]
    return "\n".join(lines) + "\n"


def _written(value: Any) -> Any:
    """`value` with the texts that stand for it in a recipe; what is None is left out."""
    if isinstance(value, Mapping):
        return {name: _written(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_written(item) for item in value]
    if isinstance(value, _Argument):
        return f"${{{value}}}"
    # What looks like an argument is none any more.
    return escaped(value) if isinstance(value, str) else value
