"""A recipe as a folder of its own, complete and without secrets: what goes onto an image, so that it can be rebuilt.

``extends`` and arguments are resolved, and the files that it names are beside it under their digests. Root's password
is there as the hash that is in the image anyway, and the cloud-init seed, which is no part of the image and may hold
tokens, is left out. What is made of such a recipe is made of the one that it came from, and the other way round.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from assembler.recipe.load import LoadedRecipe
from assembler.recipe.shapes import REFERENCE

RECIPE = "recipe.toml"
"""The recipe's name in the folder."""


def portable(loaded: LoadedRecipe, root_password: str) -> dict[str, bytes]:
    """The folder's files by name. `root_password` stands in place of the recipe's."""
    values = loaded.recipe.model_dump(mode="json", exclude_defaults=True, exclude={"args", "cloudinit"})
    if values.get("rootfs", {}).get("root_password"):
        values["rootfs"]["root_password"] = root_password
    files = {}
    for key, file in loaded.files.items():
        if not key.startswith("cloudinit."):
            name = f"files/{hashlib.sha256(file.data).hexdigest()}"
            files[name] = file.data
            _set(values, key, name)
    return {RECIPE: _toml(values).encode(), **dict(sorted(files.items()))}


def _set(values: Any, key: str, value: str) -> None:
    """Put `value` where the dotted `key` says, as ``rootfs.files[2].source``."""
    *path, last = (int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", key))
    for part in path:
        values = values[part]
    values[last] = value


def _toml(values: Mapping[str, Any]) -> str:
    lines = ["# As it was built: complete, with root's password hashed and without the cloud-init seed."]
    lines += [f"{key} = {_value(value)}" for key, value in values.items() if not isinstance(value, dict)]
    for table, entries in values.items():
        if isinstance(entries, dict):
            lines += ["", f"[{table}]", *(f"{_key(key)} = {_value(value)}" for key, value in entries.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_value(item)}" for key, item in value.items() if item is not None)
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, str):
        # What looks like an argument is none any more.
        plain = re.sub(REFERENCE, lambda found: f"${found[0]}", value)
        return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)
