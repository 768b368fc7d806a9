"""The store: complete or absent, whatever happens while it is written."""

import hashlib
import io
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assembler.store.objects import Store, StoreError, sha256_of
from tests.reporters import Recorder


def files(store: Store) -> list[str]:
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file())


def test_objects_are_named_by_their_digest_and_cannot_be_changed(store: Store) -> None:
    digest = store.add(b"hello")
    assert digest == hashlib.sha256(b"hello").hexdigest() == sha256_of(store.get(digest))
    assert store.adopt_stream(io.BytesIO(b"hello")) == store.add(b"hello") == digest
    assert store.path(digest).stat().st_mode & 0o777 == 0o444
    assert files(store) == [f"objects/{digest[:2]}/{digest}"]


def test_what_is_missing_is_named(store: Store) -> None:
    assert not store.has("0" * 64)
    with pytest.raises(StoreError, match=r"hello_1_all.deb is not in the store.*--offline"):
        store.get("0" * 64, what="hello_1_all.deb")


def test_derived_results_are_made_once_by_concurrent_builds(store: Store) -> None:
    made = []

    def make(path: Path) -> None:
        made.append(path)
        path.mkdir()
        time.sleep(0.1)
        (path / "x").write_text("done")

    found: list[str] = []

    def build() -> None:
        found.append((Store(store.root).derived("kind-1", "key", make) / "x").read_text())

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["done"] * 4
    assert len(made) == 1


def test_a_failed_result_leaves_nothing(store: Store) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.derived("kind-1", "key", fail)
    assert files(store) == ["locks/kind-1-key"]
    assert store.derived("kind-1", "key", lambda path: path.touch()).exists()


def test_a_full_disk_while_making_a_result(store: Store) -> None:
    def fill(_: Path) -> None:
        Path("/dev/full").write_bytes(b"x")

    with pytest.raises(StoreError, match="the disk of the store is full: No space left"):
        store.derived("kind-1", "key", fill)


def test_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"the store cannot be made: Not a directory.*--store"):
        Store(tmp_path / "file/store")


def hang(root: Path, began: Path) -> None:
    """Be in the middle of an object and of a result, for ever."""
    store = Store(root)

    def make(path: Path) -> None:
        path.mkdir()
        (path / "x").write_text("half")
        with store.temporary() as other:
            other.write_bytes(b"half an object")
            began.touch()
            time.sleep(1000)

    store.derived("kind-1", "key", make)


def test_a_killed_build_leaves_nothing_that_counts_and_the_next_removes_the_rest(store: Store, tmp_path: Path) -> None:
    began = tmp_path / "began"
    process = multiprocessing.get_context("spawn").Process(target=hang, args=(store.root, began))
    process.start()
    while not began.exists():
        assert process.is_alive()
        time.sleep(0.01)
    digest = store.add(b"an object")
    assert len(list((store.root / "tmp").iterdir())) == 2, "what is being made stays"
    process.kill()
    process.join()
    assert not store.has_derived("kind-1", "key")
    assert len(list((store.root / "tmp").iterdir())) == 2
    again = Store(store.root)
    assert again.derived("kind-1", "key", Path.touch).is_file()
    assert files(again) == sorted(["derived/kind-1/key", "locks/kind-1-key", f"objects/{digest[:2]}/{digest}"])


def test_what_is_damaged_is_noticed_when_it_is_added_again(store: Store) -> None:
    digest = store.add(b"hello")
    store.path(digest).chmod(0o644)
    store.path(digest).write_bytes(b"jello")
    again = Store(store.root)
    assert again.has(digest)
    assert not again.sound(digest)
    assert again.add(b"hello") == digest
    assert again.sound(digest)
    assert again.path(digest).read_bytes() == b"hello"


def test_a_damaged_result_is_made_anew_by_one_build(tmp_path: Path) -> None:
    reporter, made = Recorder(), []
    store = Store(tmp_path / "store", reporter=reporter)

    def make(path: Path) -> None:
        made.append(path)
        path.write_text("done")

    path = store.derived("kind-1", "key", make)
    path.write_text("don")
    for _ in range(2):
        assert store.derived("kind-1", "key", make, sound=lambda path: path.read_text() == "done") == path
    assert path.read_text() == "done"
    assert len(made) == 2
    assert reporter.warnings == [f"a result in the store is damaged, and is made anew: {path}"]
    assert list((store.root / "tmp").iterdir()) == []


@contextmanager
def ordinary() -> Iterator[None]:
    """Be an ordinary user: root may write what nobody may."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_read_only_store_gives_what_it_has_and_says_why_it_takes_nothing() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        Path(name).chmod(0o755)
        root = Path(name) / "store"
        store = Store(root)
        digest = store.add(b"hello")
        store.derived("kind-1", "key", Path.touch)
        folders = [path for path in (root, *root.rglob("*")) if path.is_dir()]
        for folder in folders:
            folder.chmod(0o555)
        with ordinary():
            again = Store(root)
            assert again.add(b"hello") == digest
            assert again.derived("kind-1", "key", Path.touch).exists()
            with pytest.raises(
                StoreError, match=r"store/tmp.*: the store cannot be written: Permission denied.*--store"
            ):
                again.add(b"more")
            with pytest.raises(StoreError, match=r"store/locks/.*: the store cannot be written: Permission denied"):
                again.derived("kind-1", "other", Path.touch)
            with pytest.raises(StoreError, match="the store cannot be made: Permission denied"):
                Store(root / "another")
        for folder in folders:
            folder.chmod(0o755)
