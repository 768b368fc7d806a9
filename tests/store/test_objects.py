"""The store: complete or absent, whatever happens while it is written."""

import hashlib
import io
import multiprocessing
import os
import re
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assembler.store.objects import Store, StoreError, sha256_of
from assembler.store.ownership import intruders
from tests.support.reporters import Recorder


def files(store: Store) -> list[str]:
    """All but what tells of who is at work."""
    found = (path.relative_to(store.root) for path in store.root.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] != "holds")


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
    assert reporter.warnings == [f"a result in the store is damaged, and is made again: {path}"]
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
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are closed to others
        Path(name).chmod(0o755)
        root = Path(name) / "store"
        store = Store(root)
        digest = store.add(b"hello")
        store.derived("kind-1", "key", Path.touch)
        directories = [path for path in (root, *root.rglob("*")) if path.is_dir()]
        for directory in directories:
            directory.chmod(0o555)
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
        for directory in directories:
            directory.chmod(0o755)


# --- whose a store is ----------------------------------------------------------------------------------------------


@contextmanager
def umask(mask: int) -> Iterator[None]:
    former = os.umask(mask)
    try:
        yield
    finally:
        os.umask(former)


def careless(path: Path) -> None:
    """A result with a program, for everybody to write to if the umask lets it."""
    (path / "bin").mkdir(parents=True)
    (path / "bin/tool").write_text("honest")
    (path / "bin/tool").chmod(0o777)
    (path / "bin/link").symlink_to("/etc/passwd")


@pytest.mark.parametrize("mask", [0, 0o002, 0o022, 0o077])
def test_nothing_in_a_store_is_for_others_to_change_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        store = Store(tmp_path / "new/cache/store")
        store.add(b"x")
        tool = store.derived("kind-1", "key", careless) / "bin/tool"
        with store.locked("name"), open(store.downloads() / "part", "ab", opener=store.opener):
            pass
        os.close(store.opener(str(store.root / "tmp/file"), os.O_CREAT | os.O_WRONLY))
    for path in (tmp_path / "new", *(tmp_path / "new").rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            continue
        assert not mode & 0o022, path
        if path.is_dir() and "kind-1/key" not in str(path):
            assert mode == 0o700, path
        elif "objects" not in path.parts and "kind-1/key" not in str(path):
            assert mode == 0o600, path
    assert tool.stat().st_mode & 0o777 == 0o755, "it is still a program"


def test_a_store_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.add(b"x")
    store.root.chmod(0o777)
    with pytest.raises(StoreError, match=r"others could have changed .* \(mode 0777\).*chmod -R go-w .*--trust-store"):
        Store(store.root)
    trusting = Store(store.root, trust=True)
    assert not trusting.trusted
    with trusting.without_results() as without:
        assert not without.trusted
    store.root.chmod(0o700)
    assert Store(store.root).trusted
    assert Store(store.root, trust=True).trusted, "nobody else could have changed it"


def test_a_directory_above_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(StoreError, match=r"/open: others could have changed .*chmod go-w .*/open;"):
        Store(tmp_path / "open/store")
    (tmp_path / "link").symlink_to("open/store")
    with pytest.raises(StoreError, match="/open: others could have changed"):
        Store(tmp_path / "link")
    assert not Store(tmp_path / "open/store", trust=True).trusted


@pytest.mark.parametrize("name", ["ccache", "derived", "downloads", "locks", "logs", "objects", "tmp"])
def test_a_directory_inside_that_others_may_write_to_is_refused(store: Store, name: str) -> None:
    (store.root / name).chmod(0o733)
    with pytest.raises(StoreError, match=f"/{name}: others could have changed"):
        Store(store.root)
    assert not Store(store.root, trust=True).trusted


def test_results_and_objects_that_others_may_write_to_are_refused(store: Store) -> None:
    digest = store.add(b"x")
    result = store.derived("kind-1", "key", Path.mkdir)
    for path in (result, result.parent, store.path(digest), store.path(digest).parent):
        mode = path.stat().st_mode
        path.chmod(0o777)
        again = Store(store.root)
        with pytest.raises(StoreError, match=re.escape(str(path))):
            (again.get(digest), again.derived("kind-1", "key", Path.mkdir))
        trusting = Store(store.root, trust=True)
        assert trusting.trusted, "as far as one has looked"
        assert trusting.get(digest)
        assert trusting.derived("kind-1", "key", Path.mkdir) == result
        assert not trusting.trusted
        path.chmod(mode)
    assert Store(store.root).derived("kind-1", "key", Path.mkdir) == result


@pytest.mark.parametrize("path", ["", "derived", "derived/kind-1", "derived/kind-1/key", "objects"])
def test_a_store_with_anything_of_another_user_is_refused(store: Store, path: str) -> None:
    digest = store.add(b"x")
    store.derived("kind-1", "key", Path.mkdir)
    if os.geteuid() != 0:  # only root can give files away
        assert intruders(store.root / path, caller=65534) is not None
        return
    os.chown(store.root / path, 65534, 65534)
    with pytest.raises(StoreError, match="it belongs to "):
        Store(store.root).derived("kind-1", "key", Path.mkdir)
    with Store(store.root, trust=True).without_results() as trusting:
        assert trusting.get(digest)


def test_an_empty_directory_of_ones_own_becomes_a_store(tmp_path: Path) -> None:
    """Nobody has put anything there yet: the directory of a CI job, or one made under umask 002."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(0o777)
    assert Store(tmp_path / "store").trusted
    assert (tmp_path / "store").stat().st_mode & 0o777 == 0o700


def test_a_store_that_was_open_for_reading_is_closed_but_for_roots(tmp_path: Path) -> None:
    """Those of former versions; root's may be a cache for others."""
    root = tmp_path / "store"
    for directory in (root, root / "locks", root / "objects"):
        directory.mkdir()
        directory.chmod(0o755)
    store = Store(root)
    assert root.stat().st_mode & 0o777 == (0o755 if os.geteuid() == 0 else 0o700)
    assert (root / "locks").stat().st_mode & 0o777 == 0o700, "who can open a lock can hold it"
    store.add(b"x")
    (directory,) = (root / "objects").iterdir()
    assert directory.stat().st_mode & 0o777 == root.stat().st_mode & 0o777


def test_what_is_shared_is_nobody_elses(store: Store, tmp_path: Path) -> None:
    digest = store.add(b"x")
    with umask(0):
        store.share(tmp_path / "other/store")
        other = Store(tmp_path / "other/store")
    assert other.trusted
    assert other.sound(digest)
    assert other.path(digest).samefile(store.path(digest))


def test_a_directory_that_is_there_is_closed_before_anything_is_shared(store: Store, tmp_path: Path) -> None:
    digest = store.add(b"x")
    root = tmp_path / "other"
    root.mkdir()
    root.chmod(0o755)
    store.share(root)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert (root / "objects" / digest[:2] / digest).samefile(store.path(digest))


# --- locks ---------------------------------------------------------------------------------------------------------

HOLD = """
import fcntl, sys, time
with open(sys.argv[1]) as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print(flush=True)
    time.sleep(1000)
"""


@contextmanager
def holding(path: Path) -> Iterator[int]:
    """Have another process hold a lock; yields its number."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def test_a_lock_that_is_held_is_named_and_not_waited_for_without_end(store: Store) -> None:
    with store.locked("kind-1-key"):
        pass
    reporter = Recorder()
    with holding(store.root / "locks/kind-1-key") as process:
        began = time.monotonic()
        with pytest.raises(
            StoreError,
            match=rf"another build does not end: it has been at kind-1 for more than 3 s \(process {process}\).*"
            "ASSEMBLE_LOCK_TIMEOUT",
        ):
            Store(store.root, reporter=reporter, patience=3.2).derived("kind-1", "key", Path.mkdir)
        assert 3.2 <= time.monotonic() - began < 60
        assert reporter.messages == [f"waiting for another build, which is at kind-1 (process {process})"]
        with pytest.raises(StoreError, match="does not end"), Store(store.root, patience=0).locked("kind-1-key"):
            pass
    assert Store(store.root, patience=0).derived("kind-1", "key", Path.mkdir).is_dir()


def test_a_lock_that_leads_elsewhere_is_not_followed(store: Store, tmp_path: Path) -> None:
    (store.root / "locks/name").symlink_to(tmp_path / "made")
    with pytest.raises(StoreError, match="locks/name"), store.locked("name"):
        pass
    assert not (tmp_path / "made").exists()
