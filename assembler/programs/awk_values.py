"""Values of awk, which may be text and numbers at once; only whole numbers are modelled."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from assembler.shell.streams import Refused

_LARGEST = 1 << 31
_WHOLE = re.compile(r"[ \t]*[+-]?[0-9]{1,15}[ \t]*\Z")
_LIKE_NUMBER = re.compile(r"[ \t\n\v\f\r]*[+-]?([0-9]|\.[0-9]|inf|nan)", re.IGNORECASE)
_PREFIX = re.compile(r"[ \t]*([+-]?[0-9]{1,15})(?![0-9.eExX])")


@dataclass(frozen=True, slots=True)
class Value:
    """Text, and whether it may be a number too, as what is read may."""

    text: str
    number: int | None = None
    """What a number is, or text that looks like one."""
    is_text: bool = True
    """Whether it is compared as text with everything; else only with text."""
    doubtful: bool = False
    """Whether it is read and might be a number in a way that is not modelled."""


UNSET = Value("", 0, is_text=False)


def number_of(value: int) -> Value:
    """A number as a value. Raises Refused for one that is shown otherwise."""
    if abs(value) >= _LARGEST:
        raise Refused("a large number in awk")
    return Value(str(value), value, is_text=False)


def read_value(text: str) -> Value:
    """What is read: a number where it looks like one. Raises Refused where it does in a way that is not modelled."""
    if _WHOLE.match(text):
        return Value(text, int(text), is_text=False)
    return Value(text, doubtful=_LIKE_NUMBER.match(text) is not None)


def as_number(value: Value) -> int:
    """The number that a value is. Raises Refused."""
    if value.number is not None:
        return value.number
    if not _LIKE_NUMBER.match(value.text):
        return 0
    found = _PREFIX.match(value.text)
    if found is None:
        raise Refused("a number of awk", why=value.text)
    return int(found.group(1))


HOLDS: dict[str, Callable[[int], bool]] = {
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def calculated(operator: str, first: int, second: int) -> int:
    """What an operator makes of numbers. Raises Refused."""
    if operator == "%":
        if second <= 0 or first < 0:
            raise Refused("a remainder of awk")
        return first % second
    if operator == "/":
        if second == 0 or first % second:
            raise Refused("a number of awk that is not whole")
        return first // second
    return {"+": first + second, "-": first - second, "*": first * second}[operator]
