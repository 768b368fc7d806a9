"""What users read when packages cannot be had. More of it is in data/solver-cases.toml, beside what apt does."""

import pytest

from assembler.debian.explain import suggest
from assembler.debian.index import Universe
from assembler.debian.solver import solve
from assembler.errors import AssembleError, Problems
from tests.debian.universes import packages_file


def explanation(text: str, *wanted: str) -> str:
    return str(unsolved(text, *wanted))


def unsolved(text: str, *wanted: str) -> AssembleError:
    universe = Universe.from_indices([("trixie", packages_file(text))], "amd64")
    with pytest.raises(AssembleError) as error:
        solve(universe, wanted, essential=False)
    return error.value


def test_all_unknown_names_are_told_at_once() -> None:
    universe = Universe.from_indices([("trixie", packages_file("Package: openssh-server\n\nPackage: v"))], "amd64")
    with pytest.raises(Problems) as error:
        solve(universe, ["opensshserver", "qqq", "v"])
    assert [str(one) for one in error.value.errors] == [
        "opensshserver: there is no such package in trixie (did you mean openssh-server?)",
        "qqq: there is no such package in trixie",
    ]


def test_suggestions() -> None:
    names = ("libfoo2t64", "libfoo1", "libgtk-3-0t64", "python3.13", "network-manager")
    universe = Universe.from_indices([("x", packages_file("\n\n".join(f"Package: {name}" for name in names)))], "amd64")
    assert suggest(universe, "libfoo2") == "did you mean libfoo2t64?"
    assert suggest(universe, "libgtk-3-0") == "did you mean libgtk-3-0t64?"
    assert suggest(universe, "python3.12") == "did you mean python3.13?"
    assert suggest(universe, "networkmanager") == "did you mean network-manager?"
    assert not suggest(universe, "zzz")


def test_long_lists_of_providers_are_cut() -> None:
    text = "\n\n".join(f"Package: mta{n}\nProvides: mail-transport-agent" for n in range(10))
    assert explanation(text, "mail-transport-agent").endswith("mta6, mta7 and 2 more (choose one)")


def test_a_chain_through_alternatives_and_providers() -> None:
    text = """\
Package: a
Depends: b | v

Package: b
Depends: c

Package: x
Provides: v
Depends: c, d (>= 3)

Package: d
Version: 2
"""
    assert explanation(text, "a") == "a: needs b | v -> b needs c, not available"


def test_every_request_that_lacks_something_is_told() -> None:
    text = "Package: a\nDepends: x\n\nPackage: b\nDepends: y\n\nPackage: c"
    assert explanation(text, "a", "c", "b").splitlines() == ["a: needs x, not available", "b: needs y, not available"]


def test_chains_in_a_circle_end() -> None:
    text = "Package: a\nDepends: b\n\nPackage: b\nDepends: a, c\n\nPackage: c\nDepends: b, x"
    assert explanation(text, "a") == "a: needs b -> which needs c -> which needs x, not available"


@pytest.mark.parametrize(
    ("relation", "expected"),
    [
        ("Conflicts: d", "b: needs d -> which conflicts with c, which a needs"),
        ("Breaks: d (<< 2)", "b: needs d -> which is broken by c, which a needs"),
    ],
)
def test_a_conflict_names_both_chains(relation: str, expected: str) -> None:
    assert (
        explanation(
            f"Package: a\nDepends: c\n\nPackage: b\nDepends: d\n\nPackage: c\n{relation}\n\nPackage: d", "a", "b"
        )
        == expected
    )


@pytest.mark.parametrize("wanted", [("a", "b"), ("b", "c"), ("c", "d")])
def test_both_sides_of_a_conflict_are_what_was_asked_for(wanted: tuple[str, ...]) -> None:
    text = "Package: a\nDepends: c\n\nPackage: b\nDepends: d\n\nPackage: c\nConflicts: d\n\nPackage: d"
    error = unsolved(text, *wanted)
    assert {error.where.package, error.against.package} == set(wanted)


def test_a_conflict_deep_down_names_the_way_to_it() -> None:
    text = """\
Package: a
Depends: b

Package: b
Depends: c | d

Package: c
Depends: e

Package: d
Conflicts: z

Package: e
Conflicts: v

Package: y
Depends: z

Package: z
Provides: v
"""
    assert explanation(text, "y", "a") == (
        "a: needs b -> which needs c | d -> c needs e -> which conflicts with v (z), which y needs"
    )


@pytest.mark.parametrize(("steps", "cut"), [(1, ""), (20, ""), (21, " -> ..."), (30, " -> ...")])
def test_long_chains_are_cut(steps: int, cut: str) -> None:
    text = "\n\n".join(f"Package: p{number}\nDepends: p{number + 1}" for number in range(steps))
    shown = "".join(f" -> which needs p{number + 1}" for number in range(min(steps, 20)))
    last = f" -> which needs p{steps}" if cut else ""
    told = explanation(f"Package: x\nDepends: p0\n\n{text}", "x").partition(" (did you mean")[0]
    assert told == f"x: needs p0{shown}{cut}{last}, not available"
