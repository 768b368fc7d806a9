"""dpkg's path filters: ``path-exclude`` and ``path-include`` (dpkg(1))."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


def _bracket(pattern: str, start: int) -> tuple[str, int] | None:
    """The regular expression of the bracket expression that opens at `start`, and where it ends, if it does."""
    end = start + 1
    if pattern[end : end + 1] in {"!", "^"}:
        end += 1
    if pattern[end : end + 1] == "]":
        end += 1
    end = pattern.find("]", end)
    if end < 0:
        return None
    body = pattern[start + 1 : end]
    negated = body[0] in "!^"
    inner = (body[1:] if negated else body).replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
    inner = inner.replace("^", r"\^").replace("&&", r"&\&").replace("||", r"|\|").replace("~~", r"~\~")
    return f"[{'^' if negated else ''}{inner}]", end + 1


@lru_cache(maxsize=1024)
def pattern_to_regex(pattern: str) -> re.Pattern[str]:
    r"""A shell pattern as fnmatch(3) without flags takes it: ``*`` and ``?`` match slashes too, ``\`` quotes."""
    out: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            out.append(".*")
        elif char == "?":
            out.append(".")
        elif char == "\\":
            # A backslash that quotes nothing matches nothing, as in glibc.
            out.append(re.escape(pattern[position]) if position < len(pattern) else r"(?!)")
            position += 1
        elif char == "[" and (found := _bracket(pattern, position - 1)):
            out.append(found[0])
            position = found[1]
        else:
            out.append(re.escape(char))
    return re.compile("".join(out) + r"\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Filter:
    """One line of a filter; `include` brings back what an earlier one excluded."""

    pattern: str
    include: bool


class PathFilter:
    """A list of filters; as in dpkg the last one that matches decides, and nothing matching means unpack."""

    def __init__(self, filters: Sequence[Filter] = ()) -> None:
        self._filters = [(pattern_to_regex(item.pattern), item.include) for item in filters]
        self._fixed = tuple(
            re.split(r"[*?[\\]", item.pattern, maxsplit=1)[0].rstrip("/") for item in filters if item.include
        )
        excluded = "|".join(f"(?:{regex.pattern})" for regex, include in self._filters if not include)
        self._any = re.compile(excluded, re.DOTALL) if excluded else None

    def skips(self, path: str, *, folder_or_link: bool) -> bool:
        """Whether dpkg would leave out `path` (absolute).

        A folder or symbolic link that is excluded stays when its name begins with the fixed part of an include
        pattern, since files below it may come back. As in dpkg this keeps more folders than it needs to.
        """
        if self._any is None or not self._any.match(path):
            return False
        skip = False
        for regex, include in self._filters:
            if regex.match(path):
                skip = not include
        if skip and folder_or_link:
            return not path.startswith(self._fixed)
        return skip


def path_filter(exclude: Sequence[str], include: Sequence[str]) -> PathFilter:
    """A filter from a recipe's two lists: what `exclude` matches is left out, unless `include` matches it too."""
    return PathFilter([Filter(pattern, False) for pattern in exclude] + [Filter(pattern, True) for pattern in include])
