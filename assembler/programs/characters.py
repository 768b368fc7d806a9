"""Which characters text consists of, after the locale that a program is given.

Scripts are executed with ``LC_ALL=C.UTF-8``: characters are code points, in their order. In the locale C they are
bytes.
glibc's tables of character classes are not repeated here: what they say of a character beyond ASCII is only answered
where that is beyond doubt.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from assembler.shell.streams import Refused

_UTF_8 = frozenset({"C.UTF-8", "C.utf8"})
_BYTES = frozenset({"C", "POSIX"})

_UPPER = frozenset(range(ord("A"), ord("Z") + 1))
_LOWER = frozenset(range(ord("a"), ord("z") + 1))
_DIGIT = frozenset(range(ord("0"), ord("9") + 1))
_GRAPH = frozenset(range(0x21, 0x7F))
CLASSES: Mapping[str, frozenset[int]] = {
    "alpha": _UPPER | _LOWER,
    "upper": _UPPER,
    "lower": _LOWER,
    "digit": _DIGIT,
    "xdigit": _DIGIT | frozenset(map(ord, "abcdefABCDEF")),
    "alnum": _UPPER | _LOWER | _DIGIT,
    "word": _UPPER | _LOWER | _DIGIT | {ord("_")},
    "space": frozenset(map(ord, " \t\n\v\f\r")),
    "blank": frozenset(map(ord, " \t")),
    "print": _GRAPH | {ord(" ")},
    "graph": _GRAPH,
    "punct": _GRAPH - _UPPER - _LOWER - _DIGIT,
    "cntrl": frozenset(range(0x20)) | {0x7F},
}
"""The characters of ASCII in each class; ``word`` is GNU's ``\\w``."""
_OF_LETTERS = frozenset({"alpha", "alnum", "word", "print", "graph"})
_NOT_OF_LETTERS = frozenset({"digit", "xdigit", "space", "blank", "punct", "cntrl"})


@dataclass(frozen=True, slots=True)
class Locale:
    """How bytes are read as characters."""

    utf8: bool = True
    ascii_only: bool = False
    """Whether it is not known for certain, so that only ASCII is read."""

    def decode(self, data: bytes) -> str:
        """The characters of `data`. Raises Refused where these are not known."""
        if data.isascii():
            return data.decode("ascii")
        if self.ascii_only:
            raise Refused("characters beyond ASCII in a locale that is not known")
        if not self.utf8:
            return data.decode("latin-1")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused("text is not UTF-8, in a locale of UTF-8") from error

    def word(self, argument: str) -> str:
        """The characters of an argument, each of whose characters is a byte. Raises Refused."""
        return self.decode(argument.encode("latin-1"))

    def encode(self, text: str) -> bytes:
        """The bytes of characters."""
        return text.encode("utf-8" if self.utf8 else "latin-1")

    def shown(self, text: str) -> str:
        """Characters as text whose characters are bytes."""
        return text if text.isascii() else self.encode(text).decode("latin-1")

    def in_class(self, name: str, point: int) -> bool:
        """Whether a character is in a class of ``CLASSES``. Raises Refused when that is not known."""
        if point < 0x80:
            return point in CLASSES[name]
        if not self.utf8 or name in {"digit", "xdigit"}:
            return False
        if 0xC0 <= point < 0x250 and point not in {0xD7, 0xF7}:
            if name in _OF_LETTERS:
                return True
            if name in _NOT_OF_LETTERS:
                return False
        if name in {"space", "blank"} and unicodedata.category(chr(point))[0] in "LMNPS":
            return False
        raise Refused("the class of a character beyond ASCII", why=f"whether U+{point:04X} is in {name}")


def locale_of(environment: Mapping[str, str]) -> Locale:
    """The locale that variables name: C.UTF-8 without them. Raises Refused for others than that and C."""
    name = environment.get("LC_ALL", "")
    if name in _UTF_8:
        return Locale()
    if name in _BYTES:
        return Locale(utf8=False)
    if name:
        raise Refused("the locale of a program", why=f"LC_ALL={name}")
    names = {environment.get(variable, "") for variable in ("LC_CTYPE", "LANG")} - {""} - _UTF_8
    if names - _BYTES:
        raise Refused("the locale of a program", why=" ".join(sorted(names)))
    # Whoever executes the script may have LC_ALL, which overrides them.
    return Locale(ascii_only=bool(names))
