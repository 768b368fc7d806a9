"""What objects and results are called."""

import gzip
import json
import os
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.store import kinds
from assembler.store.inventory import inventory
from assembler.store.objects import Store
from assembler.store.uses import note_uses, noted_uses
from tests.lock.bundles import COMPILER, CONFIG, KUBELET, LAYER, LIST, MANIFEST, sha256


def test_objects_are_told_apart(store: Store) -> None:
    index = gzip.compress(b"Package: hello\n")
    release = f"Origin: Debian\nSHA256:\n {sha256(index)}   22 main/binary-amd64/Packages.gz\n".encode()
    expected = {
        index: kinds.INDICES,
        release: kinds.INDICES,
        b"-----BEGIN PGP SIGNATURE-----\n": kinds.INDICES,
        COMPILER: kinds.PACKAGES,
        MANIFEST: kinds.IMAGES,
        LIST: kinds.IMAGES,
        LAYER: kinds.IMAGES,
        CONFIG: kinds.IMAGES,
        KUBELET: kinds.FILES,
        gzip.compress(b"tarball"): kinds.FILES,
        b'{"config": {"digest": 5}, "layers": 7, "manifests": ["x", {}]}': kinds.FILES,
        b"": kinds.FILES,
    }
    digests = {store.add(data): kind for data, kind in expected.items()}
    assert {item.path.name: item.kind for item in inventory(store)} == digests


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["config", "layers", "manifests", "digest"]), inner, max_size=4)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_an_object_is_it_has_a_kind(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / sha256(data)
    path.write_bytes(data)
    assert kinds.of_objects([path]).keys() == {path.name}


def test_results_are_called_by_their_kinds() -> None:
    assert kinds.of_result("unpacked-3") == kinds.of_result("unpacked-99") == "unpacked packages"
    assert kinds.of_result("layer-rootfs.tree-1") == "results of steps"
    assert kinds.of_result("kernel-source-1") == "kernel sources laid out"
    assert kinds.of_result("something-else-5") == kinds.OTHER


def test_bytes_of_a_file_with_two_names_count_once(store: Store) -> None:
    def make(directory: Path) -> None:
        directory.mkdir()
        (directory / "a").write_bytes(b"x" * 50)
        (directory / "b").hardlink_to(directory / "a")
        (directory / "c").symlink_to("a")

    store.derived("toolbox-3", "k", make)
    assert [(item.kind, item.size) for item in inventory(store)] == [("tools laid out", 50)]


def test_a_cache_is_used_when_a_file_in_it_is(store: Store) -> None:
    stats = store.root / "ccache/source/0/stats"
    stats.parent.mkdir(parents=True)
    stats.write_bytes(b"1")
    os.utime(stats, (2e9, 2e9))
    (item,) = inventory(store)
    assert (item.kind, item.path, item.used) == (kinds.CACHE, store.root / "ccache/source", 2 * 10**18)


def test_notes_say_what_was_used_and_forget_what_another_version_used(store: Store) -> None:
    first, second = store.add(b"1"), store.add(b"2")
    note_uses(store, "lock", "version1")
    result = store.derived("kind-1", "key", Path.touch)
    note_uses(store, "lock", "version1")
    note = store.root / "uses/lock"
    assert noted_uses(store.root, ["lock", "none"]) == {
        store.path(first), store.path(second), result, note, store.root / "uses/none"
    }  # fmt: skip
    other = Store(store.root)
    other.add(b"2")
    note_uses(other, "lock", "version1")
    assert result in noted_uses(store.root, ["lock"]), "what was used before is not forgotten"
    result.unlink()
    note_uses(other, "lock", "version1")
    assert result not in noted_uses(store.root, ["lock"])
    note_uses(other, "lock", "version2")
    assert noted_uses(store.root, ["lock"]) == {store.path(second), note}
    with other.without_results() as fresh:
        fresh.derived("kind-1", "key", Path.touch)
        note_uses(fresh, "fresh", "version2")
    assert noted_uses(store.root, ["fresh"]) == {store.root / "uses/fresh"}
    note_uses(Store(store.root, looks_on=True), "nobody", "version2")
    assert not (store.root / "uses/nobody").exists()
