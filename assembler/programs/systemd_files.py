"""What programs of systemd that make databases have in common: files (src/basic/conf-files.c), read line by line."""

from collections.abc import Sequence
from dataclasses import dataclass

from assembler.programs.context import ExecutionContext
from assembler.programs.inputs import NULL, found
from assembler.programs.packages_known import version_of
from assembler.shell.process import Process
from assembler.shell.streams import Refused
from assembler.tree.content import Content, read, size_of
from assembler.tree.staging import Inode, Kind

_OLDEST, _UNMASKED, _MASKED = 252, 257, 262
"""Versions: the first that is known, the last for which an empty file is a file, the first for which it hides one."""
_DIGITS = 4
_LARGEST = 16 << 20
"""Bytes of all files of a database together; those of hwdb.bin have 10 million."""
_LONGEST = (1 << 20) - 1
"""Bytes of a line (LONG_LINE_MAX)."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that goes into a database."""

    path: str
    """As it is called there."""
    content: Content | None
    """None when it cannot be read."""


def major(context: ExecutionContext, package: str) -> int:
    """The version of systemd, by that of a package of it. Raises Refused for one that is not known."""
    text = version_of(context.packages, package).partition(".")[0].partition("-")[0].partition("~")[0]
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    if not is_number or not (_OLDEST <= int(text) <= _UNMASKED or int(text) >= _MASKED):
        raise Refused(f"what {package} of this version does", why=text)
    return int(text)


def listed(
    process: Process, context: ExecutionContext, directories: Sequence[str], suffix: str, version: int
) -> list[File]:
    """The files in `directories` with that suffix, by name; of two with one name that in the first. Raises Refused."""
    absent = context.absent()
    files: dict[str, File] = {}
    masked = set[str]()
    masks = version >= _MASKED
    for directory in directories:
        there = found(process.tree, directory)
        if there.inode is None or there.inode.kind is not Kind.DIR:
            continue
        for name, entry in there.inode.children.items():
            if not name.endswith(suffix) or name in files or name in masked or f"{there.place}/{name}" in absent:
                continue
            content = _content(process, f"{there.place}/{name}", entry)
            if not masks:
                files[name] = File(f"{there.place}/{name}", content)
            elif content is not None and not size_of(content):
                masked.add(name)
            elif content is not None:
                files[name] = File(f"{directory}/{name}", content)
    if sum(size_of(each.content) for each in files.values() if each.content is not None) > _LARGEST:
        raise Refused(f"a database of more than {_LARGEST >> 20} MiB of text")
    return [files[name] for name in sorted(files, key=_bytes)]


def _content(process: Process, path: str, entry: Inode) -> Content | None:
    if entry.kind is Kind.SYMLINK and entry.target == NULL:
        return b""
    inode = found(process.tree, path).inode
    if inode is not None and inode.kind not in {Kind.FILE, Kind.DIR}:
        raise Refused("what is no regular file is read", why=path)
    return inode.content if inode is not None and inode.kind is Kind.FILE else None


def lines(file: File) -> list[bytes]:
    """The lines of a file without their ends. Raises ValueError when it cannot be read, and Refused for what
    read_line() takes for an end besides, and for a line that it finds too long.
    """
    if file.content is None:
        raise ValueError(f"{file.path} cannot be read")
    data = read(file.content)
    if b"\r" in data or b"\0" in data:
        raise Refused("a file whose lines do not end as usual", why=file.path)
    found_lines = data.split(b"\n")
    if not found_lines[-1]:
        del found_lines[-1]
    if len(data) > _LONGEST and max(map(len, found_lines)) >= _LONGEST:
        raise Refused("a file with a line that is too long", why=file.path)
    return found_lines


def put(process: Process, path: str, content: Content, mode: int) -> None:
    """Have a new file at `path`, and the directories above it."""
    process.tree.mkdir(path.rpartition("/")[0], parents=True)
    if process.tree.is_dir(path):
        raise Refused("a directory in the place of a database", why=path)
    if process.tree.lexists(path):
        process.tree.remove(path)
    process.tree.write(path, content, mode)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
