"""diff(1) of GNU diffutils 3.8 to 3.12, as far as it only tells whether two files differ."""

import re

from assembler.programs.inputs import Failure, content_of, look, options_of
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind

_PLAIN = re.compile(r"[A-Za-z0-9_./+][A-Za-z0-9_./+-]*")
"""A name that it does not quote."""
_TROUBLE = 2


def diff(process: Process) -> int:
    """``diff -q FILE FILE``; without ``-q`` where they are the same, or nobody reads what it prints."""
    options, names = options_of(process, "q|brief u")
    if len(names) != 2 or not all(map(_PLAIN.fullmatch, names)):
        raise Refused("diff with these arguments", why=" ".join(process.arguments))
    inodes = [look(process, name).inode for name in names]
    if any(inode is not None and inode.kind is not Kind.FILE for inode in inodes):
        raise Refused("diff of what is no file", why=" ".join(names))
    try:
        first, second = (content_of(process, name) for name in names)
    except Failure as error:
        process.complain(f"diff: {error}")
        return _TROUBLE
    if first == second:
        return 0
    if "q" not in options and process.captured:
        raise Refused("what diff prints of two files", why=" ".join(names))
    process.print(f"Files {names[0]} and {names[1]} differ\n")
    return 1


PROGRAMS: dict[str, Program] = {"diff": diff}
"""Programs by name."""
