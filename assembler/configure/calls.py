"""Statements of a maintainer script that are nothing but known commands with known arguments, made into actions.

:func:`compile_block` either understands every command that a block could come to, or refuses the whole block: nothing
is ever carried out in part. The vocabulary is in `commands.py`. Conditions on files, accounts and programs are
answered from the tree when the action is carried out.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from assembler.errors import AssembleError
from assembler.programs.commands import COMMANDS
from assembler.programs.context import ExecutionContext
from assembler.programs.file_tests import file_test
from assembler.programs.inert import INERT, QUERIES
from assembler.programs.options import UsageError
from assembler.shell.conditions import is_duplication, truth
from assembler.shell.residual import with_assignments
from assembler.shell.syntax import AndOr, Block, Case, For, Function, GroupCommand, If, Pipeline, Simple, Statement
from assembler.shell.words import Scope, constant, words

Action = Callable[[ExecutionContext], int]
"""Carries a statement out on the tree; returns its exit status."""

_MAX_INLINE = 8
"""Functions calling one another, inlined this deep."""
_MAX_STEPS = 20_000
"""Statements that a script may come to with loops unrolled and functions inlined; real ones come to hundreds."""
_SHELL_VARIABLES = frozenset({"PATH", "IFS", "ENV", "CDPATH", "HOME", "TMPDIR", "DPKG_ROOT", "DPKG_ADMINDIR"})
"""Change what other commands do."""
_LOCALE_VARIABLES = frozenset({"LC_ALL", "LANG", "LANGUAGE"})


class Exit(Exception):
    """``exit`` in a script, or a command that failed under ``set -e``."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Return(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Unknown(Exception):
    """A statement that is not understood."""

    statement: Statement | None = None
    """The innermost that is not."""


@dataclass(slots=True)
class Budget:
    """How many more statements of a script are compiled: loops in loops and functions that call others multiply."""

    left: int = _MAX_STEPS

    def spend(self) -> None:
        """Count one statement. Raises Unknown when there have been too many."""
        self.left -= 1
        if self.left < 0:
            raise Unknown


def _attempt(action: Action, context: ExecutionContext, *, fails: bool = True) -> int:
    """The status of a command whose failure the script provides for.

    Without `fails`, what cannot be carried out is an error all the same.
    """
    context.tolerant += 1
    try:
        return action(context)
    except UsageError:
        raise
    except AssembleError:
        if fails:
            return 1
        raise
    finally:
        context.tolerant -= 1


class _Compiler:
    def __init__(
        self,
        block: Block = (),
        functions: dict[str, Statement | None] | None = None,
        depth: int = 0,
        budget: "Budget | None" = None,
    ) -> None:
        self.functions: dict[str, Statement | None] = {} if functions is None else functions
        for statement in block:
            if isinstance(statement, Function):
                self.functions[statement.name] = self._defined(statement)
        self.depth = depth
        self.budget = budget or Budget()

    def block(self, block: Block, scope: Scope) -> Action:
        actions: list[tuple[bool, Action]] = []
        for statement in block:
            actions.append((isinstance(statement, Simple), self.statement(statement, scope)))
            scope = with_assignments(statement, scope)

        def run(context: ExecutionContext) -> int:
            status = 0
            for is_command, action in actions:
                status = action(context)
                if status and is_command and context.exits_on_error and not context.tolerant:
                    raise Exit(status)
            return status

        return run

    def statement(self, statement: Statement, scope: Scope) -> Action:
        try:
            return self._statement(statement, scope)
        except Unknown as error:
            error.statement = error.statement or statement
            raise

    def _statement(self, statement: Statement, scope: Scope) -> Action:
        self.budget.spend()
        known = truth(statement, scope)
        if known is not None:
            return lambda _context: 0 if known else 1
        match statement:
            case Simple():
                return self.simple(statement, scope)
            case AndOr():
                left, right = self.statement(statement.left, scope), self.statement(statement.right, scope)
                wanted = statement.operator == "&&"

                def run_and_or(context: ExecutionContext) -> int:
                    status = _attempt(left, context, fails=not wanted)
                    return right(context) if (status == 0) is wanted else status

                return run_and_or
            case Pipeline(negated=True, commands=(only,)):
                inner = self.statement(only, scope)
                return lambda context: 0 if _attempt(inner, context) else 1
            case If(redirects=()):
                branches = []
                last = statement.otherwise
                for condition, body in statement.branches:
                    decided = truth(condition[0], scope) if len(condition) == 1 else None
                    if decided is True:
                        last = body
                        break
                    if decided is None:
                        branches.append((self.block(condition, scope), self.block(body, scope)))
                otherwise = self.block(last, scope)

                def run_if(context: ExecutionContext) -> int:
                    for condition, body in branches:
                        if _attempt(condition, context) == 0:
                            return body(context)
                    return otherwise(context)

                return run_if
            case GroupCommand(subshell=False, redirects=()):
                return self.block(statement.body, scope)
            case For(words=tuple() as items, redirects=()):
                values = [constant(item, scope) for item in items]
                if None not in values:
                    bodies = [
                        self.block(statement.body, scope.with_variable(statement.name, value or "")) for value in values
                    ]
                    return lambda context: [body(context) for body in bodies][-1] if bodies else 0
            case Case(redirects=()):
                return self.case(statement, scope)
            case Function():
                self.functions[statement.name] = self._defined(statement)
                return lambda _context: 0
            case _:
                pass
        raise Unknown

    def _defined(self, function: Function) -> Statement | None:
        """The body of a function; None when another of that name is defined too, so that a call may mean either."""
        known = self.functions.get(function.name, function.body)
        return function.body if known == function.body else None

    def case(self, statement: Case, scope: Scope) -> Action:
        value = constant(statement.word, scope)
        if value is None:
            raise Unknown
        for patterns, body in statement.arms:
            if any(pattern == "*" or constant(pattern, scope) == value for pattern in patterns):
                return self.block(body, scope)
            if any(constant(pattern, scope) is None for pattern in patterns):
                raise Unknown
        return lambda _context: 0

    def simple(self, simple: Simple, scope: Scope) -> Action:
        if not simple.words:
            return self.assignment(simple, scope)
        written = self.written(simple, scope)
        looked_up = _looked_up(simple)
        if looked_up and not simple.assignments and written is None:
            return lambda context: 0 if context.program(looked_up) else 1
        if self.is_inert(simple) and written is None:
            return lambda _context: 0
        argv = words(simple, scope)
        if not argv or (simple.assignments and argv[0] != "/usr/lib/runit-helper/runit-helper"):
            raise Unknown
        name, arguments = argv[0], argv[1:]
        if name in self.functions and written is None:
            return self.function(name, arguments, scope)
        if written is not None:
            return self.to_file(argv, written)
        if name in {"[", "test"}:
            return self.test(argv)
        if argv == ["cat"] and any(redirect.operator in {"<<", "<<-"} for redirect in simple.redirects):
            return lambda _context: 0  # a message
        if name == "return" and not self.depth:
            raise Unknown
        if name in {"exit", "return"} and len(arguments) <= 1 and all(a.isdigit() for a in arguments):
            status = int(arguments[0]) if arguments else 0
            kind = Exit if name == "exit" else _Return

            def leave(_context: ExecutionContext) -> int:
                raise kind(status)

            return leave
        make = COMMANDS.get(name)
        action = make(arguments) if make is not None else None
        if action is None:
            raise Unknown
        environment = {key: constant(value, scope, assigned=True) or "" for key, value in simple.assignments}
        if environment:

            def run_in(context: ExecutionContext) -> int:
                context.environment = environment
                try:
                    return action(context)
                finally:
                    context.environment = {}

            return run_in
        return action

    def is_inert(self, simple: Simple) -> bool:
        """Whether a command leaves nothing behind, whatever the parameters in its words are."""
        name = simple.words[0]
        known = name in INERT and name not in self.functions and not simple.assignments
        return known and QUERIES.isdisjoint(simple.words) and not any(map(_has_effects, simple.words))

    def assignment(self, simple: Simple, scope: Scope) -> Action:
        """Assignments are resolved by the scope; one that is not known there matters only if it is used."""
        for name, value in simple.assignments:
            if name in _LOCALE_VARIABLES:
                continue
            if (
                name in _SHELL_VARIABLES
                or _has_effects(value)
                or (name in scope.variables and name not in scope.single)
            ):
                raise Unknown
        if simple.redirects:
            raise Unknown
        return lambda _context: 0

    def test(self, argv: Sequence[str]) -> Action:
        operands = argv[1:-1] if argv[0] == "[" else argv[1:]
        if argv[0] == "[" and argv[-1] != "]":
            raise Unknown
        question = file_test(list(operands))
        if question is None:
            raise Unknown
        return lambda context: 0 if question(context) else 1

    def function(self, name: str, arguments: Sequence[str], scope: Scope) -> Action:
        if self.depth >= _MAX_INLINE:
            raise Unknown
        inner = _Compiler((), self.functions, self.depth + 1, self.budget)
        definition = self.functions[name]
        if definition is None:
            raise Unknown
        body = inner.statement(definition, replace(scope, arguments=tuple(arguments)))

        def run(context: ExecutionContext) -> int:
            try:
                return body(context)
            except _Return as value:
                return value.status

        return run

    def written(self, simple: Simple, scope: Scope) -> tuple[str, bool, bytes | None] | None:
        """(path, append, here-document) when output goes to a file; redirections without effect are passed over."""
        path, append, document = "", False, None
        for redirect in simple.redirects:
            if is_duplication(redirect):
                continue
            if redirect.operator in {"<<", "<<-"}:
                quoted = any(char in redirect.target for char in "'\"\\")
                if not quoted and any(char in redirect.body for char in "$`\\"):
                    raise Unknown
                document = redirect.body.encode("utf-8", "surrogateescape")
                continue
            target = constant(redirect.target, scope)
            if target is None or redirect.operator not in {">", ">>"} or redirect.descriptor not in {"", "1", "2"}:
                raise Unknown
            if target != "/dev/null":
                if redirect.descriptor == "2":
                    raise Unknown
                path, append = target, redirect.operator == ">>"
        return (path, append, document) if path else None

    def to_file(self, argv: Sequence[str], written: tuple[str, bool, bytes | None]) -> Action:
        """``: > file``, ``echo text > file``, ``cat > file <<EOF``."""
        path, append, document = written
        match list(argv):
            case [":" | "true"]:
                data = b""
            case ["cat"] if document is not None:
                data = document
            case ["echo", *rest] if not (rest and rest[0].startswith("-")) and not any("\\" in word for word in rest):
                data = (" ".join(rest) + "\n").encode("utf-8", "surrogateescape")
            case _:
                raise Unknown

        def run(context: ExecutionContext) -> int:
            before = context.tree.read(path) if append and context.tree.is_file(path) else b""
            context.write(path, before + data)
            return 0

        return run


def _has_effects(word: str) -> bool:
    """Whether expanding a word may do more than give its value: run commands, assign, end the script."""
    return "`" in word or "$(" in word or re.search(r"\$\{[^}]*[=?]", word) is not None


def _looked_up(simple: Simple) -> str:
    """The program that ``command -v X``, ``which X`` or ``[ -x "$(command -v X)" ]`` looks for."""
    match simple.words:
        case ("command", "-v", name) | ("which", name) if name.replace("-", "").replace(".", "").isalnum():
            return name
        case ("[", "-x" | "-n", quoted, "]"):
            # dpkg's root is empty, so that "$DPKG_ROOT`command -v X`" is the same question.
            quoted = quoted.replace('"$DPKG_ROOT', '"')
            quoted = quoted.replace(" 2>/dev/null", "")
            for opener, closer in (('"$(', ')"'), ('"`', '`"')):
                for lookup in ("command -v ", "which "):
                    head = opener + lookup
                    if quoted.startswith(head) and quoted.endswith(closer):
                        name = quoted[len(head) : -len(closer)]
                        if name.replace("-", "").replace(".", "").isalnum():
                            return name
    return ""


def compile_block(block: Block, scope: Scope, budget: Budget | None = None) -> Action | None:
    """The action that `block` amounts to, or None when any of it is not understood, or `budget` is spent."""
    try:
        return understood(block, scope, budget)
    except Unknown:
        return None


def understood(block: Block, scope: Scope, budget: Budget | None = None) -> Action:
    """The action that `block` amounts to. Raises Unknown when any of it is not understood, or `budget` is spent."""
    return _Compiler(block, budget=budget).block(block, scope)
