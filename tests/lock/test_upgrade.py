"""Locking again: what stays, what moves, and what is proved, against an archive that moves on."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from assembler.architecture import AMD64
from assembler.boot.loaders import LIVE
from assembler.debian.release import ReleaseError
from assembler.errors import AssembleError, Problems
from assembler.lock.changes import changes, describe
from assembler.lock.resolve import resolve
from assembler.lock.trust import prove, prove_packages
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import Lock
from assembler.lockfile.toml import format_lock, parse_lock
from assembler.recipe.model import Kernel, Recipe
from assembler.store.download import OfflineError, TransportError
from assembler.store.objects import Store
from assembler.store.transport import Transport
from tests.debian.archives import NOW, date, source
from tests.lock.test_resolve import base, publish_suite, recipe, where
from tests.lockfile.test_toml import LOCK
from tests.support.http_server import Server
from tests.support.reporters import Recorder

LATER = NOW + timedelta(hours=6)
OLD: Mapping[str, Mapping[str, str]] = {
    "hello": {"Depends": "libhello (= 1.0)", "Source": "greet"},
    "libhello": {"Source": "greet"},
    "tool": {},
    "extra": {},
}
NEW: Mapping[str, Mapping[str, str]] = {
    "hello": {"Depends": "libhello (= 1.1)", "Source": "greet", "Version": "1.1"},
    "libhello": {"Source": "greet", "Version": "1.1"},
    "tool": {"Version": "2.0"},
    "extra": {"Version": "3.0"},
}


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(backoff=0.01, attempts=2) as it:
        yield it


class Archive:
    """An archive, and how it is locked from."""

    def __init__(self, server: Server, store: Store, transport: Transport) -> None:
        self.server, self.store, self.transport = server, store, transport
        publish_suite(server, "trixie", base(**OLD), Date=date(NOW - timedelta(days=1)))
        self.first = self.lock("hello", "tool")

    def move_on(self) -> None:
        publish_suite(self.server, "trixie", base(**NEW), Date=date(NOW))

    def lock(
        self,
        *packages: str,
        previous: Lock | None = None,
        upgrade: tuple[str, ...] | None = None,
        it: Recipe | None = None,
    ) -> Lock:
        return resolve(
            it or recipe(*packages),
            "a" * 64,
            transport=self.transport,
            store=self.store,
            mirrors=replace(where(self.server), snapshots=(self.server.url("/archive"),)),
            now=LATER,
            tools=LOCK.tools,
            previous=previous,
            upgrade=upgrade,
        )

    def prove(self, lock: Lock, it: Recipe | None = None, *, offline: bool = False) -> int:
        with Transport(offline=offline, attempts=1) as transport:
            return prove(
                lock,
                it or recipe("hello", "tool"),
                file="x.lock.toml",
                transport=transport,
                store=self.store,
                mirrors=replace(where(self.server), snapshots=(self.server.url("/archive"),)),
                now=LATER,
            )


@pytest.fixture
def archive(server: Server, store: Store, transport: Transport) -> Archive:
    return Archive(server, store, transport)


def versions(lock: Lock) -> dict[str, str]:
    return {package.name: package.version for package in lock.packages if package.name in OLD}


def test_what_is_locked_stays_and_news_come_from_the_same_time(archive: Archive) -> None:
    archive.move_on()
    asked = len(archive.server.seen)
    found = archive.lock("hello", "tool", "extra", previous=archive.first, upgrade=())
    assert versions(found) == {"hello": "1.0", "libhello": "1.0", "tool": "1.0", "extra": "1.0"}
    assert found.archives == archive.first.archives
    assert len(archive.server.seen) == asked, "all of it is in the store"
    assert describe(changes(archive.first, found)) == ["extra 1.0 added", "  extra:amd64 1.0 added  (requested)"]


def test_a_full_upgrade_takes_all(archive: Archive) -> None:
    archive.move_on()
    found = archive.lock("hello", "tool", previous=archive.first)
    assert versions(found) == {"hello": "1.1", "libhello": "1.1", "tool": "2.0"}
    assert [each.id for each in found.archives] == ["trixie"]


@pytest.mark.parametrize("name", ["hello", "libhello", "greet"])
def test_one_package_moves_with_its_source_and_the_rest_stays(archive: Archive, name: str) -> None:
    archive.move_on()
    found = archive.lock("hello", "tool", previous=archive.first, upgrade=(name,))
    assert versions(found) == {"hello": "1.1", "libhello": "1.1", "tool": "1.0"}
    old, new = found.archives
    assert (old, new.id) == (archive.first.archives[0], "trixie+20261122T120000Z")
    assert {package.name for package in found.packages if package.archive == new.id} == {"hello", "libhello"}
    assert parse_lock(format_lock(found), "x") == found
    again = archive.lock("hello", "tool", previous=found, upgrade=())
    assert again == found, "locking once more changes nothing"
    assert archive.prove(found) == len(found.packages)


def test_nothing_new_changes_nothing(archive: Archive) -> None:
    assert archive.lock("hello", "tool", previous=archive.first, upgrade=("tool",)) == archive.first


def test_what_cannot_move_alone_says_what_holds_it(archive: Archive) -> None:
    moved = {**NEW, "tool": {"Version": "2.0", "Depends": "libhello (= 1.1)"}}
    publish_suite(archive.server, "trixie", base(**moved), Date=date(NOW))
    with pytest.raises(AssembleError) as caught:
        archive.lock("hello", "tool", previous=archive.first, upgrade=("tool",))
    assert "libhello" in str(caught.value)
    with pytest.raises(LockError, match=r"helo is not in the lock.*did you mean hello"):
        archive.lock("hello", "tool", previous=archive.first, upgrade=("helo",))


def test_an_empty_store_gets_the_old_state_from_a_snapshot(archive: Archive, store: Store) -> None:
    files = {path: answer for path, answer in archive.server.answers.items() if "/dists/" in path}
    archive.server.answers.clear()
    archive.move_on()
    archive.store = Store(store.root / "empty")
    with pytest.raises(TransportError, match=r"nobody has the InRelease of trixie of 2026-11-21T12:00:00Z any more"):
        archive.lock("hello", "tool", "extra", previous=archive.first, upgrade=())
    for path, answer in files.items():
        archive.server.answers[path.replace("/debian/", "/archive/debian/20261122T000000Z/")] = answer
    found = archive.lock("hello", "tool", "extra", previous=archive.first, upgrade=())
    assert versions(found) == {"hello": "1.0", "libhello": "1.0", "tool": "1.0", "extra": "1.0"}


def test_an_upgrade_does_not_go_back(archive: Archive) -> None:
    archive.move_on()
    found = archive.lock("hello", "tool", previous=archive.first, upgrade=("tool",))
    publish_suite(archive.server, "trixie", base(**OLD), Date=date(NOW - timedelta(hours=1)))
    for upgrade in (None, ("hello",)):
        with pytest.raises(ReleaseError, match="older than the one in the lock"):
            archive.lock("hello", "tool", previous=found, upgrade=upgrade)


# --- proving ---------------------------------------------------------------------------------------------------------


def test_a_sound_lock_is_proved_from_the_store(archive: Archive) -> None:
    assert archive.prove(archive.first, offline=True) == len(archive.first.packages)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sha256", "0" * 64, f"sha256 is {'0' * 64}, the index says "),
        ("size", 1, "size is 1, the index says 9"),
        ("path", "pool/evil.deb", "path is pool/evil.deb, the index says pool/main/h/hello"),
        ("version", "1.0+evil", "no index of it lists this version"),
        ("source_version", "9", "source_version is 9, the index says 1.0"),
    ],
)
def test_a_forged_package_is_named(archive: Archive, field: str, value: Any, message: str) -> None:
    packages = tuple(
        replace(package, **{field: value}) if package.name == "hello" else package for package in archive.first.packages
    )
    with pytest.raises(Problems) as caught:
        archive.prove(replace(archive.first, packages=packages))
    (error,) = caught.value.errors
    assert message in error.why
    assert error.where.key.startswith('packages."hello_')


def test_a_package_that_nothing_leads_to_is_found(archive: Archive) -> None:
    """It is signed like all others, and nobody has asked for it."""
    more = archive.lock("hello", "tool", "extra")
    forged = replace(archive.first, packages=more.packages)
    with pytest.raises(Problems, match="the recipe does not lead to this package") as caught:
        archive.prove(forged)
    assert [error.where.key for error in caught.value.errors] == ['packages."extra_1.0_amd64"']
    fewer = tuple(package for package in archive.first.packages if package.name != "libhello")
    with pytest.raises(AssembleError, match="is missing: libhello"):
        archive.prove(replace(archive.first, packages=fewer))


def test_a_forged_index_or_release_is_named(archive: Archive) -> None:
    (locked,) = archive.first.archives
    forged = replace(locked.indices[0], sha256="0" * 64)
    with pytest.raises(Problems, match=r"the signed Release does not list this main/binary-amd64/Packages\.xz"):
        archive.prove(replace(archive.first, archives=(replace(locked, indices=(forged,)),)))
    with pytest.raises(ReleaseError, match=r"is not what the lock says of it: it is dated 2026-11-21 12:00:00"):
        archive.prove(replace(archive.first, archives=(replace(locked, date="2026-11-20T12:00:00Z"),)))
    with pytest.raises(TransportError, match="nobody has the InRelease"):
        archive.prove(replace(archive.first, archives=(replace(locked, inrelease_sha256="0" * 64),)))
    with pytest.raises(Problems, match="the recipe takes nothing from this archive"):
        archive.prove(replace(archive.first, archives=(replace(locked, suite="sid"),)))


def test_without_the_indices_nothing_is_proved(archive: Archive, store: Store) -> None:
    archive.store = Store(store.root / "empty")
    with pytest.raises(OfflineError):
        archive.prove(archive.first, offline=True)


HELD = "what is locked stays as it is: name more with --upgrade-package, or take --upgrade for all"


def test_what_cannot_be_had_says_what_stays(archive: Archive) -> None:
    """Only when something stays, and only when there is no better advice."""
    conflicts = {**NEW, "odd": {"Depends": "libhello (>= 2)"}}
    publish_suite(archive.server, "trixie", base(**conflicts), Date=date(NOW))
    for upgrade, told in (((), HELD), (("tool",), HELD), (None, "")):
        with pytest.raises(AssembleError) as caught:
            archive.lock("hello", "tool", "odd", previous=archive.first, upgrade=upgrade)
        assert caught.value.hint == told
    with pytest.raises(AssembleError) as caught:
        archive.lock("hello", "tool", "odd")
    assert caught.value.hint == ""


def test_a_package_of_which_files_are_taken_alone(archive: Archive) -> None:
    """What it depends on stays away; without it nothing boots, whether anything is held or not."""
    (name, *_) = LIVE.packages(AMD64)
    there = {each: fields for each, fields in base(**OLD).items() if each != name}
    publish_suite(archive.server, "trixie", there | {name: {"Depends": "nonsense"}}, Date=date(NOW))
    found = archive.lock("hello", "tool")
    assert name in {package.name for package in found.role("boot")}
    publish_suite(archive.server, "trixie", there, Date=date(NOW))
    with pytest.raises(LockError, match=f"no archive has {name}: it is needed for boot"):
        archive.lock("hello")
    it = recipe("hello").model_copy(update={"kernel": Kernel(source="vanilla", package="linux-source-9")})
    for previous, upgrade in ((None, None), (archive.first, None), (archive.first, ())):
        publish_suite(archive.server, "trixie", base(**OLD), Date=date(NOW))
        with pytest.raises(LockError) as caught:
            archive.lock("hello", previous=previous, upgrade=upgrade, it=it)
        assert caught.value.what == "no archive has linux-source-9"
        assert caught.value.why == "it is needed for kernel-source"
        assert caught.value.hint == "add a suite that has it to debian.sources"


def test_archives_are_kept_when_something_comes_from_them_or_they_have_one_state(archive: Archive) -> None:
    archive.move_on()
    publish_suite(archive.server, "trixie-security", {"other": {}}, root="/debian-security")
    sources = source() + "\n" + source(suite="trixie-security")
    it = recipe("hello", "tool", sources=sources)
    found = archive.lock("hello", "tool", previous=archive.first, upgrade=("hello",), it=it)
    later = "trixie+20261122T120000Z"
    assert [each.id for each in found.archives] == ["trixie", later, "trixie-security"]
    assert {each.archive for each in found.packages} == {"trixie", later}


def test_what_is_said_when_asked_for_more(archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", "assembler.lock.resolve"):
        archive.lock("hello", "tool")
    assert "rootfs: hello 1.0 from trixie: requested" in caplog.messages
    assert "rootfs: libhello 1.0 from trixie: for hello" in caplog.messages


def test_a_name_that_is_not_locked(archive: Archive) -> None:
    for name, hint in (
        ("helo", "did you mean hello?"),
        ("zzzzzz", "name a package, or a source package, that is locked"),
    ):
        with pytest.raises(LockError) as caught:
            archive.lock("hello", "tool", previous=archive.first, upgrade=("tool", name))
        assert caught.value.what == f"{name} is not in the lock, so it cannot be upgraded"
        assert caught.value.hint == hint
    assert archive.lock("hello", "tool", previous=None, upgrade=("zzzzzz",)) == archive.first


def problems(archive: Archive, forged: Lock) -> list[tuple[str, str, str]]:
    with pytest.raises(Problems) as caught:
        archive.prove(forged)
    hint = "restore the lock from where it was reviewed, or delete it and run `assemble lock`"
    assert {(error.where.file, error.hint) for error in caught.value.errors} == {("x.lock.toml", hint)}
    return [(error.where.key, error.what, error.why) for error in caught.value.errors]


def test_every_broken_link_is_named(archive: Archive) -> None:
    first = archive.first
    (locked,) = first.archives
    (index,) = locked.indices
    (hello,) = (package for package in first.packages if package.name == "hello")
    others = tuple(package for package in first.packages if package is not hello)
    key = 'packages."hello_1.0_amd64"'
    size = hello.size
    for forged, expected in (
        (
            replace(first, packages=(*others, replace(hello, archive="sid"))),
            [(key, "this package is of no archive of the lock", "sid")],
        ),
        (
            replace(first, archives=(replace(locked, suite="sid"),)),
            [("archives.trixie", "the recipe takes nothing from this archive", "")],
        ),
        (
            replace(first, archives=(replace(locked, root="other"),)),
            [("archives.trixie", "the recipe takes nothing from this archive", "")],
        ),
        (
            replace(first, archives=(replace(locked, indices=(replace(index, size=1),)),)),
            [("archives.trixie", f"the signed Release does not list this {index.path}", index.sha256)],
        ),
        (
            replace(first, packages=(*others, replace(hello, size=1, source="x"))),
            [
                (
                    key,
                    "trixie does not have this package so",
                    f"size is 1, the index says {size}; source is x, the index says greet",
                )
            ],
        ),
        (
            replace(first, packages=(*others, replace(hello, architecture="all"))),
            [
                (
                    'packages."hello_1.0_all"',
                    "trixie does not have this package so",
                    "no index of it lists this version",
                )
            ],
        ),
        (
            replace(first, packages=(*others, replace(hello, roles=("boot", "rootfs")))),
            [(key, "the recipe does not lead to this package", "no request of it needs that")],
        ),
    ):
        assert problems(archive, forged) == expected
    with pytest.raises(LockError) as caught:
        archive.prove(replace(first, packages=others))
    assert caught.value.what == "a package that the recipe leads to is missing"
    assert (caught.value.where.key, caught.value.why) == ("packages", "hello")


def test_how_far_proving_came_is_told(archive: Archive) -> None:
    reporter, count = Recorder(), len(archive.first.packages)
    unused = replace(archive.first.archives[0], id="unused")
    prove_packages(
        archive.first.packages,
        (unused, *archive.first.archives),
        recipe("hello", "tool"),
        file="x.lock.toml",
        transport=archive.transport,
        store=archive.store,
        mirrors=where(archive.server),
        now=LATER,
        reporter=reporter,
    )
    assert reporter.steps == [("prove", count)]
    assert (reporter.notes, reporter.advanced) == (["unused", "trixie"], count)
