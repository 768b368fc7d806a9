"""Configuring packages: what is done in which order, what is refused, what the report says."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from assembler.configure.engine import ScriptsFailed, Settings, configure
from assembler.configure.executed import Execution
from assembler.configure.job import Configure, Job
from assembler.configure.triggers import TriggersGoRound
from assembler.debian.package import Aside, Unpacked
from assembler.errors import AssembleError, Problems
from assembler.programs.modules import Module
from assembler.tree.changes import Changes, Entry
from assembler.tree.content import read
from assembler.tree.staging import Inode, Kind, Tree
from tests.debian.unpacked import package
from tests.support.scripts import with_programs

SH = "#!/bin/sh\nset -e\n"
SETTINGS = Settings(86400 * 20000, "amd64")
MASTERS = {
    "/usr/share/base-passwd/passwd.master": "root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534::/:/bin/sh\n",
    "/usr/share/base-passwd/group.master": "root:*:0:\nnogroup:*:65534:\n",
}


def test_preinst_first_then_postinst_by_dependencies() -> None:
    tree = Tree()
    log = "echo {0} >>/log\n"
    packages = [
        package(tree, "c", depends="a", preinst=SH + log.format("pre-c"), postinst=SH + log.format("c")),
        package(tree, "b", preinst=SH + log.format("pre-b"), postinst=SH + log.format("b"), essential="yes"),
        package(tree, "a", depends="d", postinst=SH + log.format("a")),
        package(tree, "d", postinst=SH + log.format("d"), prerm=SH + "wget x\n", config=SH + "wget x\n"),
    ]
    report = configure(tree, packages, SETTINGS)
    assert tree.read_text("/log").split() == ["pre-b", "b", "pre-c", "d", "a", "c"]
    assert report.order == ("b", "d", "a", "c")
    assert report.counts() == {"computed": 6}


def test_accounts_get_their_numbers_in_that_order() -> None:
    tree = Tree()
    add = SH + "adduser --system --no-create-home --home /nonexistent {0}\n"
    packages = [
        package(tree, "zz", postinst=add.format("first")),
        package(tree, "aa", depends="zz", postinst=add.format("second")),
        package(
            tree, "base-passwd", files=MASTERS, essential="yes",
            preinst=SH + "cp /usr/share/base-passwd/passwd.master /etc/passwd\n"
            "cp /usr/share/base-passwd/group.master /etc/group\n",
        ),
    ]  # fmt: skip
    tree.mkdir("/etc")
    configure(tree, packages, SETTINGS)
    numbers = {line.split(":")[0]: line.split(":")[2] for line in tree.read_text("/etc/passwd").splitlines()}
    assert (numbers["first"], numbers["second"]) == ("100", "101")


def test_programs_of_later_packages_are_not_there_for_essential_ones() -> None:
    tree = Tree()
    ask = SH + "if command -v systemctl >/dev/null; then echo yes >/{0}; else echo no >/{0}; fi\n"
    packages = [
        package(tree, "core", essential="yes", postinst=ask.format("core")),
        package(tree, "systemd", files={"/usr/bin/systemctl": ""}, postinst=ask.format("systemd")),
    ]
    tree.chmod("/usr/bin/systemctl", 0o755)
    configure(tree, packages, SETTINGS)
    assert (tree.read_text("/core"), tree.read_text("/systemd")) == ("no\n", "yes\n")


def test_snippets_keep_their_place_among_what_is_written_by_hand() -> None:
    tree = Tree()
    snippet = (
        "# Automatically added by dh_installsysusers/13\n"
        'if [ "$1" = configure ]; then systemd-sysusers p.conf; fi\n'
        "# End automatically added section\n"
    )
    files = {"/usr/lib/sysusers.d/p.conf": "u gen -\n", "/etc/passwd": "", "/etc/group": "", "/home": ""}
    del files["/home"]
    script = f"{SH}getent passwd gen || echo before >>/log\n{snippet}getent passwd gen && echo after >>/log\n"
    configure(tree, [package(tree, "p", files=files, postinst=script)], SETTINGS)
    assert tree.read_text("/log") == "before\nafter\n"


def test_a_script_that_fails_stops() -> None:
    tree = Tree()
    for script, why in (
        ("exit 3\n", "status 3"),
        ("cp /none /x\n", "status 1"),
        ("adduser --system x --home\n", "adduser"),
        # The last command's status is the script's, under set -e and without it.
        ("[ -f /none ] && touch /x\n", "status 1"),
        ("set +e\ncp /none /x\n", "status 1"),
    ):
        broken = package(tree, "broken", postinst=SH + "mkdir -p /a\n" + script)
        with pytest.raises(ScriptsFailed, match=why) as caught:
            configure(tree, [broken], SETTINGS)
        assert [error.where.package for error in caught.value.errors] == ["broken postinst"]
    for script in ("cp /none /x || true\n", "if cp /none /x; then :; fi\n", "[ -e /none ] && cp /none /x\n:\n"):
        configure(tree, [package(tree, "sound", postinst=SH + script)], SETTINGS)
    configure(tree, [package(tree, "lax", postinst="#!/bin/sh\ncp /none /x\nmkdir -p /lax\n")], SETTINGS)
    assert tree.is_dir("/lax")


def test_triggers_that_nobody_knows_are_refused_when_something_activates_them() -> None:
    tree = Tree()
    script = SH + 'if [ "$1" = triggered ]; then frobnicate $2; fi\n'
    triggers = "interest-noawait /usr/share/things\n"
    interested = package(tree, "watcher", triggers=triggers, postinst=script, essential="yes")
    configure(tree, [interested], SETTINGS)
    supplier = package(tree, "supplier", files={"/usr/share/things/one": ""})
    with pytest.raises(Problems, match="/usr/share/things"):
        configure(tree, [interested, supplier], SETTINGS)
    named = package(tree, "n", triggers="interest refresh\n", postinst=script)
    configure(tree, [named], SETTINGS)
    with pytest.raises(Problems, match="refresh"):
        configure(tree, [named, package(tree, "o", depends="n", postinst=SH + "dpkg-trigger refresh\n")], SETTINGS)


LOGGING = SH + 'case "$1" in\nconfigure) echo c >>/log ;;\ntriggered) echo "t $2" >>/log ;;\nesac\n'


def test_what_a_trigger_does_is_read_from_the_script() -> None:
    tree = Tree()
    files = {"/usr/share/things/one": ""}
    triggers = "interest /usr/share/things\ninterest other\n"
    watcher = package(tree, "watcher", triggers=triggers, postinst=LOGGING, essential="yes")
    report = configure(tree, [watcher, package(tree, "supplier", files=files)], SETTINGS)
    assert tree.read_text("/log") == "c\nt /usr/share/things\n"
    assert [(s.script, s.handling, s.triggers) for s in report.scripts] == [
        ("postinst", "computed", ()), ("triggered", "computed", ("/usr/share/things",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "triggers", "conffiles", "log"),
    [
        # What ships the path is unpacked before the watcher is configured, and configured after it.
        ("", "", "", "c\n"),
        ("", "", "/usr/share/things/one\n", "c\nt /usr/share/things\n"),
        ("", "activate named\n", "", "c\nt named\n"),
        ("dpkg-trigger named", "", "", "c\nt named\n"),
        ("dpkg-trigger --no-act named", "", "", "c\n"),
        ("dpkg-trigger unknown", "", "", "c\n"),
        # A path means the directories above it; the latest trigger comes first.
        ("dpkg-trigger --no-await named; dpkg-trigger /usr/share/things/a/b", "", "", "c\nt /usr/share/things named\n"),
    ],
)
def test_a_trigger_means_something_to_packages_that_are_configured(
    script: str, triggers: str, conffiles: str, log: str
) -> None:
    interests = "interest-noawait /usr/share/things\ninterest named\n"
    for depends, expected in (("watcher", log), ("", "c\n")):
        tree = Tree()
        watcher = package(tree, "watcher", triggers=interests, postinst=LOGGING)
        control = {"postinst": f"{SH}{script}\n", "triggers": triggers, "conffiles": conffiles}
        files = {"/usr/share/things/one": ""}
        name = "zz" if depends else "aa"
        configure(tree, [watcher, package(tree, name, files=files, depends=depends, **control)], SETTINGS)
        assert tree.read_text("/log") == expected


def test_a_package_may_trigger_itself_and_others_in_turn() -> None:
    tree = Tree()
    first = SH + 'echo "a $1 $2" >>/log\n[ "$1" = triggered ] || dpkg-trigger mine\n'
    second = SH + 'echo "b $1 $2" >>/log\n[ "$2" != mine ] || dpkg-trigger more\n'
    packages = [
        package(tree, "a", triggers="interest mine\n", postinst=first),
        package(tree, "b", triggers="interest mine\ninterest more\n", postinst=second),
        package(tree, "c", depends="b", postinst=SH + "dpkg-trigger mine\n"),
    ]
    report = configure(tree, packages, SETTINGS)
    log = ["a configure", "b configure", "a triggered mine", "b triggered mine", "b triggered more"]
    assert [line.rstrip() for line in tree.read_text("/log").splitlines()] == log
    assert report.triggers == ("mine", "more")


def test_triggers_that_go_round_end() -> None:
    tree = Tree()
    looping = SH + '[ "$1" != triggered ] || dpkg-trigger {0}\n'
    packages = [
        package(tree, "a", triggers="interest one\n", postinst=looping.format("two")),
        package(tree, "b", triggers="interest two\n", postinst=looping.format("one")),
        package(tree, "c", depends="a, b", postinst=SH + "dpkg-trigger one\n"),
    ]
    with pytest.raises(TriggersGoRound, match="without an end"):
        configure(tree, packages, SETTINGS)


def test_shells_are_updated_by_their_trigger() -> None:
    tree = Tree()
    tree.mkdir("/etc")
    tree.symlink("usr/bin", "/bin")
    utils = package(
        tree, "debianutils", files={"/usr/share/debianutils/shells": "# shells\n/bin/sh\n", "/usr/bin/sh": ""},
        postinst=SH + 'if [ "$1" = triggered ]; then update-shells; fi\n', essential="yes",
        triggers="interest-noawait /usr/share/debianutils/shells.d\n",
    )  # fmt: skip
    zsh = package(tree, "zsh", files={"/usr/share/debianutils/shells.d/zsh": "/bin/zsh # a comment\n"})
    report = configure(tree, [utils, zsh], SETTINGS)
    assert tree.read_text("/etc/shells") == "# shells\n/bin/sh\n/usr/bin/sh\n/bin/zsh \n/usr/bin/zsh \n"
    assert report.triggers == ("/usr/share/debianutils/shells.d",)


@pytest.mark.parametrize(
    "script",
    [
        "mkdir -p /../../../../etc/../x\n",
        "ln -s /etc /link\ntouch /link/../../../y\n",
        "echo x >/../../../tmp/z\n",
        "cp /../../etc/passwd /stolen || true\n",
        "install -m 644 /proc/self/environ /e || true\n",
    ],
)
def test_no_script_reaches_the_host(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With opening and making files on the host forbidden, everything still happens in the tree."""
    tree = Tree()
    for directory in ("/etc", "/tmp"):
        tree.mkdir(directory)
    hostile = package(tree, "hostile", postinst=SH + script)

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("the host was touched")

    for name in ("open", "mkdir", "symlink", "rename", "remove", "unlink", "link", "chmod", "chown"):
        monkeypatch.setattr(f"os.{name}", forbidden)
    monkeypatch.setattr("builtins.open", forbidden)
    configure(tree, [hostile], SETTINGS)
    monkeypatch.undo()
    assert not tree.exists("/stolen")


CODE = "/usr/lib/python3/dist-packages/p/__pycache__/a.cpython-313.pyc"


@pytest.mark.parametrize("version", ["3.13", ""])
def test_byte_code_is_there_before_anything_is_executed(version: str) -> None:
    tree = with_programs(Tree())
    files = {
        "/usr/lib/python3/dist-packages/p/a.py": "x = 1\n", "/usr/bin/python3.13": "",
        "/usr/share/python3/debian_defaults": "supported-versions = python3.13\n",
    }  # fmt: skip
    made = package(tree, "p", files=files, postinst=f"{SH}py3compile -p p\n")
    odd = package(tree, "odd", postinst=f"{SH}frobnicate\n")
    seen: list[bytes] = []

    def fill(modules: Sequence[Module]) -> None:
        (module,) = modules
        module.code.content = b"code of " + read(module.source)

    def execute(tree: Tree, job: Job) -> Changes:
        assert [step.byte_code for step in job.steps if isinstance(step, Configure)] == [bool(version)]
        seen.extend(tree.read(path) for path in (CODE,) if tree.exists(path))
        return Changes(put={"/usr/lib/__pycache__": Entry(kind=Kind.DIR, mode=0o755, uid=0, gid=0, mtime=0)})

    execution = Execution(execute=execute, names={"odd": "odd"})
    configure(tree, [made, odd], Settings(0, "amd64", execution=execution, python=version, fill=fill))
    assert seen == ([b"code of x = 1\n"] if version else [])
    assert tree.exists(CODE) is tree.exists("/usr/lib/__pycache__") is bool(version)


RENAMING = "dpkg-divert --package {0} --add --rename --divert /usr/bin/tool.real /usr/bin/tool\n"
MOVING = (
    "if [ -e /usr/bin/tool ]; then mv /usr/bin/tool /usr/bin/tool.real; fi\n"
    "dpkg-divert --package {0} --add --no-rename --divert /usr/bin/tool.real /usr/bin/tool\n"
)


@pytest.mark.parametrize("how", [RENAMING, MOVING])
@pytest.mark.parametrize("name", ["a-wrapper", "z-wrapper"])
def test_what_a_preinst_diverts_counts_before_files_conflict(how: str, name: str) -> None:
    """Whichever of the two is unpacked first."""
    tree = Tree()
    preinst = SH + how.format(name) + "[ ! -e /usr/bin/tool ] || touch /seen\n"
    wrapper = package(tree, name, files={"/usr/bin/tool": "wrapper"}, preinst=preinst)
    tool = package(tree, "tool", files={"/usr/bin/tool": "tool"}, preinst=SH)
    first, second = sorted([wrapper, tool], key=lambda one: one.name)
    configure(tree, _conflicting(tree, first, second), SETTINGS)
    assert (tree.read_text("/usr/bin/tool"), tree.read_text("/usr/bin/tool.real")) == ("wrapper", "tool")
    assert not tree.exists("/seen")
    assert tree.read_text("/var/lib/dpkg/diversions") == f"/usr/bin/tool\n/usr/bin/tool.real\n{name}\n"
    assert "/usr/bin/tool\n" in tree.read_text("/var/lib/dpkg/info/tool.list")


@pytest.mark.parametrize(
    "preinst", ["", "dpkg-divert --add --no-rename --package z --divert /usr/bin/tool.real /usr/bin/tool\n",
                "dpkg-divert --add --rename --package z --divert /usr/bin/other.real /usr/bin/other\n"],
)  # fmt: skip
def test_files_conflict_where_no_room_is_made_for_them(preinst: str) -> None:
    tree = Tree()
    tool = package(tree, "tool", files={"/usr/bin/tool": "tool"})
    wrapper = package(tree, "z", files={"/usr/bin/tool": "wrapper"}, preinst=SH + preinst)
    with pytest.raises(Problems, match="the same path"):
        configure(tree, _conflicting(tree, tool, wrapper), SETTINGS)


def _conflicting(tree: Tree, first: Unpacked, second: Unpacked) -> list[Unpacked]:
    """Both packages, which ship /usr/bin/tool, as they are after unpacking."""
    texts = {"tool": b"tool"}
    tree.write("/usr/bin/tool", texts.get(first.name, b"wrapper"))
    inode = Inode(Kind.FILE, 0o644, content=texts.get(second.name, b"wrapper"))
    aside = Aside("/usr/bin/tool", inode, first.name, AssembleError("two packages ship the same path"))
    return [first, replace(second, aside=(aside,))]


LOOP = SH + "for f in $(find /d -type f); do {}; done\n"
SEVERAL = {"/d/one": "1", "/d/two": "2", "/d/three": "3"}


def test_scripts_may_see_an_order_of_entries_that_is_of_no_account() -> None:
    tree = Tree()
    packages = [
        package(tree, "base", files=SEVERAL, postinst=LOOP.format("ln -s $f /$(basename $f).base")),
        package(tree, "more", depends="base", postinst=LOOP.format("ln -s $f /$(basename $f).more")),
        package(tree, "last", depends="more", postinst=SH + "echo once >>/log\n"),
    ]
    report = configure(tree, packages, replace(SETTINGS, effects=True))
    assert report.counts() == {"computed": 3}
    links = sorted(name for name in tree.names("/") if "." in name)
    assert links == ["one.base", "one.more", "three.base", "three.more", "two.base", "two.more"]
    assert tree.read_text("/log") == "once\n"
    told = {script.package: [effect.subject for effect in script.effects] for script in report.scripts}
    assert told["base"] == ["/one.base", "/three.base", "/two.base"]


def test_where_the_order_of_entries_is_of_account_scripts_are_not_computed() -> None:
    tree = Tree()
    packages = [
        package(tree, "base", files=SEVERAL, postinst=LOOP.format("cp $f /last")),
        package(tree, "more", depends="base", postinst=SH + "echo once >>/log\n"),
    ]
    with pytest.raises(ScriptsFailed, match="in another order") as caught:
        configure(tree, packages, SETTINGS)
    assert [package for package, _ in (instead for instead, _ in caught.value.instead)] == ["base"]
    assert not tree.lexists("/log")
