"""Accounts against a recorded installation of Debian 13, and against the systemd-sysusers of the host."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.programs.accounts import AccountError, Accounts
from assembler.programs.adduser import addgroup, adduser
from assembler.programs.options import UsageError
from assembler.programs.shadow import chfn, chsh, groupadd, set_password, shadowconfig, useradd, usermod
from assembler.programs.specifiers import ConfError
from assembler.programs.sysusers import sysusers
from assembler.tree.staging import Tree
from tests.support.host_commands import need
from tests.tree.disk import on_disk, tree_of, write_out

DATA = Path(__file__).parent / "data" / "accounts"
EPOCH = 20779 * 86400
LOGIN_DEFS = "# as Debian ships it\nUSERGROUPS_ENAB yes\nPASS_MIN_DAYS 0\nPASS_MAX_DAYS 99999\nPASS_WARN_AGE 7\n"
SYSUSERS = {
    "systemd-journal.conf": "g systemd-journal - -\n",
    "systemd-network.conf": 'u! systemd-network - "systemd Network Management"\n',
    "systemd-timesync.conf": 'u! systemd-timesync - "systemd Time Synchronization"\n',
    "dbus.conf": 'u messagebus - "System Message Bus" /nonexistent\n',
    "debian-udev.conf": "g input  -\ng sgx    -\ng clock  -\n# a remark\ng kvm    -\ng render -\n",
    "systemd-resolve.conf": 'u! systemd-resolve - "systemd Resolver"\n',
    "openssh-server.conf": 'u sshd -:nogroup "sshd user" /run/sshd\n',
    "basic.conf": "u root 0 - /root /bin/bash\ng adm 4 -\nu sync 4:65534 - /bin /bin/sync\n",
}


def base_passwd(tree: Tree) -> None:
    """What base-passwd does on a fresh install: the master files as passwd and group, empty subuid and subgid."""
    for name in ("passwd", "group"):
        if not tree.exists(f"/etc/{name}"):
            tree.write(f"/etc/{name}", tree.read(f"/usr/share/base-passwd/{name}.master"))
    for name in ("subuid", "subgid"):
        if not tree.exists(f"/etc/{name}"):
            tree.write(f"/etc/{name}", b"")


def fresh() -> Tree:
    tree = Tree()
    for name in ("passwd", "group"):
        tree.write(f"/usr/share/base-passwd/{name}.master", (DATA / f"{name}.master").read_bytes(), parents=True)
    tree.write("/etc/login.defs", LOGIN_DEFS.encode(), parents=True)
    base_passwd(tree)
    return tree


def lines(tree: Tree, name: str) -> list[str]:
    return tree.read_text(f"/etc/{name}").splitlines()


def test_an_installation_gives_the_same_bytes() -> None:
    tree = fresh()
    for name, text in SYSUSERS.items():
        tree.write(f"/usr/lib/sysusers.d/{name}", text.encode(), parents=True)
    sysusers(tree, ["basic.conf", "systemd-journal.conf", "systemd-network.conf"], epoch=EPOCH)
    sysusers(tree, ["systemd-timesync.conf"], epoch=EPOCH)
    sysusers(tree, ["dbus.conf"], epoch=EPOCH)
    sysusers(tree, ["debian-udev.conf"], epoch=EPOCH)
    shadowconfig(tree, epoch=EPOCH)
    sysusers(tree, ["systemd-resolve.conf"], epoch=EPOCH)
    adduser(
        tree,
        [
            "--allow-bad-names",
            "--system",
            "--stdoutmsglevel=warn",
            "--home",
            "/run/rpcbind",
            "--no-create-home",
            "_rpc",
        ],
        epoch=EPOCH,
    )
    adduser(
        tree,
        [
            "--system",
            "--gecos",
            "DHCP Client Daemon",
            "--home",
            "/usr/lib/dhcpcd",
            "--no-create-home",
            "--shell",
            "/bin/false",
            "dhcpcd",
        ],
        epoch=EPOCH,
    )
    addgroup(tree, ["--system", "--quiet", "--force-badname", "_ssh"])
    addgroup(tree, ["--system", "--quiet", "tcpdump"])
    adduser(
        tree,
        ["--system", "--quiet", "--ingroup", "tcpdump", "--no-create-home", "--home", "/nonexistent", "tcpdump"],
        epoch=EPOCH,
    )
    sysusers(tree, ["openssh-server.conf"], epoch=EPOCH)
    adduser(tree, ["--system", "--home", "/var/lib/nfs", "--no-create-home", "statd"], epoch=EPOCH)
    for name in ("passwd", "group", "shadow", "gshadow"):
        assert tree.read_text(f"/etc/{name}") == (DATA / name).read_text(), name
    assert (tree.at("/etc/shadow").mode, tree.at("/etc/shadow").gid) == (0o640, 42)
    assert tree.read("/etc/subuid") == b""
    assert not tree.exists("/var/lib/nfs")


name_words = st.sampled_from(["ann", "ben", "_cy", "dot-d", "eve"])
numbers = st.sampled_from(["-", "-", "-", "7", "8", "500"])
sysuser_lines = st.one_of(
    st.tuples(
        st.just("u"), name_words, numbers, st.sampled_from(["-", '"Real Name"']), st.sampled_from(["-", "/srv"])
    ).map(" ".join),
    st.tuples(st.just("g"), name_words, numbers).map(" ".join),
    st.tuples(st.just("m"), name_words, name_words).map(" ".join),
    st.just("u eve -:ann"),
    st.just("# nothing"),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(sysuser_lines, min_size=1, max_size=6))
def test_sysusers_gives_out_the_numbers_of_the_real_program(tmp_path: Path, text: list[str]) -> None:
    tree = fresh()
    tree.write("/usr/lib/sysusers.d/test.conf", "".join(f"{line}\n" for line in text).encode(), parents=True)
    root = write_out(tree, tmp_path / "root")
    program = need("systemd-sysusers", "systemd")
    result = subprocess.run(
        [program, f"--root={root}", "test.conf"],
        capture_output=True,
        check=False,
        env={"SOURCE_DATE_EPOCH": str(EPOCH)},
    )
    try:
        sysusers(tree, ["test.conf"], epoch=EPOCH)
    except AccountError:
        assert result.stderr  # it complains and goes on, where a build should stop
        return
    assert result.returncode == 0, result.stderr
    real = on_disk(root)
    for name in ("passwd", "group", "shadow", "gshadow"):
        if tree.exists(f"/etc/{name}"):
            assert tree.read(f"/etc/{name}") == real.get(f"/etc/{name}", b""), name


def test_a_system_user_with_a_group_takes_the_first_free_of_each() -> None:
    tree = fresh()
    groupadd(tree, ["-g", "101", "taken"])
    adduser(tree, ["--system", "--group", "--home", "/var/lib/x", "xuser"], epoch=EPOCH)
    assert lines(tree, "passwd")[-1] == "xuser:!:100:102::/var/lib/x:/usr/sbin/nologin"
    assert lines(tree, "group")[-1] == "xuser:!:102:"
    home = tree.at("/var/lib/x")
    assert (home.mode, home.uid, home.gid) == (0o755, 100, 102)
    adduser(tree, ["--system", "xuser"], epoch=EPOCH)
    assert len([line for line in lines(tree, "passwd") if line.startswith("xuser:")]) == 1


def test_a_person_gets_a_home_a_group_and_subordinate_ids() -> None:
    tree = fresh()
    shadowconfig(tree, epoch=EPOCH)
    tree.write("/etc/skel/.bashrc", b"hello\n", parents=True)
    tree.write("/etc/skel/.profile.dpkg-old", b"", parents=True)
    for name in ("ann", "ben"):
        adduser(tree, ["--disabled-password", "--comment", f"{name},,,", name], epoch=EPOCH)
    assert lines(tree, "passwd")[-1] == "ben:x:1001:1001:ben,,,:/home/ben:/bin/bash"
    assert lines(tree, "shadow")[-1] == f"ben:!:{EPOCH // 86400}:0:99999:7:::"
    assert lines(tree, "subuid") == ["ann:100000:65536", "ben:165536:65536"]
    assert "users:x:100:ann,ben" in lines(tree, "group")
    assert (tree.at("/home/ben").mode, tree.at("/home/ben/.bashrc").uid) == (0o700, 1001)
    assert tree.names("/home/ben") == [".bashrc"]
    adduser(tree, ["ann", "adm"])
    assert "adm:x:4:ann" in lines(tree, "group")
    assert "adm:*::ann" in lines(tree, "gshadow")


def test_useradd_and_usermod() -> None:
    tree = fresh()
    shadowconfig(tree, epoch=EPOCH)
    useradd(tree, ["-r", "-M", "-d", "/opt/x", "-s", "/bin/sh", "-c", "The X", "-G", "adm,tty", "x"], epoch=EPOCH)
    assert lines(tree, "passwd")[-1] == "x:x:999:999:The X:/opt/x:/bin/sh"
    assert lines(tree, "shadow")[-1] == f"x:!:{EPOCH // 86400}::::::"
    useradd(tree, ["--system", "--no-user-group", "-g", "nogroup", "y"], epoch=EPOCH)
    assert lines(tree, "passwd")[-1] == "y:x:998:65534::/home/y:/bin/sh"
    usermod(tree, ["-aG", "disk", "x"], epoch=EPOCH)
    usermod(tree, ["-L", "-s", "/bin/false", "-e", "1", "x"], epoch=EPOCH)
    accounts = Accounts(tree)
    assert [group.name for group in accounts.groups() if "x" in group.members] == ["adm", "tty", "disk"]
    usermod(tree, ["-G", "disk", "x"], epoch=EPOCH)
    assert [group.name for group in Accounts(tree).groups() if "x" in group.members] == ["disk"]
    set_password(tree, "x", "$y$j9T$abc$def", epoch=EPOCH)
    assert f"x:$y$j9T$abc$def:{EPOCH // 86400}:::::1:" in lines(tree, "shadow")


def test_a_shell_and_a_name() -> None:
    tree = fresh()
    for name in ("chsh", "chfn", "common-account"):
        tree.write(f"/etc/pam.d/{name}", b"", parents=True)
    before = lines(tree, "passwd")
    chsh(tree, ["-s", "/bin/dash", "games"])
    (line,) = set(lines(tree, "passwd")) - set(before)
    assert line.split(":")[0::3] == ["games", "60", "/bin/dash"]
    chfn(tree, ["-f", "All of them", "games"])
    assert line.replace(":games:", ":All of them,,,:") in lines(tree, "passwd")
    usermod(tree, ["-c", "a,b,c", "games"], epoch=EPOCH)
    chfn(tree, ["-f", "", "games"])
    assert line.replace(":games:", ":,b,c,:") in lines(tree, "passwd")
    for words in (["-s", "/bin/sh", "none"], ["-s", "/bin:x", "games"]):
        with pytest.raises(AccountError):
            chsh(tree, words)
    usermod(tree, ["-c", "a,b,c,d,e=f", "games"], epoch=EPOCH)
    for change, words in (
        (chsh, ["games"]), (chsh, ["-s", "", "games"]), (chsh, ["-s", "/bin/sh"]), (chfn, ["-f", "x", "games"]),
        (chfn, ["-r", "1", "games"]), (chfn, ["-f", "\x7f", "root"]),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            change(tree, words)
    tree.remove("/etc/pam.d/common-account")
    with pytest.raises(UsageError):
        chsh(tree, ["-s", "/bin/sh", "games"])


def test_a_password_is_locked_once_and_unlocked() -> None:
    tree = fresh()
    shadowconfig(tree, epoch=EPOCH)
    set_password(tree, "daemon", "$y$j9T$abc$def", epoch=EPOCH)
    day = EPOCH // 86400
    for options, password in ((["-L"], "!$y$j9T$abc$def"), (["-L"], "!$y$j9T$abc$def"), (["-U"], "$y$j9T$abc$def")):
        usermod(tree, [*options, "daemon"], epoch=EPOCH)
        assert any(line.startswith(f"daemon:{password}:{day}:") for line in lines(tree, "shadow"))


def test_what_would_be_an_account_without_a_password_stays_locked() -> None:
    tree = fresh()
    shadowconfig(tree, epoch=EPOCH)
    for password in ("!", "*", "!*"):
        set_password(tree, "daemon", password, epoch=EPOCH)
        usermod(tree, ["-U", "-e", "", "daemon"], epoch=EPOCH)
        assert any(line.startswith(f"daemon:{password[-1]}:") for line in lines(tree, "shadow"))


def test_the_group_of_a_user_is_its_own_unless_told_otherwise() -> None:
    tree = fresh()
    shadowconfig(tree, epoch=EPOCH)
    groupadd(tree, ["-g", "999", "taken"])
    groupadd(tree, ["-g", "1000", "people"])
    useradd(tree, ["-r", "one"], epoch=EPOCH)
    useradd(tree, ["-r", "-N", "two"], epoch=EPOCH)
    useradd(tree, ["three"], epoch=EPOCH)
    useradd(tree, ["-o", "-u", "0", "-g", "0", "-M", "four"], epoch=EPOCH)
    numbers = [line.split(":")[:4] for line in lines(tree, "passwd")[-4:]]
    assert numbers == [
        ["one", "x", "999", "998"], ["two", "x", "998", "100"], ["three", "x", "1000", "1001"], ["four", "x", "0", "0"],
    ]  # fmt: skip
    assert [line for line in lines(tree, "group") if line.split(":")[0] in {"one", "two", "three"}] == [
        "one:x:998:", "three:x:1001:",
    ]  # fmt: skip
    tree.write("/etc/login.defs", LOGIN_DEFS.replace("ENAB yes", "ENAB no").encode())
    useradd(tree, ["-r", "five"], epoch=EPOCH)
    useradd(tree, ["-r", "-U", "six"], epoch=EPOCH)
    assert [line.split(":")[3] for line in lines(tree, "passwd")[-2:]] == ["100", "996"]


def test_groups_with_a_number_of_their_own() -> None:
    tree = fresh()
    groupadd(tree, ["-f", "-g", "4", "other"])
    groupadd(tree, ["-f", "adm"])
    groupadd(tree, ["-o", "-g", "4", "same"])
    groupadd(tree, ["-r", "system"])
    groupadd(tree, ["person"])
    wanted = ("other", "same", "system", "person", "adm")
    assert {row[0]: row[2] for row in (line.split(":") for line in lines(tree, "group")) if row[0] in wanted} == {
        "adm": "4", "other": "1000", "same": "4", "system": "999", "person": "1001",
    }  # fmt: skip


def test_a_home_that_is_there_stays_as_it_is() -> None:
    tree = fresh()
    tree.write("/etc/skel/.bashrc", b"hello\n", parents=True)
    tree.mkdir("/srv/home", 0o711, parents=True)
    useradd(tree, ["-m", "-d", "/srv/home", "ann"], epoch=EPOCH)
    useradd(tree, ["-m", "-b", "/srv", "ben"], epoch=EPOCH)
    assert (tree.at("/srv/home").mode, tree.at("/srv/home").uid, tree.names("/srv/home")) == (0o711, 0, [])
    assert (tree.at("/srv/ben").mode, tree.at("/srv/ben").uid, tree.names("/srv/ben")) == (0o755, 1001, [".bashrc"])


def test_numbers_that_systemd_takes_from_a_path_and_nis_lines_stay_last() -> None:
    tree = fresh()
    tree.write("/etc/passwd", tree.read("/etc/passwd") + b"+::::::\n")
    tree.mkdir("/srv/owned", uid=777, gid=778, parents=True)
    tree.write(
        "/usr/lib/sysusers.d/a.conf", b"g grp /srv/owned\nu own /srv/owned\nr - 600-601\nu one -\n", parents=True
    )
    sysusers(tree, [], epoch=EPOCH)
    assert lines(tree, "passwd")[-1] == "+::::::"
    assert lines(tree, "passwd")[-3].startswith("own:x:777:")
    assert lines(tree, "passwd")[-2].startswith("one:x:601:601:")


def test_a_file_in_etc_masks_the_one_in_usr() -> None:
    tree = fresh()
    tree.write("/usr/lib/sysusers.d/a.conf", b"u one -\n", parents=True)
    tree.symlink("/dev/null", "/etc/sysusers.d/a.conf", parents=True)
    sysusers(tree, epoch=EPOCH)
    assert Accounts(tree).user("one") is None


@pytest.mark.parametrize(
    "call",
    [
        lambda tree: adduser(tree, ["--system", "root"]),
        lambda tree: adduser(tree, ["--system", "--ingroup", "nobody-here", "x"]),
        lambda tree: adduser(tree, ["--system", "--uid", "13", "x"]),
        lambda tree: adduser(tree, ["--system", "--uid", "many", "x"]),
        lambda tree: useradd(tree, ["-u", "many", "x"]),
        lambda tree: adduser(tree, ["--system", "a:b"]),
        lambda tree: adduser(tree, ["--system"]),
        lambda tree: adduser(tree, ["nobody-here", "adm"]),
        lambda tree: addgroup(tree, ["adm"]),
        lambda tree: addgroup(tree, ["--gid", "4", "x"]),
        lambda tree: groupadd(tree, ["adm"]),
        lambda tree: groupadd(tree, ["-g", "4", "x"]),
        lambda tree: useradd(tree, ["root"]),
        lambda tree: useradd(tree, ["-u", "0", "x"]),
        lambda tree: useradd(tree, ["-g", "nobody-here", "x"]),
        lambda tree: usermod(tree, ["-c", "", "nobody-here"]),
        lambda tree: set_password(tree, "nobody-here", "*"),
        lambda tree: Accounts(tree).uid("nobody-here"),
        lambda tree: Accounts(tree).gid("nobody-here"),
        lambda tree: Accounts(tree).add_member("nobody-here", "root"),
        lambda tree: groupadd(tree, []),
        lambda tree: groupadd(tree, ["a", "b"]),
        lambda tree: useradd(tree, []),
        lambda tree: useradd(tree, ["a", "b"]),
        lambda tree: useradd(tree, ["-g", "12345", "a"]),
        lambda tree: useradd(tree, ["adm"]),
        lambda tree: useradd(tree, ["-K", "UID_MIN=7", "-K", "UID_MAX=8", "-N", "-G", "nobody-here", "a"]),
        lambda tree: usermod(tree, ["-L"]),
        lambda tree: usermod(tree, ["-L", "root", "daemon"]),
        lambda tree: usermod(tree, ["-g", "nobody-here", "root"]),
        lambda tree: usermod(tree, ["-aG", "nobody-here", "root"]),
        lambda tree: addgroup(tree, []),
        lambda tree: addgroup(tree, ["a", "b"]),
        lambda tree: addgroup(tree, ["--system", "--gid", "9", "adm"]),
        lambda tree: addgroup(tree, ["x:y"]),
        lambda tree: addgroup(tree, ["--firstgid", "4", "--lastgid", "4", "x"]),
        lambda tree: adduser(tree, ["a", "b", "c"]),
        lambda tree: adduser(tree, ["root", "nobody-here"]),
        lambda tree: adduser(tree, ["--system", "--gid", "12345", "x"]),
        lambda tree: adduser(tree, ["--firstuid", "1", "--lastuid", "3", "x"]),
        lambda tree: adduser(tree, ["daemon"]),
        lambda tree: adduser(tree, ["--system", "--uid", "7", "daemon"]),
    ],
)
def test_what_cannot_be_is_an_error(call: object) -> None:
    assert callable(call)
    tree = fresh()
    before = {name: lines(tree, name) for name in ("passwd", "group")}
    with pytest.raises(AccountError):
        call(tree)
    assert before == {name: lines(tree, name) for name in ("passwd", "group")}


def test_unknown_options_and_lines_are_errors() -> None:
    tree = tree_of({"/usr/lib/sysusers.d/bad.conf": "q what\n", "/usr/lib/sysusers.d/worse.conf": 'u "x\n'})
    with pytest.raises(UsageError):
        adduser(tree, ["--frobnicate", "x"])
    with pytest.raises(UsageError):
        useradd(tree, ["x", "--uid"])
    with pytest.raises(AccountError, match="unknown type"):
        sysusers(tree, ["bad.conf"])
    with pytest.raises(ConfError, match="quote"):
        sysusers(tree, ["worse.conf"])
    with pytest.raises(ConfError):
        sysusers(tree, ["missing.conf"])
