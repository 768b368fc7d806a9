"""What descriptors of a script lead to: files of the tree, pipes, and nowhere."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from assembler.errors import AssembleError
from assembler.tree.content import read
from assembler.tree.staging import Inode

MAX_STEPS = 100_000
"""Commands that one script may come to, loops and functions included; real ones come to hundreds."""
MAX_OUTPUT = 1 << 24
"""Bytes that one script may write, and that its words may hold."""


class Refused(AssembleError):
    """What is not computed here: no failure of the script's, so nothing in it provides for this."""

    line = 0
    """The line of the script, from 1."""
    command: tuple[str, ...] = ()
    """The innermost program that is not computed, with its arguments."""


class OrderShows(Refused):
    """What depends on the order in which a file system has the entries of a directory."""


@dataclass(slots=True)
class Order:
    """The order in which directories have their entries: another one on each disk."""

    key: Callable[[str], str] | None = None
    """By which it is assumed here; None where nothing may depend on it."""
    backwards: bool = False
    shown: bool = False
    """Whether anything depended on it."""

    def show(self, where: str) -> None:
        """Something depends on the order of entries `where`. Raises OrderShows if it may not."""
        self.shown = True
        if self.key is None:
            raise OrderShows("find where the order of a directory's entries shows", why=where)

    def of(self, names: Iterable[str]) -> list[str]:
        """Names in that order."""
        return sorted(names, key=self.key or str, reverse=self.backwards)


@dataclass(slots=True)
class Supposed:
    """What a running machine would answer: another one on each, so that one answer after the other is assumed."""

    turn: int | None = None
    """Which answer is assumed; None where nothing may depend on it."""
    turns: int = 0
    """How many answers there are; 0 when nobody asked."""

    def answer(self, what: str, answers: Sequence[str]) -> str:
        """One of the answers that there may be. Raises Refused where nothing may depend on it."""
        if self.turn is None:
            raise Refused(what)
        self.turns = max(self.turns, len(answers))
        return answers[self.turn % len(answers)]


@dataclass(slots=True)
class Budget:
    """What a script, with all that it calls, may still take."""

    steps: int = MAX_STEPS
    output: int = MAX_OUTPUT
    order: Order = field(default_factory=Order)
    supposed: Supposed = field(default_factory=Supposed)
    locked: "dict[Inode, Stream]" = field(default_factory=dict)
    """Files that are locked, with what locked them."""

    def step(self) -> None:
        """Count a command. Raises Refused when there have been too many."""
        self.steps -= 1
        if self.steps < 0:
            raise Refused(f"the script comes to more than {MAX_STEPS} commands")

    def look(self, size: int, at_once: int) -> None:
        """Count that `size` bytes, or whatever else, are looked at, `at_once` in a command. Raises as :meth:`step`."""
        self.steps -= -(-size // at_once)
        if self.steps < 0:
            raise Refused(f"the script comes to more than {MAX_STEPS} commands")

    def spend(self, size: int) -> None:
        """Count `size` bytes that are written or kept. Raises Refused when these are too many."""
        self.output -= size
        if self.output < 0:
            raise Refused(f"the script makes more than {MAX_OUTPUT >> 20} MiB of text")


class Stream(Protocol):
    """An open file description: whoever has a descriptor of it shares its position."""

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, all that are left for -1; nothing at the end. Raises OSError where none may be read."""

    def write(self, data: bytes) -> None:
        """Write all of it. Raises OSError where nothing may be written."""


@dataclass(slots=True)
class Nowhere:
    """``/dev/null``, and the terminal or log that nobody reads here."""

    def read(self, size: int = -1) -> bytes:  # noqa: ARG002  there is nothing
        """Nothing."""
        return b""

    def write(self, data: bytes) -> None:
        """Forget it."""


NOWHERE = Nowhere()


class Closed:
    """What a descriptor that is closed leads to."""

    def read(self, size: int = -1) -> bytes:
        """Raise OSError."""
        raise OSError("Bad file descriptor", size)

    def write(self, data: bytes) -> None:
        """Raise OSError, unless it is nothing that is written."""
        if data:
            raise OSError("Bad file descriptor", len(data))


CLOSED = Closed()


@dataclass(slots=True)
class Pipe:
    """What one command writes and another reads, afterwards."""

    budget: Budget
    unordered: bool = False
    """Whether the order of its lines is of no account: they are sorted afterwards."""
    data: bytearray = field(default_factory=bytearray)
    position: int = 0

    def read(self, size: int = -1) -> bytes:
        """See :class:`Stream`."""
        end = len(self.data) if size < 0 else self.position + size
        found = bytes(self.data[self.position : end])
        self.position += len(found)
        return found

    def write(self, data: bytes) -> None:
        """See :class:`Stream`."""
        self.budget.spend(len(data))
        self.data += data


@dataclass(slots=True)
class Opened:
    """A file of the tree; what is read is what it holds at that time."""

    budget: Budget
    inode: Inode
    mtime: int
    readable: bool = False
    writable: bool = False
    appends: bool = False
    position: int = 0

    def read(self, size: int = -1) -> bytes:
        """See :class:`Stream`."""
        if not self.readable:
            raise OSError("Bad file descriptor")
        content = read(self.inode.content)
        self.inode.content = content  # read once
        end = len(content) if size < 0 else self.position + size
        found = content[self.position : end]
        self.position += len(found)
        return found

    def write(self, data: bytes) -> None:
        """See :class:`Stream`."""
        if not self.writable:
            raise OSError("Bad file descriptor")
        if not data:
            return
        self.budget.spend(len(data))
        before = read(self.inode.content)
        if self.appends:
            self.position = len(before)
        kept = before[: self.position].ljust(self.position, b"\0")
        self.inode.content = kept + data + before[self.position + len(data) :]
        self.inode.mtime = self.mtime
        self.position += len(data)


def lines_of(stream: Stream, size: int = 1 << 16) -> bytes:
    """One line with its end, read byte by byte as read(1) of a shell does, so that nothing behind it is taken."""
    found = bytearray()
    while len(found) < size and (char := stream.read(1)):
        found += char
        if char == b"\n":
            break
    return bytes(found)
