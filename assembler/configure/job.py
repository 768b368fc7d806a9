"""What a machine is to do with a tree, as plain values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from assembler.debian.deb import Deb
from assembler.errors import AssembleError
from assembler.tree.changes import Changes
from assembler.tree.content import Content
from assembler.tree.staging import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpack:
    """Have dpkg unpack packages, which carries out their preinst scripts."""

    packages: tuple[Deb, ...]
    """In this order."""
    filters: tuple[str, ...] = ()
    """Options of dpkg(1): ``--path-exclude=...``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    """Have dpkg configure packages that are unpacked."""

    names: tuple[str, ...]
    """As dpkg names them, with an architecture where packages are co-installable; in this order as far as dependencies
    allow."""
    force: bool = False
    """Whether dependencies do not matter."""
    hidden: tuple[str, ...] = ()
    """Paths of programs that scripts do not find meanwhile, as their packages come later."""
    byte_code: bool = False
    """Whether byte code of Python's modules is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Give answers to debconf's questions before packages ask them."""

    selections: str
    """As debconf-set-selections(1) reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Run a script of the recipe's, or one that stands in for a package's."""

    name: str
    """For people."""
    script: bytes
    """It begins with its interpreter."""
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Content] = field(default_factory=dict)
    """What it finds in the directory that ASSEMBLE_FILES names, by path below that."""
    package: str = ""
    """The package in whose place it makes something; empty for a script of the recipe's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Give a person a shell on the console; always the last step, and nothing of what it does is kept."""


Step = Unpack | Configure | Answer | Run | Shell

SEED = 42
"""Of what is random in a machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Steps, one after the other; the first that fails ends it."""

    steps: tuple[Step, ...]
    epoch: int
    """SOURCE_DATE_EPOCH, in seconds: when the machine's clock starts, but for"""
    later: int = 0
    """seconds later, for those who look for what is dated."""
    seed: int = SEED
    """Of what is random, for those who look for that."""

    def packages(self) -> int:
        """How many packages it configures."""
        return sum(len(step.names) for step in self.steps if isinstance(step, Configure))

    def turns(self) -> int:
        """How often dpkg turns to a package, but for triggers."""
        return self.packages() + sum(len(step.packages) for step in self.steps if isinstance(step, Unpack))


Execute = Callable[[Tree, Job], Changes]
"""Has a job done on a tree, and tells what came of it."""


class NoMachineError(AssembleError):
    """Something that is to be executed where nothing is."""


def refuse(_tree: Tree, _job: Job) -> Changes:
    """Has nothing done. Raises NoMachineError."""
    raise NoMachineError("something is to be executed, and there is no machine for it")
