"""What differs from dpkg's tree is told, and what is meant is told with its reason."""

import struct
import tomllib
from collections.abc import Callable
from importlib import resources

import pytest

from assembler.audit.alike import fewer_answers, normalised
from assembler.audit.judge import Difference, explanations, judge, reasons, side_of, unexplained
from assembler.configure.leftovers import BYTE_CODE, LEFTOVERS, left_over
from assembler.tree.staging import Inode, Kind, Tree

PASSWD = "root:x:0:0:root:/root:/bin/bash\none:x:{one}:{one}::/:/bin/false\ntwo:x:{two}:{two}::/:/bin/false\n"
GROUP = "root:x:0:\none:x:{one}:\ntwo:x:{two}:\n"


def system(one: int = 100, two: int = 101) -> Tree:
    tree = Tree()
    tree.write("/etc/passwd", PASSWD.format(one=one, two=two).encode(), parents=True)
    tree.write("/etc/group", GROUP.format(one=one, two=two).encode())
    tree.write("/bin/sh", b"sh\n", 0o755, parents=True)
    tree.symlink("sh", "/bin/bash")
    tree.mkdir("/var/lib/one", 0o750, one, one, parents=True)
    return tree


def found(ours: Tree, dpkgs: Tree, *, mixed: bool = False) -> list[Difference]:
    return judge(side_of(ours, "computed"), side_of(dpkgs, "dpkg"), mixed=mixed)


def test_a_tree_is_itself() -> None:
    assert found(system(), system().copy()) == []


CHANGES: dict[str, Callable[[Tree], object]] = {
    "/bin/sh: mode: computed 0o755, dpkg 0o4755": lambda tree: tree.chmod("/bin/sh", 0o4755),
    "/bin/sh: owner: computed (0, 0), dpkg (0, 100)": lambda tree: tree.chown("/bin/sh", 0, 100),
    "/bin/bash: target: computed sh, dpkg dash": lambda tree: tree.symlink("dash", "/bin/bash"),
    "/bin/bash: missing: dpkg has SYMLINK": lambda tree: tree,
    "/bin/new: extra: only computed has FILE": lambda tree: tree,
    "/bin/sh: xattrs: computed {}, dpkg {'user.a': b'b'}": lambda tree: tree.at("/bin/sh").xattrs.update(
        {"user.a": b"b"}
    ),
    "/bin/sh: content: 3 bytes computed, 2 by dpkg\n        @@ -1 +1 @@\n        -sh\n        +z": lambda tree: (
        tree.write("/bin/sh", b"z\n", 0o755)
    ),
    "/bin/sh: kind: computed FILE, dpkg DIR": lambda tree: tree.mkdir("/bin/sh"),
}


@pytest.mark.parametrize("told", CHANGES)
def test_each_aspect_is_told(told: str) -> None:
    ours, dpkgs = system(), system()
    if ": missing:" in told:
        ours.remove("/bin/bash")
    elif ": extra:" in told:
        ours.write("/bin/new", b"")
    elif ": kind:" in told:
        dpkgs.remove("/bin/sh")
        CHANGES[told](dpkgs)
        ours.chmod("/bin/sh", 0o755)
    else:
        CHANGES[told](dpkgs)
    assert [str(one) for one in unexplained(found(ours, dpkgs))] == [told]


def test_accounts_in_another_order() -> None:
    """Numbers that are given one after the other are compared by name, and only where packages had another order."""
    ours, dpkgs = system(), system(one=101, two=100)
    paths = ["/etc/group", "/etc/passwd", "/var/lib/one"]
    assert [one.path for one in unexplained(found(ours, dpkgs))] == paths
    judged = found(ours, dpkgs, mixed=True)
    assert [(one.path, one.aspect) for one in judged] == [(path, "number") for path in paths]
    assert unexplained(judged) == []


@pytest.mark.parametrize("number", [99, 65000])
def test_accounts_of_fixed_numbers_have_them(number: int) -> None:
    judged = unexplained(found(system(), system(one=number), mixed=True))
    assert [(one.path, one.aspect) for one in judged] == [
        ("/etc/group", "content"),
        ("/etc/passwd", "content"),
        ("/var/lib/one", "owner"),
    ]


def test_another_account_is_no_other_number() -> None:
    ours, dpkgs = system(), system(one=101, two=100)
    dpkgs.chown("/var/lib/one", 100, 101)
    dpkgs.write("/etc/passwd", dpkgs.read("/etc/passwd").replace(b"/bin/false", b"/bin/true"))
    judged = unexplained(found(ours, dpkgs, mixed=True))
    assert [(one.path, one.aspect) for one in judged] == [("/etc/passwd", "content"), ("/var/lib/one", "owner")]


def test_what_scripts_leave_is_explained() -> None:
    """The same list takes it out of what was executed, and forgives dpkg for it."""
    dpkgs = system()
    dpkgs.write("/etc/ssh/ssh_host_rsa_key", b"secret", parents=True)
    dpkgs.put("/usr/lib/a/__pycache__/b.pyc", Inode(Kind.FILE, 0o644), parents=True)
    judged = found(system(), dpkgs)
    assert {one.path for one in unexplained(judged)} == {"/etc/ssh", "/usr", "/usr/lib", "/usr/lib/a"}
    assert sum(reasons(judged).values()) == 3
    # It is explained when dpkg has it, and not when we have.
    assert {one.aspect for one in unexplained(found(dpkgs, system()))} == {"extra"}


def test_the_order_of_triggers_is_that_of_unpacking() -> None:
    ours, dpkgs = system(), system()
    for tree, lines in ((ours, b"/a one\n/b two\n"), (dpkgs, b"/b two\n/a one\n")):
        tree.write("/var/lib/dpkg/triggers/File", lines, parents=True)
    assert not unexplained(found(ours, dpkgs, mixed=True))
    assert unexplained(found(ours, dpkgs))


def test_mans_index_may_have_older_pages_besides() -> None:
    """It is made last where man-db is executed, when all alternatives are what they will be."""
    entry = b"\0-\t1\t1\t1756224499\t0\tB\t-\t-\tgz\t"
    ours, dpkgs = system(), system()
    ours.write("/var/cache/man/index.db", entry + b"one\0", parents=True)
    dpkgs.write("/var/cache/man/index.db", entry + b"older\0" + entry + b"one\0", parents=True)
    assert not unexplained(found(ours, dpkgs, mixed=True))
    assert unexplained(found(ours, dpkgs))
    assert unexplained(found(dpkgs, ours, mixed=True))


@pytest.mark.parametrize(
    ("theirs", "explained"),
    [
        (b"-\t1\t1\t99\t0\tC\tother\t-\tgz\t\0", True), (b"-\t1\t1\t98\t0\tC\tother\t-\tgz\t\0", False),
        (b"-\t1\t1\t99\t0\tA\t-\t-\tgz\tother\0", False), (b"", False),
    ],
)  # fmt: skip
def test_a_page_that_is_a_link_may_be_known_by_another(theirs: bytes, *, explained: bool) -> None:
    ours, dpkgs = system(), system()
    both = b"-\t1\t1\t99\t0\tA\t-\t-\tgz\tpage\0"
    ours.write("/var/cache/man/index.db", both + b"-\t1\t1\t99\t0\tB\t-\t-\tgz\tlink\0", parents=True)
    dpkgs.write("/var/cache/man/index.db", both + theirs, parents=True)
    assert bool(unexplained(found(ours, dpkgs, mixed=True))) is not explained


def test_what_systemd_makes_at_boot_may_have_another_mode_before() -> None:
    """A home of adduser's, say, which tmpfiles.d is about: what is hidden is not set."""
    ours, dpkgs = system(), system()
    ours.mkdir("/run/a", 0o755, parents=True)
    dpkgs.mkdir("/run/a", 0o750, 5, 6, parents=True)
    assert not unexplained(found(ours, dpkgs))
    ours.mkdir("/srv/a", 0o755, parents=True)
    dpkgs.mkdir("/srv/a", 0o750, parents=True)
    assert [one.path for one in unexplained(found(ours, dpkgs))] == ["/srv/a"]


def test_byte_code_is_explained_beside_its_source() -> None:
    """That of a module which is not there would be loaded by nobody, and says that something else is missing."""
    ours, dpkgs = system(), system()
    for tree in (ours, dpkgs):
        tree.write("/usr/lib/a/b.py", b"", parents=True)
    for name in ("b.cpython-313.pyc", "b.cpython-313.opt-1.pyc", "c.cpython-313.pyc"):
        dpkgs.write(f"/usr/lib/a/__pycache__/{name}", b"", parents=True)
    assert [one.path for one in unexplained(found(ours, dpkgs))] == ["/usr/lib/a/__pycache__/c.cpython-313.pyc"]


def test_links_to_what_the_node_makes_are_explained() -> None:
    dpkgs = system()
    dpkgs.symlink("ssl-cert-snakeoil.pem", "/etc/ssl/certs/0123abcd.0", parents=True)
    ours = dpkgs.copy()
    ours.remove("/etc/ssl/certs/0123abcd.0")
    dpkgs.symlink("other.pem", "/etc/ssl/certs/4567abcd.0")
    dpkgs.symlink("/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/dovecot.pem")
    assert [one.path for one in unexplained(found(ours, dpkgs))] == ["/etc/dovecot.pem", "/etc/ssl/certs/4567abcd.0"]


@pytest.mark.parametrize(
    ("path", "lines", "mixed", "meant"),
    [
        ("/var/lib/ucf/hashfile", ["2 b", "1 a"], True, True),
        ("/var/lib/ucf/registry", ["2 b", "1 a"], True, True),
        ("/var/lib/ucf/hashfile", ["2 b", "1 a"], False, False),
        ("/var/lib/ucf/hashfile", ["2 b", "3 a"], True, False),
        ("/var/lib/ucf/hashfile", ["2 b", "1 a", "1 a"], True, False),
        ("/etc/shells", ["2 b", "1 a"], True, False),
    ],
)
def test_lists_in_another_order(path: str, lines: list[str], *, mixed: bool, meant: bool) -> None:
    """Packages that were configured in another order have added their lines in that order."""
    trees = system(), system()
    for tree, each in zip(trees, (["1 a", "2 b"], lines), strict=True):
        tree.write(path, "".join(f"{line}\n" for line in each).encode(), parents=True)
    (one,) = found(*trees, mixed=mixed)
    assert bool(one.reason) is meant


@pytest.mark.parametrize(
    ("ours", "dpkgs", "meant"),
    [
        ({}, {"system.posix_acl_default": b"d"}, True),
        ({"user.a": b"a"}, {"user.a": b"a", "system.posix_acl_access": b"d"}, True),
        ({}, {"system.posix_acl_default": b"d", "user.a": b"a"}, False),
        ({"system.posix_acl_default": b"d"}, {}, False),
    ],
)
@pytest.mark.parametrize("path", ["/var/lib/one", "/var/lib"])
def test_access_control_lists_are_set_at_boot(
    ours: dict[str, bytes], dpkgs: dict[str, bytes], path: str, *, meant: bool
) -> None:
    """Those that tmpfiles.d says, in the file that counts."""
    trees = system(), system()
    for tree, xattrs in zip(trees, (ours, dpkgs), strict=True):
        tree.write("/usr/lib/tmpfiles.d/a.conf", b"a+ /var/lib - - - - u:one:r\n", parents=True)
        tree.write("/etc/tmpfiles.d/a.conf", b"a+ /var/lib/one - - - - u:one:r\n", parents=True)
        tree.at(path).xattrs.update(xattrs)
    (one,) = found(*trees)
    assert bool(one.reason) is (meant and path == "/var/lib/one")


@pytest.mark.parametrize(
    ("mode", "dpkgs", "listed", "reasons"),
    [
        (0o750, 0o770, True, [True, True]),
        (0o750, 0o771, True, [False, True]),
        (0o700, 0o770, True, [False, True]),
        (0o750, 0o770, False, [False]),
    ],
)
def test_the_mask_of_such_a_list_shows_in_the_mode(mode: int, dpkgs: int, reasons: list[bool], *, listed: bool) -> None:
    """Where the list is not, the group has what it had."""
    trees = system(), system()
    for tree, each in zip(trees, (mode, dpkgs), strict=True):
        tree.write("/usr/lib/tmpfiles.d/a.conf", b"a+ /var/lib/one - - - - u:one:rwx\n", parents=True)
        tree.at("/var/lib/one").mode = each
    if listed:
        entries = ((1, 7), (2, 7), (4, 5), (16, 7), (32, 0))
        packed = b"".join(struct.pack("<HHI", *entry, 0xFFFFFFFF) for entry in entries)
        trees[1].at("/var/lib/one").xattrs["system.posix_acl_access"] = struct.pack("<I", 2) + packed
    assert [bool(one.reason) for one in found(*trees)] == reasons


KEY = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("ours", "dpkgs", "told", "meant"),
    [
        (KEY.format("a"), KEY.format("b"), "/etc/key", True),
        (KEY.format("a"), KEY.format("b"), "/etc/other", False),
        (KEY.format("a"), "", "/etc/key", False),
        (KEY.format("a"), "no key", "/etc/key", False),
        ("no key", KEY.format("b"), "/etc/key", False),
    ],
)
def test_private_keys_that_are_told_of_are_explained(ours: str, dpkgs: str, told: str, *, meant: bool) -> None:
    """Where both have one; that it is missing, or something else, is not meant."""
    trees = system(), system()
    for tree, text in zip(trees, (ours, dpkgs), strict=True):
        if text:
            tree.write("/etc/key", text.encode())
    (one,) = judge(side_of(trees[0], "computed"), side_of(trees[1], "dpkg"), keys=[told])
    assert bool(one.reason) is meant


def test_nothing_is_explained_twice() -> None:
    """What leftovers.py says is not said again, and a reason is said once."""
    known = {each.reason for each in (*LEFTOVERS, BYTE_CODE)}
    written = [each for each in explanations() if each.reason not in known]
    missing = [each for each in written if not each.aspects or "missing" in each.aspects]
    assert not [path for each in missing for path in each.paths if left_over(path)]
    assert len({each.reason for each in explanations()}) == len(explanations())


def test_what_two_runs_of_dpkg_do_not_have_in_common() -> None:
    assert normalised("/etc/shadow", b"a:!:20000:0:::::\n") == normalised("/etc/shadow", b"a:!:20001:0:::::\n")
    assert normalised("/etc/shadow", b"a:!:20000:0:::::\n") != normalised("/etc/shadow", b"a:*:20000:0:::::\n")
    diversions = "/var/lib/dpkg/diversions"
    assert normalised(diversions, b"a\nb\nc\nd\ne\nf\n") == normalised(diversions, b"d\ne\nf\na\nb\nc\n")
    assert normalised(diversions, b"a\nb\nc\nd\n") != normalised(diversions, b"a\nb\nc\n")


CONFIG = "/var/cache/debconf/config.dat"
ONE = b"Name: a/b\nTemplate: a/b\nOwners: a\n"


def test_answers_that_were_not_asked_for() -> None:
    """Of what is computed debconf's database has nothing; what it has is as dpkg has it."""
    more = b"Name: a/b\nTemplate: a/b\nOwners: a, z\n\nName: c/d\nTemplate: c/d\nOwners: c\n\n"
    assert fewer_answers(CONFIG, ONE + b"\n", more)
    assert fewer_answers(CONFIG, b"", more)
    assert not fewer_answers(CONFIG, more, ONE)
    assert not fewer_answers("/etc/config.dat", ONE, more)
    assert not fewer_answers(CONFIG, ONE.replace(b"Owners", b"Value: x\nOwners"), more)
    assert not fewer_answers(CONFIG, b"Name: e/f\nTemplate: e/f\n\n", more)
    ours, dpkgs = system(), system()
    ours.write(CONFIG, ONE, parents=True)
    dpkgs.write(CONFIG, more, parents=True)
    assert unexplained(found(ours, dpkgs, mixed=True)) == []
    assert [one.path for one in unexplained(found(ours, dpkgs))] == [CONFIG]


def test_strange_accounts_are_compared() -> None:
    """A stranger's files come back from the machine."""
    dpkgs = system()
    dpkgs.write("/etc/passwd", b"a:b\n:::\nx:x:" + b"9" * 5000 + b":1\n\xff:x:101:7\n")
    dpkgs.symlink("passwd", "/etc/group")
    # The directory has the same number on both sides, and is another's.
    judged = unexplained(found(system(), dpkgs, mixed=True))
    assert [(one.path, one.aspect) for one in judged] == [
        ("/etc/group", "kind"),
        ("/etc/group", "mode"),
        ("/etc/group", "target"),
        ("/etc/passwd", "content"),
        ("/var/lib/one", "owner"),
    ]
    assert judged[-1].text == "computed one:one (100, 100), dpkg 100:100 (100, 100)"


def test_each_explained_path_is_one_path() -> None:
    """What is explained by a pattern is what scripts leave and no image has: LEFTOVERS, each with its reason."""
    text = (resources.files("assembler.audit") / "explained.toml").read_text("utf-8")
    paths = [path for table in tomllib.loads(text)["explained"] for path in table["paths"]]
    assert len(paths) == len(set(paths)) > 10
    assert not [path for path in paths if set(path) & set("*?[")]


@pytest.mark.parametrize(
    ("ours", "dpkgs", "meant"), [("", "code", True), ("code", "other", False), ("code", "", False)]
)
def test_byte_code_is_compared_where_there_is_some(ours: str, dpkgs: str, *, meant: bool) -> None:
    trees = system(), system()
    for tree, text in zip(trees, (ours, dpkgs), strict=True):
        tree.write("/usr/lib/a.py", b"", parents=True)
        if text:
            tree.write("/usr/lib/__pycache__/a.cpython-313.pyc", text.encode(), parents=True)
    told = found(*trees)
    assert told
    assert all(bool(one.reason) is meant for one in told)
