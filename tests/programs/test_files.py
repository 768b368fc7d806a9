"""Commands on files that a shell's script cannot easily be compared for: what is refused, statuses, links and modes."""

import json
import shlex

import pytest

from assembler.programs.capabilities import XATTR, encode
from assembler.programs.commands import COMMANDS
from assembler.programs.context import CommandError, ExecutionContext
from assembler.programs.options import UsageError
from assembler.tree.staging import Inode, Kind, Tree
from tests.proofs.coreutils import RECORDED, changed, ours
from tests.tree.disk import shown, tree_of

FILES = {
    "/etc/a": "a", "/etc/b": "b", "/etc/same": "a", "/etc/d/x": "x", "/etc/empty/": "", "/etc/l": "->a",
    "/usr/share/p/f": "f", "/usr/share/to": "->../../etc/d",
}  # fmt: skip


def status(tree: Tree, command: str, **context: str) -> int | None:
    """The exit status of a command; None when it is not understood."""
    name, *arguments = shlex.split(command)
    action = COMMANDS[name](arguments)
    return None if action is None else action(ExecutionContext(tree, "amd64", environment=context))


@pytest.mark.parametrize(
    "command",
    ["mkdir", "mkdir -p", "mkdir -m q /x", "rmdir -p /etc/./empty", "rmdir -x /etc/empty", "rm", "rm -f",
     "rm -i /etc/a", "rm -rf /", "rm -rf /etc/a //", "rm -rf /.", "rm -rf /..", "touch", "touch -d x /etc/a",
     "ln /etc/a", "ln -r /etc/a /x", "ln -sT /etc/a /etc/b /x", "ln -b /etc/a /x", "cp /etc/a", "cp -b /etc/a /x",
     "cp -u /etc/a /x", "cp -s /etc/a /x", "cp --preserve=mode /etc/a /x", "cp -T /etc/a /etc/b /x", "cp -rL /etc/d /x",
     "mv /etc/a", "mv -b /etc/a /x", "mv -fn /etc/a /x", "mv -T /etc/a /etc/b /x", "install /etc/a",
     "install -D /etc/a /etc/b /x", "install -dp /x",
     "install -d", "install -m q /etc/a /x", "install -b /etc/a /x", "cmp /etc/a", "cmp -l /etc/a /etc/b",
     "cmp /etc/a /etc/b /etc/d", "chmod 755", "chmod q /etc/a", "chmod -R --reference=/etc/b /etc/a",
     "chown --reference=/etc/b", "chmod --reference /etc/b /etc/a", "chmod -R 755",
     "chmod -w -x /etc/a", "chmod 755 -w /etc/a", "chown root", "chown --from=a root /etc/a", "chown -H root /etc/a",
     "chown -h --dereference root /etc/a", "chgrp root", "setcap cap_net_raw+ep", "setcap -r /etc/a /etc/b",
     "setcap nothing=ep /etc/a",
     "ischroot -t",
     "dpkg-maintscript-helper", "dpkg-maintscript-helper frob x", "systemd-tmpfiles --remove", "systemd-tmpfiles",
     "systemd-tmpfiles --create --boot", "systemd-tmpfiles --remove --create x.conf", "systemd-sysusers --replace=x",
     "update-ca-certificates --verbose", "update-ca-certificates --fresh --fresh",
     "dpkg-trigger", "dpkg-trigger a b",
     "dpkg-statoverride --add root root 9 /x", "dpkg-statoverride --add root root 17777 /x",
     "dpkg-statoverride --add '#0' root 755 /x", "dpkg-statoverride --add root root 755 /x/",
     "dpkg-statoverride --add root root 755", "dpkg-statoverride --add --remove root root 755 /x",
     "dpkg-statoverride --list", "dpkg-statoverride --list --update /x", "dpkg-statoverride --frob /x",
     "dpkg-statoverride --add 'a b' root 755 /x", "dpkg-statoverride --add root 'a b' 755 /x",
     "dpkg-statoverride --add root root 755 'a\nb'", "dpkg-statoverride --remove /x/",
     "dpkg-divert --rename", "dpkg-divert --rename /x /y", "dpkg-divert --frob --rename /x", "dpkg-divert /x",
     "dpkg-divert --rename --no-rename /x", "dpkg-divert --no-rename 'a\nb'",
     "dpkg-divert --no-rename --divert 'a\nb' /x", "dpkg-divert --no-rename --package 'a\nb' /x"]
)  # fmt: skip
def test_calls_that_are_not_understood(command: str) -> None:
    tree = tree_of(FILES)
    before = shown(tree)
    assert status(tree, command) is None
    assert shown(tree) == before


@pytest.mark.parametrize(
    ("command", "expected"),
    [("mkdir /etc/a", 1), ("mkdir /etc/d", 1), ("mkdir -p /etc/a", 1), ("mkdir -p /etc/d", 0),
     ("mkdir /etc/n /etc/a", 1),
     ("rmdir /etc/empty", 0), ("rmdir /etc/d", 1), ("rmdir --ignore-fail-on-non-empty /etc/d", 0), ("rmdir /etc/a", 1),
     ("rmdir -p /etc/empty", 1), ("rmdir -p --ignore-fail-on-non-empty /etc/empty", 0), ("rmdir -p /etc/none", 1),
     ("rmdir /etc/none", 1), ("rmdir --ignore-fail-on-non-empty /etc/none", 1),
     ("rm /etc/none", 1), ("rm -f /etc/none", 0), ("rm /etc/d", 1), ("rm /etc/d /etc/a", 1), ("rm /etc/none /etc/a", 1),
     ("rm -f /etc/d /etc/none", 1), ("rm -rf /etc/d", 0), ("rm -rf /etc/.a /etc/a", 0),
     ("ln /etc/a /etc/b", 1), ("ln -s x /etc/b", 1), ("ln -sfT x /etc/empty", 1),
     ("cp /etc/none /x", 1), ("cp /etc/d /x", 1), ("cp -n /etc/a /etc/b", 0), ("mv /etc/none /x", 1),
     ("mv -n /etc/a /etc/b", 0),
     ("mv -n /etc/a /x", 0), ("install /etc/none /x", 1), ("install /etc/d /x", 1),
     ("cmp /etc/a /etc/same", 0), ("cmp -s /etc/a /etc/b", 1), ("cmp --quiet /etc/a /etc/none", 2),
     ("cmp --silent /etc/d /etc/a", 2), ("chmod 600 /etc/none", 1), ("chown root /etc/none", 1),
     ("chgrp root /etc/none", 1), ("setcap cap_net_raw+ep /etc/none", 1), ("setcap cap_net_raw+ep /etc/d", 1),

     ("ischroot", 0), ("pidof x", 1), ("pkill x", 1), ("aa-enabled", 1),
     ("service x status", 1), ("service x start", 0), ("apparmor_parser -r x", 0),
     ("dpkg-maintscript-helper rm_conffile /x", 0),
     ("dpkg-statoverride --list /x", 1),
     ("dpkg-statoverride --quiet --list /x", 1)],
)  # fmt: skip
def test_statuses(command: str, expected: int) -> None:
    assert status(tree_of(FILES), command) == expected


def test_what_fails_in_part_is_done_in_part() -> None:
    tree = tree_of(FILES)
    assert status(tree, "rm /etc/none /etc/d /etc/a") == 1
    assert (tree.exists("/etc/a"), tree.exists("/etc/d/x")) == (False, True)
    assert status(tree, "mkdir /etc/new /etc/b /etc/too") == 1
    assert (tree.is_dir("/etc/new"), tree.is_dir("/etc/too")) == (True, True)
    assert status(tree, "chmod 600 /etc/none /etc/b") == 1
    assert tree.at("/etc/b").mode == 0o600
    assert status(tree, "chown 5:6 /etc/none /etc/b") == 1
    assert (tree.at("/etc/b").uid, tree.at("/etc/b").gid) == (5, 6)
    assert status(tree, "cp -a /etc/d /etc/none /etc/new") == 1
    assert tree.read("/etc/new/d/x") == b"x"


def test_what_is_there_is_kept_when_asked() -> None:
    tree = tree_of(FILES)
    for command in ("cp -n /etc/a /etc/b", "mv -n /etc/a /etc/b", "cp -nT /etc/a /etc/l", "touch /etc/b"):
        assert status(tree, command) == 0
    assert shown(tree) == shown(tree_of(FILES))


def test_links_and_directories_as_targets() -> None:
    tree = tree_of(FILES)
    for command in (
        "ln -s y /etc/d/", "ln -sf z /usr/share/to", "ln -sr /etc/a /usr/share/p/rel", "ln -sr /etc/a /top",
        "cp -a /etc/l /etc/d", "cp -d /etc/l /etc/d/m", "cp /etc/l /etc/d/n", "cp -T /etc/a /etc/b",
        "mv /etc/same /usr/share/to", "ln -snf w /etc/empty", "ln -sT v /etc/new", "ln -sfn u /usr/share/to",
    ):  # fmt: skip
        assert status(tree, command) == 0, command
    assert shown(tree) == {
        "/etc/a": b"a", "/etc/b": b"a", "/etc/d/x": b"x", "/etc/l": "a", "/usr/share/p/f": b"f", "/usr/share/to": "u",
        "/etc/d/y": "y", "/etc/d/z": "z", "/usr/share/p/rel": "../../../etc/a", "/top": "etc/a", "/etc/d/l": "a",
        "/etc/d/m": "a", "/etc/d/n": b"a", "/etc/d/same": b"a", "/etc/empty/w": "w", "/etc/new": "v",
    }  # fmt: skip


def test_a_copy_has_the_mode_of_its_source_under_the_umask_and_all_of_it_with_p() -> None:
    tree = tree_of({"/etc/a": "a", "/etc/passwd": "ann:x:7:8:::\n", "/etc/group": "mail:x:8:\n"})
    source = tree.at("/etc/a")
    source.mode, source.uid, source.gid, source.mtime = 0o4777, 3, 4, 5
    tree.mtime = 99
    for command in ("cp /etc/a /etc/b", "cp -p /etc/a /etc/c", "cp -a /etc/a /etc/d", "install /etc/a /etc/e",
                    "install -D -m 4750 -o ann -g mail /etc/a /srv/x/f",
                    "install -d -m 2770 -o 9 /srv/y/z"):  # fmt: skip
        assert status(tree, command) == 0, command
    made = [tree.at(path) for path in ("/etc/b", "/etc/c", "/etc/d", "/etc/e", "/srv/x/f", "/srv/y/z")]
    assert [(inode.mode, inode.uid, inode.gid, inode.mtime) for inode in made[:5]] == [
        (0o755, 0, 0, 99), (0o4777, 3, 4, 5), (0o4777, 3, 4, 5), (0o755, 0, 0, 99), (0o4750, 7, 8, 99),
    ]  # fmt: skip
    assert (made[5].mode, made[5].uid, made[5].gid, tree.at("/srv/y").mode) == (0o2770, 9, 0, 0o755)
    assert status(tree, "install -o nobody /etc/a /etc/f") == 1
    assert not tree.lexists("/etc/f")


def test_what_stays_and_what_is_replaced() -> None:
    tree = tree_of(FILES)
    assert status(tree, "mv -n /etc/l/ /etc/b") == 0
    assert shown(tree) == shown(tree_of(FILES))
    assert status(tree, "ln -sf /x/name /y/name /etc/empty") == 0
    assert tree.at("/etc/empty/name").target == "/y/name"
    tree.symlink("nowhere", "/dangling")
    assert status(tree, "cp -n /etc/a /dangling") == 1
    assert status(tree, "ln -f /etc/a /etc/d/../a /etc/empty") == 1


def test_a_hard_link_is_one_file() -> None:
    tree = tree_of(FILES)
    assert status(tree, "ln /etc/a /etc/hard") == 0
    assert tree.at("/etc/hard") is tree.at("/etc/a")
    assert status(tree, "install /etc/l /etc/a") == 1
    assert status(tree, "install /etc/a /etc/hard") == 0
    assert tree.at("/etc/hard") is not tree.at("/etc/a")


def test_what_real_programs_made_of_it() -> None:
    """What was recorded of coreutils, as root: see tests/proofs/coreutils.py, which goes further."""
    lines = RECORDED.read_text().splitlines()
    assert len(lines) > 1000
    for line in lines:
        command, expected, left = json.loads(line)
        found = ours(command)
        assert found is not None, command
        assert (found[0], changed(found[1])) == (expected, left), command


@pytest.mark.parametrize(
    "command", ["cp -r /etc /etc/d", "cp -a /dev/pipe /x", "cp /etc/a /dev/pipe", "rm -rd /usr/share/to/",
                "mv /etc/l /etc/a", "cp -rT /usr /usr/share/to",
                "ln -sr /etc/a/x /y", "ln -sf /etc/l /etc/a", "mv -n /etc/d/. /etc/l/", "cp -d /etc/l /etc/a",
                "mv -n /none /etc/a", "ln -srf /etc/a /etc/a", "mkdir -m +t /x", "mkdir -m g+s /x",
                "install -d -m g=u /etc/d"],
)  # fmt: skip
def test_what_is_only_seen_on_the_way_is_refused_all_the_same(command: str) -> None:
    tree = tree_of({**FILES, "/dev/": ""})
    tree.put("/dev/pipe", Inode(Kind.FIFO, 0o600))
    with pytest.raises(UsageError):
        status(tree, command)


def test_clauses_of_modes_go_on_from_what_each_program_has() -> None:
    """As coreutils 9.7 does it: mkdir from what all may do and under the umask, install from nothing."""
    tree = tree_of({**FILES, "/g/": ""})
    tree.chmod("/g", 0o2755)
    for command in ("mkdir -m g+w /1", "mkdir -m =rwx /2", "mkdir -m u+x,o-r /g/3", "mkdir -pm a+rwx /4/5",
                    "install -d -m g+w /6", "install -d -m u+rw,g+r /g/7", "install -d -m g+s /8",
                    "install -m u+rw,g+r /etc/a /9", "install -m g=u /etc/a /10"):  # fmt: skip
        assert status(tree, command) == 0
    modes = {
        path: f"{tree.at(path).mode:o}" for path in ("/1", "/2", "/g/3", "/4", "/4/5", "/6", "/g/7", "/8", "/9", "/10")
    }
    assert modes == {
        "/1": "777", "/2": "755", "/g/3": "2773", "/4": "755", "/4/5": "777", "/6": "20", "/g/7": "2640", "/8": "2000",
        "/9": "640", "/10": "0",
    }  # fmt: skip


def test_a_link_with_a_slash_at_its_end_loses_what_is_behind_it() -> None:
    tree = tree_of({"/d/s/f": "", "/d/f": "", "/l": "->d", "/m": "->e", "/e/f": "", "/file": "", "/n": "->file"})
    words = ("-rf /l/", "-r /m/", "-f /n/", "/n/", "-rf /file/", "/file/")
    assert [status(tree, f"rm {each}") for each in words] == [0, 1, 0, 1, 0, 1]
    assert (tree.names("/d"), tree.names("/e"), sorted(tree.names("/"))) == ([], [], ["d", "e", "file", "l", "m", "n"])


def test_chmod_of_a_whole_directory_leaves_links_and_what_they_lead_to() -> None:
    tree = tree_of({"/d/f": "", "/d/l": "->/out", "/out": "", "/link": "->d/f"})
    link = tree.at("/d/l").mode
    assert status(tree, "chmod -R 711 /d") == 0
    assert [tree.at(path).mode for path in ("/d", "/d/f", "/d/l", "/out")] == [0o711, 0o711, link, 0o644]
    assert status(tree, "chmod 000 /link /out") == 0
    assert (tree.at("/link").kind, tree.at("/d/f").mode, tree.at("/out").mode) == (Kind.SYMLINK, 0, 0)


def test_chown_of_what_is_there() -> None:
    tree = tree_of({"/d/f": "", "/d/g": "", "/etc/passwd": "ann:x:7:70:::\n", "/etc/group": "mail:x:8:\n"})
    for command in ("chown ann:mail /d/f", "chown :mail /d/g", "chown ann: /d", "chgrp -f 4 /d/f"):
        assert status(tree, command) == 0
    assert [(tree.at(path).uid, tree.at(path).gid) for path in ("/d", "/d/f", "/d/g")] == [(7, 70), (7, 4), (0, 8)]
    tree.symlink("nowhere", "/dangling")
    assert status(tree, "chmod 600 /dangling") == 1
    for owner in ("nobody:", "nobody", "ann:nobody", "5:", "ann.nobody"):
        assert status(tree, f"chown {owner} /d/g") == 1
    assert status(tree, "chown ann.mail /d/g") == 0
    assert (tree.at("/d/g").uid, tree.at("/d/g").gid) == (7, 8)


def test_chown_takes_privileges_away_and_reaches_links() -> None:
    tree = tree_of({"/d/su": "", "/d/sg": "", "/d/lock": "", "/d/l": "->su", "/d/server": ""})
    for name, mode in (("su", 0o4755), ("sg", 0o2755), ("lock", 0o2644), ("server", 0o755)):
        tree.at(f"/d/{name}").mode = mode
    tree.at("/d").mode = 0o2755
    assert status(tree, "setcap cap_net_raw+ep /d/server") == 0
    assert status(tree, "chown -R 5:6 /d") == 0
    assert {(inode.uid, inode.gid) for _, inode in tree.walk("/d")} == {(5, 6)}
    assert [tree.at(f"/d/{name}").mode for name in ("su", "sg", "lock")] == [0o755, 0o755, 0o2644]
    assert tree.at("/d").mode == 0o2755
    assert not tree.at("/d/server").xattrs


def test_what_is_made_below_a_set_group_id_directory_has_its_group() -> None:
    tree = tree_of({"/s/": "", "/etc/a": "a", "/etc/d/x": "x"})
    tree.at("/s").mode, tree.at("/s").gid = 0o2775, 50
    for command in ("mkdir /s/d", "mkdir -p /s/p/q", "touch /s/f", "ln -s x /s/l", "cp /etc/a /s/c", "cp -r /etc/d /s",
                    "install -m 600 /etc/a /s/i", "mkdir -m 00755 /s/n"):  # fmt: skip
        assert status(tree, command) == 0
    assert {inode.gid for _, inode in tree.walk("/s")} == {50}
    assert [tree.at(f"/s/{name}").mode & 0o2000 for name in ("d", "p", "p/q", "n")] == [0o2000, 0o2000, 0o2000, 0]


def test_capabilities_are_set_and_listed_accounts_are_found() -> None:
    tree = tree_of({"/bin/ping": "", "/etc/passwd": "ann:x:7:70:::\n", "/etc/group": "mail:x:8:\n"})
    for command in ("setcap cap_net_raw+ep /bin/ping",):
        assert status(tree, command) == 0, command
    assert tree.at("/bin/ping").xattrs == {XATTR: encode("cap_net_raw+ep")}


@pytest.mark.parametrize("name", ["fc-cache", "update-mime-database"])
def test_caches_that_nobody_makes_are_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        status(Tree(), name)
    assert caught.value.what == f"{name} makes a cache that the assembler cannot make"


def test_overrides_of_dpkg() -> None:
    tree = tree_of({"/etc/passwd": "ann:x:7:70:::\n", "/etc/group": "mail:x:8:\n", "/x": "", "/y": "", "/l": "->y"})
    for command in ("--add ann mail 04750 /x", "--update --add ann mail 0640 /y", "--force-all --add ann mail 7 /x",
                    "--update --add ann mail 600 /none", "--update --add root root 600 /l"):  # fmt: skip
        if "root" in command:
            with pytest.raises(CommandError, match="no user") as caught:
                status(tree, f"dpkg-statoverride {command}")
            assert caught.value.status == 2
        else:
            assert status(tree, f"dpkg-statoverride {command}") == 0
    assert tree.read_text("/var/lib/dpkg/statoverride") == ("ann mail 7 /x\nann mail 640 /y\nann mail 600 /none\n")
    for command in ("--add ann mail 600 /x", "--update --quiet --add ann mail 755 /y"):
        with pytest.raises(CommandError, match="already") as caught:
            status(tree, f"dpkg-statoverride {command}")
        assert caught.value.status == 2
    assert [(tree.at(path).mode, tree.at(path).uid, tree.at(path).gid) for path in ("/x", "/y")] == [
        (0o644, 0, 0), (0o640, 7, 8),
    ]  # fmt: skip
    assert [status(tree, f"dpkg-statoverride --list {path}") for path in ("/x", "/none", "/z")] == [0, 0, 1]
    assert status(tree, "dpkg-statoverride --add ann mail 01733 /sessions") == 0
    assert tree.read_text("/var/lib/dpkg/statoverride").endswith("ann mail 600 /none\nann mail 1733 /sessions\n")
    assert (tree.at("/y").mode, status(tree, "dpkg-trigger --check-supported")) == (0o640, 0)


@pytest.mark.parametrize(
    ("path", "text", "command"),
    [("/var/lib/dpkg/statoverride", "root root 755\n", "dpkg-statoverride --list /x"),
     ("/var/lib/dpkg/diversions", "/x\n/y\n", "dpkg-divert --no-rename /x")],
)  # fmt: skip
def test_damaged_databases_of_dpkg_are_named(path: str, text: str, command: str) -> None:
    with pytest.raises(CommandError, match="damaged") as caught:
        status(tree_of({path: text}), command)
    assert caught.value.where.path == path


def test_diversions_of_dpkg() -> None:
    tree = tree_of({"/x": "x", "/y": "y", "/w": ""})
    for command in ("--no-rename --local /x", "--no-rename --local /x", "--rename --package p --divert /z /y",
                    "--no-rename --remove /absent", "--no-rename --package p /q", "--rename --remove /q"):  # fmt: skip
        assert status(tree, f"dpkg-divert {command}") == 0
    assert tree.read_text("/var/lib/dpkg/diversions") == "/x\n/x.distrib\n:\n/y\n/z\np\n"
    assert shown(tree).keys() == {"/w", "/x", "/z", "/var/lib/dpkg/diversions"}
    with pytest.raises(UsageError, match="in the way") as caught:
        status(tree, "dpkg-divert --rename --divert /w /v")
    assert caught.value.where.path == "/w"


@pytest.mark.parametrize(
    "command",
    [
        "--package p --divert /w --add /y",
        "--package q --divert /z --add /y",
        "--package q --divert /y --add /v",
        "--package q --divert /z --add /v",
        "--package q --divert /t --add /z",
        "--package q --remove /y",
        "--divert /q --remove /y",
        "--local --remove /y",
    ],
)
def test_diversions_in_the_way_of_one_another(command: str) -> None:
    tree = tree_of({"/var/lib/dpkg/diversions": "/y\n/z\np\n"})
    with pytest.raises(CommandError, match="in its place") as caught:
        status(tree, f"dpkg-divert --no-rename {command}")
    assert caught.value.status == 2
    assert tree.read_text("/var/lib/dpkg/diversions") == "/y\n/z\np\n"


def test_a_file_of_no_name_is_no_reference() -> None:
    tree = tree_of({"/a": "a", "/b": "b"})
    tree.at("/a").mode = 0o600
    for words in ("chmod --reference= /a", "chown --reference= /a", "chgrp --reference= /a"):
        assert status(tree, words) == 1
    assert tree.at("/a").mode == 0o600


def test_touch_takes_the_time_of_another_file_and_does_not_follow_links() -> None:
    tree = tree_of({"/a": "a", "/l": "->a", "/dangling": "->none"})
    tree.at("/a").mtime, tree.mtime = 5, 9
    assert status(tree, "touch -h /l") == 0
    assert (tree.at("/l").mtime, tree.at("/a").mtime) == (9, 5)
    assert status(tree, "touch --no-dereference --reference=/a /l /dangling") == 0
    assert [tree.at(path).mtime for path in ("/l", "/dangling")] == [5, 5]
    assert status(tree, "touch -r /a /new") == 0
    assert tree.at("/new").mtime == 5
    assert [status(tree, f"touch {words}") for words in ("-h /none", "-hc /none", "-r /none /a")] == [1, 0, 1]
    assert not tree.lexists("/none")


def test_cp_makes_further_names() -> None:
    tree = tree_of({"/a": "a", "/d/": "", "/l": "->a"})
    assert status(tree, "cp -l /a /d") == 0
    assert tree.at("/d/a") is tree.at("/a")
    assert [status(tree, f"cp -l {words}") for words in ("/none /b", "/d /b")] == [1, 1]
    for words in ("/a /d", "/l /b"):
        with pytest.raises(UsageError, match="cp -l"):
            status(tree, f"cp -l {words}")
    assert status(tree, "cp -al /a /b") is None


def test_a_trigger_is_noted() -> None:
    action = COMMANDS["dpkg-trigger"](["--no-await", "/usr/x"])
    context = ExecutionContext(Tree(), "amd64")
    assert action is not None
    assert action(context) == 0
    assert context.triggers == ["/usr/x"]


def test_programs_are_files_that_may_be_executed_in_the_path() -> None:
    tree = tree_of(
        {"/usr/bin/a": "", "/usr/sbin/b": "", "/bin/d/": "", "/usr/local/bin/l": "->/usr/bin/a", "/opt/o": ""}
    )
    for path, mode in (("/usr/bin/a", 0o001), ("/usr/sbin/b", 0o644), ("/opt/o", 0o755)):
        tree.chmod(path, mode)
    context = ExecutionContext(tree, "amd64", hidden=frozenset({"l"}))
    assert [name for name in "abdlo" if context.program(name)] == ["a"]
    context.write("/opt/w", b"w")
    assert (tree.at("/opt/w").mode, tree.read("/opt/w")) == (0o644, b"w")
