"""Debian's releases as values: their archives are sources that are read, and their keys are there."""

from importlib.resources import files

import pytest

from assembler.debian.keyring import SHIPPED
from assembler.debian.sources import archives, parse_sources
from assembler.recipe.model import Debian
from assembler.releases import BOOKWORM, DEFAULT, RELEASES, TESTING, TRIXIE, DebianRelease
from assembler.tools.source import built_in


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
def test_its_sources_name_its_archives_and_no_others(release: DebianRelease) -> None:
    found = archives(parse_sources(release.sources))
    assert [each.suite for each in found] == [*release.suites, release.security]
    assert [each.root for each in found] == ["debian"] * len(release.suites) + ["debian-security"]
    assert {each.source.components for each in found} == {release.components}
    # By any key of the assembler's, and dates count.
    assert not any(each.source.signed_by or each.source.key for each in found)
    assert all(each.source.check_valid_until for each in found)


def test_a_recipe_that_names_no_archives_has_those_of_the_default() -> None:
    expected = (
        "Types: deb\nSuites: trixie trixie-updates\nComponents: main\n\n"
        "Types: deb\nSuites: trixie-security\nComponents: main\n"
    )
    assert Debian().sources == DEFAULT.sources == built_in().sources == expected


def test_every_key_is_in_the_package_and_signs_a_release() -> None:
    shipped = {each.name for each in (files("assembler.debian") / "keys").iterdir() if each.name.endswith(".asc")}
    assert shipped == set(SHIPPED.values())
    assert len(SHIPPED) == len(set(SHIPPED.values()))
    for release in RELEASES.values():
        assert {key.fingerprint for key in release.keys} <= SHIPPED.keys()
        assert len(release.keys) == len(set(release.keys))


def test_testing_is_signed_by_the_automatic_keys_of_the_two_releases_before() -> None:
    assert set(TESTING.keys) == {
        key for release in (BOOKWORM, TRIXIE) for key in release.keys if key.file.endswith("-automatic.asc")
    }
    assert [release.version for release in RELEASES.values()] == ["12", "13", ""]
