"""What of a store goes: by age, by size, by what is kept; and whoever is killed in the midst leaves nothing wrong."""

import fcntl
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import pytest

from assembler.store import kinds
from assembler.store.holds import removing
from assembler.store.inventory import Item, by_kind, inventory
from assembler.store.objects import Store, sha256_of
from assembler.store.pruning import plan, prune

SPAWN = multiprocessing.get_context("spawn")
A, B, C = (
    Item("packages", Path(f"/s/{name}"), size, used) for name, size, used in (("a", 10, 3), ("b", 20, 1), ("c", 5, 2))
)
LEFT = Item(kinds.TEMPORARY, Path("/s/tmp"), 100, 9)


def test_by_age() -> None:
    assert plan([A, B, C], unused_since=1) == ()
    assert plan([A, B, C], unused_since=3) == (B, C)


def test_by_size_what_is_unused_for_the_longest_time_goes_first() -> None:
    assert plan([A, B, C], size=35) == ()
    assert plan([A, B, C], size=34) == (B,)
    assert plan([A, B, C], size=14) == (B, C)
    assert plan([A, B, C], size=0) == (B, C, A)


def test_by_both() -> None:
    assert plan([A, B, C], unused_since=2, size=15) == (B,)
    assert plan([A, B, C], unused_since=2, size=10) == (B, C)


def test_what_is_kept_stays_in_any_case() -> None:
    assert plan([A, B, C], kept={B.path}) == (C, A)
    assert plan([A, B, C], size=0, kept={B.path}) == (C, A)
    assert plan([A, B, C], unused_since=3, kept={B.path}) == (C,)


def test_what_is_in_use_stays_in_any_case() -> None:
    assert plan([A, B, C, LEFT], held_since=2) == (B, LEFT)
    assert plan([A, B, C], size=0, held_since=2) == (B,)


def test_what_killed_builds_left_goes_in_any_case() -> None:
    assert plan([A, LEFT], unused_since=1) == (LEFT,)
    assert plan([A, LEFT], size=1000) == (LEFT,)


def everything(store: Store) -> dict[str, Path]:
    """What there is, by name, a long time after it was used."""
    moment = time.time() - 3600
    paths = {path.name: path for path in (*store.root.glob("objects/*/*"), *store.root.glob("derived/*/*"))}
    for path in paths.values():
        os.utime(path, (moment, moment))
    return paths


def watching(store: Store) -> Store:
    return Store(store.root, looks_on=True)


@pytest.fixture
def old(tmp_path: Path) -> Store:
    """A store with old things that nobody holds."""
    store = Store(tmp_path / "store")
    store.add(b"x")

    def make(directory: Path) -> None:
        (directory / "sub").mkdir(parents=True)
        (directory / "sub/file").write_bytes(b"y" * 100)
        (directory / "sub").chmod(0o555)

    store.derived("unpacked-3", "key", make)
    everything(store)
    return Store(tmp_path / "store", looks_on=True)


def test_it_is_gone_and_can_be_made_again(old: Store) -> None:
    items = inventory(old)
    assert {(item.kind, item.size) for item in items} == {(kinds.FILES, 1), ("unpacked packages", 100)}
    done = prune(old, plan(items))
    assert (set(done.removed), done.held) == (set(items), ())
    assert inventory(old) == ()
    assert list((old.root / "tmp").iterdir()) == []
    store = Store(old.root)
    assert store.path(store.add(b"x")).exists()
    assert store.derived("unpacked-3", "key", Path.touch).exists()


def test_what_is_used_after_the_plan_stays(old: Store) -> None:
    planned = plan(inventory(old))
    store = Store(old.root)
    digest = store.add(b"x")
    del store
    done = prune(old, planned)
    assert [item.path.name for item in done.held] == [digest]
    assert [item.path.name for item in done.removed] == ["key"]


def test_what_is_written_to_is_held_by_its_lock(old: Store) -> None:
    partial, cache, kernel = (old.root / name for name in ("downloads/abc", "ccache/key/stats", "tmp/kernel/x.o"))
    for path in (partial, cache, kernel):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"z")
    (old.root / "locks/download-abc").touch()
    (old.root / "locks/kernel-objects").touch()
    planned = plan(inventory(old))
    assert {kinds.PARTIAL, kinds.CACHE, kinds.TEMPORARY} < {item.kind for item in planned}
    with (old.root / "locks/download-abc").open() as one, (old.root / "locks/kernel-objects").open() as two:
        for lock in (one, two):
            fcntl.flock(lock, fcntl.LOCK_EX)
        assert kinds.TEMPORARY not in {item.kind for item in inventory(old)}
        held = prune(old, planned).held
        assert {item.path for item in held} == {partial, cache.parent, kernel.parent}
    assert prune(old, held).held == ()
    assert inventory(old) == ()


def test_kinds_are_summed_up_the_largest_first(old: Store) -> None:
    found = by_kind(inventory(old))
    assert [(kind.kind, kind.number, kind.size) for kind in found] == [
        ("unpacked packages", 1, 100),
        (kinds.FILES, 1, 1),
    ]
    assert all(0 < kind.oldest <= kind.newest for kind in found)


def many(root: Path) -> None:
    watching = Store(root, looks_on=True)
    while items := inventory(watching):
        prune(watching, plan(items)[:20])


@pytest.mark.parametrize("after", [0.0, 0.02])
def test_a_prune_that_is_killed_leaves_nothing_wrong(tmp_path: Path, after: float) -> None:
    root = tmp_path / "store"
    store = Store(root)
    names = [store.add(b"%d" % number) for number in range(80)]

    def make(directory: Path) -> None:
        directory.mkdir()
        for number in range(20):
            (directory / str(number)).write_bytes(b"whole")

    for number in range(20):
        store.derived("kind-1", str(number), make)
    everything(store)
    del store
    process = SPAWN.Process(target=many, args=(root,))
    process.start()
    while sum(1 for _ in root.glob("objects/*/*")) == len(names):
        assert process.is_alive()
    time.sleep(after)
    process.kill()
    process.join()
    assert all(sha256_of(path) == path.name for path in root.glob("objects/*/*"))
    for result in root.glob("derived/*/*"):
        assert len(list(result.iterdir())) == 20, "whole or not there"
    store = Store(root)
    assert [store.add(b"%d" % number) for number in range(80)] == names
    assert len(list(store.derived("kind-1", "7", make).iterdir())) == 20
    assert list((root / "tmp").iterdir()) == [], "and the next build has put away the rest"


def test_a_gate_that_cannot_be_opened_is_an_error_before_anything_is_removed(old: Store) -> None:
    shutil.rmtree(old.root / "holds")
    (old.root / "holds").write_bytes(b"")
    with pytest.raises(OSError, match="Not a directory"), removing(old.root / "holds"):
        pass
