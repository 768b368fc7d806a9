"""Path filters decide as dpkg does."""

import ctypes
import re
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.debian.paths import Filter, PathFilter, path_filter
from assembler.patterns import pattern_to_regex

EXCLUDE = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"]
INCLUDE = ["/usr/share/doc/*/copyright", "/usr/share/locale/en/*"]


@pytest.mark.parametrize(
    ("path", "directory", "skipped"),
    [
        ("/usr/share/doc", True, False),
        ("/usr/share/doc/x", True, False),
        ("/usr/share/doc/x/copyright", False, False),
        ("/usr/share/doc/x/changelog.gz", False, True),
        ("/usr/share/doc/x/deep/copyright", False, False),
        ("/usr/share/man/man1", True, True),
        ("/usr/share/locale/en/LC_MESSAGES/x.mo", False, False),
        ("/usr/share/locale/en_GB/LC_MESSAGES/x.mo", False, True),
        ("/usr/share/locale/de", True, True),
        ("/usr/bin/x", False, False),
    ],
)
def test_excludes_and_includes(path: str, directory: bool, skipped: bool) -> None:  # noqa: FBT001  a table
    assert path_filter(EXCLUDE, INCLUDE).skips(path, directory_or_link=directory) is skipped


def test_the_last_match_decides() -> None:
    filters = PathFilter([Filter("/a/*", False), Filter("/a/b*", True), Filter("/a/bc*", False)])
    assert filters.skips("/a/x", directory_or_link=False)
    assert not filters.skips("/a/b", directory_or_link=False)
    assert filters.skips("/a/bcd", directory_or_link=False)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("/[a-c]", "abc", "d-/"), ("/[!a-c]", "d-!", "abc"), ("/[^a-c]", "d-^", "abc"), ("/[c-a]", "", "abc-"),
        ("/[]a]", "]a", "b["), ("/[!]a]", "b[", "]a"), ("/[a-]", "a-", "b"), ("/[\\]a]", "]a", "\\b"),
        ("/[a\\-c]", "a-c", "b\\"), ("/[[:digit:]x]", "07x", "a:"), ("/[![:digit:]]", "ax", "07"),
        ("/[[:none:]]", "", "none:["), ("/[![:none:]]", "", "none:["), ("/\\*", "*", "a\\"),
    ],
)  # fmt: skip
def test_which_characters_a_bracket_matches(pattern: str, matching: str, others: str) -> None:
    found = "".join(char for char in matching + others if pattern_to_regex(pattern).match(f"/{char}"))
    assert found == matching


_libc = ctypes.CDLL(None)


_PIECES = st.sampled_from(
    ["a", "b", "/", ".", "*", "*", "?", "\\", "[", "]", "[ab]", "[!a]", "[^b/]", "[a-c]", "[]a]", "[!]b]", "[c-a]",
     "[a-]", "[-a]", "[\\]a]", "[a\\-c]", "[[:alpha:]]", "[![:digit:]b]", "[[:none:]]", "[.-b]", "[\\\\]"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=8).map("".join), st.text("ab/.-]\\^[1", max_size=8))
@settings(max_examples=500)
def test_patterns_match_what_fnmatch_matches(pattern: str, path: str) -> None:
    if UNSURE.search(pattern):
        return
    expected = _libc.fnmatch(pattern.encode(), path.encode(), 0) == 0
    assert bool(pattern_to_regex(pattern).match(path)) is expected


UNSURE = re.compile(r"\[[.=]|-\[|\[[^]]*\\$|\[[^]]*:\]?$")
"""Collating symbols, and what does not end: undefined in POSIX, or more than any path needs."""


@given(st.text("ab*?", max_size=30), st.text("ab", max_size=30))
@settings(max_examples=500)
def test_many_stars_match_what_fnmatch_matches(pattern: str, path: str) -> None:
    expected = _libc.fnmatch(pattern.encode(), path.encode(), 0) == 0
    assert bool(pattern_to_regex(pattern).match(path)) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "/" + "*a" * 40 + "!",
        "/" + "*a*" * 500 + "b",
        "/" + "*[ab]" * 300 + "!",
        "/" + "*?" * 1000,
        "/*" + "a" * 2000 + "!*!",
    ],
)
def test_no_pattern_takes_longer_than_its_length_explains(pattern: str) -> None:
    filters = path_filter([pattern, *(f"{pattern}{number}" for number in range(10))], [])
    began = time.process_time()
    filters.skips("/" + "a" * 4000, directory_or_link=False)
    assert time.process_time() - began < 2


def test_dpkg_itself_agrees(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    paths = [
        "usr/share/doc/x/copyright", "usr/share/doc/x/README", "usr/share/man/man1/x.1",
        "usr/share/locale/en/x.mo", "usr/share/locale/de/x.mo", "usr/bin/x",
    ]  # fmt: skip
    for path in paths:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(path)
    (source / "usr/share/man/link").symlink_to("man1")
    (source / "DEBIAN").mkdir()
    (source / "DEBIAN").chmod(0o755)
    (source / "DEBIAN/control").write_text(
        "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: x\n"
    )
    package = tmp_path / "x.deb"
    subprocess.run(["dpkg-deb", "-b", str(source), str(package)], check=True, capture_output=True)
    (root / "var/lib/dpkg/updates").mkdir(parents=True)
    (root / "var/lib/dpkg/info").mkdir()
    (root / "var/lib/dpkg/status").touch()
    options = [f"--path-exclude={item}" for item in EXCLUDE] + [f"--path-include={item}" for item in INCLUDE]
    subprocess.run(
        ["dpkg", f"--root={root}", "--force-not-root,bad-path", "--log=/dev/null", *options, "--unpack", str(package)],
        check=True,
        capture_output=True,
    )
    found = {str(path.relative_to(root)) for path in (root / "usr").rglob("*")}
    filters = path_filter(EXCLUDE, INCLUDE)
    expected = {
        str(path.relative_to(source))
        for path in (source / "usr").rglob("*")
        if not filters.skips("/" + str(path.relative_to(source)), directory_or_link=path.is_symlink() or path.is_dir())
    }
    assert found == expected
