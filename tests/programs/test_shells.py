"""The list of shells, as update-shells of Debian 12 and 13 left it for the same packages."""

import pytest

from assembler.programs.commands import COMMANDS
from assembler.programs.context import ExecutionContext
from assembler.programs.packages_known import Fixed, Known
from assembler.programs.shells import update_shells
from assembler.tree.staging import Tree

_HEAD = "# /etc/shells: valid login shells"


def _tree() -> Tree:
    tree = Tree()
    tree.mkdir("/usr/bin", parents=True)
    tree.symlink("usr/bin", "/bin")
    tree.mkdir("/etc")
    tree.write("/usr/share/debianutils/shells", f"{_HEAD}\n/bin/sh\n".encode(), parents=True)
    tree.write("/usr/share/debianutils/shells.d/zsh", b"/bin/zsh\n/usr/bin/zsh\n", parents=True)
    return tree


@pytest.mark.parametrize(("old", "times"), [(False, 1), (True, 2)], ids=["debianutils 5.23", "debianutils 5.7"])
def test_a_shell_that_is_declared_by_both_paths(old: bool, times: int) -> None:  # noqa: FBT001  a case
    tree = _tree()
    update_shells(tree, {"/usr/share/debianutils/shells.d/zsh"}, repeats=old)
    assert tree.read_text("/etc/shells").splitlines() == [_HEAD, "/bin/sh", "/usr/bin/sh"]
    update_shells(tree, repeats=old)
    shells = tree.read_text("/etc/shells").splitlines()
    assert shells == [_HEAD, "/bin/sh", "/usr/bin/sh", "/bin/zsh", *["/usr/bin/zsh"] * times]
    assert tree.read_text("/var/lib/shells.state").splitlines() == shells[1:]


def test_a_shell_that_nobody_declares_any_more_goes() -> None:
    tree = _tree()
    update_shells(tree)
    tree.remove("/usr/share/debianutils/shells.d/zsh")
    context = ExecutionContext(tree, "amd64")
    run = COMMANDS["update-shells"]([])
    assert run is not None
    assert run(context) == 0
    assert tree.read_text("/etc/shells").splitlines() == [_HEAD, "/bin/sh", "/usr/bin/sh"]
    assert COMMANDS["update-shells"](["--no-act"]) is None


def test_what_is_repeated_stays_when_nothing_new_is_declared() -> None:
    tree = _tree()
    known = Known({"Package": "debianutils", "Version": "5.7-0.5~deb12u1", "Status": "install ok installed"})
    context = ExecutionContext(tree, "amd64", packages=Fixed("amd64", [known]))
    context.absent = lambda: {"/usr/share/debianutils/shells.d/zsh"}
    run = COMMANDS["update-shells"]([])
    assert run is not None
    for _ in range(2):
        assert run(context) == 0
        shells = tree.read_text("/etc/shells").splitlines()
        assert shells == [_HEAD, "/bin/sh", "/usr/bin/sh", "/bin/zsh", "/usr/bin/zsh", "/usr/bin/zsh"]


def test_a_shell_that_somebody_has_removed_stays_away() -> None:
    tree = _tree()
    update_shells(tree)
    tree.write("/etc/shells", b"/opt/own\n/bin/sh\n")
    update_shells(tree)
    assert tree.read("/etc/shells") == b"/opt/own\n/bin/sh\n"
