"""How programs in perl talk to debconf: Debconf::Client::ConfModule of debconf 1.5.82, 1.5.91 and 1.5.92.

Text is bytes, each a character.
"""

import re

from assembler.shell.process import Process
from assembler.shell.streams import Refused, lines_of

_MAX_LINE = 1 << 20
_HARMLESS = frozenset({"PERL_DL_NONLAZY"})
"""A variable that debconf's own library sets."""


def require_usual_perl(process: Process) -> None:
    """Raise Refused where a variable has perl do something else, or there is no perl."""
    if any(name.startswith("PERL") for name in process.environment.keys() - _HARMLESS):
        raise Refused("perl with variables that change it")
    if not process.tree.is_file("/usr/bin/perl"):
        raise Refused("a program in perl without perl")


def ask(process: Process, *words: str) -> tuple[str, str]:
    """Debconf's answer to a command: the code, and the text, empty where there is none.

    Raises Refused outside of debconf's front end, which the real one would start.
    """
    if process.environment.get("DEBIAN_HAS_FRONTEND", "") in {"", "0"}:
        raise Refused("a program in perl starts debconf")
    line = " ".join(words)
    number = 1 if process.environment.get("DEBCONF_REDIR", "") in {"", "0"} else 3
    if "\n" in line or not {0, number} <= process.streams.keys():
        raise Refused("a program in perl talks to debconf in an unusual way", why=line[:80])
    process.streams[number].write(f"{line}\n".encode("latin-1"))
    answer = lines_of(process.streams[0], _MAX_LINE).decode("latin-1")
    if not answer.endswith("\n"):
        raise Refused("debconf's answer has no end", why=line[:80])
    code, text = [*re.split(r"[ \t\n\r\f\v]", answer.removesuffix("\n"), maxsplit=1), ""][:2]
    if code == "1":
        return "0", re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)
    return code, text
