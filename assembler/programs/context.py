"""What a command of a script is carried out on, and what each is made of: the ground of all programs here."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field

from assembler.programs.debconf import Debconf
from assembler.programs.modules import ByteCode
from assembler.programs.node_work import NodeWork
from assembler.programs.options import ProgramError, UsageError, parse_options
from assembler.programs.packages_known import Packages
from assembler.shell.streams import Order, Supposed
from assembler.tree.content import Content
from assembler.tree.kept import Keep, at_once
from assembler.tree.staging import Inode, Kind, Tree, TreeError

PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""Where dpkg looks for programs, and scripts with it."""


@dataclass(slots=True)
class ExecutionContext:
    """What actions work on."""

    tree: Tree
    arch: str
    package: str = ""
    """The package whose script is being carried out."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables assigned on the command's own line."""
    triggers: list[str] = field(default_factory=list)
    """Triggers activated by dpkg-trigger, each once."""
    keep: Keep = at_once
    """Keeps what takes long to compute."""
    owners: Callable[[str], Container[str]] = lambda _path: ()
    """The packages that ship a path."""
    copied: int = 0
    """Files that have been copied so far: a few calls of cp can make as many as they like."""
    hidden: frozenset[str] = frozenset()
    """Programs of packages that are not unpacked yet, by name: the tree has all packages from the start."""
    absent: Callable[[], Container[str]] = frozenset
    """The paths of what no package has brought that is unpacked yet, likewise."""
    done: Callable[[int], None] | None = None
    """Told of the line of each command of a script that has been carried out."""
    debconf: Debconf = field(default_factory=Debconf)
    """Debconf's database."""
    packages: Packages | None = None
    """What dpkg knows of packages."""
    byte_code: ByteCode | None = None
    """The byte code of Python's modules that scripts ask for; None where it is left out."""
    umask: int = 0o022
    """What new files and directories are not permitted."""
    order: Order = field(default_factory=Order)
    """In which directories have their entries."""
    supposed: Supposed = field(default_factory=Supposed)
    """What a running machine would answer."""
    node: NodeWork = field(default_factory=NodeWork)
    """What scripts leave to each node."""

    def program(self, name: str) -> bool:
        """Whether `name` is found in the image's PATH and may be executed."""
        return name not in self.hidden and any(_is_executable(self.tree, f"{directory}/{name}") for directory in PATH)

    def write(self, path: str, content: Content) -> None:
        """Write a file as a shell's ``>`` does."""
        self.tree.write(path, content, 0o666 & ~self.umask)


Action = Callable[[ExecutionContext], int]
Maker = Callable[[list[str]], Action | None]


class CommandError(ProgramError):
    """A command of dpkg's that would have failed."""

    status = 2


def known_options(arguments: Sequence[str], specification: str) -> tuple[dict[str, str], list[str]] | None:
    """Options and operands as :func:`parse_options` gives them; None when one is not understood."""
    try:
        return parse_options(arguments, specification, program="")
    except UsageError:
        return None


def look(tree: Tree, path: str, *, follow: bool = True) -> Inode | None:
    """The inode that a program finds at `path`, or None. With a slash at its end it is a directory, links followed."""
    inode = tree.get(path, follow=follow or path.endswith("/"))
    return None if inode is None or (path.endswith("/") and inode.kind is not Kind.DIR) else inode


def each(paths: Sequence[str], do: Callable[[str], bool]) -> int:
    """The exit status of a command that does something with each path; False and a TreeError are failures, which do not
    keep it from going on.
    """
    status = 0
    for path in paths:
        try:
            done = do(path)
        except TreeError:
            done = False
        status = status if done else 1
    return status


def _is_executable(tree: Tree, path: str) -> bool:
    inode = tree.get(path, follow=True)
    return inode is not None and inode.kind is Kind.FILE and bool(inode.mode & 0o111)


def nothing(_context: ExecutionContext) -> int:
    """Do nothing, with success."""
    return 0


def failure(_context: ExecutionContext) -> int:
    """Do nothing, with exit status 1."""
    return 1
