"""Images that the registry of the tests has, and how they are asked for."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from assembler.lockfile.model import LockedImage
from assembler.oci.locking import fetch_images, lock_images, manifest_of
from assembler.store.objects import Store
from assembler.store.routes import Login, Routes
from assembler.store.transport import Transport
from assembler.tree.staging import Tree
from tests.oci.images import Image, image
from tests.oci.registries import HOST, ask
from tests.support.http_server import Handler, Server

SHARED = "the base that images share " * 20000


def sample(text: str, architecture: str = "amd64", compression: Literal["gzip", "zstd"] = "gzip") -> Image:
    layers = []
    for content in (SHARED, text):
        layers.append(Tree(mtime=1))
        # Of little use to a compressor, so that a transfer can be interrupted.
        layers[-1].write("/data", b"".join(bytes([ord(c), i % 251, i * 7 % 256]) for i, c in enumerate(content)))
    return image(layers, architecture=architecture, epoch=1, compression=compression)


def add_list(layout: Path, images: dict[str, Image]) -> None:
    """Add a list of manifests by architecture to a layout, with the tag "list"."""
    index = json.loads((layout / "index.json").read_bytes())
    entries = [
        {
            "mediaType": one.manifest.media_type,
            "digest": f"sha256:{one.manifest.digest}",
            "size": len(one.manifest.data),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for architecture, one in images.items()
    ]
    data = json.dumps({"schemaVersion": 2, "mediaType": index["mediaType"], "manifests": entries}).encode()
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    index["manifests"].append(
        {
            "mediaType": index["mediaType"],
            "digest": f"sha256:{digest}",
            "size": len(data),
            "annotations": {"org.opencontainers.image.ref.name": "list"},
        }
    )
    (layout / "index.json").write_text(json.dumps(index))


def to(port: int, login: Login | None = None) -> Transport:
    base = f"http://127.0.0.1:{port}/"
    routes = Routes(rewrites={f"https://{HOST}/": base}, logins={base: login} if login else {})
    return Transport(routes=routes, backoff=0.01, attempts=3, stall_timeout=2)


def one(name: str, store: Store, transport: Transport, architecture: str = "amd64") -> LockedImage:
    """Lock and fetch `name`; everything of it is in the store then."""
    (locked,) = lock_images([f"{HOST}/{name}"], architecture, store=store, transport=transport)
    fetch_images([locked], store=store, transport=transport)
    for blob in manifest_of(locked, store).blobs:
        assert hashlib.sha256(store.get(blob.digest).read_bytes()).hexdigest() == blob.digest
    return locked


def front(server: Server, port: int, spoil: Callable[[Handler, bytes], bool] | None = None) -> list[str]:
    """Let `server` answer what the registry does, but for blobs that `spoil` answers; returns what is asked for."""
    seen: list[str] = []

    def answer(handler: Handler) -> None:
        seen.append(handler.path)
        status, data, headers = ask(port, handler)
        if status != 200:
            handler.reply(status, data)
        elif "/blobs/" not in handler.path:
            handler.reply(200, data, headers)
        elif spoil is None or not spoil(handler, data):
            handler.file(data)

    server.otherwise = answer
    return seen
