"""Debian package versions and their order, as deb-version(7) defines it and dpkg implements it."""

import re
from functools import lru_cache
from typing import TypeAlias

VersionKey: TypeAlias = tuple[int, tuple[int, ...], tuple[int, ...]]
"""A value whose ordinary order is the order of versions: epoch, upstream version, Debian revision."""

_RUN = re.compile(r"([^0-9]*)([0-9]*)")
# `~` sorts before the end of a part (0), letters before everything else.
_WEIGHT = {chr(code): code if chr(code).isalpha() else code + 256 for code in range(128)} | {"~": -1}


def _part(text: str) -> tuple[int, ...]:
    # Runs of non-digits and numbers take turns. A run ends in 0, and so does the part, so that two keys
    # differ before either of them ends, unless the versions are equal. Numbers are read as if they were hexadecimal:
    # their order is the same, and Python reads as many digits of these as there are.
    key: list[int] = []
    for run, number in _RUN.findall(text):
        key.extend([_WEIGHT.get(char, ord(char) + 256) for char in run])
        key += (0, int(number or "0", 16))
    # The pattern matches the empty rest of the text too: its 0, 0 are the end.
    return tuple(key)


@lru_cache(maxsize=1 << 17)
def version_key(version: str) -> VersionKey:
    """The sort key of `version` (``[epoch:]upstream[-revision]``); versions that dpkg calls equal have equal keys.

    Never fails: archives carry versions that policy does not allow, and they still have an order. An epoch that
    is not a number counts as 0.
    """
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch, 16) if epoch.isascii() and epoch.isdecimal() else 0, _part(upstream), _part(revision or "0")


def compare(left: str, right: str) -> int:
    """Negative, zero or positive as `left` is earlier than, equal to or later than `right`."""
    first, second = version_key(left), version_key(right)
    return (first > second) - (first < second)


@lru_cache(maxsize=1 << 16)
def satisfies(version: str, operator: str, wanted: str) -> bool:
    """Whether `version` stands in relation `operator` (``<< <= = >= >>``, or empty for any) to `wanted`."""
    if not operator:
        return True
    order = compare(version, wanted)
    match operator:
        case "=":
            return order == 0
        case ">=":
            return order >= 0
        case "<=":
            return order <= 0
        case ">>":
            return order > 0
        case "<<":
            return order < 0
        case _:
            raise ValueError(operator)
