"""What programs over the tree have in common: options as getopt_long(3) reads them, and files as the kernel finds them.

Paths are looked up as path_resolution(7) tells: a component that is followed by a slash is a directory, ``.`` and
``..`` included. What a running system alone has (``/dev``, ``/proc``, ``/sys``) is refused, but for ``/dev/null``.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from assembler.programs.options import UsageError, parse_options
from assembler.shell.process import Process
from assembler.shell.streams import NOWHERE, Opened, Refused
from assembler.tree.content import read, size_of
from assembler.tree.staging import MAX_LINKS, Inode, Kind, Tree

MAX_READ = 1 << 24
"""Bytes of a file that a program reads."""
MAX_LINES = 1_000_000
"""Lines of what a program looks at line by line."""
NULL = "/dev/null"
_MAX_NAME, _MAX_PATH = 255, 4096
_RUNNING = frozenset({"dev", "proc"})
_CHANGES_PROGRAMS = frozenset({"POSIXLY_CORRECT", "_POSIX2_VERSION"})
"""Variables with which GNU's programs read their arguments otherwise."""


class Failure(Exception):
    """What a program is asked for cannot be done: it complains and has another exit status."""


def options_of(
    process: Process,
    specification: str,
    *,
    repeated: AbstractSet[str] = frozenset(),
    arguments: Sequence[str] | None = None,
) -> tuple[dict[str, str], list[str]]:
    """Options and operands of a program, see :func:`parse_options`. Raises Refused for all others.

    Abbreviations of long options are refused: which are unique depends on options that are not modelled.
    """
    if _CHANGES_PROGRAMS & process.environment.keys():
        raise Refused("a variable that changes how programs read their arguments")
    words = process.arguments if arguments is None else arguments
    names = {name for each in specification.split() for name in each.rstrip("=").split("|")}
    for word in words:
        if word == "--":
            break
        if word.startswith("--") and word[2:].partition("=")[0] not in names:
            raise Refused("an option that is not computed", why=word)
    try:
        return parse_options(words, specification, program="", repeated=repeated)
    except UsageError as error:
        raise Refused("an option that is not computed", why=error.why) from error


@dataclass(frozen=True, slots=True)
class Found:
    """What is at a path."""

    inode: Inode | None
    place: str
    """The path without links, as far as it exists."""
    missing: tuple[str, ...] = ()
    """What follows it that does not exist, and ``.`` for a slash at the end."""
    error: str = ""
    """Why there is nothing, as errno(3) calls it."""


def components(path: str) -> list[str]:
    """The components of a path; with a slash at its end, a ``.`` is the last."""
    parts = [part for part in path.split("/") if part]
    if parts and path.endswith("/"):
        parts.append(".")
    return parts


def found(tree: Tree, path: str, *, follow: bool = True) -> Found:
    """What the kernel finds at an absolute `path`; `follow` a link at its end. Refuses what a running system has."""
    if len(path.encode("utf-8", "surrogateescape")) >= _MAX_PATH:
        return Found(None, "/", error="ENAMETOOLONG")
    chain: list[tuple[str, Inode]] = []
    todo = components(path)[::-1]
    links = 0

    def place() -> str:
        return "/" + "/".join(name for name, _ in chain)

    while todo:
        name = todo.pop()
        here = chain[-1][1] if chain else tree.root
        if here.kind is not Kind.DIR:
            return Found(None, place(), (name, *reversed(todo)), "ENOTDIR")
        if name == ".":
            continue
        if name == "..":
            del chain[-1:]
            continue
        if not chain and name in _RUNNING:
            raise Refused("a file of a running system", why=path)
        if len(name.encode("utf-8", "surrogateescape")) > _MAX_NAME:
            return Found(None, place(), (name, *reversed(todo)), "ENAMETOOLONG")
        child = here.children.get(name)
        if child is None:
            return Found(None, place(), (name, *reversed(todo)), "ENOENT")
        if child.kind is Kind.SYMLINK and (todo or follow):
            links += 1
            tree.followed += len(child.target)
            if links > MAX_LINKS:
                return Found(None, place(), (name, *reversed(todo)), "ELOOP")
            if child.target.startswith("/"):
                chain.clear()
            todo.extend(reversed(components(child.target)))
            continue
        chain.append((name, child))
    return Found(chain[-1][1] if chain else tree.root, place())


def look(process: Process, name: str, *, follow: bool = True) -> Found:
    """What a program finds at a path of its arguments. Raises Refused as :func:`found`."""
    if not name:
        return Found(None, "/", error="ENOENT")
    return found(process.tree, process.place(name), follow=follow)


def content_of(process: Process, name: str) -> bytes:
    """The bytes of an operand that is a file, or of the standard input for ``-``. Raises Failure, and Refused."""
    if name == "-":
        return process.read()
    inode = file_of(process, name)
    if inode is None:
        return b""
    process.budget.spend(size_of(inode.content) >> 3)
    return read(inode.content)


def file_of(process: Process, name: str) -> Inode | None:
    """The regular file of an operand, which may be read; None for ``/dev/null``. Raises Failure, and Refused."""
    if name and process.place(name) == NULL:
        return None
    inode = look(process, name).inode
    if inode is None:
        raise Failure(f"{name}: cannot be opened")
    if inode.kind is Kind.DIR:
        raise IsADirectory(f"{name}: Is a directory")
    if inode.kind is not Kind.FILE:
        raise Refused("what is no regular file is read", why=name)
    output = process.streams.get(1, NOWHERE)
    if isinstance(output, Opened) and output.inode is inode and size_of(inode.content):
        raise Refused("a program reads the file that it writes", why=name)
    if size_of(inode.content) > MAX_READ:
        raise Refused(f"a file of more than {MAX_READ >> 20} MiB is read", why=name)
    return inode


class IsADirectory(Failure):
    """A directory can be opened, but not read."""


def text(data: bytes) -> str:
    """Bytes as a program prints them here."""
    return data.decode("latin-1")


def ascii_only(data: bytes, what: str) -> None:
    """Raise Refused when there are bytes that are part of no ASCII character: characters of the locale would count."""
    if not data.isascii():
        raise Refused(f"{what} of text that is not ASCII")


def lines(data: bytes) -> list[bytes]:
    """Lines with their ends; the last may have none. Raises Refused when there are too many."""
    if data.count(b"\n") > MAX_LINES:
        raise Refused(f"text of more than {MAX_LINES} lines")
    parts = data.split(b"\n")
    last = parts.pop()
    return [part + b"\n" for part in parts] + ([last] if last else [])


def each_content(process: Process, names: Sequence[str], do: Callable[[str, bytes], object]) -> int:
    """The exit status of a program that does something with the bytes of each operand, of its standard input without
    any; one that cannot be read does not keep it from going on.
    """
    status = 0
    for name in names or ["-"]:
        try:
            data = content_of(process, name)
        except Failure as error:
            process.complain(str(error))
            status = 1
        else:
            do(name, data)
    return status


def once(options: Mapping[str, str], *names: str) -> None:
    """Raise Refused for one of the options `names`, kept as repeated ones are, that was given twice."""
    if any("\n" in options.get(name, "") for name in names):
        raise Refused("an option that is given twice, or a newline in its value")


def written(process: Process, name: str, data: bytes, *, appends: bool = False) -> None:
    """Write an operand as open(2) with O_CREAT, and O_TRUNC or O_APPEND, makes it. Raises Failure, and Refused."""
    if name and process.place(name) == NULL:
        return
    if not name:
        raise Failure("the name of a file is empty")
    there = look(process, name)
    if there.inode is None and (there.error != "ENOENT" or len(there.missing) != 1):
        raise Failure(f"{name}: cannot be opened")
    if there.inode is not None and there.inode.kind is Kind.DIR:
        raise IsADirectory(f"{name}: Is a directory")
    if there.inode is not None and there.inode.kind is not Kind.FILE:
        raise Refused("what is no regular file is written", why=name)
    process.budget.spend(len(data))
    path = there.place if there.inode is not None else f"{there.place.rstrip('/')}/{there.missing[0]}"
    before = read(there.inode.content) if there.inode is not None and appends else b""
    if there.inode is not None and appends and not data:
        return
    process.tree.write(path, before + data, 0o666 & ~process.umask)
