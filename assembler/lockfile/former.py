"""Locks of the schemas before this one: read, and moved to this one with every package as it was.

In schema 2, tools stood among the packages of the image and came from the recipe's archives. Debian's own are an
archive of the assembler's, too, so what such a lock has of them can be proved. Schema 3 did not name the libraries that
write formats.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from assembler.lockfile.model import SCHEMA, TOOLS

READ = frozenset({2, 3})
"""The schemas that are still read."""
_NOT_IMAGE = frozenset({TOOLS, "vm"})
_HOLDS_LOCK = "livecd.iso"
_INTEGRITY = re.compile(r'^integrity = "[^"\n]*"\n', re.MULTILINE)


def integrity(text: str) -> str:
    """The digest that a lock's text should have in its line ``integrity``: of all that follows that line."""
    text = text.replace("\r\n", "\n")
    line = _INTEGRITY.search(text)
    return hashlib.sha256(text[line.end() if line else 0 :].encode()).hexdigest()


def as_now(data: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a lock of a schema of `READ` as one of today's; what is wrong in it is wrong in that.

    What was recorded of builds is left out where it is no longer right: an image holds its lock, so one that holds this
    lock is another than one that held the former.
    """
    now = dict(data) if data["schema"] == 3 else _from_2(data)
    if "build" in now and not _stays(data):
        del now["build"]
    return now | {"schema": SCHEMA}


def _stays(data: Mapping[str, Any]) -> bool:
    """Whether what is recorded is of nothing that holds the lock, and of the same steps."""
    build = data["build"]
    layers = build.get("layers") if isinstance(build, dict) else None
    return data["schema"] == 3 and isinstance(layers, dict) and _HOLDS_LOCK not in layers


def left_out(data: Mapping[str, Any]) -> list[str]:
    """What :func:`as_now` leaves out of the document of a lock that can be read, in words."""
    found = []
    if "build" in data and not _stays(data):
        found.append("the record of outputs: the image holds its lock, and becomes another one")
    if data["schema"] == 2:
        packages = {key: package["roles"] for key, package in data["packages"].items()}
        unused = [key for key, roles in packages.items() if not {*roles} - {"vm"}]
        found += [f"{key.partition('_')[0]}, which no build uses" for key in unused]
    return found


def _from_2(data: Mapping[str, Any]) -> dict[str, Any]:
    image: dict[str, Any] = {}
    tools: dict[str, Any] = {}
    packages = data.get("packages")
    if not isinstance(packages, dict):
        return dict(data)
    for key, package in packages.items():
        roles = package.get("roles") if isinstance(package, dict) else None
        if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
            image[key] = package
            continue
        if TOOLS in roles:
            tools[key] = {**package, "roles": [TOOLS]}
        if kept := [role for role in roles if role not in _NOT_IMAGE]:
            image[key] = {**package, "roles": kept}
    archives = data.get("archives", [])
    now = {key: value for key, value in data.items() if key != "build_architecture"}
    toolbox: dict[str, Any] = {"archives": archives, "packages": tools}
    if "build_architecture" in data:
        toolbox["architecture"] = data["build_architecture"]
    return now | {"packages": image, "tools": toolbox}
