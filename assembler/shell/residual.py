"""What a maintainer script does on a fresh install, made as small as can be proved from its text alone.

The script runs as ``postinst configure ""`` (or ``preinst install``): an empty second argument means that no version
was configured before (Debian policy 6.5). From that, and from variables that are assigned once and to a constant,
branches for upgrades, removals and errors are decided and dropped. Everything that depends on the tree, on output of a
program or on anything else not known here stays. Nothing is run.
"""

import fnmatch
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from assembler.shell.canonical import render
from assembler.shell.conditions import truth
from assembler.shell.syntax import (
    AndOr,
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
from assembler.shell.words import Scope, constant

_HARMLESS_OPTIONS = re.compile(r"set (?:[-+][efux]+ ?)+\n")
_ASSIGNED = re.compile(r"\b([A-Za-z_][A-Za-z0-9_]*)=")
_OTHERWISE_ASSIGNED = re.compile(r"\b(?:read|for|local|unset|getopts|readonly|export|eval)\b([^\n]*)")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ROUNDS = 4
_NAME = re.compile(r"[\w-]+")


def reduce_script(block: Block, scope: Scope) -> Block:
    """The statements of a script that may run, in the scope of a fresh install."""
    for _ in range(_ROUNDS):
        # Dropping a branch may leave a variable with one assignment, which decides further branches.
        reduced, _, _ = _reduce(block, own_scope(scope, render(block)))
        reduced = _without_unused_functions(reduced)
        if reduced == block:
            break
        block = reduced
    return block


def own_scope(scope: Scope, text: str) -> Scope:
    """`scope` for a script, in canonical form, which may assign variables of its own.

    One that it assigns is not known before it does so, and never if it does so more than once.
    """
    own = {*_ASSIGNED.findall(text), *_otherwise_assigned(text)}
    variables = {name: value for name, value in scope.variables.items() if name not in own}
    return replace(scope, variables=variables, single=single_assignments(text))


def _otherwise_assigned(text: str) -> set[str]:
    return {name for line in _OTHERWISE_ASSIGNED.findall(text) for name in _IDENTIFIER.findall(line)}


def single_assignments(text: str) -> frozenset[str]:
    """The variables that a script, in canonical form, assigns in exactly one place and in no other way."""
    counts = Counter(_ASSIGNED.findall(text))
    otherwise = _otherwise_assigned(text)
    return frozenset(name for name, count in counts.items() if count == 1 and name not in otherwise)


def _reduce(block: Block, scope: Scope) -> tuple[Block, Scope, bool]:
    """Reduced statements, the scope behind them, and whether the script certainly ends within them."""
    result: list[Statement] = []
    for statement in block:
        kept, chosen = _reduce_one(statement, scope)
        ended = _ends(kept)
        if chosen:
            # The branch that is taken, in place of the statement: reduced in turn.
            kept, scope, ended = _reduce(kept, scope)
        for each in kept:
            scope = _scope_after(each, scope)
            if not _is_harmless(each):
                result.append(each)
        if ended:
            return tuple(result), scope, True
    return tuple(result), scope, False


def with_assignments(statement: Statement, scope: Scope) -> Scope:
    """The scope behind a statement: what it assigns, once and to a constant, is known from here on."""
    if isinstance(statement, Simple) and not statement.words:
        for name, value in statement.assignments:
            known = constant(value, scope, assigned=True)
            if name in scope.single and known is not None:
                scope = scope.with_variable(name, known)
    return scope


def _scope_after(statement: Statement, scope: Scope) -> Scope:
    scope = with_assignments(statement, scope)
    if not isinstance(statement, Function) and scope.arguments is not None and _changes_arguments(statement):
        scope = replace(scope, arguments=None)
    return scope


def _changes_arguments(statement: Statement) -> bool:
    return any(
        simple.words[:1] == ("shift",)
        or (simple.words[:1] == ("set",) and not _HARMLESS_OPTIONS.fullmatch(render((simple,))))
        for simple in simple_commands((statement,))
    )


def _is_harmless(statement: Statement) -> bool:
    """Whether a statement has no effect that outlives the script: shell options, the default umask, nothing at all."""
    if not isinstance(statement, Simple) or statement.redirects:
        return False
    text = render((statement,))
    return text in {":\n", "true\n", "umask 022\n", "exit 0\n", "exit\n"} or bool(_HARMLESS_OPTIONS.fullmatch(text))


def _ends(block: Block) -> bool:
    """Whether the last statement is a bare ``exit``."""
    return bool(block) and isinstance(block[-1], Simple) and block[-1].words[:1] == ("exit",)


def _reduce_one(statement: Statement, scope: Scope) -> tuple[Block, bool]:
    """What a statement comes to; the second value tells that it is a branch chosen from it and not reduced yet."""
    match statement:
        case If():
            return _reduce_if(statement, scope)
        case Case():
            return _reduce_case(statement, scope)
        case AndOr():
            return _reduce_and_or(statement, scope)
        case GroupCommand(subshell=False, redirects=()):
            return statement.body, True
        case GroupCommand(subshell=False):
            return (replace(statement, body=_body(statement.body, scope)),), False
        case For():
            return (replace(statement, body=_body(statement.body, scope)),), False
        case While():
            return (replace(statement, body=_body(statement.body, scope)),), False
        case Simple(redirects=()) if truth(statement, scope) is not None:
            return (), False
        case _:
            # A subshell too: under `set -e` its status counts, which may be that of a condition.
            return (statement,), False


def _body(block: Block, scope: Scope) -> Block:
    """A reduced branch or loop body; never empty, so that it stays a program."""
    reduced, _, ended = _reduce(block, scope)
    if ended and not _ends(reduced):
        reduced = (*reduced, Simple((), ("exit", "0")))
    return reduced or (Simple((), (":",)),)


def _condition(block: Block, scope: Scope) -> tuple[Block, bool | None]:
    if len(block) != 1:
        return block, None
    value = truth(block[0], scope)
    if value is None and isinstance(block[0], AndOr):
        return _reduce_and_or(block[0], scope)[0], None
    return block, value


def _reduce_if(statement: If, scope: Scope) -> tuple[Block, bool]:
    branches: list[tuple[Block, Block]] = []
    otherwise = statement.otherwise
    for condition, body in statement.branches:
        kept, value = _condition(condition, scope)
        if value is False:
            continue
        if value is True:
            otherwise = body
            break
        branches.append((kept, _body(body, scope)))
    if not branches:
        return otherwise, True
    return (
        replace(statement, branches=tuple(branches), otherwise=_body(otherwise, scope) if otherwise else ()),
    ), False


def _reduce_case(statement: Case, scope: Scope) -> tuple[Block, bool]:
    value = constant(statement.word, scope)
    if value is None:
        arms = tuple((patterns, _body(body, scope)) for patterns, body in statement.arms)
        return (replace(statement, arms=arms),), False
    for patterns, body in statement.arms:
        for pattern in patterns:
            plain = constant(pattern, scope)
            if plain is None and not re.fullmatch(r"[\w*?.-]+", pattern):
                return (statement,), False
            if value == plain or (plain is None and fnmatch.fnmatchcase(value, pattern)):
                return body, True
    return (), False


def _reduce_and_or(statement: AndOr, scope: Scope) -> tuple[Block, bool]:
    """`chosen` is set when only the right side is left; a left side that is decided has no effects."""
    left = truth(statement.left, scope)
    if left is not None:
        return ((), False) if left is (statement.operator == "||") else ((statement.right,), True)
    kept = statement.left
    if isinstance(kept, AndOr):
        reduced, chosen = _reduce_and_or(kept, scope)
        kept = reduced[0] if len(reduced) == 1 and (not chosen or _is_test(reduced[0])) else kept
    if truth(statement.right, scope) is True and statement.operator == "&&" and _is_test(kept):
        return (kept,), False
    right = statement.right
    if isinstance(right, GroupCommand) and not right.redirects and not right.subshell:
        right = replace(right, body=_body(right.body, scope))
    return (replace(statement, left=kept, right=right),), False


def _is_test(statement: Statement) -> bool:
    return isinstance(statement, Simple) and statement.words[:1] in {("[",), ("test",)}


def simple_commands(block: Sequence[Statement]) -> Iterator[Simple]:
    """Every simple command in statements, functions included."""
    for statement in block:
        match statement:
            case Simple():
                yield statement
            case Pipeline():
                yield from simple_commands(statement.commands)
            case AndOr():
                yield from simple_commands((statement.left, statement.right))
            case If():
                for condition, body in statement.branches:
                    yield from simple_commands((*condition, *body))
                yield from simple_commands(statement.otherwise)
            case Case():
                for _, body in statement.arms:
                    yield from simple_commands(body)
            case While():
                yield from simple_commands((*statement.condition, *statement.body))
            case For() | GroupCommand():
                yield from simple_commands(statement.body)
            case Function():
                yield from simple_commands((statement.body,))


def _without_unused_functions(block: Block) -> Block:
    """`block` without the definitions, at its top, of functions that nothing left mentions."""
    functions = {index: each.name for index, each in enumerate(block) if isinstance(each, Function)}
    if not functions:
        return block
    odd = {name for name in functions.values() if not _NAME.fullmatch(name)}
    texts = [render((statement,)) for statement in block]
    mentioned = [{*_NAME.findall(text), *(name for name in odd if name in text)} for text in texts]
    count = Counter(name for names in mentioned for name in names)
    unused = [index for index, name in functions.items() if count[name] <= 1]
    gone: set[int] = set()
    while unused:
        index = unused.pop()
        gone.add(index)
        count.subtract(mentioned[index])
        touched = mentioned[index]
        unused += [
            other for other, name in functions.items() if name in touched and count[name] <= 1 and other not in gone
        ]
        unused = list(dict.fromkeys(unused))
    return tuple(statement for index, statement in enumerate(block) if index not in gone)
