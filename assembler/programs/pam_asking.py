"""pam-auth-update(8) of Linux-PAM 1.7 as a client of debconf: what it asks and tells (Debconf::Client::ConfModule)."""

from assembler.errors import AssembleError
from assembler.programs import debconf_client
from assembler.programs.debconf import FRONTEND
from assembler.programs.pam import pam_auth_update
from assembler.shell.process import Process, Program, as_path, as_text
from assembler.shell.streams import Refused

_PROFILES = "libpam-runtime/profiles"
_OVERRIDE = "libpam-runtime/override"


def program(process: Process) -> int:
    """The files of PAM, and debconf's answers about them."""
    if not process.environment.get("DEBIAN_HAS_FRONTEND"):
        words = [FRONTEND, "/usr/sbin/pam-auth-update", *process.arguments]
        return process.call(words, process.environment, process.streams)
    arguments = [as_path(argument) for argument in process.arguments]
    _ask(process, "VERSION 2.0")
    _ask(process, "CAPB backup escape")
    _ask(process, "X_LOADTEMPLATEFILE /var/lib/dpkg/info/libpam-runtime.templates libpam-runtime")
    try:
        outcome = pam_auth_update(process.tree, arguments, lambda: _ask(process, f"GET {_PROFILES}"))
    except AssembleError as error:
        raise Refused(error.what, why=error.why) from error
    conflicts = set(outcome.enabled) - set(outcome.names)
    if conflicts or any("\\" in name for name in outcome.names.values()):
        raise Refused("what pam-auth-update tells debconf of these profiles")
    enabled = ", ".join(outcome.enabled)
    _ask(process, f"SUBST {_PROFILES} profile_names {', '.join(outcome.names)}")
    _ask(process, f"SUBST {_PROFILES} profiles {', '.join(outcome.names.values())}")
    _ask(process, "SETTITLE libpam-runtime/title")
    packaged = {"--package", "--remove", "--disable", "--enable"}.intersection(arguments)
    if outcome.new or not packaged:
        _ask(process, f"FSET {_PROFILES} seen false")
    _ask(process, f"SET {_PROFILES} {enabled}")
    _ask(process, f"INPUT {'medium' if packaged and not outcome.asks else 'high'} {_PROFILES}")
    _ask(process, "GO")
    if _ask(process, f"GET {_PROFILES}") != enabled:
        raise Refused("debconf has another answer about profiles of PAM")
    _ask(process, f"SET {_PROFILES} {enabled}")
    _ask(process, f"FSET {_OVERRIDE} seen false")
    _ask(process, f"SET {_OVERRIDE} false")
    return 0


def _ask(process: Process, line: str) -> str:
    """The text of debconf's answer to a line of the protocol."""
    _, text = debconf_client.ask(process, as_text(line))
    return as_path(text)


PROGRAMS: dict[str, Program] = {"pam-auth-update": program}
