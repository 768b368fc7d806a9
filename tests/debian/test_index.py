"""Reading Packages indices."""

import contextlib
import lzma
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.debian.index import Universe, check
from assembler.debian.package import Candidate
from assembler.debian.solver import solve
from assembler.errors import AssembleError
from tests.debian.universes import packages_file

CLOSURE = Path(__file__).parent / "data" / "livecd-packages.xz"


def universe(*texts: str) -> Universe:
    return Universe.from_indices([(f"archive-{n}", packages_file(text)) for n, text in enumerate(texts)], "amd64")


def test_a_candidate_is_all_that_its_stanza_says() -> None:
    data = (
        b"Package: libext2fs2t64\nSource: e2fsprogs (1.47.2-3)\nVersion: 1.47.2-3+b10\nArchitecture: amd64\n"
        b"Filename: pool/main/e/e2fsprogs/libext2fs2t64.deb\nSize: 211912\nSHA256: c0ffee\n"
        b"Tag: role::shared-lib,\n works-with::file\nEmpty:\n\n"
    )
    candidate = Universe.from_indices([("trixie", data)], "amd64").candidate("libext2fs2t64")
    assert candidate is not None
    assert (candidate.source, candidate.source_version, candidate.version) == ("e2fsprogs", "1.47.2-3", "1.47.2-3+b10")
    assert (candidate.size, candidate.sha256, candidate.archive) == (211912, "c0ffee", "trixie")
    assert candidate.filename == "pool/main/e/e2fsprogs/libext2fs2t64.deb"
    assert candidate.fields["Tag"] == "role::shared-lib,\n works-with::file"
    assert candidate.fields["Empty"] == ""


def test_source_defaults_to_the_package() -> None:
    candidate = universe("Package: mc\nVersion: 3:4.8").candidate("mc")
    assert candidate is not None
    assert (candidate.source, candidate.source_version) == ("mc", "3:4.8")


def test_the_highest_version_is_the_candidate_and_of_equals_the_first() -> None:
    packages = universe(
        "Package: a\nVersion: 9\n\nPackage: b\nSize: 1",
        "Package: a\nVersion: 10\n\nPackage: a\nVersion: 1\n\nPackage: b\nSize: 2",
    )
    assert [(offer.version, offer.candidate.archive) for offer in packages.offers("a")] == [
        ("10", "archive-1"),
        ("9", "archive-0"),
        ("1", "archive-1"),
    ]
    assert [offer.candidate.archive for offer in packages.offers("b")] == ["archive-0", "archive-1"]


def test_the_same_package_in_two_archives_is_one_offer() -> None:
    assert len(universe("Package: a", "Package: a").offers("a")) == 1


def test_other_architectures_are_passed_over() -> None:
    packages = universe("Package: a\nArchitecture: arm64\n\nPackage: b\nArchitecture: amd64\n\nPackage: c")
    assert packages.candidate("a") is None
    assert packages.candidate("b") is not None
    assert packages.candidate("c") is not None


def test_package_need_not_be_the_first_field() -> None:
    data = (
        b"Version: 1\nPackage: a\nArchitecture: all\nFilename: a\nSize: 1\nSHA256: 0\n\n"
        b"Version: 2\nPackage: b\nProvides: v\nArchitecture: all\nFilename: b\nSize: 1\nSHA256: 1\n"
    )
    packages = Universe.from_indices([("x", data)], "amd64")
    assert packages.names == ("a", "b")
    assert str(packages.offers("a")) == "(a (1),)"
    assert str(packages.offers("b")) == "(b (2),)"
    assert str(packages.providers("v")) == "((b (2), ''),)"


def test_providers_with_and_without_a_version_last_read_first() -> None:
    packages = universe(
        "Package: a\nProvides: v, w (= 2)\n\nPackage: b\nProvides: vv, v (= 3) , w", "Package: c\nProvides: v"
    )
    assert str(packages.providers("v")) == "((c (1), ''), (b (1), '3'), (a (1), ''))"
    assert str(packages.providers("w")) == "((b (1), ''), (a (1), '2'))"
    assert packages.providers("nothing") == ()


def test_providers_of_any() -> None:
    packages = universe(
        "Package: perl\nVersion: 5\nArchitecture: amd64\nMulti-Arch: allowed\nProvides: perl5\n\n"
        "Package: bash\nArchitecture: amd64\nMulti-Arch: foreign"
    )
    assert str(packages.providers("perl:any")) == "((perl (5), '5'),)"
    assert str(packages.providers("perl5:any")) == "((perl (5), ''),)"
    assert packages.providers("bash:any") == ()


def test_essential_is_what_the_candidates_say() -> None:
    packages = universe(
        "Package: b\nEssential: yes\n\nPackage: a\nEssential: yes\n\nPackage: c\nEssential: no",
        "Package: b\nVersion: 2",
    )
    assert packages.essential == ("a",)
    # For apt any version of a package makes it essential, and apt itself always is.
    assert [name for name in ("a", "b", "c", "apt") if packages.is_essential(name)] == ["a", "b", "apt"]


def test_first_mentions_order_names() -> None:
    packages = universe(
        "Package: a\nDescription: m mentions z and x\nSuggests: y-z, zz, z (>= 1) | q:any\nDepends: y\n\nPackage: x\n\n"
        "Package: m\n\nPackage: q",
        "Package: o\nDepends: r\n\nPackage: r",
    )
    names = ["o", "r", "q", "m", "x", "z", "y", "a"]
    assert sorted(names, key=packages.first_mention) == ["a", "y", "z", "x", "m", "q", "o", "r"]


@pytest.mark.parametrize(
    ("stanza", "why"),
    [
        (b"Package: a\nVersion: 1\n", "has no field 'Architecture'"),
        (b"Package: a\nVersion: 1\nArchitecture: all\nFilename: a\nSize: big\nSHA256: 0\n", "its Size is no number"),
        (b"Package: a\nVersion: \xff\n", "can't decode"),
    ],
)
def test_a_damaged_stanza_is_an_error_once_it_is_asked_for(stanza: bytes, why: str) -> None:
    packages = Universe.from_indices([("trixie", packages_file("Package: b") + b"\n" + stanza)], "amd64")
    assert packages.candidate("b") is not None
    with pytest.raises(AssembleError, match=f"^trixie: the package index is damaged.*{why}"):
        packages.candidate("a")


@pytest.mark.parametrize("size", ["-1", "0x1", "1_0", "\uff11\uff12", "1" * 19, "1e3", ""])
def test_sizes_are_plain_numbers(size: str) -> None:
    data = packages_file("Package: a").replace(b"1000", size.encode())
    with pytest.raises(AssembleError, match="its Size is no number of bytes"):
        Universe.from_indices([("trixie", data)], "amd64").candidate("a")


@pytest.mark.parametrize(
    "data",
    [
        b"Package: \xff\n",
        b"Package: a\n\nPackage: b\xc9\n",
        b"Package: a\nProvides: x, \xee\n",
        b"\xb2",
        b"Provides: v\n\nEssential: yes\n",
        b"Version: 1\nProvides: v\nEssential: yes\n",
        b"Package: a\nPackage: b\n",
        b"Package:a\nProvides: v\n",
        b"\nPackage: a\n\nProvides: a\n",
    ],
)
def test_damage_is_an_error_of_its_own(data: bytes) -> None:
    with contextlib.suppress(AssembleError):
        packages = Universe.from_indices([("trixie", data)], "amd64")
        for name in (*packages.names, "v", "x", "a:any"):
            packages.providers(name)
            packages.offers(name)
            packages.is_essential(name)
        assert packages.essential == ()


@given(st.binary(max_size=12), st.integers(0, 400), st.integers(0, 12))
@settings(deadline=None)
def test_no_damage_ends_in_a_traceback(instead: bytes, start: int, length: int) -> None:
    text = packages_file(
        "Package: a\nDepends: b (>= 1) | v\nEssential: yes\n\nPackage: b\nProvides: v (= 2)\nVersion: 1:2~3"
    )
    data = text[:start] + instead + text[start + length :]
    with contextlib.suppress(AssembleError):
        packages = Universe.from_indices([("trixie", data)], "amd64")
        solve(packages, packages.names[:2], recommends=True)


GOOD = Candidate("a-b", "1:2.0~rc1+b1-3", "all", "ab", "2.0-3", "pool/a/a 1%3a2.deb", 5, "0" * 64, "trixie", {})


def test_values_that_a_lock_may_have() -> None:
    check(GOOD)


@pytest.mark.parametrize(
    "odd",
    [
        *({"sha256": text} for text in ("", "zz", "A" * 64, "0" * 63, "../" * 21 + "0", "/etc/x", "0" * 64 + "\n")),
        *({"filename": text} for text in (
            "", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./", " a", "a ", "a\nb", "a\x1b[2J", "pool/%2e%2e/x",
            "a%2Fb", "a" * 2000, "ä",
        )),
        *({"name": text} for text in ("", "a", "A-b", "../a", "a\nb", "a b", "-a", "a/b", "a\x1b]0;b\x07")),
        *({"version": text} for text in ("", "1 2", "../1", "1/2", "1\n", "9" * 5000, "1\x9b")),
        *({"source": text} for text in ("", "a\x1b", "b/c")),
        *({"source_version": text} for text in ("", "1)", "1\x1b")),
        *({"architecture": text} for text in ("", "amd64/..", "ALL")),
        *({"size": number} for number in (0, -1, 1 << 41)),
    ],
)  # fmt: skip
def test_values_that_no_lock_has(odd: dict[str, Any]) -> None:
    with pytest.raises(AssembleError, match="values that are not valid") as caught:
        check(replace(GOOD, **odd))
    assert str(caught.value).isprintable()


def test_values_at_their_limits() -> None:
    check(replace(GOOD, size=1))
    check(replace(GOOD, size=1 << 40))
    check(replace(GOOD, name="a" * 1024, filename="a" * 1024))
    for odd in ({"size": (1 << 40) + 1}, {"name": "a" * 1025}, {"filename": "a" * 1025}):
        with pytest.raises(AssembleError):
            check(replace(GOOD, **odd))


def test_of_an_odd_value_eighty_characters_are_shown() -> None:
    with pytest.raises(AssembleError) as caught:
        check(replace(GOOD, name="b" * 90, version="!" + "1" * 100))
    error = caught.value
    assert (error.where.file, error.where.package) == (GOOD.archive, "b" * 80)
    assert error.why == f"its Version is '!{'1' * 79}'"
    with pytest.raises(AssembleError) as caught:
        check(replace(GOOD, size=0))
    assert caught.value.why == "its Size is 0"


def test_an_empty_index_is_an_empty_universe() -> None:
    assert Universe.from_indices([("trixie", b"")], "amd64").names == ()


def test_real_stanzas() -> None:
    packages = Universe.from_indices([("trixie", lzma.decompress(CLOSURE.read_bytes()))], "amd64")
    assert len(packages.names) > 242
    for name in packages.names:
        for offer in packages.offers(name):
            assert offer.name == name
            assert all(str(dependency) for dependency in offer.dependencies)
    assert "libc-bin" in packages.essential
    assert {offer.name for offer, _version in packages.providers("awk")} == {"mawk", "gawk", "original-awk"}
