"""Reading JSON (RFC 8259) of strangers: bounded before memory or time is spent, and never another exception."""

import json
import math
import re
from typing import Any, NoReturn

DEPTH = 64
"""Arrays and objects inside each other at most."""
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""Without ways back: remembering one for each character takes a hundred times the text's memory."""
_BRACKETS = re.compile(rb"[\[\]{}]")


def parse(data: bytes, *, limit: int) -> Any:
    """The value in `data`, UTF-8 of at most `limit` bytes. Raises ValueError, with a reason for people, for all else.

    Python's own reader takes Infinity and NaN, numbers that become infinite, and depths that end in a RecursionError.
    """
    if len(data) > limit:
        raise ValueError(f"it has {len(data)} bytes, more than {limit}")
    depth = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", data)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEPTH:
            raise ValueError(f"it is more than {DEPTH} levels deep")
    return json.loads(data.decode("utf-8"), parse_constant=_constant, parse_float=_float)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is no number in JSON")
    return number
