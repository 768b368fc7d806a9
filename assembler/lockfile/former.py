"""Locks of the schema before this one, in which tools stood among the packages of the image and came from the recipe's
archives. Debian's own are an archive of the assembler's, too, so what such a lock has of them can be proved.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from assembler.lockfile.model import SCHEMA, TOOLS

FORMER = 2
"""The schema that is still read."""
_NOT_IMAGE = frozenset({TOOLS, "vm"})
_INTEGRITY = re.compile(r'^integrity = "[^"\n]*"\n', re.MULTILINE)


def integrity(text: str) -> str:
    """The digest that a lock's text should have in its line ``integrity``: of all that follows that line."""
    line = _INTEGRITY.search(text)
    return hashlib.sha256(text[line.end() if line else 0 :].encode()).hexdigest()


def as_now(data: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a lock of schema `FORMER` as one of today's; what is wrong in it is wrong in that.

    What was recorded of builds is left out, as another version of the assembler makes other outputs.
    """
    image: dict[str, Any] = {}
    tools: dict[str, Any] = {}
    packages = data.get("packages")
    if not isinstance(packages, dict):
        return {**data, "schema": SCHEMA}
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
    now = {key: value for key, value in data.items() if key not in {"build", "build_architecture"}}
    toolbox: dict[str, Any] = {"archives": archives, "packages": tools}
    if "build_architecture" in data:
        toolbox["architecture"] = data["build_architecture"]
    return now | {"schema": SCHEMA, "packages": image, "tools": toolbox}
