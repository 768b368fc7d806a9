"""What debhelper generates is recognised by tool and body, and nothing else is."""

import pytest

from assembler.configure.scripts import analyse
from assembler.configure.snippets import Snippet, compile_snippet, split
from assembler.programs.context import ExecutionContext
from assembler.programs.options import UsageError
from assembler.shell.words import script_scope
from tests.programs.test_usr_local import SNIPPET as USR_LOCAL
from tests.tree.disk import shown, tree_of

SCOPE = script_scope("pkg", "postinst", "amd64")
SECTION = "# Automatically added by {tool}/13.24.2\n{body}# End automatically added section\n"


def test_split_leaves_a_marker_for_each() -> None:
    text = "a\n" + SECTION.format(tool="dh_x", body="b\n") + "c\n" + SECTION.format(tool="dh_y", body="d\ne\n")
    rest, snippets = split(text)
    assert rest == "a\n__generated_part 0\nc\n__generated_part 1\n"
    assert snippets == [Snippet("dh_x", "b\n"), Snippet("dh_y", "d\ne\n")]


def test_an_end_without_a_beginning_is_a_comment() -> None:
    end = "# End automatically added section\n"
    text = "a\n" + end + SECTION.format(tool="dh_x", body="b\n") + end + "c\n# Automatically added by dh_y/1\nd\n"
    rest, snippets = split(text)
    assert rest == f"a\n{end}__generated_part 0\n{end}c\n# Automatically added by dh_y/1\nd\n"
    assert snippets == [Snippet("dh_x", "b\n")]


@pytest.mark.parametrize(
    ("tool", "body"),
    [
        ("dh_installsystemd", "deb-systemd-helper unmask 'a.service'\nwget http://x\n"),
        ("dh_installsystemd", 'deb-systemd-helper unmask "$UNIT"\n'),
        ("dh_installsystemd", "update-rc.d x defaults\n"),
        ("dh_installsystemd", "if broken\n"),
        ("dh_something_new", "true\n"),
        ("dh_python3", "py3compile -p x; rm -rf /\n"),
    ],
)
def test_unknown_bodies_and_tools_are_refused(tool: str, body: str) -> None:
    assert compile_snippet(Snippet(tool, body), SCOPE) is None


def test_unknown_snippets_are_part_of_the_residual_wherever_they_stand() -> None:
    for body in ("wget x\n", "if broken\n"):
        section = SECTION.format(tool="dh_new", body=body)
        for script in (f"#!/bin/sh\n{section}", f"#!/bin/sh\nif unknown; then\n{section}fi\n"):
            analysis = analyse("pkg", "postinst", script, "amd64")
            assert analysis.layer == "unhandled"
            assert body in analysis.residual
    known = SECTION.format(tool="dh_installsysusers", body="systemd-sysusers a.conf\n")
    nested = analyse("pkg", "postinst", f"#!/bin/sh\nif unknown; then\n{known}fi\n", "amd64")
    assert "systemd-sysusers a.conf\n" in nested.residual


def test_the_effect_of_installsystemd() -> None:
    body = (
        'if [ "$1" = "configure" ] || [ "$1" = "abort-upgrade" ]; then\n'
        "  # a comment of the tool\n"
        "  deb-systemd-helper unmask 'a.service' >/dev/null || true\n"
        "  if deb-systemd-helper --quiet was-enabled 'a.service'; then\n"
        "    deb-systemd-helper enable 'a.service' >/dev/null || true\n"
        "  else\n    deb-systemd-helper update-state 'a.service' >/dev/null || true\n  fi\n"
        "  if [ -d /run/systemd/system ]; then deb-systemd-invoke start 'a.service' || true; fi\nfi\n"
    )
    tree = tree_of({"/usr/lib/systemd/system/a.service": "[Install]\nWantedBy=multi-user.target\n", "/usr/bin/": ""})
    tree.write("/usr/bin/systemctl", b"", 0o755)
    action = compile_snippet(Snippet("dh_installsystemd", body), SCOPE)
    assert action is not None
    action(ExecutionContext(tree, "amd64"))
    link = "/etc/systemd/system/multi-user.target.wants/a.service"
    assert shown(tree)[link] == "/usr/lib/systemd/system/a.service"


def test_generated_sysusers_makes_the_user_only_when_configuring() -> None:
    body = 'if [ "$1" = "configure" ]; then\n systemd-sysusers ${DPKG_ROOT:+--root="$DPKG_ROOT"} a.conf\nfi\n'
    tree = tree_of({"/etc/passwd": "root:x:0:0::/root:/bin/sh\n", "/etc/group": "root:x:0:\n",
                    "/usr/lib/sysusers.d/a.conf": "u alice -\n"})  # fmt: skip
    action = compile_snippet(Snippet("dh_installsysusers", body), SCOPE)
    assert action is not None
    action(ExecutionContext(tree, "amd64"))
    assert "alice:x:999:" in tree.read_text("/etc/passwd")
    nothing = compile_snippet(Snippet("dh_installsysusers", body), script_scope("pkg", "preinst", "amd64"))
    before = shown(tree)
    assert nothing is not None
    nothing(ExecutionContext(tree, "amd64"))
    assert shown(tree) == before


def test_directories_below_usr_local() -> None:
    body = f'if [ "$1" = "configure" ] || [ "$1" = "abort-remove" ]; then\n{USR_LOCAL}fi\n'
    action = compile_snippet(Snippet("dh_usrlocal", body.replace("@", "/usr/local/share/x default\n")), SCOPE)
    assert action is not None
    tree = tree_of({"/usr/local/share/": "", "/etc/passwd": "root:x:0:0:::\n", "/etc/group": "root:x:0:\n"})
    action(ExecutionContext(tree, "amd64"))
    assert tree.is_dir("/usr/local/share/x")
    assert compile_snippet(Snippet("dh_usrlocal", body.replace("@", "/etc/x default\n")), SCOPE) is None


def test_icon_caches_are_not_made_without_a_word() -> None:
    body = "if command -v update-icon-caches >/dev/null; then\nupdate-icon-caches /usr/share/icons/x\nfi\n"
    action = compile_snippet(Snippet("dh_icons", body), SCOPE)
    assert action is not None
    tree = tree_of({"/usr/bin/": ""})
    action(ExecutionContext(tree, "amd64"))
    tree.write("/usr/bin/update-icon-caches", b"", 0o755)
    with pytest.raises(UsageError):
        action(ExecutionContext(tree, "amd64"))


@pytest.mark.parametrize("handler", ["exit 1", "init_failed"])
def test_the_handler_for_services_that_do_not_start(handler: str) -> None:
    body = f"update-rc.d x defaults >/dev/null\ninvoke-rc.d --skip-systemd-native x start || {handler}\n"
    tree = tree_of({"/etc/init.d/x": "### BEGIN INIT INFO\n# Default-Start: 2\n### END INIT INFO\n"})
    action = compile_snippet(Snippet("dh_installinit", body), SCOPE)
    assert action is not None
    action(ExecutionContext(tree, "amd64"))
    assert tree.names("/etc/rc2.d") == ["S01x"]
