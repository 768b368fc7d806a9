"""getcap(8) of libcap 2: which capabilities files have, where they have none."""

from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused


def getcap(process: Process) -> int:
    """``getcap FILE...``: prints nothing for files without capabilities."""
    if any(word.startswith("-") for word in process.arguments) or not process.arguments:
        raise Refused("getcap with these arguments", why=" ".join(process.arguments))
    for word in process.arguments:
        inode = process.tree.get(process.place(word), follow=True)
        if inode is None or "security.capability" in inode.xattrs:
            raise Refused("getcap of what is missing, or has capabilities", why=word)
    return 0


PROGRAMS: dict[str, Program] = {"getcap": getcap}
