"""Shell patterns over paths, as dpkg takes them: a star stands for slashes, too."""

import re
from functools import lru_cache

_CLASSES = {
    "alnum": "A-Za-z0-9",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t-\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
"""Character classes of the POSIX locale (XBD 7.3.1), as parts of a bracket of :mod:`re`."""
_NOTHING = "(?!)"
"""A regular expression that never matches."""


def _bracket(pattern: str, start: int) -> tuple[str, int] | None:
    """The regular expression of the bracket expression that opens at `start`, and where it ends, if it does.

    As in glibc a backslash quotes, a range that runs backwards has nothing in it, and with a class that is not known
    nothing matches at all.
    """
    at = start + 1
    negated = pattern[at : at + 1] in {"!", "^"}
    at += negated
    first, known, items = at, True, list[str]()
    while pattern[at : at + 1] != "]" or at == first:
        if pattern.startswith("[:", at) and (named := re.compile(r"\[:([a-z]*):\]").match(pattern, at)):
            known &= named[1] in _CLASSES
            items.append(_CLASSES.get(named[1], ""))
            at = named.end()
            continue
        low, at = _quoted(pattern, at)
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in {"", "]"}:
            high, at = _quoted(pattern, at + 1)
        else:
            high = low
        if not low or not high:
            return None
        if low <= high:
            items.append(f"{re.escape(low)}-{re.escape(high)}")
    inside = "".join(items)
    if not known or not inside:
        return "." if known and negated else _NOTHING, at + 1
    return f"[{'^' if negated else ''}{inside}]", at + 1


def _quoted(pattern: str, at: int) -> tuple[str, int]:
    """The character at `at`, or the one that a backslash there quotes, and where it ends; empty at the end."""
    at += pattern[at : at + 1] == "\\"
    return pattern[at : at + 1], at + 1


def fixed_part(pattern: str) -> str:
    """What a pattern begins with up to the first sign that stands for something else; all of what is no pattern."""
    return re.split(r"[*?[\\]", pattern, maxsplit=1)[0]


@lru_cache(maxsize=1024)
def pattern_to_regex(pattern: str) -> re.Pattern[str]:
    r"""A shell pattern as fnmatch(3) without flags takes it: ``*`` and ``?`` match slashes too, ``\`` quotes.

    What stands between two stars is of one length, so that where it is found first is as good as any later place: it is
    an atomic group, and matching takes time by the product of both lengths at most, whatever the pattern.
    """
    parts: list[str] = [""]
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            parts.append("")
        elif char == "?":
            parts[-1] += "."
        elif char == "\\":
            # A backslash that quotes nothing matches nothing, as in glibc.
            parts[-1] += re.escape(pattern[position]) if position < len(pattern) else _NOTHING
            position += 1
        elif char == "[" and (found := _bracket(pattern, position - 1)):
            parts[-1] += found[0]
            position = found[1]
        else:
            parts[-1] += re.escape(char)
    first, *rest = parts
    between = "".join(f"(?>.*?{part})" for part in rest[:-1] if part)
    end = f".*{rest[-1]}" if rest else ""
    return re.compile(rf"{first}{between}{end}\Z", re.DOTALL)
