"""Which programs are known: all that are computed, by name."""

from collections.abc import Mapping

from assembler.programs import (
    accounts_shown,
    calculating,
    calling,
    debconf,
    digests,
    finding,
    getcap,
    getopt,
    glib,
    grep,
    hooks,
    kernel_links,
    lines,
    listing,
    not_running,
    of_the_node,
    pam_asking,
    paths,
    perl,
    sed,
    sorting,
    stating,
    temporary,
    translating,
)
from assembler.programs.adapted import adapted
from assembler.programs.commands import COMMANDS
from assembler.programs.context import ExecutionContext
from assembler.shell.controls import is_part_of_shell
from assembler.shell.process import Program

_PROGRAMS: Mapping[str, Program] = {
    **accounts_shown.PROGRAMS,
    **calculating.PROGRAMS,
    **calling.PROGRAMS,
    **debconf.PROGRAMS,
    **digests.PROGRAMS,
    **finding.PROGRAMS,
    **getcap.PROGRAMS,
    **getopt.PROGRAMS,
    **glib.PROGRAMS,
    **grep.PROGRAMS,
    **hooks.PROGRAMS,
    **kernel_links.PROGRAMS,
    **lines.PROGRAMS,
    **listing.PROGRAMS,
    **not_running.PROGRAMS,
    **of_the_node.PROGRAMS,
    **pam_asking.PROGRAMS,
    **paths.PROGRAMS,
    **perl.PROGRAMS,
    **sed.PROGRAMS,
    **sorting.PROGRAMS,
    **stating.PROGRAMS,
    **temporary.PROGRAMS,
    **translating.PROGRAMS,
}
NAMES = frozenset({*_PROGRAMS, *COMMANDS})
"""The names of all programs that are computed."""


def program(name: str, path: str, context: ExecutionContext) -> Program | None:
    """The program of that name at `path` of the tree; None when it is not known."""
    if path == debconf.FRONTEND:
        return debconf.frontend(context.debconf)
    if name == "debconf-set-selections":
        return debconf.set_selections(context.debconf)
    return _PROGRAMS.get(name) or adapted(name, context)


def is_known(name: str) -> bool:
    """Whether a command of that name is computed, or part of the shell."""
    return name in NAMES or is_part_of_shell(name)
