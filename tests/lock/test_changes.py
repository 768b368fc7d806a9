"""What a lock's reviewers are told."""

from dataclasses import replace

from assembler.lock.changes import changes, describe
from tests.lockfile.test_toml import LOCK


def test_the_same_lock_has_no_changes() -> None:
    found = changes(LOCK, LOCK)
    assert not found
    assert describe(found) == []


def test_changes_by_source_package() -> None:
    _, libc = LOCK.packages
    (archive,) = LOCK.archives
    new = replace(
        LOCK,
        source_date_epoch=7,
        archives=(replace(archive, date="2026-10-01T00:00:00Z", inrelease_sha256="0" * 64),),
        packages=(
            replace(libc, name="libc-bin", sha256="1" * 64),
            replace(libc, version="2.41-13", source_version="2.41-13", sha256="2" * 64),
        ),
    )
    assert describe(changes(LOCK, new)) == [
        "archive trixie: 2026-09-12T07:55:41Z -> 2026-10-01T00:00:00Z",
        "glibc 2.41-12 -> 2.41-12, 2.41-13",
        "  libc-bin:amd64 2.41-12 added  (for hello)",
        "  libc6:amd64 2.41-12 -> 2.41-13",
        "hello 2.10-5 removed",
        "  hello:amd64 2.10-5 removed  (requested)",
        "source date epoch: 1795227046 -> 7",
    ]


def test_other_bytes_under_the_same_version_are_called_that() -> None:
    hello, libc = LOCK.packages
    found = changes(LOCK, replace(LOCK, packages=(replace(hello, sha256="0" * 64), libc)))
    assert found.sources[0].packages[0].bytes_only
    assert "other bytes, same version!" in describe(found)[1]


def test_a_first_lock_is_all_new() -> None:
    assert describe(changes(None, LOCK))[:3] == [
        "archive trixie: new -> 2026-09-12T07:55:41Z",
        "glibc 2.41-12 added",
        "  libc6:amd64 2.41-12 added  (for hello)",
    ]
