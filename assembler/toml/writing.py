"""TOML as this project writes it (TOML 1.0, https://toml.io/en/v1.0.0): one way for each value."""

import json
import re
from collections.abc import Mapping


def text(value: str) -> str:
    """A basic string. Every escape of JSON is one of TOML, which wants U+007F escaped too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def key(name: str) -> str:
    """A key, in quotes where it has to be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else text(name)


def value(item: object) -> str:
    """A string, number, boolean, array (of a list or tuple) or inline table (of a mapping)."""
    match item:
        case Mapping():
            return "{ " + ", ".join(pair(key(name), each) for name, each in item.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(value, item)) + "]"
        case str():
            return text(item)
        case bool():
            return "true" if item else "false"
        case int() | float():
            return str(item)
    raise TypeError(item)


def pair(name: str, item: object) -> str:
    """The line of a value; `name` is a key as it is to be written, perhaps by :func:`text`."""
    return f"{name} = {value(item)}"
