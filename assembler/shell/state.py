"""What a shell knows at one time, and the world that it works on."""

from collections.abc import Callable
from dataclasses import dataclass, field

from assembler.shell.process import Program, as_path
from assembler.shell.streams import NOWHERE, Budget, Refused, Stream
from assembler.shell.syntax import Statement
from assembler.tree.staging import Tree

MAX_VARIABLE = 1 << 20
"""Characters of a variable."""


class Exit(Exception):
    """The end of a shell: ``exit``, an error that ends it, or a command that failed under ``set -e``."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ShellError(Exception):
    """An error for which POSIX ends the shell (XCU 2.8.1); dash has status 2."""

    told = False
    """Whether its message was printed."""


@dataclass(frozen=True, slots=True)
class World:
    """What all shells of a script have in common."""

    tree: Tree
    budget: Budget
    program: Callable[[str, str], Program | None]
    """The program of a name, at a path of the tree; None when it is not known."""
    hidden: frozenset[str] = frozenset()
    """Names of programs that are not there yet, although the tree has them."""
    done: Callable[[str, int], None] | None = None
    """Told of each command that has been carried out: the name of its script, and the line."""


@dataclass(slots=True)
class State:
    """One shell's own."""

    world: World
    variables: dict[str, str] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)
    readonly: set[str] = field(default_factory=set)
    arguments: list[str] = field(default_factory=list)
    name: str = "sh"
    functions: dict[str, Statement] = field(default_factory=dict)
    aliases: dict[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)
    """What stands for a word, and the line from which on it does."""
    options: set[str] = field(default_factory=set)
    streams: dict[int, Stream] = field(default_factory=dict)
    directory: str = "/"
    umask: int = 0o022
    traps: dict[str, str] = field(default_factory=dict)
    status: int = 0
    scopes: list[dict[str, tuple[str | None, bool]]] = field(default_factory=list)
    """What variables were before functions made them local: values, and whether they were exported."""
    letters: int = 0
    """Where getopts is within a word."""
    depth: int = 0
    line: int = 0
    """Where the command stands that is carried out."""
    elsewhere: bool = False
    """Whether what is carried out stands in another text, so that `line` stays where that was asked for."""
    foreign: set[str] = field(default_factory=set)
    """Functions that stand in another text."""
    substitution: int = 0
    """The status of the last command substitution since this was last reset."""
    subshell: bool = False
    arrays: set[str] = field(default_factory=set)
    """Variables of which elements were assigned, which are not kept."""
    bash: bool = False
    """Whether the script is for bash: it is carried out as far as bash does the same, and refused where it may not."""

    def copy(self) -> "State":
        """A subshell's: what it changes is its own, but for the world and open files."""
        return State(
            self.world, dict(self.variables), set(self.exported), set(self.readonly), list(self.arguments), self.name,
            dict(self.functions), dict(self.aliases), set(self.options), dict(self.streams), self.directory, self.umask,
            {name: "" for name, action in self.traps.items() if not action}, self.status,
            [dict(scope) for scope in self.scopes], self.letters, self.depth, self.line, self.elsewhere,
            set(self.foreign), subshell=True, arrays=set(self.arrays), bash=self.bash,
        )  # fmt: skip

    def at(self, line: int) -> None:
        """Be at a line of the text that is carried out."""
        if not self.elsewhere:
            self.line = line

    def get(self, name: str) -> str | None:
        """The value of a variable, None when it is not set. Raises Refused for what only a running system knows."""
        if name not in self.variables and (name in _UNKNOWN or name.startswith("BASH")):
            raise Refused(f"${name} is only known while a script runs")
        if name in self.arrays:
            raise Refused(f"${name} is an array, in a script for bash")
        return self.variables.get(name)

    def put(self, name: str, value: str) -> None:
        """Assign a variable. Raises ShellError when it is read-only."""
        if name in self.readonly:
            raise ShellError(f"{name}: is read only")
        if len(value) > MAX_VARIABLE:
            raise Refused(f"a variable of more than {MAX_VARIABLE} characters")
        if name == "OPTIND":
            self.letters = 0
        self.variables[name] = value
        if "a" in self.options:
            self.exported.add(name)

    def unset(self, name: str) -> None:
        """Unset a variable. Raises ShellError when it is read-only."""
        if name in self.readonly:
            raise ShellError(f"{name}: is read only")
        self.variables.pop(name, None)
        self.exported.discard(name)
        self.arrays.discard(name)

    def make_local(self, name: str) -> None:
        """Keep what a variable is until the function ends. Raises ShellError outside of one."""
        if not self.scopes:
            raise ShellError("local: not in a function")
        if name in self.readonly:
            raise Refused("a local variable that is read only")
        if self.bash and name not in self.scopes[-1]:
            # bash does not keep the value, but what programs are given.
            if name in self.exported:
                raise Refused("a local variable that was exported, in a script for bash")
            self.scopes[-1][name] = (self.variables.pop(name, None), False)
        self.scopes[-1].setdefault(name, (self.variables.get(name), name in self.exported))

    def leave(self) -> None:
        """End a function: local variables are what they were."""
        for name, (value, exported) in self.scopes.pop().items():
            self.readonly.discard(name)
            if value is None:
                self.variables.pop(name, None)
            else:
                self.variables[name] = value
            (self.exported.add if exported else self.exported.discard)(name)

    def environment(self) -> dict[str, str]:
        """What programs are given."""
        exported = sorted(self.exported - self.arrays)
        return {name: self.variables[name] for name in exported if name in self.variables}

    def place(self, path: str) -> str:
        """A path as the tree has it."""
        return as_path(path if path.startswith("/") else f"{self.directory.rstrip('/')}/{path}")

    def print(self, text: str) -> None:
        """Write to the standard output. Raises OSError."""
        self.streams.get(1, NOWHERE).write(text.encode("latin-1"))


_UNKNOWN = frozenset({"PPID", "LINENO", "RANDOM", "SECONDS", "HOSTNAME", "UID", "EUID"})
"""Of these dash has the first two alone; scripts for bash read the others."""
