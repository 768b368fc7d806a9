"""The solver against what apt was seen to choose; scripts/compare-solver asks apt itself."""

import lzma
import random
import time
import tomllib
from pathlib import Path

import pytest

from assembler.debian import index
from assembler.debian.index import Universe
from assembler.debian.solver import solve
from assembler.errors import AssembleError
from tests.debian.universes import Case, cases, packages_file

DATA = Path(__file__).parent / "data"
CLOSURE = tomllib.loads((DATA / "livecd-closure.toml").read_text())


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.rule)
def test_chooses_as_apt_does(case: Case) -> None:
    universe = Universe.from_indices([(f"archive-{n}", data) for n, data in enumerate(case.indices)], "amd64")
    if case.chosen:
        chosen = solve(universe, case.wanted, recommends=case.recommends, essential=False)
        with_versions = any("=" in name for name in case.chosen)
        assert tuple(f"{c.name}={c.version}" if with_versions else c.name for c in chosen) == case.chosen
    else:
        with pytest.raises(AssembleError) as error:
            solve(universe, case.wanted, recommends=case.recommends, essential=False)
        assert str(error.value) == case.error


@pytest.fixture(scope="module")
def trixie() -> Universe:
    """What the live system's packages name, of trixie."""
    return Universe.from_indices([("trixie", lzma.decompress((DATA / "livecd-packages.xz").read_bytes()))], "amd64")


@pytest.mark.parametrize(("recommends", "expected"), [(False, "plain"), (True, "recommends")])
def test_the_live_system(trixie: Universe, recommends: bool, expected: str) -> None:  # noqa: FBT001  a parameter
    chosen = solve(trixie, CLOSURE["wanted"].split(), recommends=recommends)
    assert [candidate.name for candidate in chosen] == CLOSURE[expected].split()


def test_what_is_chosen_is_complete_and_free_of_conflicts(trixie: Universe) -> None:
    draw = random.Random(1)  # noqa: S311  a sample, not a secret
    names = sorted(trixie.names)
    solved = 0
    for _ in range(100):
        wanted = draw.sample(names, draw.randint(1, 5))
        try:
            chosen = {candidate.name for candidate in solve(trixie, wanted, recommends=True)}
        except AssembleError:
            continue
        solved += 1
        assert chosen.issuperset({*wanted, *trixie.essential})
        provided = {name for package in chosen for name, _version in trixie.offers(package)[0].provides}
        for package in chosen:
            for dependency in trixie.offers(package)[0].dependencies:
                named = {target[0] for target in dependency.targets}
                if dependency.hard and not dependency.negative:
                    assert named & (chosen | provided), f"{package} needs {dependency}"
                if dependency.negative and not dependency.targets[0][1]:
                    assert not named & (chosen - {package}), f"{package} refuses {dependency}"
    assert solved > 25


def test_essential_packages_come_along() -> None:
    text = "Package: a\n\nPackage: b\nEssential: yes\nDepends: c\n\nPackage: c"
    universe = Universe.from_indices([("x", packages_file(text))], "amd64")
    assert [candidate.name for candidate in solve(universe, ["a"])] == ["a", "b", "c"]
    assert [candidate.name for candidate in solve(universe, ["a"], essential=False)] == ["a"]
    assert [candidate.name for candidate in solve(universe, [])] == ["b", "c"]


def test_a_request_may_name_its_architecture() -> None:
    universe = Universe.from_indices([("x", packages_file("Package: a"))], "amd64")
    assert [candidate.name for candidate in solve(universe, ["a:amd64", "a"])] == ["a"]
    with pytest.raises(AssembleError, match=r"^a:arm64: is of architecture arm64, but the image is of amd64$"):
        solve(universe, ["a:arm64"])


def test_long_chains_are_no_trouble() -> None:
    text = "\n\n".join(f"Package: p{n:04}\nDepends: p{n + 1:04}" for n in range(2900)) + "\n\nPackage: p2900"
    universe = Universe.from_indices([("x", packages_file(text))], "amd64")
    assert len(solve(universe, ["p0000"])) == 2901


def many(count: int, **fields: str) -> str:
    """As many packages; ``{}`` in their fields is their number, and ``{next}`` the next one."""
    return "\n\n".join(
        f"Package: p{number}\n"
        + "\n".join(f"{key}: {value.format(number, next=number + 1)}" for key, value in fields.items())
        for number in range(count)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Package: x\nDepends: " + " | ".join(["a"] * 20_000), "more than 1000 alternatives"),
        ("Package: x\nDepends: " + " | ".join(["a"] * 1000), "not available"),
        ("Package: x\nDepends: p0\n\n" + many(300, Depends="p{next}"), "not available"),
        ("Package: x\nDepends: p0\n\n" + many(5000, Depends="p{next}"), "takes too long"),
        ("Package: x\nDepends: p0\n\n" + many(5000, Depends="p{next}") + "\n\nPackage: p5000", "takes too long"),
        ("Package: x\nDepends: v (>= 2)\n\n" + many(5000, Provides="v (= 1)"), "not available"),
    ],
)
def test_what_no_archive_for_use_has_ends_soon(text: str, expected: str) -> None:
    universe = Universe.from_indices([("x", packages_file(text))], "amd64")
    began = time.process_time()
    with pytest.raises(AssembleError, match=expected) as caught:
        solve(universe, ["x"], essential=False)
    assert time.process_time() - began < 5
    assert len(str(caught.value)) < 5000


def test_choosing_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = ", ".join(f"p{number}" for number in range(400))
    data = packages_file(f"Package: x\nDepends: {needs}\n\n" + many(400, Provides="v", Depends="v"))
    universe = Universe.from_indices([("x", data)], "amd64")
    assert len(solve(universe, ["x"], essential=False)) == 401
    monkeypatch.setattr(index, "MOST_WORK", universe.work - 1)
    with pytest.raises(AssembleError, match=r"takes too long.*leave out the archive"):
        solve(universe, ["x"], essential=False)


def test_a_node_needs_little_of_what_is_allowed(trixie: Universe) -> None:
    solve(trixie, CLOSURE["wanted"].split(), recommends=True)
    assert trixie.work < index.MOST_WORK / 50


def test_thousands_of_versions_of_one_package() -> None:
    text = "\n\n".join(f"Package: a\nVersion: {number}" for number in range(20_000))
    universe = Universe.from_indices([("x", packages_file(text))], "amd64")
    began = time.process_time()
    assert [candidate.version for candidate in solve(universe, ["a"], essential=False)] == ["19999"]
    assert time.process_time() - began < 5
