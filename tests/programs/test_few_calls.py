"""Programs of which scripts make few calls print what the real ones printed."""

import pytest

from assembler.programs.context import ExecutionContext
from assembler.programs.tmpfiles import tmpfiles_create
from assembler.shell.streams import Refused
from tests.support.scripts import run
from tests.tree.disk import tree_of

FILES = {"/usr/bin/": "", "/usr/share/p/f": "one\n", "/bin": "->usr/bin", "/usr/l": "->share/p", "/usr/abs": "->/bin",
         "/usr/loop": "->loop", "/etc/": "", "/proc/": "", "/dev/": "", "/tmp/": ""}  # fmt: skip


def printed(command: str) -> str:
    """What a command prints, and its exit status."""
    tree = tree_of(FILES)
    assert run(f"{command} >/printed\necho $? >>/printed\n", tree, context=ExecutionContext(tree, "amd64")) == 0
    return tree.read_text("/printed")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("printf 'a/b-c_9.d\\nx\\n' | perl -nle 'print \"\\Q$_\\E\\n\"'", "a\\/b\\-c_9\\.d\n\nx\n\n0\n"),
        ("printf 'no end' | perl -nle 'print \"\\Q$_\\E\\n\"'", "no\\ end\n\n0\n"),
        ("printf '\\303\\244\\n' | perl -nle 'print \"\\Q$_\\E\\n\"'", "\\\udcc3\\\udca4\n\n0\n"),
        ("mountpoint -q /usr", "32\n"),
        ("mountpoint /bin", "/bin is not a mountpoint\n32\n"),
        ("mountpoint -q /none", "1\n"),
        ("dpkg-realpath --root '' /bin/../l/x", "/usr/share/p/x\n0\n"),
        ("dpkg-realpath /usr/abs/none//y/", "/usr/bin/none/y\n0\n"),
        ("dpkg-realpath /none/../bin", "/usr/bin\n0\n"),
        ("dpkg-realpath /", "\n0\n"),
        ("dpkg-realpath /usr/loop", "2\n"),
        ("dpkg-realpath ''", "2\n"),
        ("cd /usr; dpkg-realpath l", "/usr/share/p\n0\n"),
    ],
)
def test_what_is_printed(command: str, expected: str) -> None:
    assert printed(command) == expected


@pytest.mark.parametrize(
    "command",
    [
        "perl -ne 'print'",
        "PERL_UNICODE=S perl -nle 'print \"\\Q$_\\E\\n\"'",
        "mountpoint /",
        "mountpoint /proc",
        "mountpoint /tmp",
        "mountpoint -d /usr",
        "mountpoint /usr/share/p/f",
        "dpkg-realpath --root /usr /bin",
        "DPKG_ROOT=/usr dpkg-realpath /bin",
        "dpkg-realpath -z /bin",
        "dpkg-realpath /bin /usr",
        "dpkg-realpath /proc/self/exe",
    ],
)
def test_refused(command: str) -> None:
    with pytest.raises(Refused):
        printed(command)


def test_dpkg_realpath_that_is_a_script_is_carried_out() -> None:
    tree = tree_of({"/usr/bin/dpkg-realpath": '#!/bin/sh\necho "its own $1"\n', "/bin": "->usr/bin"})
    tree.at("/usr/bin/dpkg-realpath").mode = 0o755
    assert run("/usr/bin/dpkg-realpath /x >/printed\n", tree) == 0
    assert tree.read_text("/printed") == "its own /x\n"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("5bbf5a52328e7439ae6e719dfe712200  /usr/share/p/f", "00000000000000000000000000000000  /none"), 0),
        (("00000000000000000000000000000000  /usr/share/p/f", "00000000000000000000000000000000  /none"), 1),
        (("00000000000000000000000000000000  /none",), 1),
        (("00000000000000000000000000000000  /usr/share/p/f/x",), 1),
    ],
)
def test_digests_of_what_may_be_missing(lines: tuple[str, ...], status: int) -> None:
    text = "\\n".join(lines)
    assert printed(f"printf '{text}\\n' | md5sum --status --ignore-missing -c") == f"{status}\n"


def test_directories_of_temporary_files_are_made() -> None:
    tree = tree_of({
        "/usr/lib/tmpfiles.d/x.conf": "D /tmp/.X 1777 root root 1h\nD! /tmp/boot\nd /run/y\n", "/tmp/": "",
        "/etc/passwd": "root:x:0:0:::\n", "/etc/group": "root:x:0:\n",
    })  # fmt: skip
    assert tmpfiles_create(tree, ["x.conf"]) == []
    assert tree.names("/tmp") == [".X"]
    assert tree.at("/tmp/.X").mode == 0o1777
    assert not tree.exists("/run")
