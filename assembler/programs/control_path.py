"""``dpkg-query --control-path``: where a control file of a package is (dpkg 1.22)."""

from assembler.programs.packages_known import Packages
from assembler.shell.process import Process, as_path
from assembler.shell.streams import Refused

_DIRECTORY = "/var/lib/dpkg/info"


def asks(process: Process) -> bool:
    """Whether dpkg-query is asked for that."""
    return process.arguments[:1] in (["--control-path"], ["-c"])


def control_path(process: Process, packages: Packages | None) -> int:
    """Print the path of the file that is asked for, if there is one; the exit status."""
    if packages is None or len(process.arguments) != 3:
        raise Refused("dpkg-query --control-path with these arguments", why=" ".join(process.arguments))
    _, name, member = process.arguments
    name, qualified, architecture = name.partition(":")
    if "/" in member or member in {"list", "conffiles"} or (qualified and architecture != packages.architecture):
        raise Refused("dpkg-query --control-path with these arguments", why=" ".join(process.arguments))
    found = [package for package in packages.known() if package.name == name]
    if found and qualified and found[0].architecture != architecture:
        raise Refused("a package of another architecture than is asked for", why=f"{name}:{architecture}")
    if not found:
        process.complain(f"dpkg-query: package '{name}' is not installed")
        return 1
    same = found[0].fields.get("Multi-Arch") == "same"
    path = f"{_DIRECTORY}/{name}{f':{found[0].architecture}' if same else ''}.{member}"
    if process.tree.exists(as_path(path)):
        process.print(f"{path}\n")
    return 0
