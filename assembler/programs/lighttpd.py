"""lighty-enable-mod(1) of lighttpd 1.4.69 to 1.4.82, in perl: the links that turn parts of its configuration on."""

import re

from assembler.programs.inputs import Failure, content_of
from assembler.shell.process import Process, Program, as_path, as_text
from assembler.shell.streams import Refused

_CONFIG = "/etc/lighttpd"
_FILE = re.compile(r"[0-9]+-([A-Za-z0-9_.-]+)\.conf")
_MAX_NAMES = 1000
FAILURE, NO_ACTION = 1, 2


def lighty_enable_mod(process: Process) -> int:
    """``lighty-enable-mod NAME...``; modules bring those that they depend on."""
    todo = list(process.arguments)
    if not todo or any(not re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in todo):
        raise Refused("lighty-enable-mod with these arguments", why=" ".join(todo))
    call = _Call(process)
    at = 0
    while at < len(todo):
        if at > _MAX_NAMES:
            raise Refused("modules that depend on one another")
        more = call.enable(todo[at])
        if more is None:
            return FAILURE
        todo += more
        at += 1
    process.print('Run "service lighttpd force-reload" to enable changes\n')
    return call.status


class _Call:
    def __init__(self, process: Process) -> None:
        self.process = process
        self.available = self._found("available")
        self.enabled = self._found("enabled")
        self.status = 0

    def _found(self, kind: str) -> dict[str, str]:
        """File names by module; of several the last counts."""
        names = map(as_text, self.process.tree.names(f"{_CONFIG}/conf-{kind}"))
        matches = [match for name in names if not name.startswith(".") and (match := _FILE.fullmatch(name))]
        if len({match[1] for match in matches}) < len(matches):
            raise Refused("several files of one module of lighttpd")
        return {match[1]: match[0] for match in matches}

    def enable(self, name: str) -> list[str] | None:
        """Turn a module on; the modules that are to follow, or None when that is the end."""
        process, tree = self.process, self.process.tree
        if name not in self.available:
            process.print(f"Ignoring unknown module: {name}\n")
            self.status = NO_ACTION
            return []
        file = self.available[name]
        target = as_path(f"{_CONFIG}/conf-enabled/{file}")
        if tree.is_file(target):
            process.print("already enabled\n")
            self.status = self.status if self.status == FAILURE else NO_ACTION
            return []
        more: list[str] = []
        for line in self._lines(file):
            for other in _listed("depends", line):
                if other not in self.available:
                    process.print(f"Unresolved dependency: {other}\n")
                    return None
                if other not in self.enabled:
                    process.print(f"Met dependency: {other}\n")
                    more.append(other)
            for other in _listed("conflicts", line):
                if other in self.enabled:
                    process.print(f"Conflicting dependencies: {name} conflicts with {other}\n")
                    return None
        if tree.lexists(target) or not tree.is_dir(f"{_CONFIG}/conf-enabled"):
            raise Refused("a module of lighttpd that cannot be turned on", why=name)
        tree.symlink(as_path(f"../conf-available/{file}"), target)
        process.print(f"Enabling {name}: ok\n")
        self.enabled[name] = file
        return more

    def _lines(self, file: str) -> list[str]:
        try:
            return content_of(self.process, f"{_CONFIG}/conf-available/{file}").decode("latin-1").split("\n")
        except Failure as error:
            raise Refused("a module of lighttpd that cannot be read", why=file) from error


def _listed(word: str, line: str) -> list[str]:
    """The modules that a line of a module names."""
    match = re.search(rf"# -\*- {word}: ([-A-Za-z0-9_, ]+) -\*-", line)
    names = re.split(r",\s+", match[1]) if match else []
    while names and not names[-1]:
        # What is empty at the end perl leaves out.
        del names[-1]
    return names


PROGRAMS: dict[str, Program] = {"lighty-enable-mod": lighty_enable_mod}
"""Programs by name."""
