"""A shell that carries scripts out on a tree, as dash 0.5.12 would in a root file system of its own (XCU 2).

It executes; it does not guess. What is not modelled, or has an answer that only a running system knows, raises Refused.
Nothing of the host is looked at.
"""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from assembler.shell import bash, patterns
from assembler.shell.aliases import replaced
from assembler.shell.builtins import BUILTINS, SPECIAL
from assembler.shell.controls import NOT_COMPUTED, Controls, Leave, Return, complain_of
from assembler.shell.expand import Expander
from assembler.shell.heads import is_for_bash, parsed
from assembler.shell.pipelines import without_order
from assembler.shell.process import Process
from assembler.shell.programs import Programs, require_dash
from assembler.shell.redirect import RedirectError, redirected
from assembler.shell.state import Exit, ShellError, State, World
from assembler.shell.streams import NOWHERE, Pipe, Refused
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
    Redirect,
    Simple,
    Statement,
    While,
)

MAX_DEPTH = 60
"""Statements, functions and scripts within one another."""
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=", re.ASCII)


def _begins_with_subshell(statement: Statement) -> bool:
    match statement:
        case Pipeline():
            return not statement.negated and _begins_with_subshell(statement.commands[0])
        case AndOr():
            return _begins_with_subshell(statement.left)
        case GroupCommand():
            return statement.subshell
        case _:
            return False


class Shell(Controls):
    """Carries statements out, changing its `state` and the tree."""

    def __init__(self, state: State, line: int = 0) -> None:
        self.state = state
        self.base = line
        """The line before the first of what is carried out."""
        self.loops = 0
        self.top = state.depth
        self.expand = Expander(state, self._substituted)
        self.programs = Programs(state, self._as_process)

    def script(self, block: Block, *, tested: bool = False) -> int:
        """Carry a whole script out, or a subshell (see `block`); the exit status of the shell. Raises Refused."""
        state = self.state
        try:
            try:
                self.block(block, tested=tested)
            except Return as end:
                require_dash(self.state, "return outside of a function")
                state.status = end.status
            except Leave:
                pass
            except ShellError as error:
                require_dash(self.state, f"an error of the shell: {error}")
                state.status = 2
                complain_of(self.state, error)
        except Exit as end:
            state.status = end.status
        if action := state.traps.pop("EXIT", ""):
            status, state.elsewhere = state.status, True
            try:
                self.block(parsed(action), tested=False)
                state.status = status
            except Exit as end:
                state.status = end.status
            except ShellError as error:
                complain_of(self.state, error)
                state.status = 2
        return state.status

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
                if statement.name in SPECIAL or statement.name in self.state.aliases:
                    raise Refused(f"a function named {statement.name}")
                if statement.bash and not self.state.bash:
                    raise Refused("the script is not understood", why="function")
                self.state.functions[statement.name] = statement.body
                (self.state.foreign.add if self.state.elsewhere else self.state.foreign.discard)(statement.name)
                return 0
            case GroupCommand(subshell=True):
                return self._checked(self._subshell(statement, tested=tested), tested=tested)
            case Background():
                raise Refused("a command in the background")
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
                complain_of(self.state, ShellError(str(error)))
                return self._checked(2, tested=tested)
            return self._bare(statement, tested=tested)
        except ShellError as error:
            # Told while the redirections hold.
            complain_of(self.state, error)
            raise
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
        self.state.at(self.base + statement.line)
        patterns_here = [choice for choices, _ in statement.arms for choice in choices]
        if not self.state.aliases.keys().isdisjoint(patterns_here):
            raise Refused("a pattern that is an alias")  # dash may replace it
        self._require_same(statement.word, *patterns_here)
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
        state.at(self.base + statement.line)
        written = bash.without_braces(statement.words or ()) if state.bash else statement.words or ()
        self._require_same(*written)
        values = list(state.arguments) if statement.words is None else self.expand.fields(written)
        status = 0
        self.loops += 1
        try:
            for value in values:
                state.put(statement.name, value)
                try:
                    status = self.block(statement.body, tested=tested)
                except Leave as leave:
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
                except Leave as leave:
                    status = 0
                    if self._left(leave):
                        break
        finally:
            self.loops -= 1
        return status

    def _left(self, leave: Leave) -> bool:
        """Whether a loop ends; raises it again for the loop around."""
        if leave.levels > 1 and self.loops > 1:
            raise Leave(leave.levels - 1, goes_on=leave.goes_on)
        return not leave.goes_on

    def _pipeline(self, statement: Pipeline, *, tested: bool) -> int:
        if len(statement.commands) == 1:
            return self.statement(statement.commands[0], tested=tested)
        status = 0
        before = self.state.streams.get(0, NOWHERE)
        last = getattr(self.state.streams.get(1, NOWHERE), "unordered", False)
        unordered = [*without_order(statement.commands, last=last), None]
        for command, free in zip(statement.commands, unordered, strict=True):
            inner = self.state.copy()
            inner.streams[0] = before
            if free is not None:
                before = pipe = Pipe(self.state.world.budget, unordered=free)
                inner.streams[1] = pipe
            status = self._in_subshell(inner, (command,), tested=tested)
        return status

    def _subshell(self, statement: GroupCommand, *, tested: bool) -> int:
        if self.state.bash and statement.body and _begins_with_subshell(statement.body[0]):
            raise Refused("two parentheses, which may be arithmetic to bash")
        inner = self.state.copy()
        if statement.redirects:
            self._require_same(*(each.target for each in statement.redirects))
            try:
                inner.streams = redirected(inner, statement.redirects, self.expand)
            except RedirectError as error:
                complain_of(self.state, ShellError(str(error)))
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
        if self.state.bash:
            inner.options.discard("e")
        self.state.depth += 1
        inner.depth = self.state.depth
        line = self.state.line
        self.state.substitution = self._in_subshell(inner, parsed(source), tested=False, line=max(line - 1, 0))
        self.state.depth -= 1
        self.state.line = line
        return pipe.read().replace(b"\0", b"").rstrip(b"\n").decode("latin-1")

    def _as_process(
        self, process: Process, name: str, text: str, arguments: list[str], options: set[str], *, bash: bool
    ) -> int:
        depth = self.state.depth
        return run_in(self.state.world, process, name, text, arguments, options=options, depth=depth, in_bash=bash)

    # --- simple commands ---------------------------------------------------------------------------------------------

    def _require_same(self, *words: str) -> None:
        """Raises Refused where bash may read words in its own way, and it is its script."""
        if self.state.bash and any(map(bash.is_own_word, words)):
            raise Refused("a word that bash reads in its own way")

    def _redirect(self, redirects: Sequence[Redirect]) -> None:
        self._require_same(*(each.target for each in redirects))
        self.state.streams = redirected(self.state, redirects, self.expand)

    def _simple(self, simple: Simple, *, tested: bool) -> int:
        state = self.state
        state.at(self.base + simple.line)
        state.substitution = 0
        simple = replaced(state, simple, self.base + simple.line)
        written = simple.words
        if state.bash:
            if written[:1] == ("[[",) and not (simple.assignments or simple.redirects):
                return bash.conditional(written, self.expand, state)
            if not simple.assignments and not simple.redirects and bash.assigns_elements(written, self.expand, state):
                return state.substitution
            written = tuple(bash.without_braces(written))
        self._require_same(*written, *(value for _, value in simple.assignments))
        words = self.expand.fields(written[:1])
        assigns = words[:1] in (["export"], ["readonly"], ["local"]) and words[0] not in state.functions
        for word in written[1:]:
            # What these assign is not split.
            if assigns and (assigned := _ASSIGNMENT.match(word)):
                words.append(assigned[0] + self.expand.single(word[assigned.end() :], assigned=True))
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
                complain_of(self.state, ShellError(str(error)))
                return 2
            if not words:
                for name, value in simple.assignments:
                    state.put(name, self.expand.single(value, assigned=True))
                return state.substitution
            return self._command(words, simple.assignments, tested=tested)
        except ShellError as error:
            # Likewise.
            complain_of(self.state, error)
            raise
        finally:
            if simple.redirects and not keeps:
                state.streams = saved
            if state.world.done is not None:
                state.world.done(state.name, state.line)

    def _command(self, words: list[str], assignments: Sequence[tuple[str, str]], *, tested: bool) -> int:
        state = self.state
        name = words[0]
        if not assignments or name in SPECIAL:
            for variable, value in assignments:
                state.put(variable, self.expand.single(value, assigned=True))
            return self.called(words, frozenset(), tested=tested)
        if name in state.functions:
            raise Refused("an assignment in front of a function", why=name)
        before: list[tuple[str, str | None, bool]] = []
        try:
            for variable, value in assignments:
                text = self.expand.single(value, assigned=True)
                # What the expansion itself assigns stays.
                before.append((variable, state.variables.get(variable), variable in state.exported))
                state.put(variable, text)
                state.exported.add(variable)
            return self.called(words, frozenset(variable for variable, _ in assignments), tested=tested)
        finally:
            for variable, value_before, exported in reversed(before):
                if value_before is None:
                    state.variables.pop(variable, None)
                else:
                    state.variables[variable] = value_before
                (state.exported.add if exported else state.exported.discard)(variable)

    def called(self, words: list[str], own: frozenset[str], *, tested: bool, functions: bool = True) -> int:
        """A command whose words are expanded, `functions` of the script included; `own` variables are for it alone."""
        name, arguments = words[0], words[1:]
        state = self.state
        if functions and name in state.functions:
            return self._function(name, arguments, tested=tested)
        if (controls := self.controls().get(name)) is not None:
            return controls(arguments, tested)
        if name in NOT_COMPUTED:
            raise Refused(f"{name} is not computed", why=" ".join(words))
        builtin = BUILTINS.get(name)
        if builtin is None:
            return self.programs.call(name, arguments, own)
        if state.bash and bash.is_own_call(name, arguments):
            raise Refused(f"{name} of bash with these arguments")
        try:
            return builtin(state, arguments)
        except OSError as error:
            raise Refused("a descriptor is used that is not open for it", why=name) from error
        except ShellError as error:
            if name in SPECIAL:
                raise
            complain_of(self.state, error)
            return 2

    def _function(self, name: str, arguments: list[str], *, tested: bool) -> int:
        state = self.state
        before, loops, elsewhere = state.arguments, self.loops, state.elsewhere
        state.elsewhere = elsewhere or name in state.foreign
        state.arguments = arguments
        state.scopes.append({})
        self.loops = 0
        try:
            return self.statement(state.functions[name], tested=tested)
        except Return as end:
            return end.status
        finally:
            self.loops, state.elsewhere = loops, elsewhere
            state.leave()
            state.arguments = before


def run_in(
    world: World,
    process: Process,
    name: str,
    text: str,
    arguments: Sequence[str],
    *,
    options: AbstractSet[str],
    depth: int = 0,
    in_bash: bool | None = None,
) -> int:
    """Carry out a script, each character a byte, as a process of its own; its exit status. Raises Refused.

    `in_bash`: whether bash would carry it out; otherwise its first line tells.
    """
    inner = State(
        world, {**INITIAL, **process.environment}, set(process.environment), name=name, arguments=list(arguments),
        options=set(options), streams=dict(process.streams), directory=process.directory, umask=process.umask,
        depth=depth + 1, bash=is_for_bash(text) if in_bash is None else in_bash,
    )  # fmt: skip
    try:
        return Shell(inner).script(parsed(text))
    except Refused as error:
        told = type(error)(error.what, why=f"{error.why} ({name}, line {inner.line})".strip())
        told.command = error.command
        raise told from error


INITIAL = {"IFS": " \t\n", "OPTIND": "1", "PWD": "/"}
"""Variables that every shell has."""
