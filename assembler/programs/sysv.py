"""update-rc.d(8): the ``/etc/rc?.d`` links of init scripts, as it makes them where insserv(8) is not installed.

Every link is numbered 01; the runlevels come from the LSB header of the script. The file system is all it changes:
``enable`` and ``disable`` of a systemd unit by the same name are left to :mod:`assembler.programs.systemd`.
"""

import re
from collections.abc import Iterator, Sequence

from assembler.errors import AssembleError, Place
from assembler.programs.options import UsageError
from assembler.tree.staging import Tree

RUNLEVELS = "0123456S"


class InitScriptError(AssembleError):
    """An init script that update-rc.d cannot work with."""


def _links(tree: Tree, script: str, levels: Sequence[str] = RUNLEVELS) -> Iterator[str]:
    """The paths of all links to a script, by runlevel and name."""
    pattern = re.compile(rf"[SK][0-9][0-9]{re.escape(script)}")
    for level in levels:
        for name in tree.names(f"/etc/rc{level}.d"):
            if pattern.fullmatch(name):
                yield f"/etc/rc{level}.d/{name}"


def _default_levels(tree: Tree, script: str) -> tuple[list[str], list[str]]:
    """The runlevels in Default-Start and Default-Stop of a script's LSB header."""
    path = f"/etc/init.d/{script}"
    if not tree.is_file(path):
        raise InitScriptError("there is no such init script", where=Place(path=path))
    start: list[str] = []
    stop: list[str] = []
    inside = False
    for line in tree.read_text(path).splitlines():
        if re.match(r"### BEGIN INIT INFO\s*$", line):
            inside = True
        elif re.match(r"### END INIT INFO\s*$", line):
            break
        elif inside:
            key, _, value = line.partition(":")
            if key == "# Default-Start":
                start = value.split()
            elif key == "# Default-Stop":
                stop = value.split()
    return start, stop


def update_rcd(tree: Tree, arguments: Sequence[str]) -> None:
    """``update-rc.d [-f] SCRIPT remove|defaults|defaults-disabled|enable|disable [LEVEL...]``.

    A script that has links keeps them on ``defaults``. Raises InitScriptError, or UsageError.
    """
    words = [word for word in arguments if not word.startswith("-")]
    if len(words) < 2:
        raise InitScriptError("update-rc.d takes a script and an action", why=" ".join(arguments))
    script, action, *levels = words
    if action == "remove":
        for link in list(_links(tree, script)):
            tree.remove(link)
    elif action in {"defaults", "start", "stop", "defaults-disabled"}:
        if any(_links(tree, script)):
            return
        start, stop = _default_levels(tree, script)
        first = "K" if action == "defaults-disabled" else "S"
        for letter, chosen in ((first, start), ("K", stop)):
            for level in chosen:
                if not tree.lexists(f"/etc/rc{level}.d/{letter}01{script}"):
                    tree.symlink(f"../init.d/{script}", f"/etc/rc{level}.d/{letter}01{script}", parents=True)
    elif action in {"enable", "disable"}:
        chosen = [level for level in levels or _default_levels(tree, script)[0] if level in "S2345"]
        links = list(_links(tree, script, chosen))
        if not links:
            raise InitScriptError(f"{script} has no links to {action}", where=Place(path="/etc/rc2.d"))
        for link in links:
            directory, _, name = link.rpartition("/")
            tree.rename(link, f"{directory}/{'S' if action == 'enable' else 'K'}{name[1:]}")
    else:
        raise UsageError(f"update-rc.d knows no action {action!r}")
