"""ls: the names of files, one on a line as for whoever is no terminal, after GNU coreutils 9.1 to 9.7.

Names are sorted in the order of bytes, which is that of C.UTF-8. What it tells of sizes, times and links is refused but
where nobody reads it.
"""

from functools import cmp_to_key

from assembler.programs.inputs import found, look, options_of
from assembler.programs.versions import compare_file_versions
from assembler.shell.process import Process, Program, as_text
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind

_MISSING = 2
"""The exit status for an operand that is not there."""
_UNSEEN = frozenset("lhinstS")
"""What changes the output alone."""


def ls(process: Process) -> int:
    """``ls``, with ``-v``, ``-a``, ``-A``, ``-d``, ``-r``, ``-1`` and ``-L``."""
    options, names = options_of(
        process, "1 v a|all A|almost-all d|directory r|reverse L|dereference l h|human-readable i|inode n s|size t S"
    )
    if _UNSEEN & options.keys() and process.captured:
        raise Refused("what ls tells of files")
    if {"a", "A"} <= options.keys() or ("L" in options and {*_UNSEEN, "d"} & options.keys()):
        raise Refused("ls -a -A")
    names_only = not _UNSEEN & {"l", "n"} & options.keys()
    status = 0
    files: list[str] = []
    directories: list[str] = []
    for name in names or ["."]:
        followed = look(process, name, follow=(names_only or "L" in options) and "d" not in options)
        inode = followed.inode
        if followed.error == "ELOOP":
            raise Refused("ls of a link that leads in circles", why=name)
        if inode is None and followed.error == "ENOENT" and "L" not in options:
            inode = look(process, name, follow=False).inode
        if inode is None:
            process.complain(f"ls: cannot access {name!r}")
            status = _MISSING
        elif inode.kind is Kind.DIR and "d" not in options:
            directories.append(name)
        else:
            files.append(name)
    reverse = "r" in options
    order = _versions if "v" in options else _bytes
    out = "".join(f"{name}\n" for name in sorted(files, key=order, reverse=reverse))
    for name in sorted(directories, key=order, reverse=reverse):
        if len(names) > 1:
            out += f"\n{name}:\n" if out else f"{name}:\n"
        out += "".join(f"{entry}\n" for entry in _entries(process, name, options, reverse=reverse))
    process.print(out)
    return status


def _entries(process: Process, name: str, options: dict[str, str], *, reverse: bool) -> list[str]:
    there = found(process.tree, process.place(name))
    assert there.inode is not None
    entries = [as_text(entry) for entry in there.inode.children]
    if "a" in options:
        entries += [".", ".."]
    elif "A" not in options:
        entries = [entry for entry in entries if not entry.startswith(".")]
    if there.place == "/":
        raise Refused("what is in the root of a running system")
    return sorted(entries, key=_versions if "v" in options else _bytes, reverse=reverse)


def _bytes(name: str) -> str:
    return name


def _compared(one: str, other: str) -> int:
    return compare_file_versions(one.encode("latin-1"), other.encode("latin-1")) or (one > other) - (one < other)


_versions = cmp_to_key(_compared)


PROGRAMS: dict[str, Program] = {"ls": ls}
"""Programs by name."""
