"""What an upgrade is told to change, from packages in the store."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.lock import changelogs
from assembler.lock.changelogs import with_changelogs
from assembler.lock.changes import changes, describe
from assembler.lockfile.model import Lock
from assembler.store.objects import Store
from tests.debian.debs import deb, directory, item
from tests.debian.test_documents import CHANGELOG
from tests.lockfile.test_toml import LOCK

ENTRY = [
    "    2.10-5",
    "      [ Somebody ]",
    "      * Newest.",
    "    2.10-4+really",
    "      * Between.",
    "        More of it.",
]


def locks(data: bytes, store: Store | None) -> tuple[Lock, Lock]:
    """A lock, and the one that it is upgraded to, whose package `data` is in `store`."""
    hello, libc = LOCK.packages
    old = replace(hello, version="2.10-4", source_version="2.10-4", sha256="1" * 64)
    new = replace(hello, size=len(data), sha256=store.add(data) if store else "2" * 64)
    return replace(LOCK, packages=(old, libc)), replace(LOCK, packages=(new, libc))


def package(text: bytes, name: str = "changelog.Debian.gz") -> bytes:
    top = [directory(f"./{path}") for path in ("usr", "usr/share", "usr/share/doc", "usr/share/doc/hello")]
    return deb("hello", *top, item(f"./usr/share/doc/hello/{name}", text), Version="2.10-5", Architecture="amd64")


def told(data: bytes, store: Store, *, stored: bool = True) -> list[str]:
    old, new = locks(data, store if stored else None)
    return describe(with_changelogs(changes(old, new), new, store))


@pytest.mark.parametrize("name", ["changelog.Debian.gz", "changelog.gz"])
def test_the_entries_between_are_told(name: str, tmp_path: Path) -> None:
    lines = told(package(gzip.compress(CHANGELOG.encode()), name), Store(tmp_path / "store"))
    assert lines == ["hello 2.10-4 -> 2.10-5", "  hello:amd64 2.10-4 -> 2.10-5", *ENTRY]


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        (package(gzip.compress(CHANGELOG.encode())), False),
        (package(b"no gzip"), True),
        (package(gzip.compress(CHANGELOG.encode())[:-9]), True),
        (package(gzip.compress(b"\xff\xfe"), "other"), True),
        (b"no package", True),
    ],
)
def test_what_is_not_there_or_damaged_says_nothing(data: bytes, stored: bool, tmp_path: Path) -> None:  # noqa: FBT001
    assert len(told(data, Store(tmp_path / "store"), stored=stored)) == 2


def test_long_changelogs_and_large_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = package(gzip.compress(CHANGELOG.replace("* Newest.", "* x\n" * 100).encode()))
    lines = told(data, Store(tmp_path / "store"))
    assert len(lines) == 2 + changelogs.MOST_LINES + 1
    assert lines[-1].endswith("lines more")
    monkeypatch.setattr(changelogs, "LARGEST", len(data) - 1)
    assert len(told(data, Store(tmp_path / "store"))) == 2


def test_the_largest_package_that_is_opened(tmp_path: Path) -> None:
    """As its lock says: nobody looks at the file for that."""
    data, store = package(gzip.compress(CHANGELOG.encode())), Store(tmp_path / "store")
    old, new = locks(data, store)
    hello, libc = new.packages
    for size, more in ((32 << 20, len(ENTRY)), ((32 << 20) + 1, 0)):
        changed = replace(new, packages=(replace(hello, size=size), libc))
        assert len(describe(with_changelogs(changes(old, changed), changed, store))) == 2 + more


@pytest.mark.parametrize(("others", "more"), [(2, len(ENTRY)), (3, 0)])
def test_as_many_packages_of_a_source_as_are_opened(others: int, more: int, tmp_path: Path) -> None:
    """The smallest first; those that are not in the store do not count."""
    data, store = package(gzip.compress(CHANGELOG.encode())), Store(tmp_path / "store")
    old, new = locks(data, store)
    hello, libc = new.packages
    empty = [
        replace(hello, name=f"a{number}", size=1, sha256=store.add(b"no package %d" % number))
        for number in range(others)
    ]
    missing = [replace(hello, name=f"b{number}", size=1, sha256=f"{number}" * 64) for number in range(5)]
    new = replace(new, packages=(*empty, *missing, hello, libc))
    before = (replace(each, version="2.10-4", source_version="2.10-4") for each in (*empty, *missing))
    old = replace(old, packages=(*before, *old.packages))
    told = describe(with_changelogs(changes(old, new), new, store))
    assert len([line for line in told if line.startswith("    ")]) == more


def test_as_many_sources_as_are_looked_at(tmp_path: Path) -> None:
    data, store = package(gzip.compress(CHANGELOG.encode())), Store(tmp_path / "store")
    old, new = locks(data, store)
    (hello,) = changes(old, new).sources
    other = replace(hello, source="other")
    for before, told in ((199, True), (200, False)):
        found = replace(changes(old, new), sources=(*[other] * before, hello))
        assert bool(with_changelogs(found, new, store).sources[-1].changelog) is told


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        (("2.10-4", "2.10-5"), True),
        (("", "2.10-5"), False),
        (("2.10-4", ""), False),
        (("2.10-5", "2.10-5"), False),
        (("2.10-4, 2.10-3", "2.10-5"), False),
        (("2.10-4", "2.10-5, 2.10-6"), False),
    ],
)
def test_only_between_one_version_and_another(versions: tuple[str, str], told: bool, tmp_path: Path) -> None:  # noqa: FBT001
    data, store = package(gzip.compress(CHANGELOG.encode())), Store(tmp_path / "store")
    old, new = locks(data, store)
    found = changes(old, new)
    found = replace(found, sources=(replace(found.sources[0], old=versions[0], new=versions[1]),))
    assert bool(with_changelogs(found, new, store).sources[0].changelog) is told


def test_as_many_lines_as_are_told() -> None:
    lines = [str(number) for number in range(42)]
    assert changelogs._cut(lines[:40]) == tuple(lines[:40])
    assert changelogs._cut(lines[:41]) == (*lines[:40], "... and 1 lines more")
    assert changelogs._cut(lines) == (*lines[:40], "... and 2 lines more")
