"""update-alternatives against the real program of the host (Debian package dpkg), which works on a directory."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.programs.alternatives import AlternativeError, update_alternatives
from assembler.programs.options import UsageError
from assembler.tree.staging import Tree
from tests.support.host_commands import need
from tests.tree.disk import on_disk, shown, tree_of, write_out

NAMES = {"editor": "/usr/bin/editor", "pager": "/bin/pager"}
PATHS = ["/usr/bin/a", "/usr/bin/b", "/opt/c"]
SLAVES = {"editor.1.gz": "/usr/share/man/man1/editor.1.gz", "edit": "/usr/bin/edit"}
SLAVE_PATHS = ["/usr/share/man/man1/a.1.gz", "/usr/bin/a", "/usr/share/missing"]


@st.composite
def calls(draw: st.DrawFn) -> list[str]:
    name = draw(st.sampled_from(sorted(NAMES)))
    path = draw(st.sampled_from(PATHS))
    action = draw(st.sampled_from(["--install"] * 4 + ["--remove", "--remove-all", "--auto", "--set"]))
    if action == "--install":
        words = [action, NAMES[name], name, path, str(draw(st.integers(-1, 3)))]
        if name == "editor":
            for slave in draw(st.lists(st.sampled_from(sorted(SLAVES)), unique=True, max_size=2)):
                words += ["--slave", SLAVES[slave], slave, draw(st.sampled_from(SLAVE_PATHS))]
        return words
    return [action, name] if action in {"--remove-all", "--auto"} else [action, name, path]


def start() -> Tree:
    directories = ("/usr/bin", "/opt", "/usr/share/man/man1", "/etc/alternatives", "/var/lib/dpkg/alternatives", "/bin")
    return tree_of(
        {f"{directory}/": "" for directory in directories} | dict.fromkeys([*PATHS, "/usr/share/man/man1/a.1.gz"], "")
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(calls(), min_size=1, max_size=5))
def test_leaves_what_the_real_program_leaves(tmp_path: Path, commands: list[list[str]]) -> None:
    program = need("update-alternatives", "dpkg")
    tree = start()
    root = write_out(tree, tmp_path / "root")
    for words in commands:
        result = subprocess.run(
            [program, "--quiet", "--root", str(root), "--log", "/log", *words],
            capture_output=True,
            check=False,
        )
        try:
            update_alternatives(tree, words)
        except AlternativeError:
            assert result.returncode != 0, words
        real = on_disk(root)
        real.pop("/log", None)
        assert shown(tree) == real, words


def test_a_missing_slave_makes_no_link() -> None:
    tree = Tree()
    tree.write("/bin/nano", b"", parents=True)
    update_alternatives(
        tree,
        ["--install", "/usr/bin/editor", "editor", "/bin/nano", "40",
         "--slave", "/usr/share/man/man1/editor.1.gz", "editor.1.gz", "/usr/share/man/man1/nano.1.gz"],
    )  # fmt: skip
    assert tree.at("/etc/alternatives/editor").target == "/bin/nano"
    assert not tree.lexists("/etc/alternatives/editor.1.gz")
    assert tree.read("/var/lib/dpkg/alternatives/editor") == (
        b"auto\n/usr/bin/editor\neditor.1.gz\n/usr/share/man/man1/editor.1.gz\n\n"
        b"/bin/nano\n40\n/usr/share/man/man1/nano.1.gz\n\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--install", "/usr/bin/x", "x", "/no/such/file", "1"],
        ["--install", "/usr/bin/x", "x"],
        ["--set", "x", "/bin/y"],
        ["--config", "x"],
        [],
    ],
)
def test_bad_calls_are_errors(words: list[str]) -> None:
    with pytest.raises((AlternativeError, UsageError)):
        update_alternatives(Tree(), words)


def test_a_damaged_state_file_is_named() -> None:
    tree = Tree()
    tree.write("/bin/x", b"", parents=True)
    tree.write("/var/lib/dpkg/alternatives/x", b"auto\n/usr/bin/x\n", parents=True)
    with pytest.raises(AlternativeError, match="damaged"):
        update_alternatives(tree, ["--install", "/usr/bin/x", "x", "/bin/x", "1"])
