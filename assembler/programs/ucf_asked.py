"""ucfq(1) of ucf 3.0043 to 3.0052, a program in perl: whose a configuration file is, and whether it was changed."""

import hashlib
import re

from assembler.programs.inputs import Failure, content_of, look, options_of
from assembler.shell.process import Process, Program, as_text
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind

_STATE = "/var/lib/ucf"
_PLAIN = re.compile(r"/[A-Za-z0-9_./+-]+|[a-z0-9][a-z0-9.+-]*")
"""A path that needs no quotes, or a package."""
_LINE = re.compile(r"(\S+)\s+(\S+)")


def ucfq(process: Process) -> int:
    """``ucfq -w PATH...`` and ``ucfq -w PACKAGE...``."""
    options, names = options_of(process, "w|with-colons")
    if "w" not in options or not names or not all(map(_PLAIN.fullmatch, names)):
        raise Refused("ucfq with these arguments", why=" ".join(process.arguments))
    registered = _read(process, f"{_STATE}/registry")
    owners = {path: package for package, path in registered}
    packages = {path: package for package, path in registered if package in names}
    hashes = {path: found for found, path in _read(process, f"{_STATE}/hashfile")}
    for path in sorted({name for name in names if "/" in name} | packages.keys()):
        if not _PLAIN.fullmatch(path):
            raise Refused("ucfq of a file with an odd name", why=path)
        there = look(process, path)
        if there.inode is not None and there.inode.kind is not Kind.FILE:
            raise Refused("ucfq of what is no file", why=path)
        changed = ""
        if there.inode is not None and path in hashes:
            digest = hashlib.md5(content_of(process, path), usedforsecurity=False).hexdigest()
            changed = "No" if digest == hashes[path] else "Yes"
        shown, exists = (as_text(there.place), "Yes") if there.inode is not None else (path, "")
        process.print(f"{shown}:{packages.get(path) or owners.get(path, '')}:{exists}:{changed}\n")
    return 0


def _read(process: Process, path: str) -> list[tuple[str, str]]:
    """The pairs of a register, none where it is not there."""
    try:
        lines = content_of(process, path).decode("latin-1").split("\n")[:-1]
    except Failure:
        return []
    found = [_LINE.fullmatch(line) for line in lines]
    if None in found:
        raise Refused("a register of ucf's that is not as usual", why=path)
    return [(match[1], match[2]) for match in found if match]


PROGRAMS: dict[str, Program] = {"ucfq": ucfq}
"""Programs by name."""
