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
