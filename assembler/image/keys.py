"""Keys of layers: a digest of everything that goes into a result, the assembler's own code included."""

import dataclasses
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from assembler.carried import PACKAGE, code


@cache
def code_digest(package: Path = PACKAGE) -> str:
    """SHA-256 over every module and data file of the assembler: another version of it may write other bytes."""
    state = hashlib.sha256()
    for name, path in code(package):
        state.update(f"{name}\0".encode())
        state.update(hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(f"no key can be made of a {type(value).__name__}")


def digest(**inputs: Any) -> str:
    """SHA-256 (hex) over the named inputs: JSON values, bytes, dataclasses or recipe tables, nested as one likes."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def key(**inputs: Any) -> str:
    """As :func:`digest`, with the assembler's code among the inputs: for finding results again."""
    return digest(code=code_digest(), **inputs)
