"""Units on and off against the systemctl and deb-systemd-helper of the host, which work on a directory."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from assembler.programs.deb_systemd_helper import deb_systemd_helper
from assembler.programs.options import UsageError
from assembler.programs.systemd import Systemctl, UnitError, full_name
from assembler.tree.staging import Tree
from tests.support.host_commands import need
from tests.tree.disk import on_disk, shown, tree_of, write_out

LIB = "/usr/lib/systemd/system"
UNITS = {
    "plain.service": "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
    "two.service": "[Install]\nWantedBy=multi-user.target graphical.target\nRequiredBy=plain.service\n",
    "alias.service": "[Install]\nWantedBy=multi-user.target\nAlias=other.service\n",
    "also.service": "[Install]\nWantedBy=multi-user.target\nAlso=also.socket\n",
    "also.socket": "[Install]\nWantedBy=sockets.target\nAlso=also.service\n",
    "tty@.service": "[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n",
    "inst@.service": "[Install]\nWantedBy=multi-user.target\n",
    "expand@.service": "[Install]\nWantedBy=other-%i.target\nAlias=second-%p@%i.service\n",
    "static.service": "[Service]\nExecStart=/bin/true\n",
    "reset.service": "[Install]\nWantedBy=a.target\nWantedBy=\nWantedBy=b.target\n",
    "off.service": "[Install]\nWantedBy=multi-user.target\n",
    "cont.service": "[Install]\nWantedBy=a.target \\\n b.target\n# WantedBy=c.target\n",
}
FILES: dict[str, str | bytes] = {
    **{f"{LIB}/{name}": text for name, text in UNITS.items()},
    f"{LIB}/linked.service": "->plain.service",
    f"{LIB}/gone.service": "->/dev/null",
    f"{LIB}/two.service.d/more.conf": "[Install]\nWantedBy=more.target\n",
    "/usr/lib/systemd/system-preset/90-x.preset": "enable tty@.service\ndisable off.*\n# a remark\n",
    "/etc/systemd/system/": "",
    "/opt/far.service": "[Install]\nWantedBy=multi-user.target\n",
    "/etc/systemd/system/far.service": "->/opt/far.service",
    f"{LIB}/def@.service": "[Install]\nAlias=named-%p@.service\nDefaultInstance=a\nUpheldBy=up@.target\n",
    f"{LIB}/other@x.service": "->inst@.service",
    f"{LIB}/lone@.service": "->inst@.service",
    f"{LIB}/part.service": "[Install]\nWantedBy=multi-user.target\nAlso=missing.service static.service gone.service\n",
}
ENABLE = [*UNITS, "tty@tty5.service", "inst@a.service", "expand@b.service", "linked.service", "plain",
          "far.service", "def@.service", "def@z.service", "lone@q.service", "part.service"]  # fmt: skip
VERBS = ["enable", "enable", "disable", "preset", "mask", "unmask"]
ALWAYS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ALWAYS
@example([("enable", "expand@.service"), ("preset", "expand@.service")])
@example([("mask", "plain.service"), ("preset", "plain.service")])
@example([("enable", "far.service"), ("preset", "def@.service"), ("enable", "def@z.service")])
@example([("enable", "lone@q.service"), ("enable", "lone@q.service"), ("disable", "lone@q.service")])
@example([("enable", "part.service"), ("disable", "part.service")])
@example([("mask", "plain.service"), ("mask", "plain.service"), ("unmask", "plain.service"), ("unmask", "two.service")])
@example([("enable", "off.service"), ("mask", "off.service"), ("preset", "off.service")])
@example([("enable", "off.service"), ("mask", "off.service"), ("disable", "off.service")])
@given(
    st.lists(
        st.tuples(st.sampled_from(VERBS), st.sampled_from(ENABLE)),
        min_size=1,
        max_size=4,
    )
)
def test_systemctl_makes_the_links_of_the_real_program(tmp_path: Path, commands: list[tuple[str, str]]) -> None:
    program = need("systemctl", "systemd")
    tree = tree_of(FILES)
    root = write_out(tree, tmp_path / "root")
    for words in commands:
        result = subprocess.run(
            [program, f"--root={root}", *words],
            capture_output=True,
            check=False,
            env={"SYSTEMCTL_SKIP_SYSV": "1"},
        )
        try:
            Systemctl(tree).call(words)
        except UnitError:
            assert result.returncode != 0, words
        else:
            assert result.returncode == 0, (words, result.stderr)
        assert shown(tree) == on_disk(root), words


def test_an_alias_does_not_make_up_for_a_missing_instance() -> None:
    tree = tree_of(FILES)
    with pytest.raises(UnitError, match="without an instance"):
        Systemctl(tree).call(("enable", "expand@.service"))
    assert tree.lexists("/etc/systemd/system/second-expand@.service")


def test_preset_all_is_what_first_boot_does(tmp_path: Path) -> None:
    tree = tree_of(FILES)
    root = write_out(tree, tmp_path / "root")
    subprocess.run([need("systemctl", "systemd"), f"--root={root}", "preset-all"], capture_output=True, check=True)
    Systemctl(tree).preset_all()
    assert shown(tree) == on_disk(root)
    wanted = tree.names("/etc/systemd/system/multi-user.target.wants")
    assert "plain.service" in wanted
    assert "off.service" not in wanted


@ALWAYS
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["enable", "enable", "update-state", "mask", "unmask", "disable", "purge", "reenable"]),
            # The original never ends when it disables units that name each other.
            st.sampled_from([name for name in UNITS if "%" not in UNITS[name] and name != "also.socket"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_deb_systemd_helper_leaves_the_same_state_and_links(tmp_path: Path, commands: list[tuple[str, str]]) -> None:
    program = need("deb-systemd-helper", "init-system-helpers")
    once = {f"{LIB}/also.socket": "[Install]\nWantedBy=sockets.target\n"}
    tree = tree_of({**FILES, **once, "/lib": "->usr/lib"})
    root = write_out(tree, tmp_path / "root")
    for words in commands:
        result = subprocess.run(
            [program, *words],
            capture_output=True,
            check=False,
            env={"DPKG_ROOT": str(root), "DPKG_MAINTSCRIPT_PACKAGE": "x", "PATH": os.environ["PATH"]},
        )
        try:
            deb_systemd_helper(tree, words)
        except UnitError:
            assert result.returncode != 0, words
        assert shown(tree) == on_disk(root), words


def helper(tree: Tree, *words: str) -> bool:
    return deb_systemd_helper(tree, words, has_systemctl=True)


def test_a_fresh_enable_goes_by_presets_and_keeps_state() -> None:
    tree = tree_of({**FILES, "/lib": "->usr/lib"})
    for unit in ("plain.service", "off.service"):
        assert helper(tree, "--quiet", "was-enabled", unit)
        helper(tree, "enable", unit)
    links = "/etc/systemd/system/multi-user.target.wants"
    assert tree.at(f"{links}/plain.service").target == f"{LIB}/plain.service"
    assert not tree.lexists(f"{links}/off.service")
    state = "/var/lib/systemd/deb-systemd-helper-enabled"
    assert tree.read(f"{state}/off.service.dsh-also") == f"{links}/off.service\n".encode()
    assert tree.read(f"{state}/multi-user.target.wants/off.service") == b""
    assert helper(tree, "debian-installed", "off.service")
    assert not helper(tree, "was-enabled", "off.service")
    helper(tree, "enable", "off.service")
    assert not tree.lexists(f"{links}/off.service")


def test_without_systemctl_links_are_made_whatever_the_presets_say() -> None:
    tree = tree_of({**FILES, "/lib": "->usr/lib"})
    deb_systemd_helper(tree, ["enable", "off.service"], has_systemctl=False)
    link = tree.at("/etc/systemd/system/multi-user.target.wants/off.service")
    assert link.target == "/lib/systemd/system/off.service"


def test_a_unit_that_must_not_be_enabled_only_gets_state() -> None:
    tree = tree_of({**FILES, "/lib": "->usr/lib"})
    assert not helper(tree, "debian-installed", "plain.service")
    helper(tree, "update-state", "plain.service")
    assert not tree.lexists("/etc/systemd/system/multi-user.target.wants")
    assert tree.exists("/var/lib/systemd/deb-systemd-helper-enabled/plain.service.dsh-also")


def test_units_of_users_have_their_own_directories() -> None:
    unit = "/usr/lib/systemd/user/agent.socket"
    tree = tree_of({unit: "[Install]\nWantedBy=sockets.target\n", "/lib": "->usr/lib"})
    helper(tree, "--user", "enable", "agent.socket")
    assert tree.at("/etc/systemd/user/sockets.target.wants/agent.socket").target == unit
    assert tree.exists("/var/lib/systemd/deb-systemd-user-helper-enabled/agent.socket.dsh-also")


def test_presets_for_instances_and_presets_that_leave_a_unit_alone() -> None:
    rules = "enable inst@.service one two\nignore plain.service\n"
    tree = tree_of({**FILES, "/etc/systemd/system-preset/10-first.preset": rules})
    control = Systemctl(tree)
    control.preset("inst@.service", "plain.service", "inst@three.service")
    assert tree.names("/etc/systemd/system/multi-user.target.wants") == ["inst@one.service", "inst@two.service"]


def test_set_default_and_is_enabled() -> None:
    tree = tree_of({**FILES, f"{LIB}/multi-user.target": "[Unit]\n"})
    control = Systemctl(tree)
    control.set_default("multi-user")
    assert tree.at("/etc/systemd/system/default.target").target == f"{LIB}/multi-user.target"
    assert not control.is_enabled("plain")
    control.enable("plain")
    assert control.call(["--quiet", "is-enabled", "plain.service"])
    assert not control.call(["is-active", "plain.service"])
    control.call(["--system", "daemon-reload"])


@pytest.mark.parametrize(
    "words", [["enable", "missing.service"], ["enable", "gone.service"], ["enable", "a b"], ["frob", "x"], []]
)
def test_bad_calls_are_errors(words: list[str]) -> None:
    with pytest.raises((UnitError, UsageError)):
        Systemctl(tree_of(FILES)).call(words)


def test_aliases_that_go_in_circles_are_errors() -> None:
    tree = tree_of({f"{LIB}/a.service": "->b.service", f"{LIB}/b.service": "->a.service"})
    with pytest.raises(UnitError, match="alias"):
        Systemctl(tree).enable("a.service")


WANTS = "/etc/systemd/system/multi-user.target.wants"


def test_a_file_in_the_way_of_a_link_is_named_and_a_link_to_another_unit_goes() -> None:
    tree = tree_of({**FILES, f"{WANTS}/plain.service": "->/lib/nothing", f"{WANTS}/off.service": "mine",
                    "/etc/systemd/system/other.service": "->/nothing"})  # fmt: skip
    control = Systemctl(tree)
    control.enable("plain")
    assert tree.at(f"{WANTS}/plain.service").target == f"{LIB}/plain.service"
    for name, path in (("off", f"{WANTS}/off.service"), ("alias", "/etc/systemd/system/other.service")):
        with pytest.raises(UnitError, match="in the way of a link to a unit") as caught:
            control.enable(name)
        assert caught.value.where.path == path
    assert tree.read(f"{WANTS}/off.service") == b"mine"
    with pytest.raises(UnitError, match="in the way of a mask") as caught:
        control.mask("other")
    assert caught.value.where.path == "/etc/systemd/system/other.service"


def test_a_link_that_leads_to_the_unit_stays_as_it_is() -> None:
    tree = tree_of({**FILES, "/lib": "->usr/lib", f"{WANTS}/plain.service": "->/lib/systemd/system/plain.service"})
    Systemctl(tree).enable("plain")
    assert tree.at(f"{WANTS}/plain.service").target == "/lib/systemd/system/plain.service"


def test_unmask_takes_only_masks() -> None:
    directory = "/etc/systemd/system"
    tree = tree_of({**FILES, f"{directory}/a.service": "->/dev/null", f"{directory}/b.service": "",
                    f"{directory}/c.service": "x", f"{directory}/d.service": "->c.service"})  # fmt: skip
    Systemctl(tree).unmask("a", "b", "c", "d", "e")
    assert tree.names(directory) == ["c.service", "d.service", "far.service"]


def test_a_unit_is_enabled_by_its_name_or_as_the_target_of_a_link() -> None:
    tree = tree_of({"/etc/systemd/system/a.target.wants/x.service": "->/lib/y.service",
                    "/etc/systemd/system/m.service": "->/dev/null", "/etc/systemd/system/f.service": ""})  # fmt: skip
    control = Systemctl(tree)
    assert [control.is_enabled(name) for name in "xymfz"] == [True, True, False, False, False]
    with pytest.raises(UsageError, match="not there"):
        control.call(["is-enabled", "z", "x"])
    assert not control.call(["is-enabled", "m"])
    assert not Systemctl(Tree()).is_enabled("x")
    Systemctl(Tree()).disable("x")


def test_what_is_enabled_says_as_the_real_ones_do() -> None:
    tree = tree_of({**FILES, f"{LIB}/static.service": "[Service]\n", f"{LIB}/other-name.service": "->plain.service"})
    for split, missing in ((False, 4), (True, 1)):
        control = Systemctl(tree, split=split)
        assert control.call(["is-enabled", "static"])
        assert control.call(["is-enabled", "other-name"])
        assert not control.call(["is-enabled", "plain"])
        with pytest.raises(UnitError) as caught:
            control.call(["is-enabled", "none"])
        assert caught.value.status == missing


def test_systemd_of_bookworm_finds_units_in_lib_and_upholds_none() -> None:
    held = "[Install]\nWantedBy=multi-user.target\nUpheldBy=a.target\n"
    tree = tree_of({**FILES, "/lib": "->usr/lib", f"{LIB}/held.service": held})
    Systemctl(tree, split=True).enable("plain", "held")
    assert tree.at(f"{WANTS}/plain.service").target == "/lib/systemd/system/plain.service"
    assert tree.at(f"{WANTS}/held.service").target == "/lib/systemd/system/held.service"
    assert not tree.exists("/etc/systemd/system/a.target.upholds")


def test_presets_for_instances_hold_for_those_that_are_named() -> None:
    rules = "enable inst@.service one\ndisable\nenable *\n"
    tree = tree_of({**FILES, "/etc/systemd/system-preset/10-first.preset": rules})
    control = Systemctl(tree)
    asked = ("inst@.service", "inst@one.service", "inst@two.service", "x.service")
    assert [control.preset_of(name) for name in asked] == [
        ("enable", ["inst@one.service"]), ("enable", ["inst@one.service"]), ("disable", ["inst@two.service"]),
        ("enable", ["x.service"]),
    ]  # fmt: skip
    assert Systemctl(Tree()).preset_of("a.service") == ("enable", ["a.service"])


def test_preset_mode_enable_only_takes_nothing_away() -> None:
    for mode, kept in ((["--preset-mode=enable-only"], True), (["--preset-mode=full"], False), ([], False)):
        for call in (["preset", "off.service", "plain.service"], ["preset-all"]):
            tree = tree_of(FILES)
            control = Systemctl(tree)
            control.enable("off")
            assert control.call([*mode, *call])
            assert tree.lexists(f"{WANTS}/off.service") is kept, (mode, call)
            assert tree.lexists(f"{WANTS}/plain.service"), (mode, call)


@pytest.mark.parametrize("verb", ["start", "daemon-reload", "try-restart", "reset-failed", "is-active", "is-failed"])
def test_what_only_a_running_manager_does_changes_nothing(verb: str) -> None:
    tree = tree_of(FILES)
    assert Systemctl(tree).call([verb, "plain.service"]) is not verb.startswith("is-")
    assert shown(tree) == shown(tree_of(FILES))


@pytest.mark.parametrize(
    ("name", "full"),
    [("a", "a.service"), ("a.b", "a.b.service"), ("a.socket", "a.socket"), ("a@", "a@.service"), ("a@b.timer",
     "a@b.timer"),
     ("a b", None), ("", None), ("a/b.service", None), ("a@b@c", None)],
)  # fmt: skip
def test_names_of_units(name: str, full: str | None) -> None:
    if full is None:
        with pytest.raises(UnitError, match="no name of a unit"):
            full_name(name)
    else:
        assert full_name(name) == full


def test_an_alias_is_followed_sixteen_times() -> None:
    chain = {f"{LIB}/a{number}.service": f"->a{number + 1}.service" for number in range(16)}
    tree = tree_of({**chain, f"{LIB}/a16.service": "[Install]\nWantedBy=x.target\n"})
    assert Systemctl(tree).load("a1.service").name == "a16.service"
    with pytest.raises(UnitError, match=r"unit a16\.service is an alias of itself"):
        Systemctl(tree).load("a0.service")


def test_is_enabled_of_the_helper_asks_for_all_links() -> None:
    tree = tree_of({**FILES, "/lib": "->usr/lib"})
    assert not helper(tree, "is-enabled", "two.service")
    helper(tree, "enable", "two.service")
    assert helper(tree, "is-enabled", "two.service")
    assert helper(tree, "was-enabled", "two.service")
    tree.remove("/etc/systemd/system/graphical.target.wants/two.service")
    assert not helper(tree, "is-enabled", "two.service")
    assert not helper(tree, "was-enabled", "two.service")
    assert helper(tree, "is-enabled", "two.service", "static.service")


def test_units_that_name_each_other_are_disabled_once() -> None:
    tree = tree_of({**FILES, "/lib": "->usr/lib"})
    helper(tree, "enable", "also.service")
    assert tree.lexists(f"{WANTS}/also.service")
    helper(tree, "purge", "also.service")
    assert not tree.lexists(f"{WANTS}/also.service")
    assert not tree.exists("/var/lib/systemd/deb-systemd-helper-enabled")


@pytest.mark.parametrize("words", [["", "plain.service"], ["--frob", "enable", "plain.service"]])
def test_the_helper_knows_no_other_option(words: list[str]) -> None:
    with pytest.raises(UsageError):
        helper(tree_of(FILES), *words)


def test_the_helper_passes_over_an_action_that_it_does_not_know() -> None:
    tree = tree_of(FILES)
    before = shown(tree)
    assert helper(tree, "start", "plain.service")
    assert shown(tree) == before


def test_the_helper_needs_the_unit() -> None:
    with pytest.raises(UnitError, match="cannot read the unit"):
        helper(tree_of(FILES), "update-state", "missing.service")
    deb = tree_of({**FILES, "/lib": "->usr/lib"})
    deb_systemd_helper(deb, ["enable", "plain.service"])
    assert deb.at(f"{WANTS}/plain.service").target == "/lib/systemd/system/plain.service"
