"""What programs do otherwise from release to release of Debian: each as the version in the tree does it.

What is expected here, the real programs of bookworm, trixie and testing have done.
"""

import pytest

from assembler.programs.context import ExecutionContext
from assembler.programs.packages_known import Fixed, Known, is_before
from assembler.shell.streams import Refused
from assembler.tree.staging import Tree
from tests.support.scripts import run
from tests.tree.disk import tree_of

PASSWD = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nmail:x:8:\nusers:x:100:\ncrowd:x:150:\nnogroup:x:65534:\n"
LOGIN_DEFS = "PASS_MAX_DAYS 99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 7\nUSERGROUPS_ENAB yes\n"
BOOKWORM = {"adduser": "3.134", "passwd": "1:4.13+dfsg1-1+deb12u2", "debianutils": "5.7-0.5~deb12u1",
            "systemd": "252.39-1~deb12u2", "dpkg": "1.21.23"}  # fmt: skip
TRIXIE = {"adduser": "3.152", "passwd": "1:4.17.4-2", "debianutils": "5.23.2", "systemd": "257.9-1~deb13u1",
          "dpkg": "1.22.21"}  # fmt: skip
TESTING = {"adduser": "3.159", "passwd": "1:4.20.3-1", "debianutils": "5.24", "systemd": "262-1", "dpkg": "1.23.11"}


def done(script: str, versions: dict[str, str], files: dict[str, str | bytes]) -> Tree:
    """The tree after a script with packages of these versions; ``s COMMAND`` notes its exit status in /status."""
    tree = tree_of({**files, "/status": ""})
    known = [
        Known({"Package": name, "Version": version, "Status": "install ok installed", "Architecture": "amd64"})
        for name, version in versions.items()
    ]
    context = ExecutionContext(tree, "amd64", package="pkg", packages=Fixed("amd64", known))
    assert run(f's() {{ "$@" >/dev/null; echo $? >>/status; }}\n{script}', tree, context=context) == 0
    return tree


def accounts(script: str, versions: dict[str, str]) -> Tree:
    return done(
        script,
        versions,
        {
            "/etc/passwd": PASSWD, "/etc/group": GROUP, "/etc/shadow": "root:*:1::::::\n", "/etc/gshadow": "",
            "/etc/login.defs": LOGIN_DEFS, "/var/lib/": "", "/home/": "", "/etc/skel/": "",
        },
    )  # fmt: skip


def last(tree: Tree, name: str, number: int = 1) -> list[str]:
    return tree.read_text(f"/etc/{name}").splitlines()[-number:]


@pytest.mark.parametrize("comment", ["", "a", "a b", "a, b", "a,b,c", "a,b,c,d", "a,b,c,d,e", ",,,", "x y,,,"])
def test_comments_of_users(comment: str) -> None:
    expected = {
        "": ",,,", "a": "a,,,", "a b": "a b,,,", "a, b": "a, b,,", "a,b,c": "a,b,c,", "a,b,c,d": "a,b,c,d",
        "a,b,c,d,e": "a,b,c,d,e", ",,,": ",,,", "x y,,,": "x y,,,",
    }  # fmt: skip
    script = f"adduser --system --no-create-home --gecos '{comment}' ann\nadduser --system --no-create-home ben"
    for versions, shown in ((BOOKWORM, expected[comment]), (TRIXIE, comment), (TESTING, comment)):
        assert last(accounts(script, versions), "passwd", 2) == [
            f"ann:x:100:65534:{shown}:/nonexistent:/usr/sbin/nologin",
            "ben:x:101:65534::/nonexistent:/usr/sbin/nologin",
        ]


def test_a_comment_that_chfn_refuses() -> None:
    script = "s adduser --system --no-create-home --gecos a=x ann"
    for versions, status, comment in ((BOOKWORM, 1, ""), (TRIXIE, 0, "a=x"), (TESTING, 0, "a=x")):
        tree = accounts(script, versions)
        assert last(tree, "passwd") == [f"ann:x:100:65534:{comment}:/nonexistent:/usr/sbin/nologin"]
        assert tree.read_text("/status") == f"{status}\n"


@pytest.mark.parametrize(
    ("versions", "owners"),
    [
        (BOOKWORM, [(100, 101), (101, 150), (102, 102)]),
        (TRIXIE, [(100, 101), (101, 150), (102, 102)]),
        (TESTING, [(101, 101), (150, 150), (103, 102)]),
    ],
)
def test_numbers_of_system_users(versions: dict[str, str], owners: list[tuple[int, int]]) -> None:
    script = (
        "adduser --system --group ann\nadduser --system --ingroup crowd ben\n"
        "addgroup --system cy\nadduser --system --group --home /var/lib/cy cy\n"
    )
    tree = accounts(script, versions)
    assert [tuple(map(int, line.split(":")[2:4])) for line in last(tree, "passwd", 3)] == owners
    # Its group was there, and its home has the number that a new one would have had.
    home = tree.at("/var/lib/cy")
    assert (home.uid, home.gid) == (owners[2][0], 103)


@pytest.mark.parametrize("versions", [BOOKWORM, TRIXIE, TESTING])
def test_exit_statuses_of_accounts(versions: dict[str, str]) -> None:
    commands = {
        "groupadd mail": (9, 9), "groupadd -f mail": (0, 0), "groupadd -g 8 new": (4, 4), "useradd root": (9, 9),
        "useradd -u 0 new": (4, 4), "useradd -g none new": (6, 6), "usermod -aG none root": (6, 6),
        "usermod -aG mail none": (6, 6), "addgroup mail": (1, 11), "addgroup --gid 8 new": (1, 21),
        "adduser root none": (1, 12), "adduser none mail": (1, 12), "adduser root mail": (0, 0),
        "adduser --system root": (1, 13), "adduser --system --ingroup none new": (1, 12),
        "adduser --uid 150 --gecos x new": (1, 21), "addgroup --system mail": (1, 13),
    }  # fmt: skip
    tree = accounts("".join(f"s {command}\n" for command in commands), versions)
    at = 0 if versions is BOOKWORM else 1
    found = dict(zip(commands, map(int, tree.read_text("/status").split()), strict=True))
    assert found == {command: expected[at] for command, expected in commands.items()}


def test_a_system_group_with_another_number_is_enough_for_bookworm() -> None:
    script = "s addgroup --system --gid 300 crowd"
    assert [accounts(script, each).read_text("/status") for each in (BOOKWORM, TRIXIE, TESTING)] == [
        "0\n", "13\n", "13\n",
    ]  # fmt: skip


def test_users_that_people_are_join_the_group_of_all() -> None:
    for versions in (BOOKWORM, TRIXIE, TESTING):
        tree = accounts("adduser --disabled-password --gecos , --ingroup crowd ann", versions)
        assert "users:x:100:ann" in tree.read_text("/etc/group").splitlines()


def test_the_least_days_between_changes_of_a_password() -> None:
    script = "useradd ann\nuseradd -r ben\nadduser --disabled-password --gecos , cy\nshadowconfig on"
    for versions, least in ((BOOKWORM, "0"), (TRIXIE, "0"), (TESTING, "")):
        tree = accounts(f"sed -i s/crowd/shadow/ /etc/group\n{script}", versions)
        shadow = [line.split(":")[3:6] for line in tree.read_text("/etc/shadow").splitlines()]
        assert shadow == [["", "", ""], [least, "99999", "7"], ["", "", ""], [least, "99999", "7"],
                          [least, "99999", "7"]]  # fmt: skip


PARTS = {"/p/a/x": "#!/bin/sh\nexit 3\n", "/p/a/y": "#!/bin/sh\nexit 5\n", "/p/b/y": "#!/bin/sh\n: >/ran\n",
         "/p/b/w": "#!/bin/sh\n: >/w\n", "/p/a/w/": "", "/p/a/u": "->none", "/p/b/u": "#!/bin/sh\n: >/u\n"}  # fmt: skip


def parts(script: str, versions: dict[str, str]) -> Tree:
    return done(f"chmod 755 /p/a/x /p/a/y /p/b/*\n{script}", versions, {**PARTS})


def test_run_parts_ends_with_another_status() -> None:
    script = "s run-parts /p/a\ns run-parts --exit-on-error /p/a\ns run-parts /none\ns run-parts /p/a/x"
    assert parts(script, BOOKWORM).read_text("/status").split() == ["1", "1", "1", "1"]
    for versions in (TRIXIE, TESTING):
        assert parts(script, versions).read_text("/status").split() == ["5", "3", "0", "0"]


def test_run_parts_of_two_directories() -> None:
    script = "s run-parts /p/a /p/b\nrun-parts --list /p/a /p/b >/listed"
    old = parts(script.partition("\n")[0], BOOKWORM)
    assert old.read_text("/status") == "1\n"
    assert not old.exists("/u")
    for versions in (TRIXIE, TESTING):
        tree = parts(script, versions)
        assert tree.read_text("/status") == "5\n"
        # What is first there counts, whatever it is, but for a link that leads nowhere.
        assert [tree.exists(path) for path in ("/ran", "/w", "/u")] == [False, False, True]
        assert tree.read_text("/listed") == "/p/b/u\n/p/a/x\n/p/a/y\n"


def test_versions_between_two_that_are_known_are_refused() -> None:
    def known(version: str) -> Fixed:
        return Fixed("amd64", [Known({"Package": "p", "Version": version})])

    assert is_before(known("1:4.17"), "p", "1:4.17", "1:4.20")
    assert is_before(known("1:4.17.4-2"), "p", "1:4.17", "1:4.20")
    assert not is_before(known("1:4.20"), "p", "1:4.17", "1:4.20")
    assert not is_before(known("1:5"), "p", "1:4.17", "1:4.20")
    with pytest.raises(Refused, match="of this version") as caught:
        is_before(known("1:4.18"), "p", "1:4.17", "1:4.20")
    assert caught.value.why == "1:4.18"
    assert is_before(None, "p", "1", "2", otherwise=True)
    assert not is_before(Fixed("amd64"), "p", "1", "2")


def test_scripts_with_such_a_version_are_refused() -> None:
    with pytest.raises(Refused, match="what adduser of this version does"):
        accounts("adduser --system ann", {**TRIXIE, "adduser": "3.155"})


def test_the_table_of_dpkg_is_read_where_it_is_known() -> None:
    script = "dpkg -l dpkg >/listed"
    assert "ii  dpkg " in done(script, TRIXIE, {}).read_text("/listed")
    with pytest.raises(Refused, match="dpkg -l prints"):
        done(script, TESTING, {})
    done("dpkg -l dpkg >/dev/null", TESTING, {})
