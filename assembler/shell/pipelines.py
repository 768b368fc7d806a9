"""What a pipeline makes of the order of lines."""

import re
from collections.abc import Sequence

from assembler.shell.syntax import Simple, Statement

_LINE_BY_LINE = re.compile(
    r"""['"]?(?:s([|/,#])(?:\\.|(?!\1)[^\\])*\1(?:\\.|(?!\1)[^\\])*\1g?|/(?:\\.|[^/\\])*/d)['"]?"""
)
"""A script for sed that does the same with each line, wherever it stands."""


def _sorts(command: Statement) -> bool:
    """Whether a command reads all lines and sorts them."""
    return isinstance(command, Simple) and command.words in (("sort",), ("sort", "-u")) and not command.redirects


def _filters(command: Statement) -> bool:
    """Whether a command does something with each line by itself, and keeps their order."""
    if not isinstance(command, Simple) or command.redirects or not command.words:
        return False
    name, *words = command.words
    if name in {"grep", "egrep", "fgrep"}:
        return not any(re.match(r"-(?!-)\w*[cmnob]|--", word) for word in words)
    scripts = [word for word in words if word != "-e"]
    return name == "sed" and bool(scripts) and all(map(_LINE_BY_LINE.fullmatch, scripts))


def without_order(commands: Sequence[Statement], *, last: bool) -> list[bool]:
    """For each pipe between commands, from the first on, whether the order of its lines is of no account, as they are
    sorted afterwards; `last` says it of what the last command prints to.
    """
    found = [last]
    for command in reversed(commands[1:]):
        found.append(_sorts(command) or (_filters(command) and found[-1]))
    return found[:0:-1]
