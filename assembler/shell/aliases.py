"""Aliases (POSIX.1-2017 XCU 2.3.1), as scripts have them: dash replaces the first word of what it reads from then on.

Only those are computed that a script itself defines, outside of all compound commands, for lines of its own text that
follow; there what was read before and what is read afterwards cannot be mistaken.
"""

import re
from dataclasses import replace

from assembler.shell.heads import parsed
from assembler.shell.state import State
from assembler.shell.streams import Refused
from assembler.shell.syntax import Simple

_DEFINITION = re.compile(r"([a-z][a-z0-9_]{3,})=([^#\n]*[^#\n\\ \t])", re.ASCII)
_READ_OTHERWISE = frozenset({"case", "done", "elif", "else", "esac", "then", "until", "while", "function"})


def define(state: State, arguments: list[str], *, outermost: bool) -> int:
    """``alias NAME=VALUE`` at the line of `state`, whether or not `outermost`. Raises Refused."""
    match = _DEFINITION.fullmatch(arguments[0]) if len(arguments) == 1 else None
    if match is None or not outermost or state.elsewhere or state.subshell or state.bash or state.scopes:
        raise Refused("alias is not computed", why=" ".join(["alias", *arguments]))
    name, value = match.groups()
    words = _words(value)
    if not words or name in {words[0], *state.functions, *state.aliases, *_READ_OTHERWISE}:
        raise Refused("alias is not computed", why=" ".join(["alias", *arguments]))
    state.aliases[name] = (words, state.line)
    return 0


def _words(value: str) -> tuple[str, ...]:
    block = parsed(value)
    if len(block) == 1 and isinstance(simple := block[0], Simple) and not simple.assignments and not simple.redirects:
        return simple.words
    return ()


def replaced(state: State, simple: Simple, line: int) -> Simple:
    """A command that stands at a line, its first word replaced if it is an alias. Raises Refused."""
    if not simple.words or simple.words[0] not in state.aliases:
        return simple
    words, since = state.aliases[simple.words[0]]
    if line <= since or state.elsewhere or simple.assignments:
        raise Refused("an alias that is not as usual", why=simple.words[0])
    return replace(simple, words=(*words, *simple.words[1:]))
