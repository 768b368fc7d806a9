"""The order of configuration is the one in which dpkg's queue lets packages through."""

import re
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.configure.order import Orderable, configure_order, relation_names, stages, unpack_order
from tests.support.host_commands import need

# name: (Depends, has a postinst)
GRAPHS: dict[str, Mapping[str, tuple[str, bool]]] = {
    "a chain": {"a": ("b", False), "b": ("c", False), "c": ("", False)},
    "alternatives": {"a": ("none | b, c (>= 1)", True), "b": ("", False), "c": ("b", True)},
    "a cycle": {"a": ("b", True), "b": ("c", False), "c": ("a", True), "d": ("", True)},
    "two cycles": {"a": ("b", True), "b": ("a", False), "c": ("d", False), "d": ("c", True), "e": ("a, c", True)},
    "behind a cycle": {"z": ("lib", True), "lib": ("mapper", False), "mapper": ("setup", False),
                       "setup": ("mapper", False), "b": ("", True)},
}  # fmt: skip


def packages(graph: Mapping[str, tuple[str, bool]]) -> list[Orderable]:
    return [Orderable(name, {"Depends": depends}, postinst) for name, (depends, postinst) in graph.items()]


def as_dpkg(graph: Mapping[str, tuple[str, bool]], tmp_path: Path, first: Collection[str] = ()) -> list[str]:
    """The order in which dpkg, given the packages in the order of unpacking, would configure them; those that are
    `first` have been.
    """
    for directory in ("info", "updates", "triggers"):
        (tmp_path / directory).mkdir()
    stanzas = []
    for name, (depends, postinst) in graph.items():
        line = f"Depends: {depends}\n" if depends else ""
        state = "installed" if name in first else "unpacked"
        stanzas.append(
            f"Package: {name}\nStatus: install ok {state}\nMaintainer: x <x@y.z>\nArchitecture: all\n"
            f"Version: 1\n{line}Description: x\n\n"
        )
        (tmp_path / "info" / f"{name}.list").write_text("/.\n")
        if postinst:
            (tmp_path / "info" / f"{name}.postinst").write_text("#!/bin/sh\n")
    (tmp_path / "status").write_text("".join(stanzas))
    order = stages(packages(graph), first)[-1]
    command = [need("dpkg", "dpkg"), f"--admindir={tmp_path}", "--no-act", "--force-not-root,bad-path"]
    run = subprocess.run([*command, "--configure", *order], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    taken = re.findall(r"^Would configure (\S+)|^Setting up (\S+)", run.stdout, re.MULTILINE)
    return [first or second for first, second in taken]


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_dpkg_takes_them_in_this_order(graph: Mapping[str, tuple[str, bool]], tmp_path: Path) -> None:
    assert configure_order(packages(graph)) == as_dpkg(graph, tmp_path)


# As above, with what each package depends on, awaits and processes.
TRIGGERS: dict[str, Mapping[str, tuple[str, str, str]]] = {
    "polkitd": {"base": ("", "", "t"), "a": ("xml", "", ""), "b": ("a", "", ""), "xml": ("base", "t", ""),
                "c": ("", "", ""), "d": ("", "", "")},
    "two": {"x": ("p", "t", ""), "y": ("q", "u", ""), "p": ("", "", "t"), "q": ("", "", "u"),
            "a": ("x", "", ""), "b": ("y", "", ""), "c": ("x, y", "", ""), "d": ("", "", ""), "e": ("b", "", "")},
    "an alternative": {"p": ("", "", "t"), "x": ("p", "t", ""), "a": ("x | d", "", ""), "d": ("", "", "")},
    "nobody processes it": {"x": ("", "t", ""), "a": ("x", "", ""), "d": ("", "", "")},
    "not configured yet": {"x": ("", "t", ""), "a": ("x", "", ""), "d": ("", "", ""), "p": ("d", "", "t")},
    "itself": {"x": ("", "t", "t"), "a": ("x", "", ""), "d": ("", "", "")},
    "beside a cycle": {"p": ("", "", "t"), "x": ("p", "t", ""), "a": ("x", "", ""), "b": ("c", "", ""),
                       "c": ("b", "", ""), "d": ("", "", "")},
}  # fmt: skip


@pytest.mark.parametrize("graph", TRIGGERS.values(), ids=TRIGGERS)
def test_those_that_await_triggers_are_waited_for(graph: Mapping[str, tuple[str, str, str]], tmp_path: Path) -> None:
    """As dpkg does it, with scripts that do nothing, in a database of its own."""
    for directory in ("info", "updates", "triggers"):
        (tmp_path / directory).mkdir()
    stanzas = []
    for name, (depends, awaits, processes) in graph.items():
        line = f"Depends: {depends}\n" if depends else ""
        stanzas.append(
            f"Package: {name}\nStatus: install ok unpacked\nMaintainer: x <x@y.z>\nArchitecture: all\n"
            f"Version: 1\n{line}Description: x\n\n"
        )
        info = tmp_path / "info" / name
        info.with_suffix(".list").write_text("/.\n")
        info.with_suffix(".postinst").write_text(f"#!/bin/sh\necho {name} $1 >>{tmp_path}/order\n")
        info.with_suffix(".postinst").chmod(0o755)
        lines = [f"activate-await {awaits}\n"] * bool(awaits) + [f"interest-await {processes}\n"] * bool(processes)
        info.with_suffix(".triggers").write_text("".join(lines))
        if processes:
            with (tmp_path / "triggers" / processes).open("a") as interested:
                interested.write(f"{name}\n")
    (tmp_path / "status").write_text("".join(stanzas))
    known = [
        Orderable(name, {"Depends": depends}, has_postinst=True, awaits=tuple(awaits), processes=tuple(processes))
        for name, (depends, awaits, processes) in graph.items()
    ]
    command = [need("dpkg", "dpkg"), f"--admindir={tmp_path}", "--force-not-root,bad-path,script-chrootless"]
    subprocess.run([*command, "--configure", *unpack_order(known)], capture_output=True, check=True)
    taken = [line.split()[0] for line in (tmp_path / "order").read_text().splitlines() if line.endswith(" configure")]
    assert configure_order(known) == taken


_NAMES = ["aa", "bb", "cc", "dd", "ee", "ff"]
_DEPENDS = st.lists(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=2, unique=True), max_size=3)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(_NAMES), st.tuples(_DEPENDS, st.booleans()), min_size=6, max_size=6))
def test_dpkg_takes_any_graph_in_this_order(
    tmp_path_factory: pytest.TempPathFactory, graph: dict[str, tuple[list[list[str]], bool]]
) -> None:
    plain = {
        name: (", ".join(" | ".join(group) for group in groups if name not in group), postinst)
        for name, (groups, postinst) in graph.items()
    }
    assert configure_order(packages(plain)) == as_dpkg(plain, tmp_path_factory.mktemp("graph"))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(_NAMES), st.tuples(_DEPENDS, st.booleans()), min_size=6, max_size=6),
    st.sets(st.sampled_from(_NAMES), min_size=1, max_size=4),
)
def test_dpkg_takes_those_in_this_order_that_are_added(
    tmp_path_factory: pytest.TempPathFactory, graph: dict[str, tuple[list[list[str]], bool]], first: set[str]
) -> None:
    """Cycles among those that are there do not count as broken for a dpkg that is called anew."""
    plain = {
        name: (", ".join(" | ".join(group) for group in groups if name not in group), postinst)
        for name, (groups, postinst) in graph.items()
    }
    order = configure_order(packages(plain), first)
    assert order[len(first) :] == as_dpkg(plain, tmp_path_factory.mktemp("graph"), first)


def test_a_cycle_of_those_that_are_there_is_broken_anew(tmp_path: Path) -> None:
    graph = {
        "lib": ("gcc", False), "gcc": ("lib", False), "core": ("lib, plugin", True), "plugin": ("core", True),
        "server": ("core", True),
    }  # fmt: skip
    order = configure_order(packages(graph), {"lib", "gcc"})[2:]
    assert order == as_dpkg(graph, tmp_path, {"lib", "gcc"}) == ["core", "server", "plugin"]


def test_essential_packages_come_first_and_base_passwd_before_all() -> None:
    found = [
        Orderable("app", {"Depends": "lib"}, has_postinst=True),
        Orderable("base-passwd", {"Essential": "yes", "Pre-Depends": "libc"}, has_postinst=True),
        Orderable("bash", {"Essential": "yes", "Depends": "libc, base-passwd"}, has_postinst=True),
        Orderable("lib", {"Provides": "virtual"}, has_postinst=False),
        Orderable("libc", {}, has_postinst=False),
        Orderable("aaa", {"Depends": "virtual (= 1)"}, has_postinst=True),
    ]
    assert unpack_order(found) == ["base-passwd", "libc", "bash", "lib", "aaa", "app"]
    assert configure_order(found) == ["libc", "base-passwd", "bash", "lib", "aaa", "app"]
    assert [sorted(part) for part in stages(found)] == [["base-passwd", "bash", "libc"], ["aaa", "app", "lib"]]
    assert unpack_order(found[::-1]) == unpack_order(found)


def test_packages_that_are_there_first_keep_their_order_whatever_is_added() -> None:
    base = [
        Orderable("base-passwd", {"Essential": "yes"}, has_postinst=True),
        Orderable("bash", {"Essential": "yes", "Depends": "shell-data | base-passwd"}, has_postinst=True),
        Orderable("tool", {"Depends": "bash"}, has_postinst=True),
    ]
    added = [
        Orderable("aaa", {"Depends": "shell-data, tool"}, has_postinst=True),
        Orderable("shell-data", {}, has_postinst=True),
    ]
    first = {package.name for package in base}
    order = configure_order(base)
    assert configure_order([*added, *base], first) == [*order, "shell-data", "aaa"]
    assert unpack_order([*added, *base], first)[:3] == unpack_order(base)
    assert configure_order([*added, *base]) != [*order, "shell-data", "aaa"]
    assert configure_order(base, first) == order


def test_relations_are_read_as_names() -> None:
    assert relation_names("a (>= 1:2), b:any | c [amd64], , d") == [["a"], ["b", "c"], ["d"]]
