"""perl(1): nothing but whether it works."""

from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused


def perl(process: Process) -> int:
    """``perl -e ''``: a program without statements succeeds."""
    if process.arguments != ["-e", ""]:
        raise Refused("perl is not computed", why=" ".join(process.arguments)[:200])
    return 0


PROGRAMS: dict[str, Program] = {"perl": perl}
