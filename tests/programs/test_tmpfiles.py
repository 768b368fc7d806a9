"""tmpfiles.d against the systemd-tmpfiles of the host, and what it cannot show of owners."""

import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.programs.specifiers import ConfError
from assembler.programs.tmpfiles import tmpfiles_create
from assembler.tree.staging import Inode, Kind, Tree
from tests.support.host_commands import need
from tests.tree.disk import on_disk, shown, tree_of, write_out

FILES: dict[str, str | bytes] = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nman:x:6:12:man:/var/cache/man:/usr/sbin/nologin\n",
    "/etc/group": "root:x:0:\nman:x:12:\nadm:x:4:\n",
    "/etc/os-release": 'ID=debian\nVERSION_ID="13"\n',
    "/usr/share/factory/etc/f": "from the factory\n",
    "/usr/share/factory/etc/d/one": "1\n",
    "/usr/share/factory/etc/d/two": "->one",
    "/var/old": "old\n",
    "/var/log/a.log": "a\n",
    "/var/log/b.log": "b\n",
    "/var/link": "->log",
    "/srv/": "",
}
LINES = [
    "d /srv/a 0750 - -",
    "d /srv/a/b/c - - -",
    "D /srv/d 1777 - - 10d",
    "q /srv/q",
    "v /srv/v 0700",
    "e /srv/missing 0755",
    "d /var/log :0700 - -",
    "d /var/link 0711 - -",
    "f /srv/f 0640 - - - with\\x20blanks and\\ttabs",
    "f+ /var/old 0600 - - - %o-%w%%",
    "f~ /srv/base64 0600 - - - aGVsbG8K",
    "f /srv/bytes - - - - \\xff\\303\\251\\u00e9",
    "f /var/old - - - - ignored",
    "F /srv/F - - - - text",
    "w /var/old - - - - written",
    "w+ /var/old - - - - more",
    "w /srv/none - - - - never",
    "L /srv/l - - - - ../var/old",
    "L /var/old - - - - elsewhere",
    "L+ /var/old - - - - elsewhere",
    "L /srv/factory/etc/f",
    "L? /srv/perhaps - - - - /no/such/file",
    "C /srv/copy - - - - /usr/share/factory/etc/d",
    "C /srv/c2 0600 - - - /usr/share/factory/etc/f",
    "C /srv/c3 - - - - /no/such",
    "z /var/log/*.log 0400 - -",
    "Z /var/log ~0755 - -",
    "m /var/log/{a,c}.log 0444 - -",
    "p /srv/pipe 0620 - -",
    "d! /srv/boot 0755",
    "d /srv/%m 0755",
    'd "/srv/two words" 0755 - -',
    "r /var/old",
    "x /var/old",
    "# nothing",
]


def modes(root: Path) -> dict[str, int]:
    return {
        "/" + str(path.relative_to(root)): stat.S_IMODE(path.lstat().st_mode)
        for path in root.rglob("*")
        if not path.is_symlink()
    }


def tree_modes(tree: Tree) -> dict[str, int]:
    return {path: inode.mode for path, inode in tree.walk() if inode.kind is not Kind.SYMLINK and path != "/"}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=8, unique=True))
def test_leaves_what_the_real_program_leaves(tmp_path: Path, lines: list[str]) -> None:
    tree = tree_of({**FILES, "/usr/lib/tmpfiles.d/t.conf": "".join(f"{line}\n" for line in lines)})
    root = write_out(tree, tmp_path / "root")
    program = need("systemd-tmpfiles", "systemd")
    subprocess.run([program, f"--root={root}", "--create", "t.conf"], capture_output=True, check=False)
    tmpfiles_create(tree, ["t.conf"])
    assert tree_modes(tree) == modes(root)
    assert shown(tree) == on_disk(root)


def test_owners_come_from_the_accounts_of_the_tree() -> None:
    lines = (
        "d /srv/a 0755 man adm\nf /srv/a/f 0600 :man 4\nz /var/log/a.log - man -\n"
        "L /srv/l - man man - x\nd /srv :0700 :man -\n"
    )
    tree = tree_of({**FILES, "/etc/tmpfiles.d/t.conf": lines})
    assert tmpfiles_create(tree) == []
    owners = {
        path: (tree.at(path).uid, tree.at(path).gid)
        for path in ("/srv/a", "/srv/a/f", "/var/log/a.log", "/srv/l", "/srv")
    }
    assert owners == {"/srv/a": (6, 4), "/srv/a/f": (6, 4), "/var/log/a.log": (6, 0), "/srv/l": (6, 12), "/srv": (0, 0)}


def test_lines_that_cannot_be_carried_out_are_reported_and_passed_over() -> None:
    lines = (
        "d /srv/a 0755 nobody-here -\nd relative\nk /srv/k\nd /srv/b 9999\nd /var/old 0755\nd- /var/old/x\nd /srv/c\n"
    )
    tree = tree_of({**FILES, "/usr/lib/tmpfiles.d/t.conf": lines})
    problems = tmpfiles_create(tree, ["t.conf"])
    assert [problem.where.line for problem in problems] == [1, 2, 3, 4, 5]
    assert tree.names("/srv") == ["c"]
    with pytest.raises(ConfError):
        tmpfiles_create(tree, ["missing.conf"])


def test_the_volatile_and_the_boot_lines_are_left_to_the_machine() -> None:
    lines = "d /run/x\nd /tmp/x\nd! /srv/x\nf^ /srv/y - - - - cred\nd /srv/%b\na+ /srv - - - - u:man:r\nr /srv/gone\n"
    tree = tree_of({**FILES, "/usr/lib/tmpfiles.d/t.conf": lines, "/srv/gone": ""})
    assert tmpfiles_create(tree) == []
    assert not tree.exists("/run")
    assert tree.names("/srv") == ["gone"]


def test_a_file_in_etc_wins_over_one_of_the_same_name_and_the_machine_id_is_known() -> None:
    tree = tree_of(
        {
            **FILES,
            "/usr/lib/tmpfiles.d/a.conf": "d /srv/usr\n",
            "/etc/tmpfiles.d/a.conf": "d /srv/%m\n",
            "/usr/lib/tmpfiles.d/b.conf": "d /srv/first 0700\n",
            "/usr/lib/tmpfiles.d/c.conf": "d /srv/first 0755\n",
            "/usr/lib/tmpfiles.d/off.conf": "d /srv/off\n",
            "/etc/tmpfiles.d/off.conf": "->/dev/null",
            "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        }
    )
    tmpfiles_create(tree)
    assert tree.names("/srv") == ["0123456789abcdef0123456789abcdef", "first"]
    assert tree.at("/srv/first").mode == 0o700


def test_devices_and_attributes() -> None:
    lines = (
        "c /srv/null 0666 - - - 1:3\nb+ /var/old - - - - 7:0\n"
        "t /srv - - - - user.a=b user.c='d e'\nc /srv/bad - - - - x\n"
    )
    tree = tree_of({**FILES, "/usr/lib/tmpfiles.d/t.conf": lines})
    problems = tmpfiles_create(tree)
    assert [problem.where.line for problem in problems] == [4]
    null: Inode = tree.at("/srv/null")
    assert (null.kind, null.device, null.mode) == (Kind.CHAR, (1, 3), 0o666)
    assert tree.at("/var/old").kind is Kind.BLOCK
    assert tree.at("/srv").xattrs == {"user.a": b"b", "user.c": b"d e"}


@pytest.mark.parametrize(
    "line", ['"" /srv/x', "d", 'd "/srv', "f /srv/x - - - - \\UFFFFFFFF", "f~ /srv/x - - - - %%%", "d /srv/\\"]
)
def test_broken_lines_are_problems_not_crashes(line: str) -> None:
    tree = tree_of({**FILES, "/usr/lib/tmpfiles.d/t.conf": f"{line}\n"})
    assert len(tmpfiles_create(tree)) == 1
    assert tree.names("/srv") == []


def test_what_is_below_a_directory_is_adjusted_with_it() -> None:
    files = {"/srv/z/d/f": "", "/srv/z/d/x": "", "/srv/z/l": "->d", "/srv/other": ""}
    tree = tree_of(
        {**FILES, **files, "/usr/lib/tmpfiles.d/t.conf": "Z /srv/z ~2770 man adm\nT /srv/z/d - - - - user.a=b\n"}
    )
    tree.chmod("/srv/z/d/f", 0o444)
    tree.chmod("/srv/z/d/x", 0o755)
    assert tmpfiles_create(tree) == []
    kept = {path: (tree.at(path).mode, tree.at(path).uid, tree.at(path).gid) for path in ("/srv/z", "/srv/z/d", *files)}
    assert kept == {
        "/srv/z": (0o2770, 6, 4), "/srv/z/d": (0o2770, 6, 4), "/srv/z/d/f": (0o440, 6, 4), "/srv/z/d/x": (0o770, 6, 4),
        "/srv/z/l": (tree.at("/srv/z/l").mode, 6, 4), "/srv/other": (0o644, 0, 0),
    }  # fmt: skip
    assert [tree.at(path).xattrs for path in ("/srv/z", "/srv/z/d", "/srv/z/d/f")] == [
        {},
        {"user.a": b"b"},
        {"user.a": b"b"},
    ]


def test_what_is_in_the_way_goes_only_when_the_line_says_so() -> None:
    tree = tree_of(
        {**FILES, "/srv/a/x": "", "/srv/b/x": "", "/usr/lib/tmpfiles.d/t.conf": "f /srv/a\nf= /srv/b - - - - text\n"}
    )
    tmpfiles_create(tree)
    assert tree.names("/srv/a") == ["x"]
    assert tree.read("/srv/b") == b"text"


@pytest.mark.parametrize(
    ("escape", "data"),
    [("\\x41", b"A"), ("\\xff", b"\xff"), ("\\101", b"A"), ("\\377", b"\xff"), ("\\u00fc", "ü".encode()),
     ("\\U0010ffff", "\U0010ffff".encode()), ("\\ud7ff", "\ud7ff".encode()), ("\\ue000", "\ue000".encode())],
)  # fmt: skip
def test_characters_by_number(escape: str, data: bytes) -> None:
    tree = tree_of({**FILES, "/usr/lib/tmpfiles.d/t.conf": f"f /srv/x - - - - {escape}\n"})
    assert tmpfiles_create(tree) == []
    assert tree.read("/srv/x") == data


@pytest.mark.parametrize("escape", ["\\ud800", "\\udfff", "\\U00110000", "\\400"])
def test_numbers_of_no_character(escape: str) -> None:
    tree = tree_of({**FILES, "/usr/lib/tmpfiles.d/t.conf": f"f /srv/x - - - - {escape}\n"})
    assert len(tmpfiles_create(tree)) == 1
    assert not tree.exists("/srv/x")
