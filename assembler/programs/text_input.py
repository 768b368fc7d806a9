"""Files that programs read by name, or as their standard input."""

from assembler.programs.context import look
from assembler.shell.process import Process
from assembler.shell.streams import NOWHERE, Opened, Refused
from assembler.tree.content import read, size_of
from assembler.tree.staging import Inode, Kind, TreeError

_MAX_SIZE = 1 << 24
_LIVE = frozenset({"dev", "proc"})
"""Directories that are the running machine's."""


def inode_of(process: Process, name: str) -> Inode:
    """The file that `name` leads to. Raises FileNotFoundError, IsADirectoryError, and Refused for others than files."""
    path = process.place(name)
    inode = look(process.tree, path) if name else None
    if inode is None:
        if name and _is_live(process, path):
            raise Refused("a file of a running machine is read", why=path)
        raise FileNotFoundError(name)
    if inode.kind is Kind.DIR:
        raise IsADirectoryError(name)
    if inode.kind is not Kind.FILE:
        raise Refused("what is no file is read", why=path)
    if size_of(inode.content) > _MAX_SIZE:
        raise Refused("a file that is too large is read", why=path)
    return inode


def _is_live(process: Process, path: str) -> bool:
    """Whether a path leads to where the running machine has files of its own."""
    try:
        path = process.tree.resolve(path, follow=True)
    except TreeError:
        return False
    return path.split("/", 2)[1] in _LIVE


def contents(process: Process, name: str) -> bytes:
    """What is in the file `name`. Raises as :func:`inode_of`."""
    if process.place(name) == "/dev/null":
        return b""
    inode = inode_of(process, name)
    inode.content = read(inode.content)  # read once
    return inode.content


def is_output(process: Process, name: str | None) -> bool:
    """Whether a file that is read, the standard input for None, is also where the program prints to."""
    output = process.streams.get(1, NOWHERE)
    if not isinstance(output, Opened):
        return False
    if name is not None:
        return process.place(name) != "/dev/null" and inode_of(process, name) is output.inode
    source = process.streams.get(0, NOWHERE)
    return isinstance(source, Opened) and source.inode is output.inode
