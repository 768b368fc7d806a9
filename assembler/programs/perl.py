"""perl(1) 5.36 to 5.42, where a script gives it one of a few programs."""

import re

from assembler.programs.inputs import lines, text
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused

_QUOTE = ["-nle", r'print "\Q$_\E\n"']
"""Before ucf of Debian 13, which quotes paths for grep with it."""
_CHANGES_PERL = frozenset({"PERL5OPT", "PERL_UNICODE", "PERLIO"})
"""Variables with which it would read and write otherwise."""


def perl(process: Process) -> int:
    """``perl -e ''``, which does nothing, and the program that quotes: each line of the standard input with a backslash
    before all but letters, digits and underscores, and then an empty line.
    """
    if process.arguments == ["-e", ""]:
        return 0
    if process.arguments != _QUOTE or _CHANGES_PERL & process.environment.keys():
        raise Refused("perl is not computed", why=" ".join(process.arguments)[:200])
    for line in lines(process.read()):
        process.print(text(re.sub(rb"([^A-Za-z0-9_])", rb"\\\1", line.removesuffix(b"\n"))) + "\n\n")
    return 0


PROGRAMS: dict[str, Program] = {"perl": perl}
"""Programs by name."""
