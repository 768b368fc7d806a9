"""update-rc.d against the program of the host (package init-system-helpers), which works on a directory."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.programs.options import UsageError
from assembler.programs.sysv import InitScriptError, update_rcd
from tests.support.host_commands import need
from tests.tree.disk import on_disk, shown, tree_of, write_out

HEADER = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: {}\n# Default-Start: {}\n# Default-Stop: {}\n### END INIT INFO\n"
SCRIPTS = {
    "ssh": HEADER.format("sshd", "2 3 4 5", ""),
    "early": HEADER.format("early", "S", "0 6"),
    "both": HEADER.format("both", "2 3 4 5", "0 1 6"),
    "plain": "#!/bin/sh\n# Default-Start: 2\n",
}
FILES: dict[str, str | bytes] = {f"/etc/init.d/{name}": text for name, text in SCRIPTS.items()}
ACTIONS = [["defaults"], ["defaults-disabled"], ["remove"], ["enable"], ["disable"], ["disable", "2", "3"]]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(sorted(SCRIPTS)), st.sampled_from(ACTIONS)), min_size=1, max_size=4))
def test_leaves_the_links_of_the_real_program(tmp_path: Path, commands: list[tuple[str, list[str]]]) -> None:
    program = need("update-rc.d", "init-system-helpers")
    tree = tree_of(FILES)
    root = write_out(tree, tmp_path / "root")
    for script, action in commands:
        result = subprocess.run(
            [program, script, *action],
            capture_output=True,
            check=False,
            env={"DPKG_ROOT": str(root), "_SKIP_SYSTEMD_NATIVE": "1", "PATH": os.environ["PATH"]},
        )
        if b"cannot find a LSB script" in result.stderr:
            continue  # enable and disable look for the script outside of DPKG_ROOT
        try:
            update_rcd(tree, [script, *action])
        except InitScriptError:
            assert result.returncode != 0, (script, action)
        assert shown(tree) == on_disk(root), (script, action)


def test_enable_and_disable_rename_the_links() -> None:
    tree = tree_of(FILES)
    update_rcd(tree, ["both", "defaults"])
    update_rcd(tree, ["both", "disable", "2", "3"])
    assert [tree.names(f"/etc/rc{level}.d") for level in "0123456"] == [
        ["K01both"], ["K01both"], ["K01both"], ["K01both"], ["S01both"], ["S01both"], ["K01both"],
    ]  # fmt: skip
    update_rcd(tree, ["both", "enable"])
    assert tree.names("/etc/rc2.d") == ["S01both"]
    assert tree.at("/etc/rc2.d/S01both").target == "../init.d/both"


@pytest.mark.parametrize("words", [["missing", "defaults"], ["ssh"], ["ssh", "frob"], ["ssh", "disable"], []])
def test_bad_calls_are_errors(words: list[str]) -> None:
    with pytest.raises((InitScriptError, UsageError)):
        update_rcd(tree_of(FILES), words)


def test_remove_takes_the_links_of_this_script_alone() -> None:
    tree = tree_of({**FILES, "/etc/rc2.d/S01both2": "->x", "/etc/rc2.d/S1both": "->x", "/etc/rc2.d/X01both": "->x"})
    update_rcd(tree, ["both", "defaults"])
    update_rcd(tree, ["-f", "both", "remove"])
    assert {path for path in shown(tree) if path.startswith("/etc/rc")} == {
        "/etc/rc2.d/S01both2", "/etc/rc2.d/S1both", "/etc/rc2.d/X01both",
    }  # fmt: skip


def test_defaults_leave_links_that_are_there_and_disabled_ones_are_not_started() -> None:
    tree = tree_of({**FILES, "/etc/rc3.d/K07both": "->x"})
    update_rcd(tree, ["both", "defaults"])
    assert [tree.names(f"/etc/rc{level}.d") for level in "0123456"] == [[], [], [], ["K07both"], [], [], []]
    tree.remove("/etc/rc3.d/K07both")
    update_rcd(tree, ["both", "defaults-disabled"])
    assert [tree.names(f"/etc/rc{level}.d") for level in "0123456"] == [["K01both"]] * 7
