"""Orders of versions: filevercmp() of gnulib (as of 2022), which ``sort -V`` uses."""

import re

_SUFFIXES = re.compile(rb"(?:\.[A-Za-z~][A-Za-z0-9~]*)*\Z")


def compare_file_versions(one: bytes, other: bytes) -> int:
    """Less than, equal to or greater than zero as `one` is to `other`."""
    if not one or not other:
        return bool(one) - bool(other)
    rank_one, rank_other = _rank(one), _rank(other)
    if rank_one != rank_other:
        return rank_one - rank_other
    prefix_one, prefix_other = _prefix(one), _prefix(other)
    result = _compare(prefix_one, prefix_other)
    if result or (prefix_one == one and prefix_other == other):
        return result
    return _compare(one, other)


def _rank(name: bytes) -> int:
    """Names with a dot come first, and of these ``.`` and ``..``."""
    return 0 if name == b"." else 1 if name == b".." else 2 if name.startswith(b".") else 3


def _prefix(name: bytes) -> bytes:
    """A name without what looks like the suffixes of a file; at least its first byte."""
    match = _SUFFIXES.search(name, 1)
    return name[: match.start()] if match else name


def _order(name: bytes, at: int) -> int:
    if at >= len(name):
        return -1
    char = name[at : at + 1]
    if char.isdigit():
        return 0
    if char.isalpha():
        return char[0]
    return -2 if char == b"~" else char[0] + 256


def _compare(one: bytes, other: bytes) -> int:
    """verrevcmp(): text and numbers by turns."""
    at = there = 0
    while at < len(one) or there < len(other):
        while (at < len(one) and not one[at : at + 1].isdigit()) or (
            there < len(other) and not other[there : there + 1].isdigit()
        ):
            left, right = _order(one, at), _order(other, there)
            if left != right:
                return left - right
            at += 1
            there += 1
        digits, others = _digits(one, at), _digits(other, there)
        at += len(digits)
        there += len(others)
        left_number, right_number = digits.lstrip(b"0"), others.lstrip(b"0")
        if len(left_number) != len(right_number):
            return len(left_number) - len(right_number)
        if left_number != right_number:
            return -1 if left_number < right_number else 1
    return 0


def _digits(name: bytes, at: int) -> bytes:
    match = re.compile(rb"[0-9]*").match(name, at)
    return match.group() if match else b""
