"""Locked images: that a digest in a name leads to what the lock has, and how much a registry may say."""

import hashlib
import json
from collections.abc import Mapping

import pytest

from assembler.errors import AssembleError, Problems
from assembler.lockfile.model import LockedImage
from assembler.oci.locking import fetch_images, lock_images, manifest_of
from assembler.oci.registry import INDEXES, MANIFESTS, RegistryError, parse_manifest
from assembler.store.objects import Store
from assembler.store.routes import Login
from tests.oci.registries import HOST
from tests.oci.served import to
from tests.support.http_server import Handler, Server

CONFIG = b'{"os": "linux", "architecture": "amd64"}'
LAYER = b"a layer"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def described(data: bytes, kind: str = "x/y") -> dict[str, object]:
    return {"mediaType": kind, "digest": f"sha256:{sha256(data)}", "size": len(data)}


MANIFEST = json.dumps({"mediaType": MANIFESTS[0], "config": described(CONFIG), "layers": [described(LAYER)]}).encode()
PLATFORM = {"platform": {"os": "linux", "architecture": "amd64"}}
INDEX = json.dumps({"mediaType": INDEXES[0], "manifests": [described(MANIFEST, MANIFESTS[0]) | PLATFORM]}).encode()
NAMED = f"{HOST}/x@sha256:{sha256(INDEX)}"
BLOBS = {f"sha256:{sha256(data)}": data for data in (CONFIG, LAYER, MANIFEST, INDEX)}
IMAGE = LockedImage(
    name=NAMED,
    platform="linux/amd64",
    index=sha256(INDEX),
    manifest=sha256(MANIFEST),
    size=len(MANIFEST),
    learned="recipe",
)


def serve(server: Server, documents: Mapping[str, bytes]) -> list[str]:
    """What is asked for, by the last part of its address."""
    seen: list[str] = []

    def answer(handler: Handler) -> None:
        seen.append(handler.path.rpartition("/")[2])
        data = documents.get(seen[-1])
        handler.reply(404, b"") if data is None else handler.reply(200, data)

    server.otherwise = answer
    return seen


def test_a_digest_in_a_name_leads_to_the_manifest(server: Server, store: Store) -> None:
    seen = serve(server, BLOBS)
    with to(server.server_address[1]) as transport:
        fetch_images([IMAGE], store=store, transport=transport)
        assert sorted(seen) == sorted(BLOBS)
        assert manifest_of(IMAGE, store).data == MANIFEST
        assert all(store.has(sha256(data)) for data in BLOBS.values())
        fetch_images([IMAGE], store=store, transport=transport)
        assert len(seen) == len(BLOBS)
        assert lock_images([NAMED], "amd64", store=store, transport=transport) == (IMAGE,)


def test_another_manifest_than_a_name_leads_to_is_refused(server: Server, store: Store) -> None:
    """Whoever changes a lock cannot put another image under a digest that a recipe has."""
    other = MANIFEST + b"\n"
    seen = serve(server, BLOBS | {f"sha256:{sha256(other)}": other})
    forged = LockedImage(
        name=NAMED,
        platform="linux/amd64",
        index=sha256(INDEX),
        manifest=sha256(other),
        size=len(other),
        learned="recipe",
    )
    with to(server.server_address[1]) as transport:
        for _ in range(2):
            with pytest.raises(RegistryError) as caught:
                fetch_images([forged], store=store, transport=transport)
            assert caught.value.what == f"the lock has another image than {NAMED}"
            assert caught.value.why == (
                f"that has the manifest {sha256(MANIFEST)} for linux/amd64, the lock has {sha256(other)}"
            )
            assert caught.value.hint == "restore the lock from where it was reviewed, or run `assemble lock`"
    assert seen == [f"sha256:{sha256(INDEX)}"], "and nothing of it is fetched"


def test_a_name_with_the_digest_of_the_manifest_itself(server: Server, store: Store) -> None:
    name = f"{HOST}/x@sha256:{sha256(MANIFEST)}"
    seen = serve(server, BLOBS)
    with to(server.server_address[1]) as transport:
        (found,) = lock_images([name], "amd64", store=store, transport=transport)
        assert (found.index, found.manifest, found.learned) == (sha256(MANIFEST), sha256(MANIFEST), "recipe")
        fetch_images([found], store=store, transport=transport)
    assert f"sha256:{sha256(INDEX)}" not in seen


def test_what_is_gone_is_named(server: Server, store: Store) -> None:
    serve(server, {name: data for name, data in BLOBS.items() if data != LAYER})
    with to(server.server_address[1]) as transport, pytest.raises(AssembleError) as caught:
        fetch_images([IMAGE], store=store, transport=transport)
    text = str(caught.value)
    assert f"{NAMED} ({sha256(LAYER)[:12]})" in text
    assert "the registry may have dropped it: run `assemble lock` to take what it has now" in text


def test_what_is_built_for_another_platform(server: Server, store: Store) -> None:
    config = b'{"os": "linux", "architecture": "arm64"}'
    one = json.dumps({"config": described(config), "layers": []}).encode()
    serve(server, {"1": one, f"sha256:{sha256(config)}": config, "2": b'{"layers": 5}'})
    with to(server.server_address[1]) as transport:
        with pytest.raises(Problems) as caught:
            lock_images([f"{HOST}/x:1", f"{HOST}/x:2", "//"], "amd64", store=store, transport=transport)
        assert [(error.what, error.why) for error in caught.value.errors] == [
            (f"{HOST}/x:1 is for linux/arm64", "the image is built for linux/amd64"),
            (f"the manifest of {HOST}/x:2 is damaged", "it has no layers"),
            ("// is not the name of an image", ""),
        ]
        (found,) = lock_images([f"{HOST}/x:1"], "arm64", store=store, transport=transport)
    assert (found.platform, found.learned) == ("linux/arm64", "first-use")


def test_the_largest_manifest(server: Server, store: Store) -> None:
    largest = MANIFEST.ljust(4 << 20)
    serve(server, BLOBS | {"1": largest, "2": largest + b" "})
    with to(server.server_address[1]) as transport:
        (found,) = lock_images([f"{HOST}/x:1"], "amd64", store=store, transport=transport)
        assert found.size == 4 << 20
        with pytest.raises(AssembleError, match="is larger than 4194304 bytes"):
            lock_images([f"{HOST}/x:2"], "amd64", store=store, transport=transport)


@pytest.mark.parametrize(
    ("challenge", "asked", "answer"),
    [
        ('Bearer realm="{}",service="s",scope="a b"', "/token?service=s&scope=a+b", {"token": "t"}),
        ('bearer realm="{}?x=1"', "/token?x=1&scope=repository%3Ax%3Apull", {"access_token": "t"}),
        ('BEARER realm="{}",odd="1"', "/token?scope=repository%3Ax%3Apull", {"token": "", "access_token": "t"}),
        ('Negotiate realm="{}"', "", {}),
        ('Basic realm="{}"', "", {}),
        ("", "", {}),
    ],
)
def test_who_is_asked_for_a_token(
    server: Server, store: Store, challenge: str, asked: str, answer: dict[str, str]
) -> None:
    tokens: list[str] = []

    def reply(handler: Handler) -> None:
        if handler.path.startswith("/token"):
            tokens.append(handler.path)
            handler.reply(200, json.dumps(answer).encode())
        elif handler.headers["Authorization"] == "Bearer t":
            handler.reply(200, BLOBS[handler.path.rpartition("/")[2]])
        else:
            handler.reply(401, b"", {"WWW-Authenticate": challenge.format(server.url("/token"))})

    server.otherwise = reply
    with to(server.server_address[1]) as transport:
        if asked:
            assert lock_images([NAMED], "amd64", store=store, transport=transport) == (IMAGE,)
            assert tokens == [asked]
        else:
            with pytest.raises(AssembleError, match="access is denied"):
                lock_images([NAMED], "amd64", store=store, transport=transport)
            assert tokens == []


def test_a_login_is_shown_where_it_is_asked_for(server: Server, store: Store) -> None:
    login, shown = Login(user="robot", password="hunter2"), list[str | None]()

    def reply(handler: Handler) -> None:
        shown.append(handler.headers["Authorization"])
        if shown[-1] == login.header:
            handler.reply(200, BLOBS[handler.path.rpartition("/")[2]])
        else:
            handler.reply(401, b"", {"WWW-Authenticate": 'Basic realm="x"'})

    server.otherwise = reply
    with to(server.server_address[1], login) as transport:
        assert lock_images([NAMED], "amd64", store=store, transport=transport) == (IMAGE,)
    assert shown[-1] == login.header


def test_the_longest_words() -> None:
    for length, taken in ((255, True), (256, False)):
        data = json.dumps({"config": described(CONFIG, "x" * length), "layers": []}).encode()
        if taken:
            assert parse_manifest(data, "x").config.media_type == "x" * length
        else:
            with pytest.raises(RegistryError):
                parse_manifest(data, "x")
