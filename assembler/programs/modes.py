"""Modes as chmod(1), mkdir(1) and install(1) take them: octal, or clauses as ``u+x,go=``.

After POSIX.1-2017 (chmod, "EXTENDED DESCRIPTION") and the GNU coreutils manual ("File permissions"): a clause without
``u``, ``g``, ``o`` or ``a`` leaves alone what the umask has, and directories keep their set-ID bits unless a mode
mentions them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

UMASK = 0o022
"""Of maintainer scripts; one that sets another is not understood."""
ALL = 0o7777
_SET_ID = 0o6000
_OF = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": ALL}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": _SET_ID, "t": 0o1000}
_COPIED = {"u": 6, "g": 3, "o": 0}
_OCTAL = re.compile(r"[0-7]{1,8}")
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)")
_OPERATION = re.compile(r"([-+=])([ugo]|[rwxXst]*)")
_PLAIN_DIGITS = 4
"""An octal mode of more digits mentions all bits."""


@dataclass(frozen=True, slots=True)
class _Operation:
    sign: str
    affected: int
    """Bits of those who are named; 0 when nobody is."""
    bits: int
    copied: str = ""
    """Whose permissions are taken."""
    if_any_may_execute: bool = False
    mentioned: int = 0

    def apply(self, mode: int, umask: int, *, directory: bool) -> int:
        """The mode after this."""
        kept = _SET_ID & ~self.mentioned if directory else 0
        bits = self.bits
        if self.copied:
            permissions = mode >> _COPIED[self.copied] & 7
            bits = permissions * 0o111
        elif self.if_any_may_execute and (directory or mode & 0o111):
            bits |= 0o111
        bits &= (self.affected or ~umask) & ~kept
        if self.sign == "+":
            return mode | bits
        if self.sign == "-":
            return mode & ~bits
        preserved = (~self.affected if self.affected else 0) | kept
        return mode & preserved & ALL | bits


@dataclass(frozen=True, slots=True)
class Mode:
    """A mode that was understood: what it makes of another."""

    operations: Sequence[_Operation]

    @property
    def copies(self) -> bool:
        """Whether some are given the permissions of others."""
        return any(operation.copied for operation in self.operations)

    def applied(self, old: int, *, directory: bool = False, umask: int = UMASK) -> int:
        """The mode bits (0o7777) that come of `old`."""
        for operation in self.operations:
            old = operation.apply(old, umask, directory=directory)
        return old


def parse_mode(text: str) -> Mode | None:
    """What `text` says; None when it is no mode."""
    if _OCTAL.fullmatch(text):
        bits = int(text, 8)
        if bits > ALL:
            return None
        mentioned = bits & _SET_ID | 0o1777 if len(text) <= _PLAIN_DIGITS else ALL
        return Mode((_Operation("=", ALL, bits, mentioned=mentioned),))
    operations = []
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            return None
        affected = 0
        for who in match[1]:
            affected |= _OF[who]
        for sign, letters in _OPERATION.findall(match[2]):
            if letters and letters in _COPIED:
                operations.append(_Operation(sign, affected, 0, copied=letters))
                continue
            bits = 0
            for letter in letters:
                bits |= _BITS.get(letter, 0)
            mentioned = affected & bits if affected else bits
            operations.append(_Operation(sign, affected, bits, if_any_may_execute="X" in letters, mentioned=mentioned))
    return Mode(tuple(operations))
