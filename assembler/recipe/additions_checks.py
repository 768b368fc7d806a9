"""How what a recipe adds to its packages goes together: files that are made of other tables, accounts, units."""

from collections.abc import Iterator
from typing import Any

from assembler.recipe.expand import AUTHORITIES, MODULES, SYSCTL, UNITS, authority
from assembler.toml.positions import Path as KeyPath

Problem = tuple[KeyPath, str, str]
"""Key path, cause, hint."""


def check(rootfs: dict[str, Any]) -> Iterator[Problem]:
    """Everything that contradicts itself in `rootfs`, the plain values of that table."""
    yield from _made_twice(rootfs)
    yield from _directories(_tables(rootfs, "directories"))
    for index, tree in _tables(rootfs, "trees"):
        if tree.get("source") == "":
            yield ("rootfs", "trees", index, "source"), "is empty", "name a directory; . is that of the recipe"
    for name, unit in _named(rootfs, "units"):
        if not unit.get("content") and not unit.get("drop_ins"):
            yield ("rootfs", "units", name), "has no text", "give content, or drop_ins for a unit of a package"
    yield from _users(rootfs)


def _made_twice(rootfs: dict[str, Any]) -> Iterator[Problem]:
    """Files that the recipe names, and that another table makes, too."""
    made: dict[str, KeyPath] = {}
    for key, path in (("sysctl", SYSCTL), ("modules", MODULES)):
        if rootfs.get(key):
            made[path] = ("rootfs", key)
    for name, unit in _named(rootfs, "units"):
        if unit.get("content"):
            made[f"{UNITS}/{name}"] = ("rootfs", "units", name)
        drop_ins = unit.get("drop_ins")
        for drop_in in drop_ins if isinstance(drop_ins, dict) else ():
            made[f"{UNITS}/{name}.d/{drop_in}"] = ("rootfs", "units", name, "drop_ins", drop_in)
    found = rootfs.get("certificates")
    names = found if isinstance(found, list) else []
    for index, name in enumerate(names):
        if not isinstance(name, str):
            continue
        where: KeyPath = ("rootfs", "certificates", index)
        path = f"{AUTHORITIES}/{authority(name)}"
        if made.setdefault(path, where) != where and names.index(name) == index:
            yield where, f"another certificate has the name {authority(name)}, too", "rename the file"
    for index, file in _tables(rootfs, "files"):
        if isinstance(file.get("path"), str) and (by := made.get(file["path"])):
            table = ".".join(map(str, by[:2]))
            yield ("rootfs", "files", index, "path"), f"is a file that {table} makes", "keep one of the two"


def _directories(directories: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, directory in directories:
        path = directory.get("path")
        if isinstance(path, str) and path in seen:
            yield ("rootfs", "directories", index, "path"), f"'{path}' is given twice", "remove one of them"
        elif isinstance(path, str):
            seen.add(path)


def _users(rootfs: dict[str, Any]) -> Iterator[Problem]:
    numbers: dict[str, dict[int, str]] = {"users": {}, "groups": {}}
    ids = rootfs.get("ids")
    for kind, key in (("users", "uid"), ("groups", "gid")):
        fixed = ids.get(kind) if isinstance(ids, dict) else None
        for name, account in _named(rootfs, kind):
            number = account.get(key)
            where: KeyPath = ("rootfs", kind, name, key)
            if not isinstance(number, int):
                continue
            if isinstance(fixed, dict) and fixed.get(name, number) != number:
                yield where, f"contradicts rootfs.ids.{kind}.{name}", "keep one of the two"
            if (other := numbers[kind].setdefault(number, name)) != name:
                yield where, f"{other} has {number} already", "give it another number"
            if account.get("system") and number >= 1000:
                yield where, "an account of the system has a number below 1000", "leave out system, or the number"
    root = dict(_named(rootfs, "users")).get("root", {})
    for key in ("password", "uid", "system", "home", "group"):
        if key in root:
            hint = "say rootfs.root_password" if key == "password" else "leave it out"
            yield ("rootfs", "users", "root", key), "is not for root", hint


def _tables(rootfs: dict[str, Any], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    found = rootfs.get(name)
    return ((index, one) for index, one in enumerate(found if isinstance(found, list) else ()) if isinstance(one, dict))


def _named(rootfs: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    found = rootfs.get(name)
    return ((key, one) for key, one in (found.items() if isinstance(found, dict) else ()) if isinstance(one, dict))
