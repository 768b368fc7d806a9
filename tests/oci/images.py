"""OCI images made of a tree, for registries of the tests (OCI image specification 1.1)."""

import gzip
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import zstandard

from assembler.oci.layout import _json
from assembler.oci.registry import MANIFESTS, Blob, Manifest, parse_manifest
from assembler.tree import tar
from assembler.tree.staging import Tree

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class Image:
    """An image in memory."""

    manifest: Manifest
    blobs: Mapping[str, bytes]
    """By SHA-256 (hex): configuration and layers."""


def image(
    layers: Sequence[Tree],
    *,
    architecture: str,
    epoch: int,
    config: Mapping[str, Any] | None = None,
    compression: Literal["gzip", "zstd", "none"] = "gzip",
) -> Image:
    """An image of `layers`, the lowest first, each kept in memory; the same arguments give the same bytes.

    `config` is what the specification calls so: ``Entrypoint``, ``Cmd``, ``Env``, ``User`` ... `epoch` (seconds)
    dates the image and is the latest that files have.
    """
    blobs: dict[str, bytes] = {}
    described: list[Blob] = []
    plain: list[str] = []
    for layer in layers:
        out = io.BytesIO()
        state = hashlib.sha256()
        for chunk in tar.write(layer, latest=epoch):
            state.update(chunk)
            out.write(chunk)
        data, suffix = _compressed(out.getvalue(), compression)
        plain.append(f"sha256:{state.hexdigest()}")
        described.append(_keep(blobs, data, f"{_LAYER}{suffix}"))
    document = {
        "architecture": architecture,
        "os": "linux",
        "created": _rfc3339(epoch),
        "config": dict(config or {}),
        "rootfs": {"type": "layers", "diff_ids": plain},
    }
    own = _keep(blobs, _json(document), _CONFIG)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFESTS[0],
        "config": _descriptor(own),
        "layers": [_descriptor(blob) for blob in described],
    }
    return Image(parse_manifest(_json(manifest), "an image"), blobs)


def _compressed(data: bytes, compression: str) -> tuple[bytes, str]:
    if compression == "gzip":
        return gzip.compress(data, 6, mtime=0), "+gzip"
    if compression == "zstd":
        return zstandard.ZstdCompressor(level=3).compress(data), "+zstd"
    return data, ""


def _keep(blobs: dict[str, bytes], data: bytes, kind: str) -> Blob:
    digest = hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return Blob(digest, len(data), kind)


def _descriptor(blob: Blob) -> dict[str, Any]:
    return {"mediaType": blob.media_type, "digest": f"sha256:{blob.digest}", "size": blob.size}


def _rfc3339(epoch: int) -> str:
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"
