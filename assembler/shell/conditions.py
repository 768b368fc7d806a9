"""Whether a command of a script succeeds, as far as that is known from its text alone."""

import re
from collections.abc import Sequence

from assembler.shell.syntax import (
    AndOr,
    GroupCommand,
    Pipeline,
    Redirect,
    Simple,
    Statement,
)
from assembler.shell.words import Scope, words

_EMPTY_COMPARISON = {
    "lt": True, "le": True, "ne": True, "eq": False, "ge": False, "gt": False,
    "lt-nl": False, "le-nl": False, "ge-nl": True, "gt-nl": True,
}  # fmt: skip
"""``dpkg --compare-versions "" OP VERSION``: nothing is earlier than any version, and with -nl later (dpkg(1))."""


def truth(statement: Statement, scope: Scope) -> bool | None:
    """Whether a command without side effects succeeds; None when that is not known or it has effects."""
    match statement:
        case Pipeline(negated=True, commands=(only,)):
            inner = truth(only, scope)
            return None if inner is None else not inner
        case AndOr():
            first = truth(statement.left, scope)
            if first is (statement.operator == "||"):
                return first
            return None if first is None else truth(statement.right, scope)
        case Simple(assignments=(), words=[_, *_]) if not writes_file(statement):
            expanded = words(statement, scope)
            return None if expanded is None else _truth_of(expanded)
        case GroupCommand(subshell=False, body=(only,), redirects=()):
            return truth(only, scope)
        case _:
            return None


def writes_file(simple: Simple) -> bool:
    """Whether a redirection of a command has an effect: all do but those to /dev/null and between descriptors."""
    return not all(
        redirect.operator in {"<<", "<<-"} or redirect.target == "/dev/null" or is_duplication(redirect)
        for redirect in simple.redirects
    )


def is_duplication(redirect: Redirect) -> bool:
    """Whether a redirection is between descriptors (``2>&1``); bash also takes a file name there."""
    return redirect.operator in {">&", "<&"} and re.fullmatch(r"[0-9]+|-", redirect.target) is not None


def _truth_of(command: Sequence[str]) -> bool | None:
    match command:
        case [":" | "true", *_]:
            return True
        case ["false"]:
            return False
        case ["[", *rest, "]"] | ["test", *rest]:
            return _test(rest)
        case ["dpkg", "--compare-versions", *rest]:
            operands = [word for word in rest if word != "--"]
            if len(operands) == 3 and not operands[0] and operands[2]:
                return _EMPTY_COMPARISON.get(operands[1])
    return None


def _test(words: Sequence[str]) -> bool | None:
    """test(1) on strings alone: -n, -z, =, != and their ! -a -o; None for everything else."""
    for joiner, decides in (("-o", True), ("-a", False)):
        if joiner in words[1:-1]:
            at = list(words).index(joiner, 1)
            both = (_test(words[:at]), _test(words[at + 1 :]))
            if decides in both:
                return decides
            return None if None in both else not decides
    match list(words):
        case []:
            return False
        case ["!", *rest] if rest:
            inner = _test(rest)
            return None if inner is None else not inner
        case ["-n", value]:
            return bool(value)
        case ["-z", value]:
            return not value
        case [value]:
            return bool(value)  # also one that looks like an operator: `[ -z $2 ]` without a $2
        case [left, "=" | "==", right]:
            return left == right
        case [left, "!=", right]:
            return left != right
        case _:
            return None
