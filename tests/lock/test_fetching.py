"""All that a lock names comes from where it is: archives, their snapshots, publishers, registries."""

from dataclasses import replace
from datetime import datetime

import pytest

from assembler.debian.mirrors import SNAPSHOT_LAG, Mirrors
from assembler.errors import AssembleError
from assembler.lock.bundle import missing
from assembler.lock.fetching import fetch_all
from assembler.lockfile.model import Lock
from assembler.store.objects import Store
from tests.lock.bundles import (
    BLOBS,
    DIRECT,
    KUBELET,
    LIST,
    MANIFEST,
    PACKAGES,
    RELEASE,
    SIGNATURE,
    SIGNED,
    SMALL,
    sha256,
)  # fmt: skip
from tests.oci.registries import HOST
from tests.oci.served import to
from tests.support.http_server import Server

DATE = datetime.fromisoformat(SMALL.archives[0].date)


def lock_of(server: Server) -> Lock:
    file = replace(SMALL.files[0], url=server.url("/kubelet"))
    image = replace(SMALL.images[0], name=f"{HOST}/x:1")
    return replace(SMALL, files=(file,), images=(image,))


def serve(server: Server, root: str, *, by_hash: bool = True) -> None:
    """An archive with all packages; its indices under their digests or their names; and what publishers have."""
    suite = f"{root}/dists/trixie"
    index = f"by-hash/SHA256/{sha256(PACKAGES)}" if by_hash else "Packages"
    server.serve(f"{suite}/main/binary-amd64/{index}", PACKAGES)
    for name, data in (("InRelease", SIGNED), ("Release", RELEASE), ("Release.gpg", SIGNATURE)):
        server.serve(f"{suite}/{name}", data)
    for packages in (SMALL.packages, *(box.packages for box in SMALL.toolboxes)):
        for package in packages:
            server.serve(f"{root}/{package.path}", DIRECT[package.sha256])
    server.serve("/kubelet", KUBELET)
    server.serve(f"/v2/x/manifests/sha256:{sha256(MANIFEST)}", MANIFEST)
    server.serve(f"/v2/x/manifests/sha256:{sha256(LIST)}", LIST)
    for digest, data in BLOBS.items():
        server.serve(f"/v2/x/blobs/sha256:{digest}", data)


def fetched(server: Server, store: Store, mirrors: Mirrors) -> Lock:
    lock = lock_of(server)
    with to(server.server_address[1]) as transport:
        fetch_all(lock, store=store, transport=transport, mirrors=mirrors)
    return lock


@pytest.mark.parametrize("by_hash", [False, True])
def test_all_of_it_comes_once(server: Server, store: Store, *, by_hash: bool) -> None:
    serve(server, "/debian", by_hash=by_hash)
    mirrors = Mirrors({"debian": (server.url("/debian"),)}, snapshots=())
    lock = fetched(server, store, mirrors)
    assert missing(lock, store) == ()
    assert {path.name for path in store.root.glob("objects/*/*")} == {*DIRECT, *BLOBS}
    server.seen.clear()
    fetched(server, store, mirrors)
    assert server.seen == []


def test_what_a_mirror_has_dropped_comes_from_a_snapshot(server: Server, store: Store) -> None:
    serve(server, f"/snapshot/debian/{DATE + SNAPSHOT_LAG:%Y%m%dT%H%M%SZ}")
    server.serve("/debian/dists/trixie/InRelease", b"a newer one")
    mirrors = Mirrors({"debian": (server.url("/debian"),)}, snapshots=(server.url("/snapshot"),))
    assert missing(fetched(server, store, mirrors), store) == ()


def test_what_nobody_has_is_named(server: Server, store: Store) -> None:
    serve(server, "/debian")
    server.answers.pop(f"/debian/{SMALL.packages[0].path}")
    with pytest.raises(AssembleError, match=r"hello\.deb"):
        fetched(server, store, Mirrors({"debian": (server.url("/debian"),)}, snapshots=()))
