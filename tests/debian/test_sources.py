"""Sources of a recipe: what is read, and what is refused with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.debian.deb822 import Deb822Error, paragraphs
from assembler.debian.sources import SourcesError, archives, parse_sources, release_directory
from assembler.errors import Problems
from assembler.recipe.model import Debian
from tests.debian.archives import certificate, source


def wrong(text: str) -> list[str]:
    """What is wrong with `text`, without the long hint about keyrings."""
    with pytest.raises(Problems) as caught:
        parse_sources(text)
    assert all(isinstance(error, SourcesError) for error in caught.value.errors)
    return [str(error).partition(" (give the 40 hex digits")[0] for error in caught.value.errors]


def test_the_default_is_trixie_with_updates_and_security() -> None:
    found = archives(parse_sources(Debian().sources))
    assert [(item.id, item.root) for item in found] == [
        ("trixie", "debian"),
        ("trixie-updates", "debian"),
        ("trixie-security", "debian-security"),
    ]
    assert all(item.source.components == ("main",) for item in found)


def test_every_field() -> None:
    (found,) = parse_sources(
        "# a comment\n\nTypes: deb deb-src\nURIs: https://a.example/debian/\n  http://b.example\n"
        "suites: trixie/updates sid\nComponents: main contrib\n# in between\n non-free-firmware\n"
        "Architectures: amd64 arm64\nEnabled: yes\nCheck-Valid-Until: no\nX-Note: mine\r\n"
        f"Signed-By: {'ab' * 20}, {'CD' * 20}\n"
    )
    assert found.uris == ("https://a.example/debian", "http://b.example")
    assert found.suites == ("trixie/updates", "sid")
    assert found.components == ("main", "contrib", "non-free-firmware")
    assert found.architectures == ("amd64", "arm64")
    assert found.signed_by == ("AB" * 20, "CD" * 20)
    assert not found.check_valid_until
    assert found.where.line == 3


def test_a_certificate_in_the_stanza() -> None:
    (found,) = parse_sources(source())
    assert found.key == certificate()


def test_disabled_and_source_only_stanzas_are_passed_over() -> None:
    good = "Types: deb\nSuites: trixie\nComponents: main\n"
    text = f"{good}\n{good}Enabled: no\n\nTypes: deb-src\nSuites: sid\nComponents: main\n"
    assert [item.suites for item in parse_sources(text)] == [("trixie",)]
    assert "no archive to take packages from" in wrong(f"{good}Enabled: no\n")[0]
    assert "no archive to take packages from" in wrong("")[0]


def test_everything_wrong_is_said_at_once_with_its_line() -> None:
    assert wrong(
        "Types: rpm\nSuites: trixie\nComponent: main\nTrusted: yes\n\n"
        "Types: deb\nURIs: ftp://x/debian\nSuites: ./\nComponents:\nEnabled: perhaps\n"
        "Signed-By: /usr/share/keyrings/debian.gpg\n"
    ) == [
        "debian.sources:1 Types: 'rpm' is neither deb nor deb-src",
        "debian.sources:1: Components is missing",
        "debian.sources:3 Component: it is not supported here (did you mean Components?)",
        "debian.sources:4 Trusted: it is not supported here",
        "debian.sources:7 URIs: 'ftp://x/debian' is not an http or https address",
        "debian.sources:9 Components: a directory has no components (leave it out, or the slash at the end of Suites)",
        "debian.sources:10 Enabled: 'perhaps' is neither yes nor no",
        "debian.sources:11 Signed-By: '/usr/share/keyrings/debian.gpg' is not a fingerprint",
    ]


def test_no_login_is_shown() -> None:
    assert wrong("Types: deb\nURIs: ftp://me:hunter2@x/debian\nSuites: trixie\nComponents: main\n") == [
        "debian.sources:2 URIs: 'ftp://…@x/debian' is not an http or https address"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Types: deb\nSuites trixie\n", "debian.sources:2: not a field"),
        ("Types: deb\nTypes: deb\n", "debian.sources:2: Types is there twice"),
        (" deb\n", "debian.sources:1: a continuation line"),
        ("deb http://x/debian trixie main\n", "debian.sources:1: not a field"),
        ("Types: deb\nSuites: ../../etc\nComponents: main\n", "debian.sources:2 Suites: '../../etc' is not a name"),
    ],
)
def test_lines_that_are_none(text: str, message: str) -> None:
    assert wrong(text)[0].startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Suites: ./\n", "debian.sources:1: URIs is missing"),
        ("Suites: trixie a/\nURIs: http://x\n", "debian.sources:2 Suites: a/ is a directory, and others are suites"),
        ("Suites: a/../b/\nURIs: http://x\n", "debian.sources:2 Suites: 'a/../b/' is not a name"),
        ("Suites: ../\nURIs: http://x\n", "debian.sources:2 Suites: '../' is not a name"),
        ("Suites: //\nURIs: http://x\n", "debian.sources:2 Suites: '//' is not a name"),
        ("Suites: trixie\nURIs: http://x\nComponents: a/\n", "debian.sources:4 Components: 'a/' is not a name"),
    ],
)
def test_directories_that_are_none(text: str, message: str) -> None:
    assert message in [line.partition(" (")[0] for line in wrong(f"Types: deb\n{text}")]


def test_directories_of_flat_archives() -> None:
    stanzas = [f"Types: deb\nURIs: https://x.example/{name}/\nSuites: ./ /\n" for name in ("a", "b")]
    found = archives(parse_sources("\n".join(stanzas)))
    assert [(item.id, item.root, item.suite) for item in found] == [
        ("flat", "https://x.example/a", "./"),
        ("flat-2", "https://x.example/a", "/"),
        ("flat-3", "https://x.example/b", "./"),
        ("flat-4", "https://x.example/b", "/"),
    ]
    assert {item.flat for item in found} == {True}
    assert release_directory("stable/updates") == "dists/stable/updates"
    assert [release_directory(path) for path in ("./", "/", "a/b/", "./core:/")] == [".", ".", "a/b", "core:"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("deb http://x/debian trixie main\n", "this is the style of one line"),
        ("Types: deb\nSigned-By:\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "each line of a certificate begins with"),
        ("Types: deb\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEawvugBYJ\n", "each line of a cert"),
    ],
)
def test_what_to_do_about_a_line(text: str, hint: str) -> None:
    found = wrong(text)[-1]
    assert f"({hint}" in found


def test_archives_are_told_apart() -> None:
    stanza = "Types: deb\nSuites: sid\nComponents: main\n"
    found = archives(parse_sources(f"{stanza}\n{stanza}URIs: https://x.example/debian https://y.example/debian\n"))
    assert [(item.id, item.root) for item in found] == [
        ("sid", "debian"),
        ("sid-2", "https://x.example/debian"),
        ("sid-3", "https://y.example/debian"),
    ]
    other = "Types: deb\nSuites: sid stable\nComponents: contrib main\n"
    assert [(item.id, item.source.components) for item in archives(parse_sources(f"{stanza}\n{other}"))] == [
        ("sid", ("main", "contrib")),
        ("stable", ("contrib", "main")),
    ]
    for option in ("Architectures: amd64", "Check-Valid-Until: no", f"Signed-By: {'A' * 40}"):
        with pytest.raises(SourcesError, match=r"debian.sources:5: sid is there twice, with other options"):
            archives(parse_sources(f"{stanza}\n{stanza}{option}\n"))


@given(st.text(alphabet="aB:#. \t\n\r-", max_size=60))
def test_any_text_is_paragraphs_or_an_error_with_a_line(text: str) -> None:
    try:
        found = list(paragraphs(text))
    except Deb822Error as error:
        wrong_line = error.line
        found = []
    else:
        wrong_line = 1
    assert 1 <= wrong_line <= text.count("\n") + 1
    assert all(found), "no paragraph is empty"
    rebuilt = "\n\n".join(
        "\n".join(
            f"{field.name}:{field.lines[0]}" + "".join(f"\n {line or '.'}" for line in field.lines[1:])
            for field in paragraph.values()
        )
        for paragraph in found
    )
    again = list(paragraphs(rebuilt))
    assert [{k: v.lines for k, v in p.items()} for p in again] == [{k: v.lines for k, v in p.items()} for p in found]


def test_a_field_for_certificates_names_one() -> None:
    assert wrong("Types: deb\nSuites: trixie\nComponents: main\nSigned-By:\n") == [
        "debian.sources:4 Signed-By: it is empty"
    ]
