"""What dpkg-divert(1), dpkg-statoverride(1) and update-alternatives(1) print of their databases (dpkg 1.22)."""

from collections.abc import Callable

from assembler.programs.alternatives import ADMIN, listed, queried
from assembler.programs.dpkg_helpers import diversions, statoverrides
from assembler.programs.options import UsageError, parse_options
from assembler.shell.patterns import PatternError, matches
from assembler.shell.process import Process, as_path, as_text
from assembler.shell.streams import Refused


def divert(process: Process) -> str | None:
    """What ``dpkg-divert`` prints with ``--list``, ``--listpackage`` or ``--truename``; None without one of them."""
    try:
        options, operands = parse_options(
            process.arguments, "list listpackage= truename= quiet local package= divert= rename no-rename add remove",
            program="dpkg-divert",
        )  # fmt: skip
    except UsageError as error:
        raise Refused(error.what, why=error.why) from error
    asked = sorted({"list", "listpackage", "truename"} & options.keys())
    if not asked:
        return None
    if len(asked) > 1 or (options.keys() - {*asked, "package", "quiet"} if asked == ["list"] else len(options) > 1):
        raise Refused("dpkg-divert with these options", why=" ".join(process.arguments))
    known = {as_text(path): (as_text(to), as_text(package)) for path, to, package in diversions(process.tree)}
    if asked == ["list"]:
        return _listed(known, operands or ["*"], process)
    path = options[asked[0]]
    if operands or path.endswith("/") or "//" in path:
        raise Refused("dpkg-divert with these arguments", why=" ".join(process.arguments))
    to, package = known.get(path, ("", ""))
    if asked == ["truename"]:
        return f"{to or path}\n"
    return "LOCAL\n" if package == ":" else f"{package}\n" if package else ""


def _listed(known: dict[str, tuple[str, str]], globs: list[str], process: Process) -> str:
    found = []
    for path, (to, package) in known.items():
        if any(_matches(text, glob) for glob in globs for text in (path, to, "local" if package == ":" else package)):
            end = "" if package == ":" else f" by {package}"
            found.append(f"{'local ' if package == ':' else ''}diversion of {path} to {to}{end}\n")
    if len(found) > 1 and process.captured:
        raise Refused("the order in which dpkg-divert lists diversions")
    return "".join(found)


def statoverride(process: Process) -> str | None:
    """What ``dpkg-statoverride --list`` prints; None without it."""
    if "--list" not in process.arguments:
        return None
    operands = [argument for argument in process.arguments if argument not in {"--list", "--quiet"}]
    if any(operand.startswith("-") for operand in operands):
        raise Refused("dpkg-statoverride with these options", why=" ".join(process.arguments))
    found = [
        f"{as_text(line)}\n"
        for path, line in statoverrides(process.tree).items()
        if any(_matches(as_text(path), glob) for glob in operands or ["*"])
    ]
    if len(found) > 1 and process.captured:
        raise Refused("the order in which dpkg-statoverride lists them")
    return "".join(found)


def _matches(text: str, glob: str) -> bool:
    try:
        return matches(text, glob)
    except PatternError as error:
        raise Refused(f"a pattern is not understood: {error}") from error


def alternatives(process: Process) -> str | None:
    """What ``update-alternatives`` prints with ``--query``, ``--list`` and, of an alternative that there is none of,
    ``--display``; None without one of these.
    """
    match process.arguments:
        case ["--display" | "--list" | "--query" as action, name]:
            path = as_path(name)
            if process.tree.lexists(f"{ADMIN}/{path}"):
                show = {"--list": listed, "--query": queried}.get(action)
                text = show(process.tree, path) if show else None
                if text is None:
                    raise Refused("what update-alternatives prints of an alternative", why=name)
                return as_text(text)
            process.complain(f"no alternatives for {name}")
            return ""
    return None


Shown = Callable[[Process], str | None]
PROGRAMS: dict[str, tuple[Shown, int]] = {
    "dpkg-divert": (divert, 0),
    "dpkg-statoverride": (statoverride, 1),
    "update-alternatives": (alternatives, 2),
}
"""The text that each prints, None when it is asked for something else; and its status when it prints nothing."""
