"""What scripts leave to each node: commands that make keys, certificates and the like, and what they make.

In the tree there is a stand-in for what such a command makes (tree/content.py: Unmade), with its mode and owner. It may
be moved, copied, given to somebody and looked for, and nobody can read it.
"""

import hashlib
from dataclasses import dataclass, field

from assembler.tree.content import Unmade


@dataclass(frozen=True, slots=True)
class Made:
    """A word of a command, for the file that has this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Text:
    """A word of a command, for a file with this text: one of the image, which may be another one later, or gone."""

    data: bytes


Word = str | Made | Text


@dataclass(frozen=True, slots=True)
class Command:
    """A command that each node carries out."""

    package: str
    """Whose script calls it."""
    words: tuple[Word, ...]
    """Each character of a text is a byte."""
    makes: frozenset[int]
    """The numbers of what it makes."""
    reads: frozenset[int]
    """The numbers of what it reads that other commands make."""
    environment: tuple[tuple[str, str], ...]
    stdin: bytes | Made = b""
    stdout: Made | None = None
    defaults: tuple[tuple[str, bytes], ...] = ()
    """Files that it reads without being told to, with their texts, which are those of the image in the end."""


@dataclass(frozen=True, slots=True)
class HashLink:
    """A link that is called by the hash of the subject of a certificate."""

    number: int
    """Of the certificate."""
    directory: str
    end: str
    """What follows the hash in its name."""
    target: str


@dataclass(slots=True)
class NodeWork:
    """What scripts have left to each node so far."""

    commands: list[Command] = field(default_factory=list)
    links: list[HashLink] = field(default_factory=list)
    hashes: dict[str, int] = field(default_factory=dict)
    """What was told for the hash of a certificate, with its number, since links were last looked for."""
    made: int = 0
    """How many files the commands make."""

    def copy(self) -> "NodeWork":
        """Another one that is the same."""
        return NodeWork(list(self.commands), list(self.links), dict(self.hashes), self.made)

    def new(self) -> Unmade:
        """What stands for a file that is to be made."""
        self.made += 1
        return Unmade(self.made)

    def hashed(self, number: int) -> list[str]:
        """Two answers, of which one is assumed for the hash of a certificate's subject."""
        answers = [hashlib.sha256(f"{number} {turn}".encode()).hexdigest()[:8] for turn in range(2)]
        self.hashes |= dict.fromkeys(answers, number)
        return answers
