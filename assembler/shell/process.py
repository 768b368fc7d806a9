"""A program that a script calls: what it is given, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from assembler.shell.streams import NOWHERE, Budget, Refused, Stream
from assembler.tree.staging import Tree


@dataclass(slots=True)
class Process:
    """A program that is carried out: what it is given, and where it works."""

    tree: Tree
    arguments: list[str]
    """Without its name. Each character is one byte of them."""
    environment: dict[str, str]
    directory: str
    """Where it works, from the root of the tree."""
    umask: int
    streams: Mapping[int, Stream]
    budget: Budget
    own: frozenset[str] = frozenset()
    """The variables that were assigned on the command's own line."""

    @property
    def captured(self) -> bool:
        """Whether somebody reads what it prints."""
        return self.streams.get(1, NOWHERE) is not NOWHERE

    @property
    def complains(self) -> bool:
        """Whether somebody reads its messages."""
        return self.streams.get(2, NOWHERE) is not NOWHERE

    def read(self) -> bytes:
        """All that is left of its standard input."""
        data = self.streams.get(0, NOWHERE).read()
        self.budget.spend(len(data))
        return data

    def print(self, text: str) -> None:
        """Write text, each character a byte, to its standard output."""
        self.streams.get(1, NOWHERE).write(text.encode("latin-1"))

    def complain(self, message: str) -> None:
        """Print a message whose text is not the real program's. Raises Refused where somebody reads it."""
        if self.complains:
            raise Refused("a message of a program is read", why=message)

    def place(self, path: str) -> str:
        """A path of its arguments as the tree has it."""
        return as_path(path if path.startswith("/") else f"{self.directory.rstrip('/')}/{path}")


Program = Callable[[Process], int]
"""Carries a program out and returns its exit status. Raises Refused for what is not computed."""


def as_path(text: str) -> str:
    """Text whose characters are bytes, as the tree has its paths."""
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


def as_text(path: str) -> str:
    """A path of the tree as text whose characters are bytes."""
    return path.encode("utf-8", "surrogateescape").decode("latin-1")
