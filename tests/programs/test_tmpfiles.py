"""tmpfiles.d against the systemd-tmpfiles of the host, and what it cannot show of owners."""

import stat
import subprocess
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from assembler.programs.options import UsageError
from assembler.programs.specifiers import ConfError
from assembler.programs.tmpfiles import exit_status, tmpfiles_create
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
    "d /var/old 0755",
    "d /var/old/below",
    "d- /var/old/below",
    "f /var/log",
    "f- /var/log",
    "f /var/old/file",
    "L /var/old/link - - - - x",
    "C /var/old/copy - - - - /usr/share/factory/etc/d",
    "p /var/old/pipe",
    "d /srv/9 9999",
    "k /srv/k",
    "d /srv/who - nobody-here -",
    "d relative",
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
@example(["w /var/old - - - - lo", "w+ /var/log/*.log - - - - more", "d /var/link/x"])
@example(["w /var/old - - - - longer", "F /var/log/a.log 0600 - - - new", "F /srv/F"])
@example(["C /srv - - - - /usr/share/factory/etc/d", "C+ /var/log - - - - /usr/share/factory/etc/d", "C /var/old"])
@example(["C /var/log/a.log 0600 - - - /usr/share/factory/etc/f", "C /etc/f 0640"])
@example(["p /var/old", "p+ /var/log/a.log 0600", "p /srv/p ~0600", "p /srv/p 0666"])
@example(["L= /var/log - - - - elsewhere", "L+ /var/link - - - - log", "L? /srv/q - - - - ../var/old"])
@example(["d= /var/old 0700", "f= /var/link - - - - text", "D= /var/log/a.log"])
@example(["d /var/old 0755"])
@example(["f /var/log"])
@example(["f- /var/log", "d- /var/old/below"])
@example(["d /var/old/below"])
@example(["f /var/log", "k /srv/k"])
@example(["d /srv/who - nobody-here -"])
@example(["z /var/old ~0444", "z /var/log/[ab].log ~7777", "Z /etc :0700", "e /var/l* 0711", "e /var/old 0777"])
@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=8, unique=True))
def test_leaves_what_the_real_program_leaves(tmp_path: Path, lines: list[str]) -> None:
    tree = tree_of({**FILES, "/usr/lib/tmpfiles.d/t.conf": "".join(f"{line}\n" for line in lines)})
    root = write_out(tree, tmp_path / "root")
    program = need("systemd-tmpfiles", "systemd")
    real = subprocess.run([program, f"--root={root}", "--create", "t.conf"], capture_output=True, check=False)
    try:
        problems = tmpfiles_create(tree, ["t.conf"])
    except UsageError:
        # What lies behind a dangling link is refused.
        assert not (root / "var/old").exists()
        return
    assert exit_status(problems) == real.returncode, real.stderr
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


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ("z /srv/a/f 0600 man -", True),
        ("d /srv/a/d\nf /srv/a/d/f", True),
        ("a+ /srv/a/f - - - - u:man:r", True),
        ("d /srv/a/d\nf /srv/a/f", False),
        ("z /srv/a/own 0600 - -\nd /srv/a/d - man\nf /srv/a/d/f", False),
    ],
)
def test_what_a_user_might_have_put_there_is_not_gone_through(lines: str, refused: bool) -> None:  # noqa: FBT001
    text = f"d /srv/a 0755 man -\nf /srv/a/own - man -\nf /srv/a/f\n{lines}\n"
    tree = tree_of({**FILES, "/usr/lib/tmpfiles.d/t.conf": text})
    with pytest.raises(UsageError) if refused else nullcontext():
        assert tmpfiles_create(tree, ["t.conf"]) == []


def test_lines_that_cannot_be_carried_out_are_reported_and_passed_over() -> None:
    lines = (
        "d /srv/a 0755 nobody-here -\nd relative\nk /srv/k\nd /srv/b 9999\nd /var/old 0755\nd- /var/old/x\nd /srv/c\n"
    )
    tree = tree_of({**FILES, "/usr/lib/tmpfiles.d/t.conf": lines})
    problems = tmpfiles_create(tree, ["t.conf"])
    assert [problem.where.line for problem in problems] == [1, 2, 3, 4, 5]
    assert exit_status(problems) == 65
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


def done(lines: str, files: Mapping[str, str | bytes] | None = None) -> tuple[Tree, list[tuple[int, str]]]:
    """The tree after these lines, and what is wrong with which of them."""
    tree = tree_of({**FILES, **(files or {}), "/usr/lib/tmpfiles.d/t.conf": lines})
    return tree, [(problem.where.line, problem.what) for problem in tmpfiles_create(tree)]


def test_a_file_is_written_over_from_its_start_and_not_cut() -> None:
    tree, problems = done("w /var/old - - - - AB\nw+ /var/log/a.log - - - - b\\n\nw /var/log/b.log - - - - longer\n")
    assert problems == []
    assert [tree.read(path) for path in ("/var/old", "/var/log/a.log", "/var/log/b.log")] == [
        b"ABd\n", b"a\nb\n", b"longer",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "problem"),
    [("t /srv - - - - user.a", "'user.a' is no attribute and value"), ("d /srv/x 8", "'8' is no mode"),
     ("d /srv/x 0755 nobody-here", "there is no user 'nobody-here'"), ("d /srv/x - - nobody-here",
     "there is no group 'nobody-here'"),
     ("k /srv/x", "unknown type 'k'"), ("d* /srv/x", "unknown type 'd*'"), ("d", "the line names no path"),
     ("d srv/x", "the path is not absolute"), ("f~ /srv/x - - - - a", "the argument is no Base64"),
     ("d /var/old", "a file is in the way of a directory"), ("f /srv",
     "something that is no file is in the way of one"),
     ("c /srv/x - - - - 1", "'1' is no device number"), ("b /srv/x - - - - :1", "':1' is no device number"),
     ("c /srv/x - - - - 4096:0", "'4096:0' is no device number"), ("c /srv/x - - - - 0:1048576",
     "'0:1048576' is no device number")],
)  # fmt: skip
def test_what_is_wrong_is_told_and_passed_over_with_a_dash(line: str, problem: str) -> None:
    tree, problems = done(f"{line}\nd /srv/next\n")
    assert problems == [(1, problem)]
    assert tree.names("/srv") == ["next"]
    if "way" in problem or "device" in problem or "attribute" in problem:
        assert done(f"{line[0]}-{line[1:]}\n")[1] == []


def test_devices_have_numbers_that_fit_and_a_mode() -> None:
    tree, problems = done(
        "c /srv/a - - - - 4095:1048575\nb /srv/b 0660 6 12 - 0:0\nc /srv/a 0600\nc /var/old - - - - 1:1\n"
    )
    assert problems == []
    assert [(tree.at(path).device, tree.at(path).mode) for path in ("/srv/a", "/srv/b")] == [
        ((4095, 1048575), 0o644), ((0, 0), 0o660),
    ]  # fmt: skip
    assert (tree.at("/srv/b").uid, tree.at("/srv/b").gid, tree.at("/var/old").kind) == (6, 12, Kind.FILE)


def test_what_is_there_of_the_kind_is_adjusted() -> None:
    tree, _ = done("p /srv/p\n")
    tree.write(
        "/etc/tmpfiles.d/t.conf", b"p /srv/p 0600 6 12\nL /var/link - 6 12 - log\nC /var/log 0700 6\n", parents=True
    )
    assert tmpfiles_create(tree) == []
    assert [(tree.at(path).uid, tree.at(path).gid) for path in ("/srv/p", "/var/link", "/var/log")] == [
        (6, 12),
        (6, 12),
        (0, 0),
    ]
    assert tree.at("/srv/p").mode == 0o600


@pytest.mark.parametrize(
    ("old", "directory", "mode"),
    [(0o777, False, 0o777), (0o666, False, 0o666), (0o555, False, 0o555), (0o333, False, 0o333), (0o000, False, 0),
     (0o100, False, 0o111), (0o020, False, 0o222), (0o004, False, 0o444), (0o777, True, 0o7777), (0o400, True, 0o7444)],
)  # fmt: skip
def test_a_masked_mode_gives_no_more_than_was_there(old: int, mode: int, *, directory: bool) -> None:
    path = "/srv/x/" if directory else "/srv/x"
    tree = tree_of({**FILES, path: "", "/usr/lib/tmpfiles.d/t.conf": "z /srv/x ~7777\n"})
    tree.chmod("/srv/x", old)
    assert tmpfiles_create(tree) == []
    assert tree.at("/srv/x").mode == mode


def test_a_copy_keeps_owners_modes_and_attributes() -> None:
    tree = tree_of({**FILES, "/usr/lib/tmpfiles.d/t.conf": "C /srv/copy - - - - /usr/share/factory/etc/d\n"})
    origin = tree.at("/usr/share/factory/etc/d/one")
    origin.mode, origin.uid, origin.gid, origin.xattrs["user.x"] = 0o4750, 6, 12, b"y"
    tree.mtime = 77
    assert tmpfiles_create(tree) == []
    copy = tree.at("/srv/copy/one")
    assert (copy.mode, copy.uid, copy.gid, copy.xattrs, copy.mtime) == (0o4750, 6, 12, {"user.x": b"y"}, 77)
    assert copy.xattrs is not origin.xattrs


def test_a_copy_does_not_go_into_what_is_in_use() -> None:
    tree, problems = done(
        "C /var/log - - - - /usr/share/factory/etc/d\nC+ /var/more - - - - /usr/share/factory/etc/d\n"
        "C /var/old 0600 - - - /usr/share/factory/etc/f\nC+ /srv/f - - - - /usr/share/factory/etc/f\n",
        {"/var/more/one": "mine", "/srv/f": "mine"},
    )
    assert problems == []
    assert (tree.names("/var/log"), tree.names("/var/more")) == (["a.log", "b.log"], ["one", "two"])
    assert [tree.read(path) for path in ("/var/more/one", "/var/old", "/srv/f")] == [b"mine", b"old\n", b"mine"]
    assert tree.at("/var/old").mode == 0o600


def test_patterns_find_no_hidden_names_unless_they_say_so() -> None:
    tree, problems = done("z /srv/* 0600\nz /srv/.h* 0640\nz /srv/{x,y}/[ab] 0604\n", {
        "/srv/a": "", "/srv/.a": "", "/srv/.hid": "", "/srv/x/a": "", "/srv/y/b": "", "/srv/y/c": "",
    })  # fmt: skip
    assert problems == []
    paths = ("/srv/a", "/srv/.a", "/srv/.hid", "/srv/x/a", "/srv/y/b", "/srv/y/c")
    assert {path: tree.at(path).mode for path in paths} == {
        "/srv/a": 0o600, "/srv/.a": 0o644, "/srv/.hid": 0o640, "/srv/x/a": 0o604, "/srv/y/b": 0o604, "/srv/y/c": 0o644,
    }  # fmt: skip


def test_the_first_line_of_a_path_wins_and_other_kinds_of_line_add_to_it() -> None:
    tree, problems = done("d /srv/a 0700\nd /srv/a 0711\nz /srv/a - 6\nd /srv/a 0700\nd /srv/b/c 0700\nd /srv/b 0711\n")
    assert problems == []
    assert [(tree.at(path).mode, tree.at(path).uid) for path in ("/srv/a", "/srv/b", "/srv/b/c")] == [
        (0o700, 6), (0o711, 0), (0o700, 0),
    ]  # fmt: skip
