"""dpkg's path filters: ``path-exclude`` and ``path-include`` (dpkg(1))."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assembler.patterns import fixed_part, pattern_to_regex


@dataclass(frozen=True, slots=True)
class Filter:
    """One line of a filter; `include` brings back what an earlier one excluded."""

    pattern: str
    include: bool


class PathFilter:
    """A list of filters; as in dpkg the last one that matches decides, and nothing matching means unpack."""

    def __init__(self, filters: Sequence[Filter] = ()) -> None:
        self._filters = [(pattern_to_regex(item.pattern), item.include) for item in filters]
        self._fixed = tuple(fixed_part(item.pattern).rstrip("/") for item in filters if item.include)
        excluded = "|".join(f"(?:{regex.pattern})" for regex, include in self._filters if not include)
        self._any = re.compile(excluded, re.DOTALL) if excluded else None

    def skips(self, path: str, *, directory_or_link: bool) -> bool:
        """Whether dpkg would leave out `path` (absolute).

        A directory or symbolic link that is excluded stays when its name begins with the fixed part of an include
        pattern, since files below it may come back. As in dpkg this keeps more directories than it needs to.
        """
        if self._any is None or not self._any.match(path):
            return False
        skip = False
        for regex, include in self._filters:
            if regex.match(path):
                skip = not include
        if skip and directory_or_link:
            return not path.startswith(self._fixed)
        return skip


def path_filter(exclude: Sequence[str], include: Sequence[str]) -> PathFilter:
    """A filter from a recipe's two lists: what `exclude` matches is left out, unless `include` matches it too."""
    return PathFilter([Filter(pattern, False) for pattern in exclude] + [Filter(pattern, True) for pattern in include])
