"""emacs-package-install, a program in perl of emacsen-common 3.0.5 to 3.0.8, as long as there is no Emacs.

It notes that a package is installed, and has the package's script compile it for each Emacs that is there.
"""

from assembler.programs.inputs import Failure
from assembler.shell.process import Process, Program, as_path, as_text
from assembler.shell.streams import NOWHERE, Refused

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
        old = {name, *_names(process, f"{_LIBRARY}/packages/install")}.difference(new)
        flavors = _names(process, f"{_STATE}/flavor/installed")
    except Failure as error:
        process.complain(f"emacs-package-install: {error}")
        return 2
    if flavors or old:
        raise Refused("a package is compiled for Emacs", why=" ".join([*flavors, *sorted(old)]))
    if process.call(["dpkg", "--status", name], process.environment, dict.fromkeys((0, 1, 2), NOWHERE)):
        raise Refused("emacs-package-install of a package that dpkg does not know", why=name)
    return 0


def _names(process: Process, directory: str) -> list[str]:
    """What the pattern ``*[!~]`` finds. Raises Failure where there is no directory."""
    if not process.tree.is_dir(directory):
        raise Failure(f"there is no directory {directory}")
    names = map(as_text, process.tree.names(directory))
    return sorted(name for name in names if not name.startswith(".") and not name.endswith("~"))


PROGRAMS: dict[str, Program] = {"emacs-package-install": emacs_package_install}
