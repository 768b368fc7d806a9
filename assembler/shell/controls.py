"""The commands of the shell that run commands, or decide what is run (XCU 2.14): exit, return, break, continue, eval,
the dot, exec, command, type, trap, hash.
"""

from collections.abc import Callable

from assembler.shell.aliases import define
from assembler.shell.builtins import BUILTINS, complain, printed
from assembler.shell.heads import parsed, text_of
from assembler.shell.programs import NOT_FOUND, OF_BASH, SHELLS, Programs
from assembler.shell.state import Exit, ShellError, State
from assembler.shell.streams import NOWHERE, Refused
from assembler.shell.syntax import Block
from assembler.tree.staging import Kind


class Leave(Exception):
    """``break`` and ``continue``: of how many loops."""

    def __init__(self, levels: int, *, goes_on: bool) -> None:
        super().__init__(levels)
        self.levels = levels
        self.goes_on = goes_on


class Return(Exception):
    """``return``: the status of the function."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def complain_of(state: State, error: ShellError) -> None:
    """Print the message of an error, once. Raises Refused where somebody reads it."""
    if not error.told:
        complain(state, str(error))
        error.told = True


class Controls:
    """What a shell has to carry such commands out."""

    state: State
    base: int
    """The line before the first of what is carried out."""
    loops: int
    """In how many loops it is."""
    top: int
    """Within how many commands and scripts all of it is."""
    programs: Programs

    def block(self, block: Block, *, tested: bool) -> int:
        """Carry statements out; `tested`: somebody looks at the status. The shell has it."""
        raise NotImplementedError

    def called(self, words: list[str], own: frozenset[str], *, tested: bool, functions: bool = True) -> int:
        """Carry out a command whose words are expanded. The shell has it."""
        raise NotImplementedError

    def controls(self) -> dict[str, Callable[[list[str], bool], int]]:
        """These commands by name: arguments go in, and whether somebody looks at the status, which comes out."""
        bash: dict[str, Callable[[list[str], bool], int]] = {"source": self._source} if self.state.bash else {}
        return bash | {
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
            "hash": self._hash,
            "alias": self._alias,
        }

    def _alias(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        # A statement is one deeper than what it is part of.
        outermost = self.state.depth == self.top + 1 and not self.base and not self.loops
        return define(self.state, arguments, outermost=outermost)

    def _hash(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        if not arguments or any(name.startswith("-") or "/" in name for name in arguments):
            raise Refused("hash with these arguments", why=" ".join(arguments))
        status = 0
        for name in arguments:
            if not self._is_own(name) and self.programs.found(name)[0] is None:
                complain(self.state, f"hash: {name}: not found")
                status = 1
        return status

    def _is_own(self, name: str) -> bool:
        """Whether a command is a function, or part of the shell."""
        return name in self.state.functions or (is_part_of_shell(name) and name not in SHELLS)

    def _status(self, arguments: list[str]) -> int:
        if not arguments:
            return self.state.status
        if not arguments[0].isdigit() or len(arguments[0]) > 9:
            raise ShellError(f"Illegal number: {arguments[0]}")
        return int(arguments[0]) & 0xFF

    def _exit(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        raise Exit(self._status(arguments))

    def _return(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        raise Return(self._status(arguments))

    def _leave(self, arguments: list[str], *, goes_on: bool) -> int:
        levels = self._status(arguments) if arguments else 1
        if levels < 1:
            raise ShellError(f"Illegal number: {arguments[0]}")
        if not self.loops:
            return 0
        self.state.status = 0
        raise Leave(levels, goes_on=goes_on)

    def _eval(self, arguments: list[str], tested: bool) -> int:  # noqa: FBT001  as the others
        state, elsewhere = self.state, self.state.elsewhere
        state.status, state.elsewhere = 0, True
        try:
            return self.block(parsed(" ".join(arguments)), tested=tested)
        finally:
            state.elsewhere = elsewhere

    def _source(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        state = self.state
        if not arguments:
            raise ShellError(".: argument expected")
        if "/" not in arguments[0] or len(arguments) > 1:
            raise Refused("a file sourced by a name in PATH, or with arguments")
        path = state.place(arguments[0])
        inode = state.world.tree.get(path, follow=True)
        if inode is None or inode.kind is not Kind.FILE:
            raise ShellError(f".: cannot open {arguments[0]}")
        elsewhere, state.elsewhere = state.elsewhere, True
        loops, self.loops = self.loops, 0
        try:
            state.status = 0
            return self.block(parsed(text_of(inode)), tested=False)
        except Return as end:
            return end.status
        finally:
            self.loops, state.elsewhere = loops, elsewhere

    def _exec(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        if not arguments:
            return 0
        if arguments[0].startswith("-"):
            raise Refused("exec with an option")
        name, *rest = arguments
        if is_part_of_shell(name) and name not in SHELLS:
            raise Refused("exec of a utility that is part of the shell")
        raise Exit(self.programs.call(name, rest))

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
            return self.called(words, frozenset(), tested=tested, functions=False)
        except ShellError as error:
            # Without being special, an error ends nothing.
            complain_of(self.state, error)
            return 2

    def _command_v(self, words: list[str]) -> int:
        if len(words) != 1:
            raise Refused("command -v of several names")
        (name,) = words
        state = self.state
        if name in state.aliases or (state.bash and name in OF_BASH):
            raise Refused("command -v of an alias, or of what bash has")
        if self._is_own(name):
            found: str | None = name
        else:
            found, _ = self.programs.found(name)
        if found is None:
            return NOT_FOUND
        return printed(state, f"{found}\n")

    def _type(self, arguments: list[str], _tested: bool) -> int:  # noqa: FBT001  as the others
        if self.state.streams.get(1, NOWHERE) is not NOWHERE or len(arguments) != 1:
            raise Refused("type whose output is read")
        return 0 if self._command_v(arguments) == 0 else NOT_FOUND

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
            if number in {"ERR", "DEBUG", "RETURN"}:
                raise Refused("a trap that only bash has")
            if not (number.isdigit() or number.isalpha()):
                raise ShellError(f"trap: {signal}: bad trap")
            if action == "-":
                self.state.traps.pop(number, None)
            else:
                self.state.traps[number] = action
        return 0


NOT_COMPUTED = ("bg", "fg", "jobs", "kill", "times", "ulimit", "unalias")
"""Part of dash, and refused: a program of the same name would not be what is called."""
_CONTROLS = (
    "exit", "return", "break", "continue", "eval", ".", "exec", "command", "type", "trap", "hash", "alias",
    *NOT_COMPUTED,
)  # fmt: skip


def is_part_of_shell(name: str) -> bool:
    """Whether a command of that name is carried out by the shell itself."""
    return name in BUILTINS or name in _CONTROLS or name in SHELLS
