"""a2query(8) of Apache 2.4, a program in perl: which parts of Apache's configuration are on."""

import re

from assembler.programs.inputs import once, options_of
from assembler.shell.process import Process, Program, as_path, as_text
from assembler.shell.streams import Refused

_CONFIG = "/etc/apache2"
_STATE = "/var/lib/apache2"
_KINDS = {"m": ("mods", "module", ".load"), "s": ("sites", "site", ".conf"), "c": ("conf", "conf", ".conf")}
"""By option: the stem of the directory, what its notes are filed under, the end of the files' names."""
_BY = {"maint": ("maintainer script", 33), "admin": ("site administrator", 32)}
"""By whom, what is printed, and the status if it is off."""
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


def a2query(process: Process) -> int:
    """``a2query [-q] -m MODULE``, ``-s SITE`` and ``-c CONF``."""
    options, names = options_of(process, "q m= s= c=", repeated={"m", "s", "c"})
    once(options, "m", "s", "c")
    asked = options.keys() & _KINDS.keys()
    if len(asked) != 1 or names or not _PLAIN.fullmatch(options[(option := next(iter(asked)))]):
        raise Refused("a2query with these arguments", why=" ".join(process.arguments))
    stem, kind, suffix = _KINDS[option]
    tree = process.tree
    directories = [f"{_CONFIG}/mods-enabled", f"{_CONFIG}/{stem}-enabled"]
    if not all(map(tree.is_dir, directories)):
        process.complain("a2query: No such file or directory")
        return 1
    modules, files = ([as_text(name) for name in tree.names(directory)] for directory in directories)
    if sum(bool(re.search(r"mpm_(event|worker|prefork).*\.load\n?\Z", name)) for name in modules) > 1:
        raise Refused("a2query with several modules for processes")
    # Its own patterns: the first of these is removed wherever it stands.
    name = re.sub(r"\.(conf|load)", "", re.sub(r"^mod", "", options[option]), count=1)
    if not name:
        raise Refused("a2query of all", why=" ".join(process.arguments))
    for directory in ("enabled", "disabled"):
        by = next((by for by in ("maint", "admin") if _noted(process, kind, f"{directory}_by_{by}", name)), "")
        if directory == "enabled" and f"{name}{suffix}" in files:
            if "q" not in options:
                process.print(f"{name} (enabled by {_BY[by][0] if by else 'unknown'})\n")
            return 0
    if "q" not in options:
        process.complain(f"No {kind} matches {name}")
    return _BY[by][1] if by else 1


def _noted(process: Process, kind: str, note: str, name: str) -> bool:
    stripped = name.removesuffix(".conf")
    return process.tree.exists(f"{_STATE}/{kind}/{note}/{as_path(stripped)}")


PROGRAMS: dict[str, Program] = {"a2query": a2query}
"""Programs by name."""
