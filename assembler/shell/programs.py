"""Programs that a shell calls: how they are found in the tree (XCU 2.9.1), and carried out."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Protocol

from assembler.shell.builtins import complain
from assembler.shell.heads import is_for_bash, is_script, options_of, text_of
from assembler.shell.process import AsScript, Process
from assembler.shell.state import State
from assembler.shell.streams import CLOSED, Refused, Stream
from assembler.tree.staging import Kind

NOT_FOUND, NOT_EXECUTABLE = 127, 126
SHELLS = frozenset({"sh", "dash", "bash"})
_NEEDING_OUTPUT = frozenset({"cat", "sed", "awk", "mawk"})
"""Fail without a standard output, each with a status of its own, even if there is nothing to be printed."""
OF_BASH = frozenset({
    "[[", "((", "bind", "builtin", "caller", "compgen", "complete", "compopt", "coproc", "declare", "dirs", "disown",
    "enable", "fc", "help", "history", "let", "logout", "mapfile", "popd", "pushd", "readarray", "select", "shopt",
    "source", "suspend", "time", "typeset",
})  # fmt: skip
"""What is part of bash, and not of dash."""
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")


class Carry(Protocol):
    """Carries out the text of a script under a name, with arguments and options, as a process of its own."""

    def __call__(
        self, process: Process, name: str, text: str, arguments: list[str], options: set[str], *, bash: bool
    ) -> int:
        """Its exit status; `bash`: whether bash would carry it out."""


def require_dash(state: State, what: str) -> None:
    """Raises Refused in a script for bash, which has ways of its own."""
    if state.bash:
        raise Refused(f"{what}, in a script for bash")


class Programs:
    """The programs that a shell with this state may call."""

    def __init__(self, state: State, carry: Carry) -> None:
        self.state = state
        self.carry = carry

    def found(self, name: str) -> tuple[str | None, int]:
        """The path of a program as the shell finds it, else None and the status for that."""
        state = self.state
        tree = state.world.tree
        if "/" in name:
            inode = tree.get(state.place(name), follow=True)
            if inode is None or inode.kind is not Kind.FILE or name.rsplit("/", 1)[1] in state.world.hidden:
                return None, NOT_FOUND if inode is None or inode.kind is not Kind.DIR else NOT_EXECUTABLE
            return (name, 0) if inode.mode & 0o111 else (None, NOT_EXECUTABLE)
        if name in state.world.hidden or not name:
            return None, NOT_FOUND
        for directory in (state.variables.get("PATH") or "").split(":"):
            path = f"{directory.rstrip('/')}/{name}" if directory != "" else name
            inode = tree.get(state.place(path), follow=True)
            if inode is not None and inode.kind is Kind.FILE and inode.mode & 0o111:
                if not directory.startswith("/"):
                    raise Refused("a program in a relative directory of PATH", why=path)
                return path, 0
        return None, NOT_FOUND

    def call(
        self,
        name: str,
        arguments: list[str],
        own: frozenset[str] = frozenset(),
        environment: Mapping[str, str] | None = None,
        streams: Mapping[int, Stream] | None = None,
    ) -> int:
        """A program, in an environment and with streams that are not the shell's own when they are given."""
        state = self.state
        path, status = self.found(name)
        if path is None:
            if name in OF_BASH or not _PLAIN.fullmatch(name) or "command_not_found_handle" in state.functions:
                require_dash(state, f"{name}, which is no program that is there")
            complain(self.state, f"{name}: not found")
            return status
        place = state.place(path)
        environment = state.environment() if environment is None else dict(environment)
        streams = state.streams if streams is None else streams
        base = name.rsplit("/", 1)[-1]
        if base in _NEEDING_OUTPUT and streams.get(1) is CLOSED:
            raise Refused(f"{base} without a standard output")
        program = partial(self._sh, bash=base == "bash") if base in SHELLS else state.world.program(base, place)
        if program is None:
            program = partial(self._script, path, place)
        process = Process(
            state.world.tree, arguments, environment, state.directory, state.umask, streams, state.world.budget, own,
            self._call,
        )  # fmt: skip
        try:
            try:
                return program(process)
            except AsScript:
                return self._script(path, place, process)
        except Refused as error:
            error.command = error.command or (name, *arguments)
            raise
        except OSError:
            return 1  # what it prints cannot be written

    def _call(self, words: list[str], environment: Mapping[str, str], streams: Mapping[int, Stream]) -> int:
        return self.call(words[0], words[1:], environment=environment, streams=streams)

    def _script(self, name: str, place: str, process: Process) -> int:
        """A program that is not modelled: carried out if it is a script of this language."""
        inode = self.state.world.tree.at(place, follow=True)
        if not is_script(inode):
            raise Refused(f"{name} is not computed", why=" ".join((name, *process.arguments))[:200])
        text = text_of(inode)
        return self.carry(process, name, text, process.arguments, options_of(text), bash=is_for_bash(text))

    def _sh(self, process: Process, *, bash: bool) -> int:
        """``sh -c TEXT [NAME ARGUMENT...]`` or ``sh FILE [ARGUMENT...]``, each with options; or `bash` likewise."""
        if bash and {"BASH_ENV", "SHELLOPTS", "BASHOPTS", "POSIXLY_CORRECT"} & process.environment.keys():
            raise Refused("a variable that changes what bash does")
        arguments = list(process.arguments)
        options: set[str] = set()
        while arguments and re.fullmatch(r"-[euxc]+", arguments[0]):
            options |= set(arguments.pop(0)[1:])
        if not arguments or arguments[0].startswith(("-", "+")):
            raise Refused("sh with these arguments", why=" ".join(process.arguments)[:200])
        if "c" in options:
            text, *rest = arguments
            return self.carry(process, rest[0] if rest else "sh", text, rest[1:], options - {"c"}, bash=bash)
        place = process.place(arguments[0])
        if not self.state.world.tree.is_file(place):
            complain(self.state, f"cannot open {arguments[0]}")
            return 2
        text = text_of(self.state.world.tree.at(place, follow=True))
        return self.carry(process, arguments[0], text, arguments[1:], options, bash=bash)
