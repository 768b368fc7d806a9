"""What a machine is asked to do, and what becomes of its answer."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from assembler.configure.engine import ScriptFailed, ScriptsFailed, Settings, configure, executing_the_rest
from assembler.configure.executed import Execution, Failed, chosen, job, laid_out, until
from assembler.configure.job import Configure, Job, Run, Unpack, refuse
from assembler.configure.rules import read_rules
from assembler.debian.deb import Deb
from assembler.debian.package import Unpacked
from assembler.errors import Problems
from assembler.recipe.model import Scripts
from assembler.tree.changes import Changes, Entry
from assembler.tree.staging import Kind, Tree
from tests.debian.unpacked import package

ODD = "#!/usr/bin/perl\nno_such_function();\n"
"""A script that nobody understands."""


NOTHING = Changes()


def system(tree: Tree) -> list[Unpacked]:
    return [
        package(tree, "base", files={"/usr/bin/base": ""}, essential="yes", multi_arch="same", depends="lib"),
        package(tree, "lib", files={"/usr/lib/lib": ""}, postinst="#!/bin/sh\nset -e\n"),
        package(tree, "early", preinst=ODD, files={"/usr/share/early": ""}),
        package(tree, "late", postinst=ODD, files={"/usr/lib/systemd/system/late.service": ""}),
        package(tree, "needs", depends="late"),
        package(tree, "other", depends="base"),
    ]


def debs(packages: list[Unpacked]) -> list[Deb]:
    return [Deb(each.fields, each.control, Path(each.name), ()) for each in packages]


def names(job: Job) -> list[tuple[str, list[str], bool]]:
    """Each step: what it is, of which packages, and whether dependencies do not matter."""
    found = []
    for step in job.steps:
        assert isinstance(step, Unpack | Configure)
        if isinstance(step, Unpack):
            found.append(("unpack", [deb.name for deb in step.packages], False))
        else:
            found.append(("configure", list(step.names), step.force))
    return found


def run(
    mode: Scripts, first_boot: Mapping[str, str], answer: Changes = NOTHING
) -> tuple[Tree, list[tuple[str, list[str], bool]], str]:
    """The configured tree, what the machine was asked to do, and dpkg's status as it found it."""
    whole = Tree()
    packages = system(whole)
    execute, unpack = chosen(packages, "amd64", (), first_boot, mode)
    opened = debs(packages)
    tree = Tree()
    system(tree)
    here = {deb.name for deb in laid_out(opened, unpack)}
    for each in packages:
        for path in each.paths:
            if each.name not in here and tree.is_file(path):
                tree.remove(path)
    asked: list[tuple[str, list[str], bool]] = []
    status = ""

    def machine(tree: Tree, job: Job) -> Changes:
        nonlocal status
        asked.extend(names(job))
        status = tree.read_text("/var/lib/dpkg/status")
        return answer

    execution = Execution(execute=machine, names=execute, unpack=tuple(deb for deb in opened if deb.name in unpack))
    configure(tree, packages, Settings(7, "amd64", first_boot=first_boot, execution=execution))
    return tree, asked, status


def test_all_are_executed_as_on_a_system_that_begins() -> None:
    """Essential packages first, by force; they are laid out, and dpkg knows of none."""
    tree, asked, status = run("executed", {})
    assert asked == [
        ("unpack", ["base", "lib"], False),
        ("configure", ["lib", "base:amd64"], True),
        ("unpack", ["early", "late", "needs", "other"], False),
        ("configure", ["early", "late", "needs", "other"], False),
    ]
    assert status == ""
    assert tree.exists("/usr/lib/lib")
    assert not tree.exists("/usr/share/early")


def test_only_what_is_not_understood_is_executed() -> None:
    """What needs that is, too; and what has an odd preinst is unpacked there."""
    tree, asked, status = run("auto", {})
    assert asked == [("unpack", ["early"], False), ("configure", ["early", "late", "needs"], False)]
    stanzas = [stanza.splitlines() for stanza in status.split("\n\n") if stanza]
    states = {lines[0].removeprefix("Package: "): line for lines in stanzas for line in lines if "Status: " in line}
    installed, unpacked = "Status: install ok installed", "Status: install ok unpacked"
    assert states == {"base": installed, "lib": installed, "late": unpacked, "needs": unpacked, "other": installed}
    assert not tree.exists("/usr/share/early")


def test_what_waits_for_the_first_boot_is_unpacked_there_and_no_more() -> None:
    """Its preinst was carried out then, and is not again."""
    later = {"early": "rootfs.first_boot says so"}
    tree, asked, _ = run(
        "executed",
        later,
        Changes(put={"/usr/lib/systemd/system": Entry(kind=Kind.DIR, mode=0o755, uid=0, gid=0, mtime=7)}),
    )
    assert ("configure", ["late", "needs", "other"], False) in asked
    assert any(kind == "unpack" and "early" in which for kind, which, _ in asked)
    assert tree.read_text("/usr/lib/assembler/packages") == "early\n"


def configured(mode: Scripts, packages: Callable[[Tree], list[Unpacked]], own: str = "") -> tuple[Tree, list[str]]:
    """The tree as it is configured in a mode, and what the machine was asked to configure."""
    asked: list[str] = []
    rules = tuple(read_rules(own.encode(), "own.toml"))

    def machine(_tree: Tree, job: Job) -> Changes:
        asked.extend(name for step, which, _ in names(job) for name in which if step == "configure")
        return NOTHING

    def attempt(failed: Failed) -> Tree:
        tree = Tree()
        there = packages(tree)
        chosen_ones, early = chosen(there, "amd64", rules, {}, mode, failed=failed)
        unpack = tuple(deb for deb in debs(there) if deb.name in early)
        execution = Execution(execute=machine, names=chosen_ones, unpack=unpack) if chosen_ones else None
        configure(tree, there, Settings(7, "amd64", rules, execution=execution))
        return tree

    return executing_the_rest(attempt, mode), asked


IN_THE_WAY = "#!/bin/sh\nset -e\nmkdir -p /var/lib/way\necho way >/var/lib/way\n"
"""A script that is understood, and fails."""


def failing(tree: Tree) -> list[Unpacked]:
    return [
        package(tree, "before", postinst="#!/bin/sh\nset -e\nmkdir -p /var/lib/before\n"),
        package(tree, "fails", preinst=IN_THE_WAY),
        package(tree, "late", postinst=IN_THE_WAY),
        package(tree, "needs", depends="late", postinst="#!/bin/sh\nset -e\nmkdir -p /var/lib/needs\n"),
    ]


def test_what_each_node_makes_is_there_while_others_are_executed() -> None:
    """PostgreSQL and Postfix are set up with the certificate when it is there; the latter does not depend on it, and is
    configured before or after.
    """
    tree = Tree()
    packages = [
        package(tree, "database", depends="ssl-cert"),
        package(tree, "other"),
        package(tree, "later"),
        package(tree, "ssl-cert"),
    ]
    order = ["other", "ssl-cert", "database", "later"]

    def steps(*executed: str) -> list[type]:
        execution = Execution(execute=refuse, names=dict.fromkeys(executed, "why"))
        return [type(step) for step in job(execution, packages, order, frozenset(), 5).steps]

    assert steps("database") == steps("later") == steps("database", "later") == [Run, Configure]
    assert steps("other") == [Configure]
    assert steps("other", "later") == [Configure, Run, Configure]
    assert steps("ssl-cert", "database") == [Configure]


MAKES = "#!/bin/sh\nset -e\naddgroup --system ssl-cert\nmake-ssl-cert generate-default-snakeoil\n"
CERTIFICATE, KEY = "/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/ssl/private/ssl-cert-snakeoil.key"


def with_certificate(script: str) -> Callable[[Tree], list[Unpacked]]:
    def packages(tree: Tree) -> list[Unpacked]:
        tree.write("/etc/passwd", b"root:x:0:0:::\n", parents=True)
        tree.write("/etc/group", b"root:x:0:\n")
        for directory in ("/etc/ssl/certs", "/etc/ssl/private"):
            tree.mkdir(directory, parents=True)
        return [
            package(tree, "ssl-cert", postinst=MAKES),
            package(tree, "uses", depends="ssl-cert", postinst=f"#!/bin/sh\nset -e\n{script}\n"),
        ]

    return packages


def test_what_each_node_makes_is_seen_by_those_that_are_computed_and_is_in_no_image() -> None:
    """dovecot-core links to the certificate when it is there."""
    tree, _ = configured("computed", with_certificate(f"if [ -s {KEY} ]; then ln -s {KEY} /etc/uses.key; fi"))
    assert tree.at("/etc/uses.key").target == KEY
    assert not [path for path in (KEY, CERTIFICATE) if tree.lexists(path)]
    with pytest.raises(ScriptFailed, match=r"^/etc/uses\.pem: a script has copied"):
        configured("computed", with_certificate(f"cat {CERTIFICATE} >/etc/uses.pem"))


def test_what_turns_out_not_to_be_computable_is_executed() -> None:
    """On a tree without what was done of it; and so is what needs it."""
    tree, asked = configured("auto", failing)
    assert asked == ["fails", "late", "needs"]
    assert tree.is_dir("/var/lib/before")
    assert not tree.lexists("/var/lib/way")
    assert not tree.lexists("/var/lib/needs")
    named, early = chosen(failing(Tree()), "amd64", (), {}, "auto", failed={("fails", "preinst"): "why"})
    assert (named, early) == ({"fails": "its preinst cannot be computed: why"}, ["fails"])


def test_what_is_to_be_computed_or_is_a_rule_of_ones_own_fails() -> None:
    with pytest.raises(ScriptsFailed, match="fails preinst: the script "):
        configured("computed", failing)
    own = '[[rule]]\npackage = "odd"\nreason = "r"\nfiles = [{ path = "/usr/share", content = "x" }]\n'
    with pytest.raises(ScriptFailed, match="a directory is in the way of a file"):
        configured("auto", lambda tree: [package(tree, "odd", files={"/usr/share/odd": ""})], own)


def test_what_scripts_leave_is_left_out() -> None:
    answer = Changes(
        put={
            "/etc": Entry(kind=Kind.DIR, mode=0o755, uid=0, gid=0, mtime=7),
            "/etc/made": Entry(kind=Kind.FILE, mode=0o600, uid=1, gid=2, mtime=7, content=b"x"),
            "/etc/machine-id": Entry(kind=Kind.FILE, mode=0o444, uid=0, gid=0, mtime=7, content=b"0123"),
            "/etc/passwd-": Entry(kind=Kind.FILE, mode=0o600, uid=0, gid=0, mtime=7, content=b"x"),
        }
    )
    tree, _, _ = run("auto", {}, answer)
    assert tree.names("/etc") == ["machine-id", "made"]
    assert tree.read("/etc/machine-id") == b""


def test_a_private_key_is_refused_or_told_of() -> None:
    """It is told of where somebody looks at the tree, which has it then."""
    key = Entry(kind=Kind.FILE, mode=0o600, uid=0, gid=0, mtime=7, content=b"-----BEGIN PRIVATE KEY-----\n")
    answer = Changes(put={"/usr/lib/key": key})
    with pytest.raises(Problems) as refused:
        run("auto", {}, answer)
    (error,) = refused.value.errors
    tree = Tree()
    packages = system(tree)
    execution = Execution(execute=lambda _tree, _job: answer, names={"late": "odd"}, refuse_keys=False)
    report = configure(tree, packages[1::2], Settings(7, "amd64", execution=execution))
    assert [str(one) for one in report.keys] == [str(error)]
    assert error.where.path == "/usr/lib/key"
    assert tree.is_file("/usr/lib/key")


@pytest.mark.parametrize("mode", ["auto", "executed"])
def test_nothing_is_unpacked_here_and_there(mode: Scripts) -> None:
    packages = system(Tree())
    _, unpack = chosen(packages, "amd64", (), {}, mode)
    here = {deb.name for deb in laid_out(debs(packages), unpack)}
    assert here & set(unpack) == ({"base", "lib"} if mode == "executed" else set())
    assert here | set(unpack) == {each.name for each in packages}


def test_programs_of_later_packages_are_hidden_from_the_first() -> None:
    """dpkg would not have unpacked them yet."""
    tree = Tree()
    shipped = {"/usr/bin/tool": "", "/usr/lib/x": "", "/sbin/old": ""}
    base = package(tree, "base", essential="yes", postinst=ODD, files={"/usr/bin/own": ""})
    later = package(tree, "later", depends="base", files=shipped)
    seen: list[Job] = []

    def execute(_tree: Tree, job: Job) -> Changes:
        seen.append(job)
        return Changes()

    names, _ = chosen([base, later], "amd64", (), {}, "auto")
    execution = Execution(execute=execute, names=names)
    configure(tree, [base, later], Settings(7, "amd64", execution=execution))
    (early, late) = [step for step in seen[0].steps if isinstance(step, Configure)]
    assert (early.names, early.force, early.hidden) == (("base",), True, ("/sbin/old", "/usr/bin/tool"))
    assert (late.force, late.hidden) == (False, ())


def test_what_has_a_script_comes_after_essential_packages_that_are_executed() -> None:
    """Though it does not say that it needs them: directories below /usr/local are base-files' (bookworm)."""
    makes = "#!/bin/sh\nset -e\nmkdir -p /var/lib/made\n"
    tree = Tree()
    base = package(tree, "base", essential="yes", postinst=ODD)
    counts = [package(tree, "counts", postinst=makes), package(tree, "needs", depends="counts")]
    silent = package(tree, "silent")
    later = package(tree, "later", postinst=makes)
    named, _ = chosen([base, *counts, silent, later], "amd64", (), {"later": "asked for"}, "auto")
    assert set(named) == {"base", "counts", "needs"}
    assert named["counts"] == "it comes after base, which every system has"
    other = package(tree, "base", essential="yes", postinst=makes)
    assert chosen([other, *counts, silent], "amd64", (), {}, "auto")[0] == {}


def test_a_job_up_to_a_package() -> None:
    """As a person sees it who asks for the tree before dpkg turns to that package."""
    tree = Tree()
    first, second = debs([package(tree, "first"), package(tree, "second", preinst=ODD)])
    job = Job(steps=(Unpack(packages=(first, second)), Configure(names=("a", "first", "second:amd64", "b"))), epoch=7)
    assert names(until(job, "a") or job) == [("unpack", ["first", "second"], False)]
    assert names(until(job, "first") or job) == [
        ("unpack", ["first", "second"], False),
        ("configure", ["a"], False),
    ]
    # Its preinst comes first.
    assert names(until(job, "second") or job) == [("unpack", ["first"], False)]
    assert names(until(job, "b") or job)[-1] == ("configure", ["a", "first", "second:amd64"], False)
    assert until(job, "nobody") is None
    assert until(Job(steps=(Configure(names=("only",)),), epoch=7), "only") == Job(steps=(), epoch=7)
