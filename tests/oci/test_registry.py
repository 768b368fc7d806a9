"""Images out of a real registry: found, locked, fetched, whatever happens on the way."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.oci.locking import fetch_images, lock_images, manifest_of, platform_of
from assembler.oci.registry import INDEXES, MANIFESTS, RegistryError, manifest_in, parse_manifest
from assembler.store.download import OfflineError, TransportError
from assembler.store.objects import Store
from assembler.store.routes import Login
from assembler.store.transport import Transport
from tests.lockfile.test_toml import LOCK
from tests.oci.registries import HOST, LOGIN, push, registry
from tests.oci.served import front, one, sample, to
from tests.oci.test_layout import write
from tests.support.http_server import Handler, Server
from tests.support.reporters import Recorder


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


def blob(number: int, size: int) -> dict[str, object]:
    return {"mediaType": "x/y", "digest": f"sha256:{number:064x}", "size": size}


def test_the_largest_image() -> None:
    """Of 64 GiB, of which no part has more than 16; a layer that comes twice counts once."""
    most = 16 << 30
    three = [blob(number, most) for number in range(3)]
    whole = parse_manifest(manifest(config=blob(9, most - 1), layers=[*three, *three, blob(8, 1)]), "x")
    assert sum(each.size for each in whole.blobs) == 64 << 30
    assert [each.digest[-1] for each in whole.blobs] == ["9", "0", "1", "2", "8"]
    with pytest.raises(RegistryError) as caught:
        parse_manifest(manifest(config=blob(9, most), layers=[*three, blob(8, 1)]), "x")
    assert (caught.value.what, caught.value.why) == ("x is too large", "its parts have more than 64 GiB")
    assert parse_manifest(manifest(config=blob(0, 0)), "x").config.size == 0
    assert parse_manifest(manifest(layers=[PART | {"mediaType": "x" * 255}]), "x").layers


@pytest.mark.parametrize(
    ("data", "what", "why"),
    [
        (manifest(layers={}), "the manifest of x is damaged", "it has no layers"),
        (manifest(mediaType="a/b"), "the manifest of x is damaged", "its type is a/b"),
        (manifest(mediaType="x" * 255), "the manifest of x is damaged", f"its type is {'x' * 255}"),
        (manifest(mediaType="x" * 256), "the manifest of x is damaged", "its type is nothing that we understand"),
        (manifest(mediaType=7), "the manifest of x is damaged", "its type is nothing that we understand"),
        (b"[]", "what the registry has as x is no image", ""),
        *(
            (manifest(config=PART | part), "the manifest of x is damaged", "a descriptor has no SHA-256, size or type")
            for part in (
                {"size": True},
                {"size": -1},
                {"size": "1"},
                {"size": 1.0},
                {"size": None},
                {"digest": "sha256:" + "0" * 63},
                {"digest": "sha256:" + "A" * 64},
                {"digest": "sha512:" + "0" * 64},
                {"digest": None},
                {"mediaType": 5},
                {"mediaType": "x y"},
            )
        ),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said(data: bytes, what: str, why: str) -> None:
    with pytest.raises(RegistryError) as caught:
        parse_manifest(data, "x")
    assert (caught.value.what, caught.value.why) == (what, why)


def listed(*platforms: Mapping[str, str]) -> bytes:
    entries = [blob(number, 1) | {"platform": one} for number, one in enumerate(platforms)]
    return json.dumps({"mediaType": INDEXES[0], "manifests": [*entries, 5, PART, PART | {"platform": 5}]}).encode()


def test_which_of_a_list_is_meant() -> None:
    arm = {"os": "linux", "architecture": "arm64"}
    other = {"os": "windows", "architecture": "arm64"}
    last = [f"{number:064x}" for number in range(4)]
    assert manifest_in(listed(other, arm, arm), "linux/arm64", "x") == last[1], "the first of the same"
    assert manifest_in(listed(other, arm | {"variant": "v8"}), "linux/arm64", "x") == last[1]
    assert manifest_in(listed(arm | {"variant": "v8"}, arm), "linux/arm64", "x") == last[1], "it says no more"
    assert manifest_in(listed(arm | {"variant": ""}), "linux/arm64", "x") == last[0]
    assert manifest_in(listed(arm | {"variant": "v9"}), "linux/arm64/v9", "x") == last[0]
    unknown = {"os": "unknown", "architecture": "unknown"}
    for platforms, why in (
        ((arm | {"variant": "v7"}, unknown, {"architecture": "a"}), "it is for a, linux/arm64/v7"),
        ((unknown, {"os": "\n"}), "it is for nothing that we know"),
        ((), "it is for nothing that we know"),
    ):
        with pytest.raises(RegistryError) as caught:
            manifest_in(listed(*platforms), "linux/arm64", "x")
        assert (caught.value.what, caught.value.why) == ("x is not there for linux/arm64", why)
    with pytest.raises(RegistryError, match="nothing that we know"):
        manifest_in(b'{"manifests": {}}', "linux/arm64", "x")
    names = [f"a{number:02}" for number in range(21)]
    for count, more in ((20, ""), (21, " and 1 more")):
        with pytest.raises(RegistryError) as caught:
            manifest_in(listed(*({"os": name} for name in names[:count])), "linux/arm64", "x")
        assert caught.value.why == f"it is for {', '.join(names[:20])}{more}"


def serve(server: Server, documents: Mapping[str, bytes]) -> None:
    """By the last part of an address."""

    def answer(handler: Handler) -> None:
        data = documents.get(handler.path.rpartition("/")[2])
        handler.reply(404, b"") if data is None else handler.reply(200, data)

    server.otherwise = answer


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_what_does_not_say_its_type_is_known_by_its_content(server: Server, store: Store) -> None:
    config = b'{"os": "linux", "architecture": "amd64"}'
    parts = {"config": PART | {"digest": digest_of(config), "size": len(config)}, "layers": []}
    one = json.dumps(parts).encode()
    index = json.dumps({"manifests": [PART | {"digest": digest_of(one), "platform": json.loads(config)}]}).encode()
    other = b'{"mediaType": "text/x", "layers": []}'
    documents = {"1": one, "2": index, "3": b"{}", "4": other, digest_of(one): one, digest_of(config): config}
    serve(server, documents)
    with to(server.server_address[1]) as transport:
        for tag in ("1", "2"):
            (locked,) = lock_images([f"{HOST}/x:{tag}"], "amd64", store=store, transport=transport)
            assert f"sha256:{locked.manifest}" == digest_of(one)
            assert f"sha256:{locked.index}" == digest_of(documents[tag])
            assert locked.size == len(one)
        for tag, why in (("3", "its type is not said"), ("4", "its type is text/x")):
            with pytest.raises(AssembleError, match=f"x:{tag} is no image: {why}"):
                lock_images([f"{HOST}/x:{tag}"], "amd64", store=store, transport=transport)


@pytest.mark.parametrize(
    ("size", "why"), [(8 << 20, "is not there"), ((8 << 20) + 1, "is absurdly large: 8388609 bytes")]
)
def test_the_largest_configuration(server: Server, store: Store, size: int, why: str) -> None:
    serve(server, {"1": manifest(config=blob(1, size))})
    with to(server.server_address[1]) as transport, pytest.raises(AssembleError, match=why):
        lock_images([f"{HOST}/x:1"], "amd64", store=store, transport=transport)


def test_locking_is_told(port: int, store: Store) -> None:
    reporter = Recorder()
    names = [f"{HOST}/gzip:1", f"{HOST}/zstd:1"]
    with to(port) as transport:
        locked = lock_images(names[::-1], "amd64", store=store, transport=transport, reporter=reporter)
        assert [image.name for image in locked] == names
        assert (reporter.steps, reporter.notes, reporter.advanced) == ([("images", 2)], names[::-1], 2)
        # What was locked for another architecture does not count here.
        held = dataclasses.replace(LOCK, images=tuple(dataclasses.replace(one, platform="linux/x") for one in locked))
        assert lock_images(names, "amd64", store=store, transport=transport, held=held) == locked
        assert lock_images(names, "amd64", store=store, transport=transport, held=dataclasses.replace(LOCK)) == locked


def test_platforms() -> None:
    assert [platform_of(name) for name in ("amd64", "arm64", "x")] == ["linux/amd64", "linux/arm64", "linux/x"]
