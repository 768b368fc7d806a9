"""A lock with its objects in one file: one file for each lock; a stranger's brings nothing but what a lock names."""

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.errors import AssembleError
from assembler.lock import bundle as module
from assembler.lock.bundle import BundleError, Imported, missing, read
from assembler.lock.objects import directly_named, identity
from assembler.lockfile.model import LockedBuild
from assembler.lockfile.toml import format_lock
from assembler.store.objects import Store, StoreError, sha256_of
from tests.lock.bundles import (
    BLOBS,
    DIRECT,
    HELLO,
    KUBELET,
    LAYER,
    MANIFEST,
    SMALL,
    TOP,
    assembled,
    bundle,
    filled,
    header,
    member,
    sha256,
)
from tests.support.host_commands import need

TEXT = format_lock(SMALL).encode()


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    return bundle(filled(Store(tmp_path / "exporting")))


def brought(data: bytes, store: Store, **options: object) -> Imported:
    return read(io.BytesIO(data), "b.tar", store, **options)  # type: ignore[arg-type]


def objects(store: Store) -> set[str]:
    """The digests of all that the store has; every one is right."""
    found = {path.name: path for path in store.root.glob("objects/*/*")}
    assert all(sha256_of(path) == name for name, path in found.items())
    assert list((store.root / "tmp").iterdir()) == []
    return set(found)


def test_it_has_the_lock_and_exactly_its_objects(good: bytes, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(good)) as archive:
        there = {each.name.removeprefix(TOP): archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]
    lock = there.pop("lock.toml")
    assert lock == TEXT
    assert there == {f"objects/{name}": data for name, data in DIRECT.items()} | {
        f"blobs/{name}": data for name, data in BLOBS.items()
    }
    (tmp_path / "b.tar").write_bytes(good)
    listed = subprocess.run(
        [need("tar", "tar"), "-tf", tmp_path / "b.tar"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert listed[0] == f"{TOP}lock.toml"
    assert len(listed) == 1 + len(DIRECT) + len(BLOBS)


def test_one_lock_has_one_bundle_whatever_else_the_store_has(good: bytes, store: Store) -> None:
    store.add(b"something else")
    assert bundle(filled(store)) == good


def test_what_it_brings_is_all_that_another_store_needs(good: bytes, store: Store) -> None:
    store.add(HELLO)
    found = brought(good, store)
    assert (found.added, found.present) == (len(DIRECT) + len(BLOBS) - 1, 1)
    assert (found.missing, found.superfluous, found.more) == ((), (), 0)
    assert found.lock == SMALL
    assert objects(store) == {*DIRECT, *BLOBS}
    assert bundle(store) == good


def test_what_is_missing_cannot_be_exported_and_is_named(store: Store) -> None:
    filled(store).path(sha256(LAYER)).unlink()
    assert [each.digest for each in missing(SMALL, store)] == [sha256(LAYER)]
    with pytest.raises(StoreError, match="is not in the store"):
        bundle(store)
    store.path(sha256(MANIFEST)).unlink()
    assert [each.name for each in missing(SMALL, store)] == ["example.org/x:1"]


def test_what_is_damaged_is_not_exported(store: Store) -> None:
    path = filled(store).path(sha256(KUBELET))
    path.chmod(0o644)
    path.write_bytes(KUBELET[:-1] + b"x")
    with pytest.raises(BundleError, match=r"kubelet is damaged in the store.*--repair"):
        bundle(store)


def test_recording_outputs_does_not_change_what_a_lock_names() -> None:
    record = LockedBuild(recipe_sha256="a" * 64, assembler="1", outputs=(), layers=())
    assert identity(replace(SMALL, build=record)) == identity(SMALL)
    assert identity(replace(SMALL, toolchain=None)) != identity(SMALL)
    assert set(directly_named(SMALL)) == set(DIRECT)


def test_sizes_that_octal_digits_do_not_hold_are_as_gnu_tar_has_them() -> None:
    for size in (0, 8**11 - 1, 8**11, 1 << 40):
        block = module._header(f"{TOP}objects/{'a' * 64}", size)
        assert tarfile.TarInfo.frombuf(block, "ascii", "strict").size == size
        assert module._size(block[124:136]) == size


# --- what strangers write --------------------------------------------------------------------------------------------


def test_what_is_missing_or_superfluous_is_named(store: Store) -> None:
    without = {name: data for name, data in DIRECT.items() if data not in {HELLO, KUBELET}}
    extra = {sha256(data): data for data in (b"evil", b"more")}
    found = brought(assembled(TEXT, without | extra, BLOBS | {"f" * 64: b"lies"}), store)
    assert sorted(found.missing) == ["hello.deb", "kubelet"]
    assert found.superfluous == (*sorted(extra), "f" * 64)
    assert objects(store) == {*without, *BLOBS}, "nothing else has come into the store"


def test_many_superfluous_ones_are_counted(store: Store) -> None:
    extra = {f"{number:064x}": b"" for number in range(module.MOST + 7)}
    found = brought(assembled(TEXT, DIRECT | extra, BLOBS), store)
    assert (len(found.superfluous), found.more) == (module.MOST, 7)
    assert objects(store) == {*DIRECT, *BLOBS}


def test_without_a_manifest_nothing_is_taken_for_a_part_of_its_image(store: Store) -> None:
    without = {name: data for name, data in DIRECT.items() if data != MANIFEST}
    found = brought(assembled(TEXT, without, BLOBS), store)
    assert found.missing == ("example.org/x:1",)
    assert found.superfluous == tuple(sorted(BLOBS))


def test_another_lock_decides_what_is_taken(good: bytes, store: Store) -> None:
    own = replace(SMALL, packages=SMALL.packages[:1], files=(), images=())
    found = brought(good, store, wanted=own)
    assert found.missing == ()
    assert sha256(KUBELET) in found.superfluous
    assert objects(store) == set(directly_named(own))


Change = Callable[[bytes], bytes]
FIRST, SECOND = sorted(DIRECT)[:2]


def _with(name: str, data: bytes) -> Change:
    """In place of the object `name`, other bytes, with a header that fits."""
    return lambda _: assembled(TEXT, DIRECT | {name: data}, BLOBS)


def _before_end(more: bytes) -> Change:
    return lambda data: data[:-1024] + more + bytes(1024)


def _replaced(kind: bytes, target: str = "/etc/passwd", name: str = f"{TOP}objects/{FIRST}") -> Change:
    """A member of another kind in front of the objects."""
    block = header(name, 0, kind=kind, target=target)
    return lambda _: member(f"{TOP}lock.toml", TEXT) + block + bytes(1024)


PAX = b"20 path=/etc/passwd\n"
HOSTILE: dict[str, tuple[Change, str]] = {
    "empty": (lambda _: b"", "cut off"),
    "no tar": (lambda _: b"x" * 2048, "header of a member"),
    "only zeros": (lambda _: bytes(1024), "does not begin with a lock"),
    "objects first": (lambda _: assembled(TEXT, DIRECT, BLOBS)[len(member(f"{TOP}lock.toml", TEXT)) :], "begin with"),
    "two locks": (_before_end(member(f"{TOP}lock.toml", TEXT)), "something else than a lock and objects"),
    "absolute": (_replaced(b"0", "", "/etc/passwd"), "something else than a lock and objects"),
    "upwards": (_replaced(b"0", "", f"{TOP}objects/../../../../etc/passwd"), "something else"),
    "digest upwards": (_replaced(b"0", "", f"{TOP}objects/{'../' * 21}x"), "something else"),
    "symbolic link": (_replaced(b"2"), "header of a member"),
    "hard link": (_replaced(b"1"), "header of a member"),
    "device": (_replaced(b"3"), "header of a member"),
    "pipe": (_replaced(b"6"), "header of a member"),
    "directory": (_replaced(b"5", ""), "header of a member"),
    "sparse": (_replaced(b"S", ""), "header of a member"),
    "old sparse by pax": (
        lambda _: member(f"{TOP}lock.toml", TEXT) + member("x", b"22 GNU.sparse.major=1\n", kind=b"x") + bytes(1024),
        "header of a member",
    ),
    "pax path": (lambda data: member("x", PAX, kind=b"x") + data, "header of a member"),
    "pax for all": (lambda data: member("x", PAX, kind=b"g") + data, "header of a member"),
    "long name": (lambda data: member("././@LongLink", b"/etc/passwd\0", kind=b"L") + data, "header of a member"),
    "set-user-ID": (
        lambda _: member(f"{TOP}lock.toml", TEXT) + member(f"{TOP}objects/{FIRST}", b"", mode=b"0004755\0"),
        "header of a member",
    ),
    "negative size": (
        lambda _: member(f"{TOP}lock.toml", TEXT) + header(f"{TOP}objects/{FIRST}", -1),
        "header of a member",
    ),
    "lying size": (_with(sha256(KUBELET), KUBELET[:-1]), "other bytes than the lock names as kubelet"),
    "larger than the lock says": (_with(sha256(KUBELET), KUBELET + b"x"), "other bytes than the lock names"),
    "other bytes": (_with(sha256(HELLO), HELLO[:-1] + b"x"), "their SHA-256 is"),
    "huge, and sparse": (
        lambda _: member(f"{TOP}lock.toml", TEXT) + header(f"{TOP}objects/{sha256(HELLO)}", 8**11 - 1),
        "other bytes than the lock names",
    ),
    "a Release that is too large": (_with(SMALL.archives[0].inrelease_sha256, bytes(9 << 20)), "at most"),
    "twice": (_before_end(member(f"{TOP}blobs/{max(BLOBS)}", BLOBS[max(BLOBS)])), "is there twice"),
    "out of order": (
        lambda _: (
            member(f"{TOP}lock.toml", TEXT)
            + b"".join(member(f"{TOP}objects/{name}", DIRECT[name]) for name in (SECOND, FIRST))
        ),
        "not where it belongs",
    ),
    "objects after blobs": (
        _before_end(member(f"{TOP}objects/{FIRST}", DIRECT[FIRST])),
        "not where it belongs",
    ),
    "one block at the end": (lambda data: data[:-512], "cut off"),
    "more after the end": (lambda data: data + b"\0", "something follows its end"),
    "padding": (lambda data: data.replace(HELLO + b"\0", HELLO + b"x"), "not filled up with zeros"),
    "lock that is none": (lambda _: assembled(b"schema = 4\n", DIRECT, BLOBS), "lock"),
    "lock edited": (lambda _: assembled(TEXT.replace(b"kubelet", b"kubelot"), DIRECT, BLOBS), "has been edited"),
    "lock in another encoding": (lambda _: assembled(b"\xff\xfe", DIRECT, BLOBS), "not text in UTF-8"),
    "lock too large": (lambda _: header(f"{TOP}lock.toml", 1 << 30), "its lock has more than"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_strangers_bundle_is_refused_and_does_no_harm(case: str, good: bytes, store: Store) -> None:
    change, message = HOSTILE[case]
    data = change(good)
    assert data != good
    with pytest.raises(AssembleError, match=message):
        brought(data, store)
    assert objects(store) <= {*DIRECT, *BLOBS}
    assert {path.name for path in store.root.iterdir()} <= {
        "ccache", "derived", "downloads", "holds", "locks", "logs", "objects", "tmp", "uses"
    }  # fmt: skip


def test_a_bundle_that_is_cut_off_anywhere_is_refused(good: bytes, tmp_path: Path) -> None:
    for number, end in enumerate(range(0, len(good), 3999)):
        store = Store(tmp_path / f"store{number}")
        with pytest.raises(BundleError, match="cut off"):
            brought(good[:end], store)
        assert objects(store) <= {*DIRECT, *BLOBS}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_that_is_changed_is_noticed(data: st.DataObject, good: bytes, store: Store) -> None:
    at = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.integers(1, 255))
    with pytest.raises(AssembleError):
        brought(good[:at] + bytes([good[at] ^ other]) + good[at + 1 :], store)
    assert objects(store) <= {*DIRECT, *BLOBS}


def test_a_lock_that_names_more_than_the_disk_holds(store: Store) -> None:
    huge = tuple(
        replace(SMALL.packages[0], name=f"huge{number:02}", size=1 << 40, sha256=f"{number:064x}")
        for number in range(100)
    )
    text = format_lock(replace(SMALL, packages=huge)).encode()
    with pytest.raises(BundleError, match="no room for what the lock names"):
        brought(assembled(text, {}, {}), store)


def test_a_package_that_is_called_a_manifest_is_not_read_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_MANIFEST", 100)
    image = replace(SMALL.images[0], manifest=sha256(KUBELET), size=len(KUBELET))
    text = format_lock(replace(SMALL, images=(image,))).encode()
    with pytest.raises(BundleError, match=r"the manifest of example.org/x:1 is too large"):
        brought(assembled(text, DIRECT, {}), store)


def test_nothing_is_held_in_memory_whole(store: Store, tmp_path: Path) -> None:
    """A bundle of 64 MB, with little more than a piece of it at a time."""
    import tracemalloc  # noqa: PLC0415  for this alone

    data = hashlib.sha256(b"x").digest() * (1 << 21)
    file = replace(SMALL.files[0], size=len(data), sha256=sha256(data))
    lock = replace(SMALL, files=(file,))
    filled(store).add(data)
    del data
    tracemalloc.start()
    try:
        with (tmp_path / "b.tar").open("wb") as out:
            module.write(lock, store, out)
        with (tmp_path / "b.tar").open("rb") as stream:
            assert read(stream, "b.tar", Store(tmp_path / "other")).missing == ()
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
