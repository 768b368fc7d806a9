"""tr: bytes into others, after GNU coreutils 9.1 to 9.7.

Those look at bytes. A later one may look at characters, so that text which is not ASCII is refused where that would be
seen.
"""

import re
from collections.abc import Callable

from assembler.programs.inputs import options_of, text
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused

_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_CLASSES: dict[str, Callable[[str], bool]] = {
    "alnum": str.isalnum,
    "alpha": str.isalpha,
    "blank": lambda char: char in " \t",
    "cntrl": lambda char: not char.isprintable(),
    "digit": str.isdigit,
    "graph": lambda char: char.isprintable() and char != " ",
    "lower": str.islower,
    "print": str.isprintable,
    "punct": lambda char: char.isprintable() and not char.isalnum() and char != " ",
    "space": lambda char: char in "\t\n\v\f\r ",
    "upper": str.isupper,
    "xdigit": lambda char: char in "0123456789abcdefABCDEF",
}
_ASCII = tuple(map(chr, range(128)))


class _WrongSet(Exception):
    """A set that is no set: tr complains."""


class _Set:
    """A set of bytes in the order of its string."""

    def __init__(self, words: str) -> None:
        self.members: list[str] = []
        self.classes: dict[int, str] = {}
        """Classes by the place of their first member."""
        items = _items(words)
        at = 0
        while at < len(items):
            char, quoted = items[at]
            rest = "".join("\0" if is_quoted else each for each, is_quoted in items[at : at + 12])
            if not quoted and char == "[" and (match := re.match(r"\[:([a-z]+):\]", rest)):
                if match.group(1) not in _CLASSES:
                    raise _WrongSet(words)
                self.classes[len(self.members)] = match.group(1)
                self.members += filter(_CLASSES[match.group(1)], _ASCII)
                at += match.end()
            elif not quoted and re.match(r"\[(?:.\*|[:=])", rest, re.DOTALL):
                raise Refused("a repetition or an equivalence class of tr", why=words)
            elif at + 2 < len(items) and items[at + 1] == ("-", False):
                last = items[at + 2][0]
                if last < char:
                    raise _WrongSet(words)
                self.members += map(chr, range(ord(char), ord(last) + 1))
                at += 3
            else:
                self.members.append(char)
                at += 1

    def complement(self) -> None:
        """Make it all other bytes, in order."""
        members = set(self.members)
        self.members = [char for char in map(chr, range(256)) if char not in members]


def _items(words: str) -> list[tuple[str, bool]]:
    """The characters of a string, and whether each was quoted by a backslash. Raises Refused."""
    found: list[tuple[str, bool]] = []
    for match in re.finditer(r"\\([0-7]{1,3}|.|\Z)|(.)", words, re.DOTALL):
        escaped, plain = match.groups()
        if plain is not None:
            found.append((plain, False))
        elif re.match(r"[0-7]", escaped):
            if int(escaped, 8) > 0xFF:
                raise Refused("an octal number of tr that is no byte", why=words)
            found.append((chr(int(escaped, 8)), True))
        elif not escaped:
            raise Refused("a backslash at the end of a set", why=words)
        else:
            found.append((_ESCAPES.get(escaped, escaped), True))
    return found


def tr(process: Process) -> int:
    """``tr``, with ``-c``, ``-d``, ``-s`` and ``-t``."""
    options, words = options_of(process, "c|C|complement d|delete s|squeeze-repeats t|truncate-set1")
    deletes, squeezes = "d" in options, "s" in options
    translates = not deletes and len(words) == 2
    least, most = (2, 2) if deletes and squeezes else (1, 1) if deletes else (1 if squeezes else 2, 2)
    if not least <= len(words) <= most:
        process.complain("tr: a missing or an extra operand")
        return 1
    if "t" in options and (not translates or "c" in options):
        raise Refused("tr that truncates without translating")
    try:
        first = _Set(words[0])
        second = _Set(words[1]) if len(words) == 2 else None
    except _WrongSet as error:
        process.complain(f"tr: {error}")
        return 1
    complemented = "c" in options
    if complemented:
        first.complement()
    table: dict[int, int] = {}
    if translates and second is not None:
        if complemented and len(second.members) != 1:
            raise Refused("tr of a complement to several characters")
        if not second.members and (first.members and "t" not in options):
            process.complain("tr: string2 must be non-empty")
            return 1
        _match_classes(first, second)
        table = _table(first.members, second.members, truncates="t" in options)
    data = process.read()
    _judge(data, first, words, only_deletes=deletes and not squeezes)
    if deletes:
        data = data.translate(None, bytes(map(ord, first.members)))
    if table:
        data = data.translate(bytes(table.get(byte, byte) for byte in range(256)))
    if squeezes:
        for char in dict.fromkeys((second or first).members):
            one = char.encode("latin-1")
            if one * 2 in data:
                data = re.sub(b"\\x%02x{2,}" % one[0], one.replace(b"\\", rb"\\"), data)
    process.print(text(data))
    return 0


def _match_classes(first: _Set, second: _Set) -> None:
    """Classes of the second set stand for changes of case, and only opposite those of the first."""
    for at, name in second.classes.items():
        if name not in {"upper", "lower"} or first.classes.get(at) not in {"upper", "lower"}:
            raise Refused("a class in the second set of tr")


def _table(first: list[str], second: list[str], *, truncates: bool) -> dict[int, int]:
    """What becomes of each byte."""
    if truncates:
        first = first[: len(second)]
    last = second[-1:]
    padded = second + last * (len(first) - len(second))
    return {ord(one): ord(other) for one, other in zip(first, padded, strict=False)}


def _judge(data: bytes, first: _Set, words: list[str], *, only_deletes: bool) -> None:
    """Raise Refused where it matters that characters of more than one byte are looked at byte by byte."""
    others = any(char > "\x7f" for char in first.members) and not only_deletes
    classes = {"alpha", "alnum", "upper", "lower", "print", "graph", "punct"} & set(first.classes.values())
    if any(not word.isascii() for word in words) or (not data.isascii() and (others or classes)):
        raise Refused("tr of text that is not ASCII")


PROGRAMS: dict[str, Program] = {"tr": tr}
"""Programs by name."""
