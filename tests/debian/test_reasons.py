"""Why packages are there."""

from assembler.debian.index import Universe
from assembler.debian.reasons import reasons
from assembler.debian.solver import solve
from tests.debian.universes import packages_file

PACKAGES = """\
Package: init
Essential: yes
Depends: libc

Package: editor
Depends: libedit (>= 1), pager
Recommends: spell

Package: libedit
Depends: libc

Package: less
Provides: pager
Depends: libterm

Package: libterm

Package: spell

Package: libc
"""


def test_reasons_lead_to_a_request_by_the_shortest_way() -> None:
    universe = Universe.from_indices([("x", packages_file(PACKAGES))], "amd64")
    chosen = solve(universe, ["editor"], recommends=True)
    assert reasons(chosen, ["editor"], universe.essential, "amd64") == {
        "editor": "requested",
        "init": "essential",
        "less": "for editor",
        "libc": "for libedit",
        "libedit": "for editor",
        "libterm": "for less",
        "spell": "for editor",
    }


def test_a_pinned_version_is_the_candidate() -> None:
    text = "Package: a\nVersion: 2\n\nPackage: a\nVersion: 1\n\nPackage: b\nVersion: 3"
    universe = Universe.from_indices([("x", packages_file(text))], "amd64", {"a": "1", "b": "9"})
    chosen = solve(universe, ["a", "b"])
    assert [(package.name, package.version) for package in chosen] == [("a", "1"), ("b", "3")]
