"""The store: complete or absent, whatever happens while it is written."""

import hashlib
import io
import threading
import time
from pathlib import Path

import pytest

from assembler.store.objects import Store, StoreError, sha256_of


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
