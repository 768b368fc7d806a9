"""The commands that a script names, told from its text."""

import re
from collections.abc import Iterator, Sequence

from assembler.shell.syntax import (
    AndOr,
    Background,
    Block,
    Case,
    For,
    Function,
    GroupCommand,
    If,
    Pipeline,
    Simple,
    Statement,
    While,
)

_PLAIN = re.compile(r"[A-Za-z0-9_./+\[:-]+")


def simple_commands(block: Sequence[Statement]) -> Iterator[Simple]:
    """Every simple command in statements, functions included."""
    for statement in block:
        if isinstance(statement, Simple):
            yield statement
        else:
            for inner in _blocks(statement):
                yield from simple_commands(inner)


def _blocks(statement: Statement) -> Iterator[Block]:
    match statement:
        case Pipeline():
            yield statement.commands
        case AndOr():
            yield (statement.left, statement.right)
        case If():
            for condition, body in statement.branches:
                yield condition
                yield body
            yield statement.otherwise
        case Case():
            for _, body in statement.arms:
                yield body
        case While():
            yield statement.condition
            yield statement.body
        case For() | GroupCommand():
            yield statement.body
        case Function() | Background():
            yield (statement.body,)
        case _:
            pass


def _functions(block: Sequence[Statement]) -> Iterator[str]:
    for statement in block:
        if isinstance(statement, Function):
            yield statement.name
        for inner in _blocks(statement):
            yield from _functions(inner)


def named(block: Sequence[Statement]) -> list[str]:
    """The names of commands, as far as they stand there as such, but for those of functions that are defined there."""
    own = set(_functions(block))
    names = (simple.words[0] for simple in simple_commands(block) if simple.words)
    return list(dict.fromkeys(name for name in names if _PLAIN.fullmatch(name) and name not in own))
