"""Logins inside the addresses of a recipe."""

from collections.abc import Iterator, Mapping
from typing import Any

from assembler.addresses import HINT, login_in
from assembler.toml.positions import Path as KeyPath

_OWN = {("rootfs", "files"), ("args",), ("cloudinit",)}
"""What a recipe says of the inside of files, and what stands elsewhere once more or never leaves the host."""


def logins(data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str, str]]:
    """Every string of a recipe's plain values that has one: its key path, what is wrong, and a hint."""
    for path, text in _strings(data, ()):
        if found := login_in(text):
            yield path, f"there is {found} in an address", HINT


def _strings(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if path in _OWN:
        return
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, (*path, index))
