"""Byte code of Python, compared without what only says which constants one object stands for in several places.

Which of them Python writes as references depends on what else it has in memory, garbage included (FLAG_REF of
Python/marshal.c). Format: Python 3.12 to 3.14; "Lib/importlib/_bootstrap_external.py" has the 16 bytes at the front.
"""

from hashlib import sha256

_HEADER = 16
_FLAG = 0x80
_DEEPEST = 200
_FIXED = {"N": 0, "F": 0, "T": 0, "S": 0, ".": 0, "0": 0, "i": 4, "g": 8, "y": 16}
"""Bytes of objects by their type."""
_COUNTED = {"s": 4, "t": 4, "u": 4, "a": 4, "A": 4, "z": 1, "Z": 1}
"""Bytes of the length of those that have one."""
_SEVERAL = {")": 1, "(": 4, "[": 4, "<": 4, ">": 4}
"""The same of those that have others."""
_NUMBERS, _BEFORE, _AFTER = 5, 8, 2
"""What a code object has: numbers, objects, a number, objects."""
_SAME = {"A": "a", "Z": "z", "t": "u"}
"""Types that only say that a text is one of those of which there is one object in all."""


def same_code(left: bytes, right: bytes) -> bool:
    """Whether two files have the same byte code. False for what is no byte code of these versions."""
    if left[:_HEADER] != right[:_HEADER] or len(left) < _HEADER:
        return False
    try:
        return _Reader(left).whole() == _Reader(right).whole()
    except (IndexError, ValueError):
        return False


class _Reader:
    """Objects are told by their digests: references may have one in very many places."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = _HEADER
        self.known: list[bytes] = []
        """What later references are to; empty for what is not read to its end."""

    def whole(self) -> bytes:
        """What is there. Raises ValueError and its like where it is no byte code."""
        found = self.read(0)
        if self.at != len(self.data):
            raise ValueError("more than one object")
        return found

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise ValueError("it ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def read(self, depth: int) -> bytes:
        if depth > _DEEPEST:
            raise ValueError("it is too deep")
        first = self.number(1)
        kind = chr(first & ~_FLAG)
        if kind == "r":
            found = self.known[self.number(4)]
            if not found:
                raise ValueError("it has itself in it")
            return found
        place = len(self.known)
        if first & _FLAG:
            self.known.append(b"")
        found = sha256(_SAME.get(kind, kind).encode("latin-1") + self.content(kind, depth + 1)).digest()
        if first & _FLAG:
            self.known[place] = found
        return found

    def several(self, number: int, depth: int) -> bytes:
        return b"".join([self.read(depth) for _ in range(number)])

    def content(self, kind: str, depth: int) -> bytes:
        if kind in _FIXED:
            return self.take(_FIXED[kind])
        if kind in _COUNTED:
            return self.take(self.number(_COUNTED[kind]))
        if kind in _SEVERAL:
            return self.several(self.number(_SEVERAL[kind]), depth)
        if kind == "l":
            digits = int.from_bytes(self.take(4), "little", signed=True)
            return digits.to_bytes(4, "little", signed=True) + self.take(2 * abs(digits))
        if kind == "c":
            head = self.take(4 * _NUMBERS)
            return head + self.several(_BEFORE, depth) + self.take(4) + self.several(_AFTER, depth)
        raise ValueError("an object that no byte code has")
