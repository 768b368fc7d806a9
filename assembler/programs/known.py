"""Which programs are known: all that are computed, by name."""

from collections.abc import Callable, Mapping

from assembler.programs import (
    accounts_shown,
    apache_asked,
    awk,
    byte_code,
    calculating,
    calling,
    comparing,
    control_path,
    debconf,
    desktop_database,
    dictd,
    dictionary_questions,
    dictionary_updates,
    digests,
    dkms,
    dpkg_asked,
    dpkg_query,
    emacsen,
    finding,
    fonts,
    getcap,
    getopt,
    glib,
    grep,
    hooks,
    hostname,
    hwdb,
    icon_themes,
    inetd,
    journal_catalog,
    kernel_links,
    ldconfig,
    lighttpd,
    lines,
    listing,
    locale_asked,
    not_running,
    of_the_node,
    openssl,
    pam_asking,
    paths,
    perl,
    sax_parsers,
    sed,
    sorting,
    stating,
    surroundings,
    temporary,
    terminal,
    translating,
    ucf_asked,
)
from assembler.programs.adapted import adapted
from assembler.programs.commands import COMMANDS
from assembler.programs.context import ExecutionContext
from assembler.shell.controls import is_part_of_shell
from assembler.shell.process import Process, Program

_PROGRAMS: Mapping[str, Program] = {
    **accounts_shown.PROGRAMS,
    **apache_asked.PROGRAMS,
    **awk.PROGRAMS,
    **calculating.PROGRAMS,
    **calling.PROGRAMS,
    **comparing.PROGRAMS,
    **debconf.PROGRAMS,
    **desktop_database.PROGRAMS,
    **dictd.PROGRAMS,
    **digests.PROGRAMS,
    **dkms.PROGRAMS,
    **dpkg_asked.PROGRAMS,
    **dpkg_query.PROGRAMS,
    **emacsen.PROGRAMS,
    **finding.PROGRAMS,
    **getcap.PROGRAMS,
    **getopt.PROGRAMS,
    **glib.PROGRAMS,
    **grep.PROGRAMS,
    **hooks.PROGRAMS,
    **hostname.PROGRAMS,
    **icon_themes.PROGRAMS,
    **inetd.PROGRAMS,
    **kernel_links.PROGRAMS,
    **lighttpd.PROGRAMS,
    **lines.PROGRAMS,
    **listing.PROGRAMS,
    **locale_asked.PROGRAMS,
    **not_running.PROGRAMS,
    **of_the_node.PROGRAMS,
    **pam_asking.PROGRAMS,
    **paths.PROGRAMS,
    **perl.PROGRAMS,
    **sax_parsers.PROGRAMS,
    **sed.PROGRAMS,
    **sorting.PROGRAMS,
    **stating.PROGRAMS,
    **surroundings.PROGRAMS,
    **temporary.PROGRAMS,
    **terminal.PROGRAMS,
    **translating.PROGRAMS,
    **ucf_asked.PROGRAMS,
}


def _dpkg_query(process: Process, context: ExecutionContext) -> int:
    if control_path.asks(process):
        return control_path.control_path(process, context.packages)
    return dpkg_query.programs(context.packages)["dpkg-query"](process)


_IN_CONTEXT: Mapping[str, Callable[[Process, ExecutionContext], int]] = {
    "dpkg-query": _dpkg_query,
    "journalctl": journal_catalog.update_catalog,
    "ldconfig": ldconfig.ldconfig,
    "mkfontscale": lambda process, context: fonts.mkfontscale(process, context.packages),
    "openssl": openssl.openssl,
    "run-parts": lambda process, context: hooks.run_parts(process, context.packages),
    "systemd-hwdb": hwdb.systemd_hwdb,
}
"""Those that look at more than what a process is given."""
NAMES = frozenset({*_PROGRAMS, *COMMANDS, *byte_code.NAMES, *dictionary_updates.NAMES, *_IN_CONTEXT})
"""The names of all programs that are computed."""


def program(name: str, path: str, context: ExecutionContext) -> Program | None:
    """The program of that name at `path` of the tree; None when it is not known."""
    if path == debconf.FRONTEND:
        return debconf.frontend(context.debconf)
    if name == "debconf-set-selections":
        return debconf.set_selections(context.debconf)
    if name in awk.PROGRAMS:
        return _awk
    if name == "dpkg":
        return dpkg_asked.programs(context.packages)[name]
    if run := _IN_CONTEXT.get(name):
        return lambda process: run(process, context)
    if name == "dkms" and path.startswith("/etc/"):
        return None  # hooks of kernels that are called after it
    if name in dictionary_updates.NAMES:
        return dictionary_updates.programs(context.packages)[name]
    if name.endswith(".config") and path.startswith("/var/lib/dpkg/info/"):
        return dictionary_questions.config(context.tree, path, context.packages)
    return _PROGRAMS.get(name) or byte_code.program(name, context) or adapted(name, context)


def _awk(process: Process) -> int:
    if process.arguments == ["BEGIN{for(v in ENVIRON) print v}"]:
        # ucf unsets them all; in which order awk has them is nobody's business.
        process.print("".join(f"{name}\n" for name in sorted(process.environment)))
        return 0
    return awk.awk(process)


def is_known(name: str) -> bool:
    """Whether a command of that name is computed, or part of the shell."""
    return name in NAMES or is_part_of_shell(name)
