"""Images out of a real registry: found, locked, fetched, whatever happens on the way."""

import dataclasses
import json
from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.oci.locking import fetch_images, lock_images, manifest_of
from assembler.oci.registry import INDEXES, MANIFESTS, RegistryError, parse_manifest
from assembler.store.download import OfflineError, TransportError
from assembler.store.objects import Store
from assembler.store.routes import Login
from assembler.store.transport import Transport
from tests.lockfile.test_toml import LOCK
from tests.oci.registries import HOST, LOGIN, push, registry
from tests.oci.served import front, one, sample, to
from tests.oci.test_layout import write
from tests.support.http_server import Handler, Server


@pytest.mark.parametrize(("name", "kind"), [("gzip:1", "+gzip"), ("zstd:1", "+zstd"), ("docker:1", "tar.gzip")])
def test_images_of_every_kind(port: int, store: Store, name: str, kind: str) -> None:
    with to(port) as transport:
        locked = one(name, store, transport)
        assert locked.index == locked.manifest
        assert (locked.name, locked.learned, locked.platform) == (f"{HOST}/{name}", "first-use", "linux/amd64")
        assert all(layer.media_type.endswith(kind) for layer in manifest_of(locked, store).layers)


def test_a_list_of_platforms(port: int, store: Store) -> None:
    with to(port) as transport:
        amd64, arm64 = one("list:1", store, transport), one("list:1", store, transport, "arm64")
        assert amd64.index == arm64.index
        assert amd64.manifest == sample("gzip").manifest.digest
        assert arm64.manifest == sample("arm", "arm64").manifest.digest
        by_digest = one(f"list@sha256:{amd64.index}", store, transport)
        assert by_digest == dataclasses.replace(amd64, name=f"{HOST}/list@sha256:{amd64.index}", learned="recipe")
        with pytest.raises(AssembleError, match=r"not there for linux/riscv64.*linux/amd64, linux/arm64"):
            one("list:1", store, transport, "riscv64")


def test_a_lock_cannot_have_another_image_than_the_digest_in_a_name_leads_to(port: int, store: Store) -> None:
    with to(port) as transport:
        index = one("list:1", store, transport).index
        locked = one(f"list@sha256:{index}", store, transport)
        others = [sample("zstd", compression="zstd").manifest, sample("arm", "arm64").manifest]
        for other in others:
            forged = dataclasses.replace(locked, manifest=other.digest, size=len(other.data))
            with pytest.raises(RegistryError, match="the lock has another image than"):
                fetch_images([forged], store=store, transport=transport)
        # From a store that has the image, but was filled before it had lists.
        store.path(index).unlink()
        fetch_images([locked], store=store, transport=transport)
        assert store.sound(index)


def test_a_foreign_platform_and_an_image_that_is_gone(port: int, store: Store) -> None:
    names = [f"{HOST}/arm:1", f"{HOST}/none:1", f"{HOST}/gzip:2", f"{HOST}/gzip@sha256:{'0' * 64}"]
    with to(port) as transport, pytest.raises(AssembleError) as caught:
        lock_images(names, "amd64", store=store, transport=transport)
    text = str(caught.value)
    assert "arm:1 is for linux/arm64: the image is built for linux/amd64" in text
    assert text.count("it is not there (HTTP status 404") == 3, "all that is wrong is said at once"
    assert "check its name and tag" in text


def test_layers_are_fetched_once_and_nothing_offline(port: int, server: Server, store: Store) -> None:
    seen = front(server, port)
    with to(server.server_address[1]) as transport:
        locked = lock_images([f"{HOST}/gzip:1", f"{HOST}/list:1"], "amd64", store=store, transport=transport)
        fetch_images(locked, store=store, transport=transport)
        blobs = [path for path in seen if "/blobs/" in path]
        assert len({path.rpartition("/")[2] for path in blobs}) == 3, "a configuration and two layers"
        count = len(seen)
        held = dataclasses.replace(LOCK, images=locked)
        names = [image.name for image in locked]
        assert lock_images(names, "amd64", store=store, transport=transport, held=held) == locked
        fetch_images(locked, store=store, transport=transport)
        assert len(seen) == count
    with Transport(offline=True) as offline:
        fetch_images(locked, store=store, transport=offline)
        with pytest.raises(OfflineError):
            lock_images([f"{HOST}/gzip:1"], "amd64", store=store, transport=offline)


# --- on the way ----------------------------------------------------------------------------------------------------


def test_interrupted_transfers_go_on(port: int, server: Server, store: Store) -> None:
    def interrupt(handler: Handler, data: bytes) -> bool:
        handler.truncated(data, max(len(data) // 2, 1))
        return True

    front(server, port, interrupt)
    with to(server.server_address[1]) as transport:
        one("list:1", store, transport)
    assert any(span.startswith("bytes=") for _, span in server.seen)


def test_corrupted_transfers_are_not_kept(port: int, server: Server, store: Store) -> None:
    def corrupt(handler: Handler, data: bytes) -> bool:
        handler.reply(200, bytes([data[0] ^ 1]) + data[1:])
        return True

    front(server, port, corrupt)
    with to(server.server_address[1]) as transport:
        # The configuration says the platform, so that it is looked at when locking.
        with pytest.raises(AssembleError, match="another configuration"):
            one("gzip:1", store, transport)
        with pytest.raises(TransportError, match="it sent other bytes"):
            one("list:1", store, transport)
    manifest = sample("gzip").manifest
    assert not any(store.has(blob.digest) for blob in manifest.blobs)


def test_throttled_registries_are_waited_for(port: int, server: Server, store: Store) -> None:
    refused: set[str] = set()

    def throttle(handler: Handler, data: bytes) -> bool:  # noqa: ARG001  as the others
        if handler.path in refused:
            return False
        refused.add(handler.path)
        handler.reply(429, b"slow down", {"Retry-After": "0"})
        return True

    front(server, port, throttle)
    with to(server.server_address[1]) as transport:
        one("list:1", store, transport)
    assert len(refused) == 3


def test_a_manifest_that_is_not_what_its_digest_says(port: int, server: Server, store: Store) -> None:
    front(server, port)
    through = server.otherwise

    def answer(handler: Handler) -> None:
        if "/manifests/sha256:" in handler.path:
            handler.reply(200, b'{"layers": []}')
        else:
            through(handler)

    server.otherwise = answer
    with to(server.server_address[1]) as transport, pytest.raises(AssembleError, match="sent another manifest"):
        one("list:1", store, transport)


# --- being let in --------------------------------------------------------------------------------------------------


def test_a_registry_that_wants_a_password(tmp_path: Path, store: Store) -> None:
    layout = write({f"{HOST}/x:gzip": sample("gzip")}, tmp_path / "image")
    with registry(tmp_path / "registry", password=True) as port:
        push(layout, "gzip", "gzip:1", port, f"--dest-creds={':'.join(LOGIN)}")
        with to(port) as transport, pytest.raises(AssembleError, match="access is denied") as caught:
            one("gzip:1", store, transport)
        assert "netrc" in str(caught.value)
        with to(port, Login(user="robot", password="wrong")) as transport, pytest.raises(AssembleError) as caught:
            one("gzip:1", store, transport)
        assert "wrong" not in str(caught.value)
        with to(port, Login(user=LOGIN[0], password=LOGIN[1])) as transport:
            one("gzip:1", store, transport)


@pytest.mark.parametrize("login", [None, Login(user="robot", password="hunter2")])
def test_tokens(port: int, server: Server, store: Store, login: Login | None) -> None:
    """Docker's token authentication, with tokens that run out while blobs are fetched."""
    front(server, port)
    through = server.otherwise
    issued: list[tuple[str, str]] = []
    uses: dict[str, int] = {}

    def answer(handler: Handler) -> None:
        authorization = handler.headers["Authorization"] or ""
        if handler.path.startswith("/token?"):
            issued.append((handler.path, authorization))
            handler.reply(200, json.dumps({"token": f"t{len(issued)}"}).encode())
            return
        uses[authorization] = uses.get(authorization, 0) + 1
        if authorization != f"Bearer t{len(issued)}" or uses[authorization] > 3:
            realm = f'Bearer realm="{server.url("/token")}",service="test",scope="repository:list:pull"'
            handler.reply(401, b"", {"WWW-Authenticate": realm})
        else:
            through(handler)

    server.otherwise = answer
    with to(server.server_address[1], login) as transport:
        one("list:1", store, transport)
    assert len(issued) >= 2
    assert all(path == "/token?service=test&scope=repository%3Alist%3Apull" for path, _ in issued)
    assert {authorization for _, authorization in issued} == {login.header if login else ""}


# --- what a registry says of an image ------------------------------------------------------------------------------

DIGEST = "sha256:" + "0" * 64
PART: dict[str, object] = {"mediaType": "x/y", "digest": DIGEST, "size": 1}


def manifest(**parts: object) -> bytes:
    whole = {"schemaVersion": 2, "mediaType": MANIFESTS[0], "config": PART, "layers": [PART]} | parts
    return json.dumps(whole).encode()


def test_a_manifest_and_what_its_words_may_be() -> None:
    assert parse_manifest(manifest(), "x").layers[0].size == 1
    assert parse_manifest(manifest(layers=[PART] * 20_000), "x").blobs


@pytest.mark.parametrize(
    "data",
    [
        manifest(mediaType=["list"]),
        manifest(mediaType="\x1b[2J"),
        manifest(mediaType=None),
        manifest(layers={}),
        manifest(layers=[PART | {"mediaType": "x" * 256}]),
        manifest(layers=[PART | {"mediaType": "x\ny"}]),
        manifest(layers=[PART | {"mediaType": ""}]),
        manifest(layers=[PART | {"size": (16 << 30) + 1}]),
        manifest(layers=[PART | {"size": 10**30}]),
        manifest(layers=[PART | {"size": float("inf")}]),
        manifest(layers=[PART | {"size": float("nan")}]),
        manifest(layers=[PART | {"digest": "sha256:" + f"{n:064x}", "size": 16 << 30} for n in range(5)]),
        manifest(config=None),
        manifest(config=[PART]),
        b'{"layers": ' + b"[" * 200_000,
        b'{"layers": [], "x": ' + b"9" * 5000 + b"}",
        b"\xff" * 10,
        b"null",
        b"",
    ],
)
def test_manifests_that_are_none(data: bytes) -> None:
    with pytest.raises(RegistryError) as caught:
        parse_manifest(data, "x")
    assert len(str(caught.value)) < 400
    assert "\x1b" not in str(caught.value)


def test_a_registry_that_says_too_much_is_not_repeated(server: Server, store: Store) -> None:
    """Platforms by the thousand, and such as are no words."""
    platforms: list[object] = [{"os": "linux", "architecture": f"a{n}"} for n in range(3000)]
    platforms += [{"os": ["x"], "architecture": {}}, {"os": "\x1b[2J" * 1000, "architecture": "x"}, 5, None]
    index = json.dumps({"mediaType": INDEXES[0], "manifests": [PART | {"platform": one} for one in platforms]}).encode()
    server.otherwise = lambda handler: handler.reply(200, index)
    with to(server.server_address[1]) as transport, pytest.raises(AssembleError, match="and 2980 more") as caught:
        one("gzip:1", store, transport)
    assert len(str(caught.value)) < 1000
    assert "\x1b" not in str(caught.value)
