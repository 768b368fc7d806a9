"""What debhelper and its add-ons generate into maintainer scripts, told apart from what a maintainer wrote.

Each generated part stands between two marker comments that name the tool. For every tool that is known, the commands
that its snippets may consist of are listed here; a body with any other command, or from any other tool, is unknown
whatever its version (debhelper(7), dh_python3(1), dh_apparmor(1), dh_runit(1)).
"""

import re
from dataclasses import dataclass
from functools import partial

from assembler.configure.calls import Action, compile_block
from assembler.programs import usr_local
from assembler.programs.context import ExecutionContext
from assembler.shell.canonical import render
from assembler.shell.grammar import parse_script
from assembler.shell.residual import own_scope, reduce_script, simple_commands
from assembler.shell.syntax import Simple
from assembler.shell.tokens import ParseError
from assembler.shell.words import Scope

_BEGIN = re.compile(r"[ \t]*# Automatically added by (\S{1,80}?)(?:/\S{1,80})?[ \t]*")
_END = re.compile(r"[ \t]*# End automatically added section[ \t]*")
MARKER = "__generated_part"
"""The command that stands for a snippet in the rest of its script."""

_QUESTIONS = frozenset({"[", "test", "command", "which", "true", ":", "echo"})
_DEB_SYSTEMD = frozenset({"deb-systemd-helper", "deb-systemd-invoke", "systemctl"})
TOOLS: dict[str, frozenset[str]] = {
    "dh_apparmor": frozenset({"mkdir", "install", "aa-enabled", "apparmor_parser"}),
    "dh_icons": frozenset({"update-icon-caches"}),
    "dh_installalternatives": frozenset({"update-alternatives"}),
    "dh_installdeb": frozenset({"dpkg-maintscript-helper"}),
    "dh_installdebconf": frozenset({"."}),
    "dh_installinit": frozenset(
        {"update-rc.d", "invoke-rc.d", "chmod", "dpkg-maintscript-helper", "exit", "systemd-tmpfiles"}
    ),
    "dh_installmenu": frozenset({"update-menus"}),
    "dh_installsystemd": _DEB_SYSTEMD | {"systemd-tmpfiles"},
    "dh_installsystemduser": _DEB_SYSTEMD,
    "dh_installsysusers": frozenset({"systemd-sysusers"}),
    "dh_installtmpfiles": frozenset({"systemd-tmpfiles"}),
    "dh_installudev": frozenset({"udevadm"}),
    "dh_installxmlcatalogs": frozenset({"update-xmlcatalog"}),
    "dh_makeshlibs": frozenset({"ldconfig"}),
    "dh_python3": frozenset({"py3compile", "pypy3compile"}),
    "dh_runit": frozenset({"/usr/lib/runit-helper/runit-helper"}),
    "dh_systemd_enable": _DEB_SYSTEMD,
    "dh_systemd_start": _DEB_SYSTEMD,
    "dh_ucf": frozenset({"ucf", "ucfr"}),
    "dh_usrlocal": frozenset(),  # see usr_local.py
}


@dataclass(frozen=True, slots=True)
class Snippet:
    """One generated part of a script."""

    tool: str
    """``dh_installsystemd``."""
    body: str
    """Its text between the markers."""


def split(text: str) -> tuple[str, list[Snippet]]:
    """The script with each snippet replaced by ``MARKER n``, and the snippets."""
    lines = text.split("\n")
    ends = [index for index, line in enumerate(lines) if _END.fullmatch(line)]
    snippets: list[Snippet] = []
    kept: list[str] = []
    at = 0
    for end in ends:
        begin = next((index for index in range(at, end) if _BEGIN.fullmatch(lines[index])), None)
        if begin is None:
            continue
        tool = _BEGIN.fullmatch(lines[begin])
        assert tool is not None
        kept += [*lines[at:begin], f"{MARKER} {len(snippets)}"]
        snippets.append(Snippet(tool.group(1), "".join(f"{line}\n" for line in lines[begin + 1 : end])))
        at = end + 1
    return "\n".join([*kept, *lines[at:]]), snippets


def compile_snippet(snippet: Snippet, scope: Scope) -> Action | None:
    """What a snippet does, or None when its tool or any of its commands is unknown."""
    allowed = TOOLS.get(snippet.tool)
    if allowed is None:
        return None
    try:
        block = reduce_script(parse_script(_plain(snippet.body)), scope)
    except ParseError:
        return None
    if snippet.tool == "dh_usrlocal" and (lines := usr_local.listed(block)) is not None:
        return partial(_make_directories, lines)
    names = {simple.words[0] for simple in simple_commands(block) if simple.words}
    if not names <= allowed | _QUESTIONS:
        return None
    return compile_block(block, own_scope(scope, render(block)))


def _make_directories(lines: list[str], context: ExecutionContext) -> int:
    usr_local.make(context.tree, lines)
    return 0


def _plain(body: str) -> str:
    """A snippet in known commands.

    dh_apparmor's ``mkdir -p `dirname "$LOCAL_APP_PROFILE"` `` names the directory that its profiles are in. The
    handler of
    ``dh_installinit --error-handler`` does not come into it: invoke-rc.d, which starts nothing here, does not fail.
    """
    body = re.sub(r"(?m)^([ \t]*invoke-rc\.d [^|\n]*) \|\| \w+$", r"\1 || exit 1", body)
    return body.replace('`dirname "$LOCAL_APP_PROFILE"`', "/etc/apparmor.d/local")


def marker_index(statement: object) -> int | None:
    """The number of the snippet that a statement stands for."""
    if isinstance(statement, Simple) and statement.words[:1] == (MARKER,):
        return int(statement.words[1])
    return None
