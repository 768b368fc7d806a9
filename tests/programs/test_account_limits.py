"""Accounts at the ends of their ranges, in every form of their programs, and what none of them can be."""

import pytest

from assembler.programs.accounts import AccountError, Accounts, PasswdEntry, check_name
from assembler.programs.adduser import Ways, addgroup, adduser
from assembler.programs.options import UsageError
from assembler.programs.shadow import groupadd, passwd, shadowconfig, useradd, usermod
from assembler.programs.specifiers import ConfError
from assembler.programs.sysusers import sysusers
from assembler.tree.staging import Inode, Kind
from tests.programs.test_accounts import EPOCH, fresh, lines


@pytest.mark.parametrize("number", ["4294967295", "4294967296", "99999999999", "9" * 5000, "\u0663"])
def test_numbers_of_owners_have_32_bits(number: str) -> None:
    """A larger one would be another owner's in an image: 4294967296 is root's."""
    tree = fresh()
    tree.write("/etc/passwd", f"big:x:{number}:0::/:/bin/sh\n".encode())
    accounts = Accounts(tree)
    assert accounts.users() == []
    for look in (accounts.uid, accounts.gid):
        with pytest.raises(AccountError):
            look(number)
    assert accounts.uid("4294967294") == 4294967294
    for line in (f"u x {number}", f"g x {number}", f"r - 1-{number}"):
        tree.write("/usr/lib/sysusers.d/x.conf", f"{line}\n".encode(), parents=True)
        with pytest.raises((AccountError, ConfError)):
            sysusers(tree, epoch=EPOCH)


def test_ids_are_given_out_to_the_last_and_no_further() -> None:
    tree = fresh()
    for name, number in (("a", "1001"), ("b", "1000")):
        useradd(tree, ["-K", "UID_MAX=1001", "-K", "UID_MIN=1000", "-N", "-u", number, name], epoch=EPOCH)
    with pytest.raises(AccountError, match="no id is free between 1000 and 1001"):
        useradd(tree, ["-K", "UID_MAX=1001", "-K", "UID_MIN=1000", "-N", "c"], epoch=EPOCH)
    useradd(tree, ["-K", "UID_MAX=1002", "-K", "UID_MIN=1000", "-N", "c"], epoch=EPOCH)
    useradd(tree, ["-r", "-N", "-u", "150", "-K", "SYS_UID_MIN=150", "low"], epoch=EPOCH)
    useradd(tree, ["-r", "-N", "-K", "SYS_UID_MIN=150", "-K", "SYS_UID_MAX=152", "next"], epoch=EPOCH)
    useradd(tree, ["-r", "-N", "-K", "SYS_UID_MIN=150", "-K", "SYS_UID_MAX=152", "last"], epoch=EPOCH)
    assert [user.uid for user in Accounts(tree).users()[-5:]] == [1000, 1002, 150, 152, 151]
    with pytest.raises(AccountError, match="no id is free between 150 and 152"):
        useradd(tree, ["-r", "-N", "-K", "SYS_UID_MIN=150", "-K", "SYS_UID_MAX=152", "none"], epoch=EPOCH)
    for name in ("one", "two"):
        addgroup(tree, ["--firstgid", "70000", "--lastgid", "70001", name])
    with pytest.raises(AccountError, match="no id is free between 70000 and 70001"):
        addgroup(tree, ["--firstgid", "70000", "--lastgid", "70001", "three"])
    assert [Accounts(tree).gid(name) for name in ("one", "two")] == [70000, 70001]


def test_the_configuration_of_adduser() -> None:
    tree = fresh()
    tree.write("/etc/skel/.a", b"", parents=True)
    tree.write("/etc/skel/skip", b"", parents=True)
    conf = (
        '# DHOME=/no\n DHOME = "/home/people"\nusergroups=no\nUSERS_GROUP=games\nDIR_MODE=0750\nFIRST_UID=1200\n'
        "DSHELL='/bin/zsh'\nEXTRA_GROUPS=audio video absent\nADD_EXTRA_GROUPS=1\nSKEL_IGNORE_REGEX=skip\nrubbish\n"
    )
    tree.write("/etc/adduser.conf", conf.encode())
    adduser(tree, ["ann"], epoch=EPOCH)
    assert lines(tree, "passwd")[-1] == "ann:!:1200:60::/home/people/ann:/bin/zsh"
    assert tree.at("/home/people/ann").mode == 0o750
    assert tree.names("/home/people/ann") == [".a"]
    assert [group.name for group in Accounts(tree).groups() if "ann" in group.members] == ["audio", "video"]
    tree.write("/etc/other.conf", b"DHOME=/other\n")
    adduser(tree, ["--conf", "/etc/other.conf", "--disabled-login", "--add-extra-groups", "ben"], epoch=EPOCH)
    assert lines(tree, "passwd")[-1] == "ben:!:1000:1000::/other/ben:/usr/sbin/nologin"


def test_a_user_joins_a_group_or_has_the_one_that_is_there() -> None:
    tree = fresh()
    addgroup(tree, ["--gid", "1234", "shared"])
    adduser(tree, ["--system", "--group", "shared"], epoch=EPOCH)
    adduser(tree, ["--ingroup", "shared", "--no-create-home", "ann"], epoch=EPOCH)
    adduser(tree, ["--gid", "1234", "--home", "/nonexistent/x", "ben"], epoch=EPOCH)
    adduser(tree, ["--group", "more"])
    adduser(tree, ["--uid", "3000", "--shell", "/bin/false", "eve"], epoch=EPOCH)
    assert lines(tree, "passwd")[-4:] == [
        "shared:!:100:1234::/nonexistent:/usr/sbin/nologin", "ann:!:1000:1234::/home/ann:/bin/bash",
        "ben:!:1001:1234::/nonexistent/x:/bin/bash", "eve:!:3000:3000::/home/eve:/bin/false",
    ]  # fmt: skip
    assert not tree.exists("/nonexistent")
    assert tree.names("/home") == ["eve"]
    assert lines(tree, "group")[-3:] == ["shared:!:1234:", "more:!:1000:", "eve:!:3000:"]
    assert "users:*:100:ann,ben,eve" in lines(tree, "group")


def test_a_system_account_that_is_there_is_enough() -> None:
    tree = fresh()
    adduser(tree, ["--system", "--uid", "999", "--group", "x"], epoch=EPOCH)
    before = tree.read("/etc/passwd"), tree.read("/etc/group")
    for words in (["--system", "x"], ["--system", "--uid", "999", "x"]):
        adduser(tree, words, epoch=EPOCH)
    for words in (["--system", "x"], ["--system", "--gid", "999", "x"]):
        addgroup(tree, words)
    for call, words in ((adduser, ["--uid", "999", "x"]), (adduser, ["--system", "--uid", "998", "x"]),
                        (addgroup, ["x"]), (addgroup, ["--system", "--gid", "998", "x"]),
                        (addgroup, ["--system", "nogroup"]), (adduser, ["--system", "nobody"])):  # fmt: skip
        with pytest.raises(AccountError, match="already exists"):
            call(tree, words)
    assert (tree.read("/etc/passwd"), tree.read("/etc/group")) == before


def test_members_of_a_new_group_and_what_groupadd_takes_besides() -> None:
    tree = fresh()
    shadowconfig(tree, epoch=EPOCH)
    groupadd(tree, ["-U", "root,daemon", "-p", "$6$x", "-g", "1500", "crew"])
    assert (lines(tree, "group")[-1], lines(tree, "gshadow")[-1]) == (
        "crew:x:1500:root,daemon", "crew:$6$x::root,daemon",
    )  # fmt: skip


def test_what_usermod_changes() -> None:
    tree = fresh()
    shadowconfig(tree, epoch=EPOCH)
    usermod(tree, ["-c", "C", "-d", "/c", "-s", "/bin/c", "-u", "77", "-g", "adm", "-p", "$6$y", "daemon"], epoch=EPOCH)
    assert "daemon:x:77:4:C:/c:/bin/c" in lines(tree, "passwd")
    assert f"daemon:$6$y:{EPOCH // 86400}:0:99999:7:::" in lines(tree, "shadow")
    usermod(tree, ["-e", "20000", "daemon"], epoch=EPOCH)
    assert f"daemon:$6$y:{EPOCH // 86400}:0:99999:7::20000:" in lines(tree, "shadow")
    usermod(tree, ["-e", "", "-U", "daemon"], epoch=EPOCH)
    assert f"daemon:$6$y:{EPOCH // 86400}:0:99999:7:::" in lines(tree, "shadow")
    with pytest.raises(UsageError, match="2030-01-01"):
        usermod(tree, ["-e", "2030-01-01", "daemon"], epoch=EPOCH)


def test_usermod_moves_a_home_that_is_not_there() -> None:
    """As usermod of shadow 4.13 and 4.17 does it, which fails with 12 where there is something in its new place."""
    tree = fresh()
    home = next(line for line in lines(tree, "passwd") if line.startswith("daemon:")).split(":")[5]
    usermod(tree, ["--move-home", "--home", "/none", "daemon"])
    usermod(tree, ["-m", "-d", "/none", "daemon"])
    assert any(line.startswith("daemon:") and ":/none:" in line for line in lines(tree, "passwd"))
    tree.mkdir("/new")
    with pytest.raises(AccountError) as failed:
        usermod(tree, ["-m", "-d", "/new", "daemon"])
    assert failed.value.status == 12
    tree.mkdir("/none")
    for arguments in (["-m", "-d", "/other"], ["-m"], ["-m", "-d", home, "-u", "77"]):
        with pytest.raises(UsageError):
            usermod(tree, [*arguments, "daemon"])


def test_passwd_locks() -> None:
    tree = fresh()
    shadowconfig(tree, epoch=EPOCH)
    for before, after in (("xyz", "!xyz"), ("!", "!"), ("*", "!*"), ("", "!"), ("!!x", "!!x")):
        usermod(tree, ["-p", before, "daemon"], epoch=EPOCH)
        passwd(tree, ["--quiet", "--lock", "daemon"])
        assert f"daemon:{after}:{EPOCH // 86400}:0:99999:7:::" in lines(tree, "shadow")
    with pytest.raises(AccountError):
        passwd(tree, ["-q", "-l", "nobodyatall"])
    for arguments in (["daemon"], ["-l"], ["-d", "daemon"], ["-l", "daemon", "root"]):
        with pytest.raises(UsageError):
            passwd(tree, arguments)


def test_usermod_that_would_give_files_to_another_number_is_not_done() -> None:
    """The real one gives what is below the home to the new number, and a mailbox."""
    tree = fresh()
    usermod(tree, ["-u", "78", "-d", "/c", "daemon"], epoch=EPOCH)
    usermod(tree, ["-c", "the same", "-u", "78", "daemon"], epoch=EPOCH)
    for path in ("/c", "/var/mail/daemon"):
        tree.write(path, b"", parents=True)
        with pytest.raises(UsageError, match=f"would give files to another number.*{path}"):
            usermod(tree, ["-u", "79", "daemon"], epoch=EPOCH)
        tree.remove(path)
    tree.mkdir("/c")
    with pytest.raises(UsageError, match="would give files"):
        usermod(tree, ["-g", "adm", "daemon"], epoch=EPOCH)
    usermod(tree, ["-u", "78", "daemon"], epoch=EPOCH)


def test_who_has_no_password_stays_locked() -> None:
    """usermod -U warns, changes nothing and succeeds (ceph-common's postinst)."""
    tree = fresh()
    shadowconfig(tree, epoch=EPOCH)
    for before, after in (("!", "!"), ("!!", "!"), ("!x", "x"), ("*", "*"), ("", "")):
        usermod(tree, ["-p", before, "daemon"], epoch=EPOCH)
        usermod(tree, ["-U", "daemon"], epoch=EPOCH)
        assert any(line.startswith(f"daemon:{after}:") for line in lines(tree, "shadow")), before


def test_passwords_that_come_back_move_to_shadow_again() -> None:
    tree = fresh()
    shadowconfig(tree, epoch=EPOCH)
    for name, text in (("passwd", "new:$6$z:5:5::/:/bin/sh\nroot:$6$r:0:0:root:/root:/bin/bash\nbin:x:2:2::/:\n"),
                       ("group", "new:$6$g:5:a,b\nroot:$6$q:0:c\nshadow:x:42:\n")):  # fmt: skip
        tree.write(f"/etc/{name}", text.encode())
    shadowconfig(tree, epoch=EPOCH + 86400)
    day = EPOCH // 86400
    assert lines(tree, "shadow") == [
        f"root:$6$r:{day + 1}:0:99999:7:::", f"bin:*:{day}:0:99999:7:::", f"new:$6$z:{day + 1}:0:99999:7:::",
    ]  # fmt: skip
    assert lines(tree, "gshadow") == ["root:$6$q::c", "shadow:*::", "new:$6$g::a,b"]
    assert [line.split(":")[1] for name in ("passwd", "group") for line in lines(tree, name)] == ["x"] * 6


def test_a_home_has_what_the_skeleton_has() -> None:
    tree = fresh()
    tree.write("/etc/skel/.config/x", b"x", 0o600, parents=True)
    tree.chmod("/etc/skel/.config", 0o700)
    tree.symlink("x", "/etc/skel/.l")
    tree.put("/etc/skel/pipe", Inode(Kind.FIFO, 0o600))
    useradd(tree, ["-m", "-K", "HOME_MODE=0711", "ann"], epoch=EPOCH)
    found = [(path, inode.mode, inode.uid, inode.gid) for path, inode in tree.walk("/home/ann")]
    link = tree.at("/etc/skel/.l").mode
    assert found == [
        ("/home/ann", 0o711, 1000, 1000), ("/home/ann/.config", 0o700, 1000, 1000),
        ("/home/ann/.config/x", 0o600, 1000, 1000), ("/home/ann/.l", link, 1000, 1000),
    ]  # fmt: skip
    assert (tree.at("/home/ann/.l").target, tree.read("/home/ann/.config/x")) == ("x", b"x")


def test_subordinate_ids_are_for_people_once_and_behind_those_that_are_given_out() -> None:
    tree = fresh()
    tree.write("/etc/subuid", b"ann:5:10\nold:200000:5\n")
    for words in (["ann"], ["-r", "machine"], ["-u", "70000", "far"], ["-K", "SUB_UID_COUNT=0", "none"], ["ben"]):
        useradd(tree, words, epoch=EPOCH)
    assert lines(tree, "subuid") == ["ann:5:10", "old:200000:5", "ben:200005:65536"]
    assert lines(tree, "subgid") == ["ann:100000:65536", "none:165536:65536", "ben:231072:65536"]
    tree.remove("/etc/subgid")
    useradd(tree, ["eve"], epoch=EPOCH)
    assert not tree.exists("/etc/subgid")


def test_system_ids_end_and_ranges_that_overlap_are_one() -> None:
    tree = fresh()
    tree.write(
        "/usr/lib/sysusers.d/a.conf", b"r - 600-602\nr - 601-603\nr - 700\ng a\ng b\ng c\ng d\ng e\n", parents=True
    )
    sysusers(tree, epoch=EPOCH)
    assert [Accounts(tree).gid(name) for name in "abcde"] == [700, 603, 602, 601, 600]
    tree.write("/usr/lib/sysusers.d/a.conf", b"r - 600-603\ng f\n")
    with pytest.raises(AccountError, match="no system id is left for 'f'"):
        sysusers(tree, epoch=EPOCH)


def test_sysusers_changes_nothing_where_all_are_there() -> None:
    tree = fresh()
    tree.write("/usr/lib/sysusers.d/a.conf", b"u root 0\n  # remark\n\n; remark\ng adm 4\n", parents=True)
    sysusers(tree, epoch=EPOCH)
    assert not tree.exists("/etc/shadow")
    tree.write("/usr/lib/sysusers.d/b.conf", b"m root adm\nm new crew\n")
    sysusers(tree, epoch=EPOCH)
    accounts = Accounts(tree)
    assert {group.name: group.members for group in accounts.groups() if group.members} == {
        "adm": ("root",), "crew": ("new",),
    }  # fmt: skip
    assert (accounts.user("new"), tree.at("/etc/shadow").mode) == (
        PasswdEntry("new", "x", 998, 998, "", "/", "/usr/sbin/nologin"), 0,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["", "-a", "+a", "~a", "a:b", "a,b", "a/b", "a b", "a\n", "12", "-12", ".", ".."])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(AccountError, match="no name for a user or group"):
        check_name(name)


@pytest.mark.parametrize("name", ["a", "_a", "a.b", "a-b", "1a", "...", "A$"])
def test_what_is_a_name(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("field", ["a:b", "a\nroot::0:0::/:/bin/sh", "a\0"])
def test_no_field_makes_another_line_or_field(field: str) -> None:
    """A user that is smuggled in with a comment would be root."""
    tree = fresh()
    before = tree.read("/etc/passwd")
    with pytest.raises(AccountError, match="would make it others"):
        usermod(tree, ["-c", field, "daemon"])
    with pytest.raises(AccountError, match="would make it others"):
        useradd(tree, ["-c", field, "x"])
    assert tree.read("/etc/passwd") == before


def test_a_number_that_is_too_large_is_told_as_such() -> None:
    with pytest.raises(AccountError, match="there is no user with the number 4294967295") as caught:
        Accounts(fresh()).uid("4294967295")
    assert caught.value.why == "the largest is 4294967294"


def test_a_home_that_is_there_is_given_to_a_system_user_by_3_159_alone() -> None:
    for same_number, expected in ((True, (0o755, True)), (False, (0o700, False))):
        tree = fresh()
        tree.mkdir("/etc/x", 0o700)
        adduser(tree, ["--system", "--group", "--home", "/etc/x", "x"], ways=Ways(same_number=same_number))
        made = tree.at("/etc/x")
        assert (made.mode, made.uid > 0 and made.gid > 0) == expected
