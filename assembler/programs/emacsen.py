"""emacs-package-install, a program in perl of emacsen-common 3.0.5 to 3.0.8, as long as there is no Emacs.

It notes that a package is installed, and has the package's script compile it for each Emacs that is there. The script
of a package that says nothing of its format is called once besides, for what all of them share.
"""

import re

from assembler.programs.inputs import Failure
from assembler.shell.process import Process, Program, as_path, as_text
from assembler.shell.streams import NOWHERE, Pipe, Refused

_LIBRARY = "/usr/lib/emacsen-common"
_STATE = "/var/lib/emacsen-common/state"


def emacs_package_install(process: Process) -> int:
    """``emacs-package-install --preinst|--postinst PACKAGE``."""
    tree = process.tree
    match process.arguments:
        case ["--preinst" | "--postinst" as kind, name] if name and not {"/", "\n", " "} & set(name):
            note = f"{_STATE}/package/installed/{as_path(name)}"
        case _:
            raise Refused("emacs-package-install with these arguments", why=" ".join(process.arguments))
    if kind == "--preinst":
        tree.discard(note)
        return 0
    if not tree.is_dir(f"{_STATE}/package/installed"):
        raise Refused("emacs-package-install without the directories of emacsen-common")
    if not tree.exists(note):
        tree.write(note, b"", 0o644)
    else:
        tree.at(note, follow=True).mtime = tree.mtime
    try:
        new = _names(process, f"{_LIBRARY}/packages/compat")
        installed = {name, *_names(process, f"{_LIBRARY}/packages/install")}
        flavors = _names(process, f"{_STATE}/flavor/installed")
    except Failure as error:
        process.complain(f"emacs-package-install: {error}")
        return 2
    status = Pipe(process.budget)
    if process.call(["dpkg", "--status", name], process.environment, {**dict.fromkeys((0, 2), NOWHERE), 1: status}):
        raise Refused("emacs-package-install of a package that dpkg does not know", why=name)
    old = installed.difference(new)
    if flavors or (old and _needs(status.read().decode("latin-1")) & installed):
        raise Refused("a package is compiled for Emacs", why=" ".join([*flavors, *sorted(old)]))
    return _prepared(process, name) if name in old else 0


def _needs(status: str) -> set[str]:
    """The packages that one depends on, of what dpkg tells of it."""
    depends = re.search(r"^Depends:\s+(.*)", status, re.MULTILINE)
    return set(re.findall(r"(?:^|[,|])\s*(\S+)", depends[1])) if depends else set()


def _prepared(process: Process, name: str) -> int:
    """Have the script of a package in the old format do what is needed once for all of Emacs."""
    process.complain(f"ERROR: {name} is broken - called emacs-package-install as a new-style add-on")
    process.print(f"Install {name} for emacs\n")
    script = f"{_LIBRARY}/packages/install/{name}"
    if not process.tree.exists(as_path(script)):
        return 0
    environment = {**process.environment, "EMACS_INHIBIT_AUTOMATIC_NATIVE_COMPILATION": "t"}
    if process.call([script, "emacs"], environment, process.streams):
        raise Refused("a package's script for Emacs fails", why=name)
    return 0


def _names(process: Process, directory: str) -> list[str]:
    """What the pattern ``*[!~]`` finds. Raises Failure where there is no directory."""
    if not process.tree.is_dir(directory):
        raise Failure(f"there is no directory {directory}")
    names = map(as_text, process.tree.names(directory))
    return sorted(name for name in names if not name.startswith(".") and not name.endswith("~"))


PROGRAMS: dict[str, Program] = {"emacs-package-install": emacs_package_install}
