"""Priorities of archives and pins, as apt_preferences(5) has them; scripts/compare-solver asks apt itself."""

import pytest

from assembler.debian.index import Universe
from assembler.debian.preferences import Listing, Pin, Policy
from assembler.debian.requests import Request, choose
from assembler.debian.solver import solve
from assembler.errors import AssembleError, Problems
from tests.debian.universes import packages_file

MAIN = Listing(
    id="x", suite="stable", codename="trixie", version="13.1", origin="Debian", label="Debian", component="main"
)
LATER = Listing(
    id="y",
    suite="stable-backports",
    codename="trixie-backports",
    origin="Debian Backports",
    component="main",
    priority=100,
)
VENDOR = Listing(id="flat", label="Vendor Inc.", site="packages.example.org")
TEXTS = {
    MAIN: """\
Package: tool
Version: 1
Depends: lib (>= 1), data

Package: lib
Version: 1

Package: data
Version: 1

Package: needs-old
Version: 1
Depends: lib (<< 2)
""",
    LATER: """\
Package: tool
Version: 2
Depends: lib (>= 2), data
Recommends: more (>= 2)

Package: lib
Version: 2
Depends: helper (= 2)

Package: helper
Version: 2

Package: more
Version: 2

Package: data
Version: 2

Package: new
Version: 2
Provides: novelty
""",
    VENDOR: "Package: tool\nVersion: 1.5\nDepends: lib\n\nPackage: lib\nVersion: 1\n",
}
EVERYWHERE = (MAIN, LATER, VENDOR)


def universe(*pins: Pin, listings: tuple[Listing, ...] = EVERYWHERE, chosen: dict[str, str] | None = None) -> Universe:
    texts = [(listing.id, packages_file(TEXTS[listing])) for listing in listings]
    return Universe.from_indices(texts, "amd64", chosen, Policy(listings, pins))


def candidate(name: str, *pins: Pin, listings: tuple[Listing, ...] = EVERYWHERE) -> str:
    found = universe(*pins, listings=listings).candidate(name)
    return found.version if found else ""


def test_without_pins() -> None:
    assert candidate("tool") == "1.5"
    assert candidate("tool", listings=(MAIN, LATER)) == "1"
    assert candidate("new") == "2", "what is nowhere else is taken from there"
    equal = Universe.from_indices([(each.id, packages_file(TEXTS[each])) for each in (MAIN, LATER)], "amd64")
    assert equal.candidate("tool").version == "2"  # type: ignore[union-attr]  # it is there


@pytest.mark.parametrize(
    ("pin", "version"),
    [
        ("release n=trixie-backports", "2"),
        ("release a=stable-backports", "2"),
        ("release a=stable*", "2"),
        ("release trixie", "1"),
        ("release stable", "1"),
        ("release 13", ""),
        ("release 13*", "1"),
        ("release v=13.*", "1"),
        ("release v=1?.?", "1"),
        ("release v=1?.*", ""),
        ("release o=debian backports", "2"),
        ("release o=Debian, n=trixie", "1"),
        ("release l=Debian,c=main", "1"),
        ("release c=contrib", ""),
        ("release l=Vendor Inc.", "1.5"),
        ("release *", "2"),
        ("origin packages.example.org", "1.5"),
        ('origin "*.example.org"', "1.5"),
        ("origin example.org", ""),
        ("version 1", "1"),
        ("version 1.*", "1.5"),
        ("version 3*", ""),
    ],
)
def test_what_a_pin_is_of(pin: str, version: str) -> None:
    for names in (("tool",), ("no", "to?l"), ("*ool",), ("src:tool",), ("src:t*",)):
        assert candidate("tool", Pin(names, pin, 900)) == (version or "1.5"), names
        assert candidate("data", Pin(names, pin, 900)) == "1"
    if not pin.startswith("version"):
        assert candidate("tool", Pin(("*",), pin, 900)) == (version or "1.5")


def test_which_pin_decides() -> None:
    low, high = (Pin(("tool",), "release n=trixie", priority) for priority in (400, 900))
    assert candidate("tool", low, high) == "1.5", "the first that names it"
    assert candidate("tool", high, low) == "1"
    general = Pin(("*",), "release n=trixie-backports", 990)
    assert candidate("tool", general) == "2"
    assert candidate("tool", general, Pin(("tool",), "release n=trixie", 991)) == "1"
    assert candidate("tool", general, Pin(("tool",), "release n=trixie-backports", 10)) == "1.5"
    assert candidate("lib", Pin(("lib",), "version 1", 50)) == "2", "backports are at 100"
    # One version in two archives has the better of their priorities.
    assert candidate("lib", Pin(("*",), "release l=Vendor Inc.", 50)) == "1"


def test_what_is_never_taken() -> None:
    never = Pin(("*",), "release n=trixie-backports", -1)
    assert candidate("new", never) == ""
    assert candidate("tool", Pin(("*",), "origin packages.example.org", -1)) == "1"
    with pytest.raises(AssembleError, match="there is no such package"):
        solve(universe(never), ["new"], essential=False)
    # As apt has it, one that is asked for itself is taken, and what it needs of its release; it provides things, too.
    for wanted in ("tool/trixie-backports", "new=2", "new/trixie-backports"):
        asked, packages = Request.of(wanted), universe(never, listings=(MAIN, LATER))
        assert not packages.providers("novelty")
        choose(packages, [asked])
        found = {each.name: each.version for each in solve(packages, [asked.name], essential=False)}
        assert found == (
            {"tool": "2", "lib": "2", "helper": "2", "data": "1"} if asked.name == "tool" else {"new": "2"}
        )
        assert len(packages.providers("novelty")) == (asked.name == "new")


def names(*wanted: str, recommends: bool = False, chosen: dict[str, str] | None = None) -> dict[str, str]:
    """What is installed for requests."""
    packages = universe(listings=(MAIN, LATER), chosen=chosen)
    requests = [Request.of(each) for each in wanted]
    choose(packages, requests, recommends=recommends)
    found = solve(packages, [each.name for each in requests], essential=False, recommends=recommends)
    return {each.name: each.version for each in found}


def test_a_version() -> None:
    assert names("tool=1") == {"tool": "1", "lib": "1", "data": "1"}
    # apt takes what depends on it from nowhere else for that.
    with pytest.raises(AssembleError, match=r"lib \(>= 2\)"):
        names("tool=2")
    assert names("tool=2", "lib=2") == {"tool": "2", "lib": "2", "data": "1", "helper": "2"}
    assert names("data=2*") == {"data": "2"}


def test_a_release_brings_along_what_is_needed() -> None:
    for release in ("trixie-backports", "stable-backports", "TRIXIE-backports", "y"):
        assert names(f"tool/{release}") == {"tool": "2", "lib": "2", "helper": "2", "data": "1"}
    assert names("tool/trixie-backports", recommends=True)["more"] == "2"
    assert names("tool:amd64/trixie") == {"tool": "1", "lib": "1", "data": "1"}


ALONG = {
    MAIN: """\
Package: lib
Version: 1
Depends: base

Package: deep-lib
Version: 1
Depends: deep

Package: base
Version: 1

Package: deep
Version: 1
Depends: base

Package: more
Version: 1
Depends: base
""",
    LATER: """\
Package: first
Version: 2
Depends: lib (>= 1)

Package: second
Version: 2
Depends: deep-lib (>= 1), more (>= 1)

Package: third
Version: 2
Depends: deep, lib (>= 1)

Package: fourth
Version: 2
Depends: lib (>= 3) | deep-lib (>= 1) | more (>= 1)

Package: fifth
Version: 2
Depends: deep, lib (>= 2)

Package: lib
Version: 2
Depends: base

Package: deep-lib
Version: 2
Depends: deep

Package: more
Version: 2
Depends: base
""",
}


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        # What would do needs something itself, so that of the release is taken, where a version is named.
        ("first/trixie-backports", "first=2 lib=2 base=1"),
        # Not when what that needs is asked for.
        ("first/trixie-backports base", "first=2 lib=1 base=1"),
        # It ends where something that would do needs something itself and no version is named; what was taken stays.
        ("second/trixie-backports", "second=2 deep-lib=2 deep=1 base=1 more=1"),
        ("third/trixie-backports", "third=2 lib=1 deep=1 base=1"),
        # But of alternatives, one that ends so is given back.
        ("fourth/trixie-backports", "fourth=2 deep-lib=1 deep=1 base=1"),
        # Where apt gives up, this goes on.
        ("fifth/trixie-backports", "fifth=2 lib=2 deep=1 base=1"),
    ],
)
def test_what_a_release_brings_along(wanted: str, chosen: str) -> None:
    """As apt 2.6.1 and 3.0 have it."""
    texts = [(listing.id, packages_file(text)) for listing, text in ALONG.items()]
    found = Universe.from_indices(texts, "amd64", None, Policy(tuple(ALONG)))
    requests = [Request.of(each) for each in wanted.split()]
    names = [each.name for each in requests]
    choose(found, requests, requested=names)
    assert {f"{one.name}={one.version}" for one in solve(found, names, essential=False)} == set(chosen.split())


def test_what_is_chosen_already_stays_when_it_is_as_asked() -> None:
    held = {"tool": "2", "lib": "2", "helper": "2", "data": "1"}
    assert names("tool/trixie-backports", chosen=held) == held
    assert names("tool=2*", chosen=held) == held
    assert names("tool=1", "lib=1", chosen=held) == {"tool": "1", "lib": "1", "data": "1"}
    assert names("tool/trixie", chosen=held) == {"tool": "1", "lib": "2", "helper": "2", "data": "1"}


def test_what_cannot_be_had() -> None:
    with pytest.raises(Problems) as caught:
        names("tool=9", "data/sid", "lib")
    assert [str(error) for error in caught.value.errors] == [
        "tool=9: no archive has version 9: there is 1 in x, 2 in y",
        "data/sid: it is not in sid: there is 1 in x, 2 in y",
    ]
    with pytest.raises(AssembleError, match="there is no such package"):
        names("nothing/trixie")
    # What is asked for stays so, and choosing says why it is impossible.
    with pytest.raises(AssembleError, match="lib"):
        names("tool/trixie-backports", "needs-old")


def test_relations_without_an_end() -> None:
    """They may be a stranger's."""

    def asked(later: str) -> None:
        texts = ["".join(f"Package: p{number}\nVersion: 1\n\n" for number in range(3000)), later]
        listings = (MAIN, LATER)
        indices = [(each.id, packages_file(text)) for each, text in zip(listings, texts, strict=True)]
        choose(Universe.from_indices(indices, "amd64", None, Policy(listings)), [Request.of("p0/stable-backports")])

    chain = (f"Package: p{number}\nVersion: 2\nDepends: p{number + 1} (= 2)\n\n" for number in range(3000))
    with pytest.raises(AssembleError, match="what p0 needs of stable-backports has no end"):
        asked("".join(chain))
    # Each way would be tried again for each who needs it, and all of them fail.
    tangle = [f"Package: p{n}\nVersion: 2\nDepends: p{n + 1} (= 2) | p{n + 2} (= 2)\n\n" for n in range(60)]
    asked("".join(tangle))
