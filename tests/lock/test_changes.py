"""What a lock's reviewers are told."""

from dataclasses import replace

from assembler.lock.changes import Changes, changes, describe
from assembler.lockfile.model import LockedFile, LockedImage, LockedTool, LockedVersion
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


LIBRARY = LockedTool(name="a", version="1")


def test_everything_else_that_differs() -> None:
    _, libc = LOCK.packages
    image = LockedImage(
        name="r.example/x:1", platform="linux/amd64", index="1" * 64, manifest="2" * 64, size=1, learned="recipe"
    )
    file = LockedFile(
        name="kubelet",
        version="1",
        url="https://e/x",
        size=1,
        sha256="3" * 64,
        learned="recipe",
        witness="",
        role="kernel",
    )
    bare = replace(LOCK, images=(), files=(), archives=(), libraries=(), packages=(libc,))
    old = replace(bare, images=(image,), files=(file,), libraries=(LIBRARY, replace(LIBRARY, name="b")))
    new = replace(
        bare,
        recipe_sha256="f" * 64,
        files=(replace(file, version="", sha256="4" * 64),),
        libraries=(replace(LIBRARY, name="b", version="2"), replace(LIBRARY, name="c", version="3")),
        tools=replace(LOCK.tools, architecture="arm64"),
        packages=(libc, replace(libc, architecture="arm64")),
    )
    found = changes(old, new)
    assert found
    assert describe(found) == [
        "glibc 2.41-12 -> 2.41-12",
        "  libc6:arm64 2.41-12 added  (for hello)",
        f"kubelet 1 sha256:{'3' * 64} -> sha256:{'4' * 64}",
        f"r.example/x:1 sha256:{'2' * 64} removed",
        "build architecture: amd64 -> arm64",
        "library a: 1 -> None",
        "library b: 1 -> 2",
        "library c: none -> 3",
    ]
    assert found.other["recipe_sha256"] == (LOCK.recipe_sha256, "f" * 64)
    assert not [line for line in describe(changes(bare, old)) if line.startswith("library")], "it named none"
    assert describe(changes(bare, replace(bare, images=(image,)))) == [f"r.example/x:1 sha256:{'2' * 64} added"]
    assert describe(changes(LOCK, replace(LOCK, archives=()))) == [
        f"archive {each.id}: {each.date} -> no longer used" for each in LOCK.archives
    ]
    for part in ("archives", "sources", "files", "other"):
        only = Changes(
            **{"archives": (), "sources": (), "files": (), "other": {}} | {part: getattr(changes(None, old), part)}
        )
        assert bool(only) is bool(getattr(only, part))


def test_versions_of_kubernetes_are_told() -> None:
    before = LockedVersion(name="kubernetes", version="1.37.2", learned="known")
    etcd = LockedVersion(name="etcd", version="3.7.0-0", learned="known")
    after = replace(before, version="1.37.3", learned="publisher", witness="https://dl.k8s.io/release/stable-1.37.txt")
    old, new = (replace(LOCK, kubernetes=(etcd, each)) for each in (before, after))
    assert describe(changes(old, new)) == ["Kubernetes: 1.37.2 (known) -> 1.37.3 (publisher)"]
    assert describe(changes(LOCK, old)) == [
        "etcd of Kubernetes: none -> 3.7.0-0 (known)",
        "Kubernetes: none -> 1.37.2 (known)",
    ]
    assert not changes(new, new)
