"""What a running build has in use, nobody removes; other processes are really running here."""

import multiprocessing
import os
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from assembler.store.holds import NOBODY, holds, removing
from assembler.store.inventory import inventory
from assembler.store.objects import Store
from assembler.store.pruning import plan, prune

SPAWN = multiprocessing.get_context("spawn")


def old(store: Store) -> None:
    """Everything was used an hour ago."""
    moment = time.time() - 3600
    for path in (*store.root.glob("objects/*/*"), *store.root.glob("derived/*/*")):
        os.utime(path, (moment, moment))


def removed(store: Store) -> list[str]:
    """The names of what is gone after everything was to be removed."""
    watching = Store(store.root, looks_on=True)
    done = prune(watching, plan(inventory(watching)))
    return sorted(item.path.name for item in done.removed)


def use(root: Path, digest: str, ready: Event, over: Event) -> None:
    """A build that uses an object and a result, and goes on for a while."""
    store = Store(root)
    path = store.get(digest)
    result = store.derived("kind-1", "key", Path.touch)
    ready.set()
    over.wait(60)
    assert path.read_bytes() == b"in use"
    assert result.exists()


def test_what_another_process_uses_stays_until_it_ends(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    used, unused = store.add(b"in use"), store.add(b"not in use")
    store.derived("kind-1", "key", Path.touch)
    store.derived("kind-1", "other", Path.touch)
    root = store.root
    old(store)
    del store
    ready, over = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=use, args=(root, used, ready, over))
    process.start()
    assert ready.wait(60)
    assert len(holds(root / "holds")) == 1
    watching = Store(root, looks_on=True)
    assert removed(watching) == sorted([unused, "other"])
    over.set()
    process.join()
    assert process.exitcode == 0, "all was there"
    assert len(holds(root / "holds")) == 0
    assert removed(watching) == sorted([used, "key"])


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    used = store.add(b"in use")
    store.derived("kind-1", "key", Path.touch)
    root = store.root
    old(store)
    del store
    ready, over = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=use, args=(root, used, ready, over))
    process.start()
    assert ready.wait(60)
    watching = Store(root, looks_on=True)
    assert removed(watching) == []
    process.kill()
    process.join()
    assert list((root / "holds").glob("use-*")) != []
    assert removed(watching) == sorted([used, "key"])
    assert list((root / "holds").glob("use-*")) == []


def build_often(root: Path, count: int, enough: Event) -> None:
    """Builds, one after the other, that use what is there, or make it, and then need it: until that is `enough`."""
    for number in range(50 * count):
        if number >= count and enough.is_set():
            break
        store = Store(root)
        digests = [store.add(b"%d" % number) for number in range(8)]
        results = [store.derived("kind-1", str(number), Path.touch) for number in range(8)]
        for digest in digests:
            assert store.get(digest).read_bytes()
        assert all(result.exists() for result in results)
        assert all(store.has(digest) for digest in digests)


def test_builds_and_prunes_at_the_same_time(tmp_path: Path) -> None:
    """Nothing that a build has seen is gone when it reads it, however often everything is removed."""
    root = tmp_path / "store"
    watching = Store(root, looks_on=True)
    enough = SPAWN.Event()
    builds = [SPAWN.Process(target=build_often, args=(root, 20, enough)) for _ in range(2)]
    for process in builds:
        process.start()
    rounds = gone = 0
    while any(process.is_alive() for process in builds):
        gone += len(removed(watching))
        rounds += 1
        if rounds > 3 and gone > 16:
            enough.set()
    for process in builds:
        process.join()
        assert process.exitcode == 0
    assert rounds > 3
    assert gone > 16, "some of it was removed between builds"


def test_a_store_that_is_closed_holds_nothing(store: Store) -> None:
    other = Store(store.root)
    assert len(holds(store.root / "holds")) == 0, "nothing is in use yet"
    other.add(b"x")
    assert len(holds(store.root / "holds")) == 1
    with removing(store.root / "holds") as since:
        assert since < NOBODY
    del other
    assert len(holds(store.root / "holds")) == 0
    with removing(store.root / "holds") as since:
        assert since == NOBODY


def test_who_looks_on_uses_nothing(store: Store) -> None:
    digest = store.add(b"x")
    old(store)
    before = store.path(digest).stat().st_mtime_ns
    watching = Store(store.root, looks_on=True)
    assert watching.sound(digest)
    assert watching.get(digest).stat().st_mtime_ns == before
    assert Store(store.root).get(digest).stat().st_mtime_ns > before, "a build does"


def test_a_clock_that_goes_back_makes_nothing_seem_unused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = store.add(b"x")
    old(store)
    other = Store(store.root)
    other.add(b"y")
    real = os.utime
    past = time.time() - 1000

    def back(path: Path, *, ns: tuple[int, int] | None = None) -> None:
        real(path, ns=ns) if ns else real(path, (past, past))

    monkeypatch.setattr(os, "utime", back)
    assert other.has(digest)
    with removing(store.root / "holds") as since:
        assert other.path(digest).stat().st_mtime_ns >= since
