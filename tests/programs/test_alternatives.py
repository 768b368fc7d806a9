"""update-alternatives against the real program of the host (Debian package dpkg), which works on a directory."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from assembler.programs.alternatives import AlternativeError, listed, queried, update_alternatives
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


def editor(path: str, priority: str, *slaves: str, link: str = "/usr/bin/editor") -> list[str]:
    return ["--install", link, "editor", path, priority, *slaves]


EDIT = ["--slave", "/usr/bin/edit", "edit", "/usr/bin/a"]
OTHER = ["--slave", "/opt/edit", "edit", "/usr/bin/a"]
A, B, C = PATHS


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([editor(A, "1"), editor(B, "2", *EDIT), ["--remove", "editor", B]])
@example([editor(A, "1"), editor(B, "2"), editor(C, "2"), ["--remove", "editor", A]])
@example([editor(A, "1"), editor(B, "2"), ["--set", "editor", A], editor(C, "3"), ["--remove", "editor", B]])
@example([editor(A, "1"), editor(B, "2"), ["--set", "editor", A], ["--remove", "editor", A]])
@example([editor(A, "1"), editor(B, "2"), ["--set", "editor", A], ["--auto", "editor"]])
@example([editor(A, "1", *EDIT), editor(A, "1", *OTHER), editor(A, "1")])
@example([editor(A, "1", *EDIT), editor(B, "2", link="/opt/editor"), ["--remove", "editor", A]])
@example([editor(A, "1", *EDIT), ["--remove", "editor", C], ["--remove-all", "editor"]])
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
        for action, ours in (("--query", queried), ("--list", listed)):
            for name in NAMES:
                printed = subprocess.run([program, "--root", str(root), action, name], capture_output=True, check=False)
                assert (ours(tree, name) or "") == printed.stdout.decode(), (words, action, name)


def test_new_links_have_the_times_of_their_targets(tmp_path: Path) -> None:
    """As the real program gives them; links that are made again have the time of that."""
    program = need("update-alternatives", "dpkg")
    tree = start()
    tree.symlink("a", B)
    times = {A: 1000, B: 2000, C: 3000}
    for path, time in times.items():
        tree.at(path).mtime = time
    root = write_out(tree, tmp_path / "root")
    for path, time in times.items():
        os.utime(root / path[1:], (time, time), follow_symlinks=False)
    links = ["/usr/bin/editor", "/usr/bin/edit", "/etc/alternatives/editor", "/etc/alternatives/edit"]
    for words, made in (
        (editor(B, "1", "--slave", "/usr/bin/edit", "edit", A), [2000, 1000, 2000, 1000]),
        (editor(C, "2", "--slave", "/usr/bin/edit", "edit", C), [2000, 1000, None, None]),
    ):
        command = [program, "--quiet", "--root", str(root), "--log", "/log", *words]
        subprocess.run(command, check=True, capture_output=True)
        update_alternatives(tree, words)
        really = [int((root / path[1:]).lstat().st_mtime) for path in links]
        ours = [tree.at(path).mtime for path in links]
        assert ours == [tree.mtime if time is None else time for time in made]
        assert all(time in {None, real} for time, real in zip(made, really, strict=True))


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


def test_what_is_registered_is_answered_and_options_that_change_nothing_are_taken() -> None:
    tree = tree_of({"/bin/x": ""})
    assert update_alternatives(tree, ["--quiet", "--force", "--install", "/usr/bin/x", "x", "/bin/x", "-5"])
    for action in ("--query", "--list", "--display"):
        assert update_alternatives(tree, [action, "x"])
        assert not update_alternatives(tree, [action, "y"])
    assert update_alternatives(tree, ["--remove", "y", "/bin/y"])
    assert update_alternatives(tree, ["--auto", "x"])
    assert update_alternatives(tree, ["--remove-all", "x"])
    assert shown(tree) == {"/bin/x": b""}


@pytest.mark.parametrize(
    "words",
    ["--install /usr/bin/x x /bin/x high", "--install /usr/bin/x x /bin/x 1 --slave /a b",
     "--install /usr/bin/x x /bin/x 1 --frob /a b /c", "--remove x", "--remove-all x /bin/x", "--set x",
     "--auto x /bin/x", "--query", "--query x y"],
)  # fmt: skip
def test_calls_that_are_not_known_change_nothing(words: str) -> None:
    tree = tree_of({"/bin/x": ""})
    with pytest.raises(UsageError, match="not known") as caught:
        update_alternatives(tree, words.split())
    assert caught.value.why == words
    assert shown(tree) == {"/bin/x": b""}


def test_a_file_in_the_place_of_a_link_stays() -> None:
    tree = tree_of({"/bin/x": "", "/usr/bin/x": "mine", "/usr/bin/y": "->/bin/x"})
    for name in "xy":
        update_alternatives(tree, ["--install", f"/usr/bin/{name}", name, "/bin/x", "1"])
    files = shown(tree)
    assert (files["/usr/bin/x"], files["/usr/bin/y"]) == (b"mine", "/etc/alternatives/y")
    for name in "xy":
        update_alternatives(tree, ["--remove-all", name])
    assert shown(tree) == {"/bin/x": b"", "/usr/bin/x": b"mine"}
