"""dh_usrlocal(1): directories below ``/usr/local`` that packages want but may not ship (Debian policy 9.1.2)."""

import re

from assembler.programs.accounts import Accounts
from assembler.shell.canonical import render
from assembler.shell.grammar import parse_script
from assembler.shell.syntax import Block
from assembler.tree.staging import Tree

STAFF = "/etc/staff-group-for-usr-local"
"""Where it is, the directories belong to the group staff."""
_LINE = re.compile(r"(/usr/local(?:/[\w.+-]+)+) (?:default|(0[0-7]{3,4}) ([a-z_][\w-]*) ([a-z_][\w-]*))")
_SNIPPET = """\
(
default_mode=0755
default_user=root
default_group=root
if [ -e /etc/staff-group-for-usr-local ]; then
default_mode=02775
default_group=staff
fi
while read line; do
set -- $line
dir="$1"
mode="$2"
user="$3"
group="$4"
if [ "$mode" = "default" ]; then
mode="$default_mode"
user="$default_user"
group="$default_group"
fi
if [ ! -e "$dir" ]; then
if mkdir "$dir" 2>/dev/null; then
if chown "$user":"$group" "$dir" ; then
chmod "$mode" "$dir" || true
fi
fi
fi
done
) << DATA
@
DATA
"""
_BEFORE, _AFTER = render(parse_script(_SNIPPET)).split("@\n")


def listed(block: Block) -> list[str] | None:
    """The lines that dh_usrlocal wrote into its snippet; None when `block` is something else."""
    text = render(block)
    if not (text.startswith(_BEFORE) and text.endswith(_AFTER)):
        return None
    lines = text[len(_BEFORE) : -len(_AFTER)].splitlines()
    return lines if all(_LINE.fullmatch(line) for line in lines) else None


def make(tree: Tree, lines: list[str]) -> None:
    """Make the directories that are not there and whose parent is, as :func:`listed` gives them."""
    accounts = Accounts(tree)
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a line of dh_usrlocal's: {line}")
        path, mode, user, group = match.groups()
        if mode is None:
            mode, user, group = ("2775", "root", "staff") if tree.exists(STAFF) else ("0755", "root", "root")
        if not tree.exists(path) and tree.is_dir(path.rpartition("/")[0]):
            tree.mkdir(path, int(mode, 8), accounts.uid(user), accounts.gid(group))
