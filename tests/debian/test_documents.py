"""python-debian on people's files, and as the judge of our own reader of what is fetched."""

import lzma
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from debian.deb822 import Deb822, Packages
from hypothesis import given
from hypothesis import strategies as st

from assembler.debian import deb822, documents
from assembler.debian.deb822 import Deb822Error, Paragraph, control, stanza
from assembler.debian.documents import Entry, changelog_entries, copyright_licences
from assembler.debian.index import Universe
from assembler.debian.sources import SourcesError, parse_sources
from assembler.errors import AssembleError, Problems
from assembler.image.licences import short_names

DATA = Path(__file__).parent / "data"
FORMAT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
CHANGELOG = """\
hello (2.10-5) unstable; urgency=medium

  [ Somebody ]
  * Newest.

 -- Some Body <some@example.org>  Mon, 01 Sep 2025 10:00:00 +0200

hello (2.10-4+really) unstable; urgency=low

  * Between.
    More of it.

 -- Some Body <some@example.org>  Sun, 31 Aug 2025 10:00:00 +0200

hello (2.10-4) unstable; urgency=low

  * Known.

 -- Some Body <some@example.org>  Sat, 30 Aug 2025 10:00:00 +0200
"""

names = st.text("ABab", min_size=1, max_size=3)
values = st.text("ab:# .\t-é", max_size=6)
lines = st.one_of(
    st.builds("{}:{}".format, names, values),
    st.builds(" {}".format, values),
    st.sampled_from(["", " ", "#x", "x", "x y"]),
)


def read(reader: ModuleType, text: str) -> tuple[list[Paragraph], tuple[str, int]]:
    """The paragraphs up to the first problem, and that with its line."""
    found: list[Paragraph] = []
    try:
        for paragraph in reader.paragraphs(text):
            found.append(paragraph)  # noqa: PERF402  what comes before an error counts
    except Deb822Error as error:
        return found, (str(error), error.line)
    return found, ("", 0)


@given(st.lists(lines, max_size=12))
def test_both_readers_see_the_same(text: list[str]) -> None:
    (ours, our_problem), (theirs, their_problem) = (read(reader, "\n".join(text)) for reader in (deb822, documents))
    assert theirs == ours
    assert their_problem == our_problem


@given(st.text(max_size=80))
def test_any_text_is_sources_or_an_error_of_ours(text: str) -> None:
    problems: list[AssembleError] = []
    try:
        parse_sources(text)
    except Problems as error:
        problems += error.errors
    assert all(isinstance(each, SourcesError) and each.where.line <= text.count("\n") + 1 for each in problems)


@pytest.mark.parametrize("text", ["a:\n" * (documents.MOST_LINES + 1), "A: " + "x" * documents.LARGEST])
def test_sources_are_bounded(text: str) -> None:
    with pytest.raises(Problems, match="more than 1048576 characters or 20000 lines"):
        parse_sources(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Package: a\npackage: b\n", "Package is there twice"),
        ("Package: a\n x\n \n y\n", "a blank line within a field"),
        ("Package a\n", "not a field: 'Package a'"),
    ],
)
def test_control_files_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        control(text)


def test_a_document_of_all_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_LINES", 3)
    monkeypatch.setattr(documents, "LARGEST", 12)
    for text in ("A: b\nC: d\n\n", "A: 3456789\n\n"):
        assert len(list(documents.paragraphs(text))) == 1
        with pytest.raises(Deb822Error, match="more than 12 characters or 3 lines"):
            list(documents.paragraphs(text + "\n"))
    monkeypatch.setattr(deb822, "MOST_LINES", 3)
    assert len(list(deb822.paragraphs("A: b\nC: d\n\n"))) == 1
    with pytest.raises(Deb822Error, match="more than 3 lines"):
        list(deb822.paragraphs("A: b\nC: d\n\n\n"))


def test_what_is_fetched_is_bounded() -> None:
    with pytest.raises(Deb822Error, match="lines"):
        list(deb822.paragraphs("a:\n\n" * deb822.MOST_LINES))


def test_a_release_as_python_debian_reads_it() -> None:
    text = (DATA / "trixie-security.InRelease").read_text().partition("\n\n")[2].partition("\n-----BEGIN")[0]
    (ours,) = deb822.paragraphs(text)
    (theirs,) = Deb822.iter_paragraphs(text, use_apt_pkg=False)
    assert {key.lower(): value.split() for key, value in theirs.items()} == {
        name: list(field.words) for name, field in ours.items()
    }


def test_an_index_as_python_debian_reads_it() -> None:
    data = lzma.decompress((DATA / "livecd-packages.xz").read_bytes())
    universe = Universe.from_indices([("x", data)], "amd64")
    count = 0
    for theirs in Packages.iter_paragraphs(data, use_apt_pkg=False):
        text = str(theirs)
        assert stanza(text.rstrip("\n")) == {key: value.strip() for key, value in theirs.items()}
        assert control(text) == stanza(text.rstrip("\n"))
        assert any(offer.candidate.fields == stanza(text.rstrip("\n")) for offer in universe.offers(theirs["Package"]))
        count += 1
        if count == 150:
            break
    assert count > 100


def test_licences_of_files() -> None:
    text = (
        f"{FORMAT}Files: *\nCopyright: x\nLicense: GPL-2+ with Libtool exception and GPL-3+ with x, or  Expat\n Text\n"
        "\n"
        "Files: a\nCopyright: x\nLicense:\n free words\n\nFiles: b\nLicense: ISC OR zlib\n\nLicense: other\n text\n"
    )
    assert short_names(text.encode()) == ("Expat", "GPL-2+", "GPL-3+", "ISC", "zlib")
    # A field twice, which policy does not allow and elfutils has, is no reason to say nothing.
    assert short_names(text.replace("Files: a\n", "Files: a\nFiles: c\n").encode()) == short_names(text.encode())
    assert short_names(text.encode() + b"\nno field\n") == ()


def test_a_copyright_file_is_bounded(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    text = f"{FORMAT.replace('https', 'http')}Files: *\nLicense: ISC\n".encode()
    assert copyright_licences(text) == ["ISC"]
    assert copyright_licences(text + bytes(documents.LARGEST_COPYRIGHT)) is None
    for limit, most in (("LARGEST_COPYRIGHT", len(text)), ("MOST_COPYRIGHT", 4)):
        monkeypatch.setattr(documents, limit, most)
        assert copyright_licences(text) == ["ISC"]
        monkeypatch.setattr(documents, limit, most - 1)
        assert copyright_licences(text) is None
        monkeypatch.setattr(documents, limit, most)
    # It warns of the address, which nobody has asked for.
    assert capfd.readouterr().err == ""


@given(st.one_of(st.binary(max_size=80), st.lists(lines, max_size=9).map("\n".join).map(str.encode)))
def test_any_copyright_file_is_licences_or_none(data: bytes) -> None:
    assert all(isinstance(name, str) for name in copyright_licences(FORMAT.encode() + data) or ())
    assert copyright_licences(data) is None or b"Format" in data


def test_entries_between_two_versions() -> None:
    data = CHANGELOG.encode()
    found = changelog_entries(data, "2.10-4", "2.10-5")
    assert found == [
        Entry("2.10-5", ("  [ Somebody ]", "  * Newest.")),
        Entry("2.10-4+really", ("  * Between.", "    More of it.")),
    ]
    assert [entry.version for entry in changelog_entries(data, "2.10-4", "2.10-4+really")] == ["2.10-4+really"]
    assert changelog_entries(data, "2.10-5", "2.11-1") == []
    assert changelog_entries(data, "not a version", "2.10-5") == []


def test_a_changelog_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = CHANGELOG.partition("hello (2.10-4+")[0]
    many = "".join(entry.replace("2.10-5", f"2.10-{number}") for number in range(300, 100, -1))
    found = changelog_entries(many.encode(), "2.10-5", "2.11")
    assert [each.version for each in found] == [f"2.10-{number}" for number in range(300, 200, -1)]
    (long,) = changelog_entries(entry.replace("Newest.", "N" * 10_000).encode(), "1", "3")
    assert len(long.lines[1]) == documents.LONGEST
    monkeypatch.setattr(documents, "LARGEST_CHANGELOG", 2 * len(entry))
    assert [each.version for each in changelog_entries(many.encode(), "2.10-5", "2.11")] == ["2.10-300", "2.10-299"]


ODD = ("hello (9:9:9) x;a=b,a", " -- a <b>", "Old Changelog:", "; x", f"hello ({'9' * 5000}) x;", " -- <", "vim:")


@given(
    st.one_of(
        st.binary(max_size=80),
        st.lists(st.sampled_from((*CHANGELOG.splitlines(), *ODD))).map("\n".join).map(str.encode),
    )
)
def test_any_changelog_is_entries_or_none(data: bytes) -> None:
    assert all(entry.version for entry in changelog_entries(data, "1", "99"))


def test_nobody_waits_for_python_debian_who_does_not_use_it() -> None:
    code = "import sys, assembler.debian.sources, assembler.image.licences; print('debian' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2], env={"PYTHONPATH": "."})  # fmt: skip
    assert done.stdout == "False\n"
