"""update-inetd(8) 4.53, a program in perl, where there is no ``/etc/inetd.conf``, so that it changes nothing."""

from assembler.programs.inputs import options_of
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused

CONFIGURATION = "/etc/inetd.conf"


def update_inetd(process: Process) -> int:
    """``update-inetd --add ENTRY``, ``--remove``, ``--enable`` and ``--disable``."""
    options, names = options_of(process, "add remove enable disable multi verbose group= pattern= comment-chars=")
    actions = {"add", "remove", "enable", "disable"} & options.keys()
    blank = names and any(character in names[0] for character in " \t\n\\")
    if len(actions) != 1 or len(names) != 1 or not names[0] or (blank and actions & {"enable", "disable"}):
        raise Refused("update-inetd with these arguments", why=" ".join(process.arguments))
    if not blank and "add" in actions:
        process.complain("update-inetd: error: the entry definition does not contain any whitespace characters")
        return 255
    if process.tree.lexists(CONFIGURATION) or process.tree.exists("/etc/xinetd.conf"):
        raise Refused("update-inetd where there is an inetd", why=" ".join(process.arguments))
    if actions & {"add", "enable"} or "verbose" in options:
        process.complain(f"update-inetd: warning: {CONFIGURATION} does not exist")
    return 0


PROGRAMS: dict[str, Program] = {"update-inetd": update_inetd}
"""Programs by name."""
