"""Path filters decide as dpkg does."""

import ctypes
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.debian.paths import Filter, PathFilter, path_filter, pattern_to_regex

EXCLUDE = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"]
INCLUDE = ["/usr/share/doc/*/copyright", "/usr/share/locale/en/*"]


@pytest.mark.parametrize(
    ("path", "folder", "skipped"),
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
def test_excludes_and_includes(path: str, folder: bool, skipped: bool) -> None:  # noqa: FBT001  a table
    assert path_filter(EXCLUDE, INCLUDE).skips(path, folder_or_link=folder) is skipped


def test_the_last_match_decides() -> None:
    filters = PathFilter([Filter("/a/*", False), Filter("/a/b*", True), Filter("/a/bc*", False)])
    assert filters.skips("/a/x", folder_or_link=False)
    assert not filters.skips("/a/b", folder_or_link=False)
    assert filters.skips("/a/bcd", folder_or_link=False)


_libc = ctypes.CDLL(None)


@given(st.text("ab/.*?[]!^-\\", max_size=10), st.text("ab/.-]\\^", max_size=8))
def test_patterns_match_what_fnmatch_matches(pattern: str, path: str) -> None:
    # A range that runs backwards is undefined in POSIX.
    if "[" in pattern and "-" in pattern:
        return
    if "[" in pattern and "\\" in pattern.partition("[")[2]:
        return  # quoting inside brackets: no path needs it
    if any(f"[{char}" in pattern for char in ".=:") or "[[" in pattern:
        return
    expected = _libc.fnmatch(pattern.encode(), path.encode(), 0) == 0
    assert bool(pattern_to_regex(pattern).match(path)) is expected


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
        if not filters.skips("/" + str(path.relative_to(source)), folder_or_link=path.is_symlink() or path.is_dir())
    }
    assert found == expected
