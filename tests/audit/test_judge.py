"""What differs from dpkg's tree is told, and what is meant is told with its reason."""

from collections.abc import Callable

import pytest

from assembler.audit.judge import Difference, explanations, judge, normalised, reasons, side_of, unexplained
from assembler.configure.leftovers import LEFTOVERS, left_over
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


def found(ours: Tree, dpkgs: Tree, *, renumbered: bool = False) -> list[Difference]:
    return judge(side_of(ours, "computed"), side_of(dpkgs, "dpkg"), renumbered=renumbered)


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
    judged = found(ours, dpkgs, renumbered=True)
    assert [(one.path, one.aspect) for one in judged] == [(path, "number") for path in paths]
    assert unexplained(judged) == []


@pytest.mark.parametrize("number", [99, 65000])
def test_accounts_of_fixed_numbers_have_them(number: int) -> None:
    judged = unexplained(found(system(), system(one=number), renumbered=True))
    assert [(one.path, one.aspect) for one in judged] == [
        ("/etc/group", "content"),
        ("/etc/passwd", "content"),
        ("/var/lib/one", "owner"),
    ]


def test_another_account_is_no_other_number() -> None:
    ours, dpkgs = system(), system(one=101, two=100)
    dpkgs.chown("/var/lib/one", 100, 101)
    dpkgs.write("/etc/passwd", dpkgs.read("/etc/passwd").replace(b"/bin/false", b"/bin/true"))
    judged = unexplained(found(ours, dpkgs, renumbered=True))
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


def test_nothing_is_explained_twice() -> None:
    """What leftovers.py says is not said again, and a reason is said once."""
    written = [each for each in explanations() if each.reason not in {each.reason for each in LEFTOVERS}]
    assert not [path for each in written for path in each.paths if "*" not in path and left_over(path)]
    assert len({each.reason for each in explanations()}) == len(explanations())


def test_what_two_runs_of_dpkg_do_not_have_in_common() -> None:
    assert normalised("/etc/shadow", b"a:!:20000:0:::::\n") == normalised("/etc/shadow", b"a:!:20001:0:::::\n")
    assert normalised("/etc/shadow", b"a:!:20000:0:::::\n") != normalised("/etc/shadow", b"a:*:20000:0:::::\n")
    diversions = "/var/lib/dpkg/diversions"
    assert normalised(diversions, b"a\nb\nc\nd\ne\nf\n") == normalised(diversions, b"d\ne\nf\na\nb\nc\n")
    assert normalised(diversions, b"a\nb\nc\nd\n") != normalised(diversions, b"a\nb\nc\n")
