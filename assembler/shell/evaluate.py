"""A shell that carries scripts out on a tree, as dash 0.5.12 would in a root file system of its own (XCU 2).

It executes; it does not guess. What is not modelled, or has an answer that only a running system knows, raises Refused.
Nothing of the host is looked at.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from assembler.shell import patterns
from assembler.shell.builtins import BUILTINS, SPECIAL, complain, printed
from assembler.shell.expand import Expander
from assembler.shell.grammar import parse_script
from assembler.shell.redirect import RedirectError, redirected
from assembler.shell.process import Process, as_path
from assembler.shell.state import Exit, ShellError, State
from assembler.shell.streams import NOWHERE, Pipe, Refused
from assembler.shell.syntax import (
    AndOr,
    Block,
    Case,
    For,
    Function,
    GroupCommand,
    If,
    Pipeline,
    Redirect,
    Simple,
    Statement,
    While,
)
from assembler.shell.tokens import ParseError
from assembler.tree.content import read, size_of
from assembler.tree.staging import Inode, Kind

MAX_DEPTH = 60
"""Statements, functions and scripts within one another."""
MAX_SCRIPT = 1 << 18
"""Bytes of a script."""
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=", re.ASCII)
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


class _Leave(Exception):
    """``break`` and ``continue``: of how many loops."""

    def __init__(self, levels: int, *, goes_on: bool) -> None:
        super().__init__(levels)
        self.levels = levels
        self.goes_on = goes_on


class _Return(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@lru_cache(maxsize=2048)
def parsed(text: str) -> Block:
    """The statements of a script. Raises Refused."""
    if len(text) > MAX_SCRIPT:
        raise Refused(f"a script of more than {MAX_SCRIPT} bytes")
    try:
        return parse_script(text)
    except ParseError as error:
        raise Refused("the script is not understood", why=str(error)) from error


class Shell:
    """Carries statements out, changing its `state` and the tree."""

    def __init__(self, state: State, line: int = 0) -> None:
        self.state = state
        self.base = line
        """The line before the first of what is carried out."""
        self.loops = 0
        self.expand = Expander(state, self._substituted)

    def script(self, block: Block, *, tested: bool = False) -> int:
        """Carry a whole script out, or a subshell (see `block`); the exit status of the shell. Raises Refused."""
        state = self.state
        try:
            try:
                self.block(block, tested=tested)
            except _Return as end:
                state.status = end.status
            except _Leave:
                pass
            except ShellError as error:
                state.status = 2
                self._complain(error)
        except Exit as end:
            state.status = end.status
        if action := state.traps.pop("EXIT", ""):
            status = state.status
            try:
                self.block(parsed(action), tested=False)
                state.status = status
            except Exit as end:
                state.status = end.status
            except ShellError:
                state.status = 2
        return state.status

    def _complain(self, error: ShellError) -> None:
        if not error.told:
            complain(self.state, str(error))
            error.told = True

    # --- statements --------------------------------------------------------------------------------------------------

    def block(self, block: Block, *, tested: bool) -> int:
        """Statements one after the other; `tested`: somebody looks at the status, so that ``set -e`` does not count."""
        status = 0
        for statement in block:
            status = self.statement(statement, tested=tested)
        if not block:
            self.state.status = 0
        return status

    def statement(self, statement: Statement, *, tested: bool) -> int:
        """One statement; its status."""
        state = self.state
        state.depth += 1
        if state.depth > MAX_DEPTH:
            raise Refused("commands within one another are too many")
        state.world.budget.step()
        try:
            state.status = self._statement(statement, tested=tested)
        finally:
            state.depth -= 1
        return state.status

    def _statement(self, statement: Statement, *, tested: bool) -> int:
        match statement:
            case Simple():
                return self._checked(self._simple(statement, tested=tested), tested=tested)
            case Pipeline(negated=True):
                return 0 if self._pipeline(statement, tested=True) else 1
            case Pipeline():
                return self._checked(self._pipeline(statement, tested=tested), tested=tested)
            case AndOr():
                status = self.statement(statement.left, tested=True)
                if (status == 0) is (statement.operator == "&&"):
                    status = self.statement(statement.right, tested=tested)
                return status
            case Function():
                if statement.name in SPECIAL:
                    raise Refused(f"a function named {statement.name}")
                self.state.functions[statement.name] = statement.body
                return 0
            case GroupCommand(subshell=True):
                return self._checked(self._subshell(statement, tested=tested), tested=tested)
            case _:
                return self._compound(statement, tested=tested)

    def _checked(self, status: int, *, tested: bool) -> int:
        self.state.status = status
        if status and not tested and "e" in self.state.options:
            raise Exit(status)
        return status

    def _compound(self, statement: If | Case | For | While | GroupCommand, *, tested: bool) -> int:
        if not statement.redirects:
            return self._bare(statement, tested=tested)
        saved = dict(self.state.streams)
        try:
            try:
                self._redirect(statement.redirects)
            except RedirectError as error:
                self._complain(ShellError(str(error)))
                return self._checked(2, tested=tested)
            return self._bare(statement, tested=tested)
        finally:
            self.state.streams = saved

    def _bare(self, statement: If | Case | For | While | GroupCommand, *, tested: bool) -> int:
        match statement:
            case If():
                for condition, body in statement.branches:
                    if self.block(condition, tested=True) == 0:
                        return self.block(body, tested=tested)
                return self.block(statement.otherwise, tested=tested) if statement.otherwise else 0
            case Case():
                return self._case(statement, tested=tested)
            case For():
                return self._for(statement, tested=tested)
            case While():
                return self._while(statement, tested=tested)
            case GroupCommand():
                return self.block(statement.body, tested=tested)

    def _case(self, statement: Case, *, tested: bool) -> int:
        self.state.line = self.base + statement.line
        word = self.expand.single(statement.word)
        for choices, body in statement.arms:
            for choice in choices:
                try:
                    found = patterns.matches(word, self.expand.pattern(choice))
                except patterns.PatternError as error:
                    raise Refused(f"a pattern is not understood: {error}") from error
                if found:
                    # An arm without commands leaves the status of what was before it.
                    return self.block(body, tested=tested) if body else 0
        return 0

    def _for(self, statement: For, *, tested: bool) -> int:
        state = self.state
        state.line = self.base + statement.line
        values = list(state.arguments) if statement.words is None else self.expand.fields(statement.words)
        status = 0
        self.loops += 1
        try:
            for value in values:
                state.put(statement.name, value)
                try:
                    status = self.block(statement.body, tested=tested)
                except _Leave as leave:
                    status = 0
                    if self._left(leave):
                        break
        finally:
            self.loops -= 1
        return status

    def _while(self, statement: While, *, tested: bool) -> int:
        status = 0
        wanted = statement.keyword == "while"
        self.loops += 1
        try:
            while True:
                try:
                    if (self.block(statement.condition, tested=True) == 0) is not wanted:
                        break
                    status = self.block(statement.body, tested=tested)
                except _Leave as leave:
                    status = 0
                    if self._left(leave):
                        break
        finally:
            self.loops -= 1
        return status

    def _left(self, leave: _Leave) -> bool:
        """Whether a loop ends; raises it again for the loop around."""
        if leave.levels > 1 and self.loops > 1:
            raise _Leave(leave.levels - 1, goes_on=leave.goes_on)
        return not leave.goes_on

    def _pipeline(self, statement: Pipeline, *, tested: bool) -> int:
        if len(statement.commands) == 1:
            return self.statement(statement.commands[0], tested=tested)
        status = 0
        before = self.state.streams.get(0, NOWHERE)
        for index, command in enumerate(statement.commands):
            inner = self.state.copy()
            inner.streams[0] = before
            if index < len(statement.commands) - 1:
                before = pipe = Pipe(self.state.world.budget)
                inner.streams[1] = pipe
            status = self._in_subshell(inner, (command,), tested=tested)
        return status

    def _subshell(self, statement: GroupCommand, *, tested: bool) -> int:
        inner = self.state.copy()
        if statement.redirects:
            try:
                inner.streams = redirected(inner, statement.redirects, self.expand)
            except RedirectError as error:
                self._complain(ShellError(str(error)))
                return 2
        return self._in_subshell(inner, statement.body, tested=tested)

    def _in_subshell(self, inner: State, block: Block, *, tested: bool, line: int | None = None) -> int:
        shell = Shell(inner, self.base if line is None else line)
        shell.loops = self.loops
        try:
            shell.script(block, tested=tested)
        finally:
            self.state.line = inner.line
        return inner.status

    def _substituted(self, source: str) -> str:
        """The output of a command substitution, without newlines at its end."""
        inner = self.state.copy()
        pipe = Pipe(self.state.world.budget)
        inner.streams[1] = pipe
        self.state.depth += 1
        inner.depth = self.state.depth
        line = self.state.line
        self.state.substitution = self._in_subshell(inner, parsed(source), tested=False, line=max(line - 1, 0))
        self.state.depth -= 1
        self.state.line = line
        return pipe.read().replace(b"\0", b"").rstrip(b"\n").decode("latin-1")

    # --- simple commands ---------------------------------------------------------------------------------------------

    def _redirect(self, redirects: Sequence[Redirect]) -> None:
        self.state.streams = redirected(self.state, redirects, self.expand)

    def _simple(self, simple: Simple, *, tested: bool) -> int:
        state = self.state
        state.line = self.base + simple.line
        state.substitution = 0
        words = self.expand.fields(simple.words[:1])
        assigns = words[:1] in (["export"], ["readonly"], ["local"]) and words[0] not in state.functions
        for word in simple.words[1:]:
            # What these assign is not split.
            if assigns and _ASSIGNMENT.match(word):
                words.append(self.expand.single(word, assigned=True))
            else:
                words += self.expand.fields([word])
        special = bool(words) and words[0] in SPECIAL and words[0] not in state.functions
        saved = dict(state.streams)
        keeps = words[:1] == ["exec"]
        try:
            try:
                self._redirect(simple.redirects)
            except RedirectError as error:
                if special:
                    raise ShellError(str(error)) from error
                self._complain(ShellError(str(error)))
                return 2
            if not words:
                for name, value in simple.assignments:
                    state.put(name, self.expand.single(value, assigned=True))
                return state.substitution
            return self._command(words, simple.assignments, tested=tested)
        except ShellError as error:
            # Told while the command's own redirections hold.
            self._complain(error)
            raise
        finally:
            if not keeps:
                state.streams = saved

    def _command(self, words: list[str], assignments: Sequence[tuple[str, str]], *, tested: bool) -> int:
        state = self.state
        name = words[0]
        if not assignments or name in SPECIAL:
            for variable, value in assignments:
                state.put(variable, self.expand.single(value, assigned=True))
            return self._called(words, frozenset(), tested=tested)
        if name in state.functions:
            raise Refused("an assignment in front of a function", why=name)
        before = [(variable, state.variables.get(variable), variable in state.exported) for variable, _ in assignments]
        try:
            for variable, value in assignments:
                state.put(variable, self.expand.single(value, assigned=True))
                state.exported.add(variable)
            return self._called(words, frozenset(variable for variable, _ in assignments), tested=tested)
        finally:
            for variable, value_before, exported in reversed(before):
                if value_before is None:
                    state.variables.pop(variable, None)
                else:
                    state.variables[variable] = value_before
                (state.exported.add if exported else state.exported.discard)(variable)

    def _called(self, words: list[str], own: frozenset[str], *, tested: bool, functions: bool = True) -> int:
        """A command whose words are expanded; variables `own` were assigned for it alone."""
        name, arguments = words[0], words[1:]
        state = self.state
        if functions and name in state.functions:
            return self._function(state.functions[name], arguments, tested=tested)
        if (controls := self._controls().get(name)) is not None:
            return controls(arguments, tested)
        builtin = BUILTINS.get(name)
        if builtin is None:
            return self._external(name, arguments, own)
        try:
            return builtin(state, arguments)
        except OSError as error:
            raise Refused("a descriptor is used that is not open for it", why=name) from error
        except ShellError as error:
            if name in SPECIAL or "read only" in str(error):
                raise
            self._complain(error)
            return 2

    def _function(self, body: Statement, arguments: list[str], *, tested: bool) -> int:
        state = self.state
        before, loops = state.arguments, self.loops
        state.arguments = arguments
        state.scopes.append({})
        self.loops = 0
        try:
            return self.statement(body, tested=tested)
        except _Return as end:
            return end.status
        finally:
            self.loops = loops
            state.leave()
            state.arguments = before

    # --- commands that run commands ----------------------------------------------------------------------------------

    def _controls(self) -> dict[str, Callable[[list[str], bool], int]]:
        return {
            "exit": self._exit,
            "return": self._return,
            "break": lambda arguments, _tested: self._leave(arguments, goes_on=False),
            "continue": lambda arguments, _tested: self._leave(arguments, goes_on=True),
            "eval": self._eval,
            ".": self._source,
            "exec": self._exec,
            "command": self._named,
            "type": self._type,
            "trap": self._trap,
        }

    def _status(self, arguments: list[str]) -> int:
        if not arguments:
            return self.state.status
        if not arguments[0].isdigit() or len(arguments[0]) > 9:  # noqa: PLR2004  digits
            raise ShellError(f"Illegal number: {arguments[0]}")
        return int(arguments[0]) & 0xFF

    def _exit(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        raise Exit(self._status(arguments))

    def _return(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        raise _Return(self._status(arguments))

    def _leave(self, arguments: list[str], *, goes_on: bool) -> int:
        levels = self._status(arguments) if arguments else 1
        if levels < 1:
            raise ShellError(f"Illegal number: {arguments[0]}")
        if not self.loops:
            return 0
        raise _Leave(levels, goes_on=goes_on)

    def _eval(self, arguments: list[str], tested: bool) -> int:  # noqa: FBT001  as the others
        self.state.status = 0
        return self.block(parsed(" ".join(arguments)), tested=tested)

    def _source(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        state = self.state
        if not arguments:
            raise ShellError(".: argument expected")
        if "/" not in arguments[0] or len(arguments) > 1:
            raise Refused("a file sourced by a name in PATH, or with arguments")
        path = state.place(arguments[0])
        if state.world.sourced(path, state):
            return 0
        inode = state.world.tree.get(path, follow=True)
        if inode is None or inode.kind is not Kind.FILE:
            raise ShellError(f".: cannot open {arguments[0]}")
        line, self.base = self.base, 0
        at = state.line
        loops, self.loops = self.loops, 0
        try:
            state.status = 0
            return self.block(parsed(_text(inode)), tested=False)
        except _Return as end:
            return end.status
        except Refused as error:
            raise Refused(f"{error.what}", why=f"{error.why or ''} ({arguments[0]})".strip()) from error
        finally:
            self.base, self.loops, state.line = line, loops, at

    def _exec(self, arguments: list[str], tested: bool) -> int:  # noqa: FBT001  as the others
        if not arguments:
            return 0
        if arguments[0].startswith("-"):
            raise Refused("exec with an option")
        name, *rest = arguments
        if name in self._controls() or name in BUILTINS:
            raise Refused("exec of a utility that is part of the shell")
        raise Exit(self._external(name, rest, frozenset()))

    def _named(self, arguments: list[str], tested: bool) -> int:  # noqa: FBT001  as the others
        words = list(arguments)
        option = ""
        while words and words[0].startswith("-") and len(words[0]) > 1:
            option = words.pop(0)
            if option == "--":
                break
            if option not in {"-v", "-p"}:
                raise Refused("command with this option")
        if option == "-v":
            return self._command_v(words)
        if not words:
            return 0
        try:
            return self._called(words, frozenset(), tested=tested, functions=False)
        except ShellError as error:
            # Without being special, an error ends nothing.
            self._complain(error)
            return 2

    def _command_v(self, words: list[str]) -> int:
        if len(words) != 1:
            raise Refused("command -v of several names")
        (name,) = words
        state = self.state
        if name in state.functions or name in BUILTINS or name in self._controls():
            found: str | None = name
        else:
            found, _ = self._found(name)
        if found is None:
            return _NOT_FOUND
        return printed(state, f"{found}\n")

    def _type(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        if self.state.streams.get(1, NOWHERE) is not NOWHERE or len(arguments) != 1:
            raise Refused("type whose output is read")
        return 0 if self._command_v(arguments) == 0 else _NOT_FOUND

    def _trap(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        if not arguments:
            raise Refused("trap without arguments")
        action, *signals = arguments
        if action == "--":
            raise Refused("trap with an option")
        if not signals or action.isdigit():
            action, signals = "-", [action, *signals]
        for signal in signals:
            number = {"0": "EXIT"}.get(signal, signal.removeprefix("SIG"))
            if not (number.isdigit() or number.isalpha()):
                raise ShellError(f"trap: {signal}: bad trap")
            if action == "-":
                self.state.traps.pop(number, None)
            else:
                self.state.traps[number] = action
        return 0

    # --- programs ----------------------------------------------------------------------------------------------------

    def _found(self, name: str) -> tuple[str | None, int]:
        """The path of a program as the shell finds it, else None and the status for that."""
        state = self.state
        tree = state.world.tree
        if "/" in name:
            inode = tree.get(state.place(name), follow=True)
            if inode is None or inode.kind is not Kind.FILE or name.rsplit("/", 1)[1] in state.world.hidden:
                return None, _NOT_FOUND if inode is None or inode.kind is not Kind.DIR else _NOT_EXECUTABLE
            return (name, 0) if inode.mode & 0o111 else (None, _NOT_EXECUTABLE)
        if name in state.world.hidden or not name:
            return None, _NOT_FOUND
        for directory in (state.variables.get("PATH") or "").split(":"):
            if not directory.startswith("/"):
                raise Refused("a PATH that is empty or has a relative directory")
            path = f"{directory.rstrip('/')}/{name}"
            inode = tree.get(as_path(path), follow=True)
            if inode is not None and inode.kind is Kind.FILE and inode.mode & 0o111:
                return path, 0
        return None, _NOT_FOUND

    def _external(self, name: str, arguments: list[str], own: frozenset[str]) -> int:
        state = self.state
        path, status = self._found(name)
        if path is None:
            self._complain(ShellError(f"{name}: not found"))
            return status
        place = state.place(path)
        program = state.world.program(name.rsplit("/", 1)[-1], place)
        if program is None:
            return self._script(name, place, arguments)
        process = Process(
            state.world.tree, arguments, state.environment(), state.directory, state.umask, state.streams,
            state.world.budget, own,
        )  # fmt: skip
        try:
            return program(process)
        except OSError:
            return 1  # what it prints cannot be written

    def _script(self, name: str, place: str, arguments: list[str]) -> int:
        """A program that is not modelled: carried out if it is a script of this language."""
        inode = self.state.world.tree.at(place, follow=True)
        if not is_script(inode):
            raise Refused(f"{name} is not computed", why=" ".join((name, *arguments))[:200])
        text = _text(inode)
        state = self.state
        state.depth += 1
        inner = State(
            state.world, {**INITIAL, **state.environment()}, set(state.environment()), name=name,
            arguments=list(arguments), streams=dict(state.streams), directory=state.directory, umask=state.umask,
            depth=state.depth,
        )  # fmt: skip
        inner.options.update(options_of(text))
        try:
            return Shell(inner).script(parsed(text))
        except Refused as error:
            raise Refused(error.what, why=f"{error.why or ''} ({name}, line {inner.line})".strip()) from error
        finally:
            state.depth -= 1


INITIAL = {"IFS": " \t\n", "OPTIND": "1", "PWD": "/"}
"""Variables that every shell has."""


_LONGEST_HEAD = 128


def _text(inode: Inode) -> str:
    """The text of a script, each byte a character. Raises Refused."""
    if size_of(inode.content) > MAX_SCRIPT:
        raise Refused(f"a script of more than {MAX_SCRIPT} bytes")
    return read(inode.content).decode("latin-1")


def is_script(inode: Inode) -> bool:
    """Whether a file is a script for sh, as its first line says."""
    return size_of(inode.content) <= MAX_SCRIPT and is_for_sh(_text(inode))


def is_for_sh(text: str) -> bool:
    """Whether the first line of a script names sh or dash."""
    return re.match(r"#![ \t]*/(?:usr/)?bin/(?:sh|dash)(?:[ \t]+-[eux]+)?[ \t]*\n", text[:_LONGEST_HEAD]) is not None


def options_of(text: str) -> set[str]:
    """The options in the first line of a script."""
    match = re.match(r"#![^\n]*?[ \t]-([eux]+)[ \t]*\n", text[:_LONGEST_HEAD])
    return set(match.group(1)) if match else set()
