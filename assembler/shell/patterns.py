"""Patterns of the shell (POSIX.1-2017 XCU 2.13) over bytes, each kept as one character.

In the text of a pattern, a backslash quotes the character behind it. Matching takes time in proportion to the product
of both lengths, whoever wrote the pattern.
"""

from functools import lru_cache

_CLASSES = {
    "alpha": str.isalpha, "digit": str.isdigit, "alnum": str.isalnum, "upper": str.isupper, "lower": str.islower,
    "space": lambda char: char in " \t\n\v\f\r", "blank": lambda char: char in " \t",
    "xdigit": lambda char: char in "0123456789abcdefABCDEF",
    "punct": lambda char: char.isprintable() and not char.isalnum() and char != " ",
}  # fmt: skip
SPECIAL = frozenset("*?[")
_ANY, _STAR = object(), object()


class PatternError(ValueError):
    """A pattern that is not understood."""


def escape(text: str) -> str:
    """The pattern that matches `text` and nothing else."""
    return "".join(f"\\{char}" if char in "*?[]\\-!^" else char for char in text)


def unescape(pattern: str) -> str:
    """The text of a pattern whose special characters stand for themselves."""
    out, position = [], 0
    while position < len(pattern):
        if pattern[position] == "\\" and position + 1 < len(pattern):
            position += 1
        out.append(pattern[position])
        position += 1
    return "".join(out)


def is_pattern(pattern: str) -> bool:
    """Whether there is anything in it that does not stand for itself."""
    position = 0
    while position < len(pattern):
        if pattern[position] == "\\":
            position += 1
        elif pattern[position] in SPECIAL:
            return True
        position += 1
    return False


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> tuple[object, ...]:
    """One item for each character that is matched: it, `_ANY`, a set of characters; `_STAR` for any number of any."""
    items: list[object] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "\\" and position < len(pattern):
            items.append(pattern[position])
            position += 1
        elif char == "?":
            items.append(_ANY)
        elif char == "*":
            if not items or items[-1] is not _STAR:
                items.append(_STAR)
        elif char == "[" and (found := _bracket(pattern, position)) is not None:
            members, position = found
            items.append(members)
        else:
            items.append(char)
    return tuple(items)


def _bracket(pattern: str, position: int) -> tuple[frozenset[str], int] | None:
    """The characters of a bracket expression, and where it ends; None when it has no end and is a plain bracket."""
    inverted = pattern.startswith(("!", "^"), position)
    if pattern.startswith("^", position):
        raise PatternError("a bracket expression that begins with ^")
    position += inverted
    members: set[str] = set()
    first = True
    while position < len(pattern):
        char = pattern[position]
        if char == "]" and not first:
            every = frozenset(map(chr, range(256)))
            return (every - members if inverted else frozenset(members)), position + 1
        first = False
        if char == "/":
            raise PatternError("a slash in a bracket expression")
        if pattern.startswith("[:", position) and (end := pattern.find(":]", position)) > 0:
            name = pattern[position + 2 : end]
            if name not in _CLASSES:
                raise PatternError(f"the class {name!r} of characters")
            members.update(char for char in map(chr, range(128)) if _CLASSES[name](char))
            position = end + 2
            continue
        if pattern.startswith(("[.", "[="), position):
            raise PatternError("a collating element")
        char, position = _member(pattern, position)
        if pattern.startswith("-", position) and not pattern.startswith("-]", position):
            if position + 1 >= len(pattern):
                break
            last, position = _member(pattern, position + 1)
            members.update(map(chr, range(ord(char), ord(last) + 1)))
        else:
            members.add(char)
    return None


def _member(pattern: str, position: int) -> tuple[str, int]:
    if pattern[position] == "\\" and position + 1 < len(pattern):
        position += 1
    return pattern[position], position + 1


def matches(text: str, pattern: str) -> bool:
    """Whether the whole of `text` is matched. Raises PatternError."""
    items = _compiled(pattern)
    at = item = 0
    star, resumed = -1, 0
    while at < len(text):
        if item < len(items) and items[item] is _STAR:
            star, resumed = item, at
            item += 1
        elif item < len(items) and _fits(items[item], text[at]):
            at += 1
            item += 1
        elif star >= 0:
            resumed += 1
            at, item = resumed, star + 1
        else:
            return False
    return all(left is _STAR for left in items[item:])


def _fits(item: object, char: str) -> bool:
    return item is _ANY or item == char or (isinstance(item, frozenset) and char in item)


def without_prefix(text: str, pattern: str, *, longest: bool) -> str:
    """``${text#pattern}``, or with `longest` ``${text##pattern}``. Raises PatternError."""
    ends = range(len(text), -1, -1) if longest else range(len(text) + 1)
    return next((text[end:] for end in ends if matches(text[:end], pattern)), text)


def without_suffix(text: str, pattern: str, *, longest: bool) -> str:
    """``${text%pattern}``, or with `longest` ``${text%%pattern}``. Raises PatternError."""
    starts = range(len(text) + 1) if longest else range(len(text), -1, -1)
    return next((text[:start] for start in starts if matches(text[start:], pattern)), text)
