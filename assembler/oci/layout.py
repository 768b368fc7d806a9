"""OCI images: layouts of images that are there, and images made of a tree (OCI image specification 1.1)."""

import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import zstandard

from assembler.oci.registry import MANIFESTS, Blob, Manifest, parse_manifest
from assembler.tree import tar
from assembler.tree.staging import Tree

LIST = "images.txt"
"""Beside a layout's own files: a line an image, with its manifest's digest, its name, and the digests of its blobs."""
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_INDEX = "application/vnd.oci.image.index.v1+json"


def layout(images: Mapping[str, tuple[Manifest, str]], blobs: Mapping[str, Path]) -> dict[str, bytes | Path]:
    """The files of an OCI layout with `images` (full name to manifest and platform), by their path in it.

    `blobs` has the host file of each digest (hex) that the manifests name. Beside what the specification asks for there
    are `LIST`, and ``index/DIGEST.json`` as ``index.json`` of a layout with that one image: so a reader without a JSON
    parser can take one image out of it. Names are those of containerd and of the specification.
    """
    files: dict[str, bytes | Path] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    entries, lines = [], []
    for name, (manifest, platform) in sorted(images.items()):
        entry = _entry(name, manifest, platform)
        entries.append(entry)
        files[f"index/{manifest.digest}.json"] = _index([entry])
        files[f"blobs/sha256/{manifest.digest}"] = manifest.data
        files |= {f"blobs/sha256/{blob.digest}": blobs[blob.digest] for blob in manifest.blobs}
        lines.append(" ".join((manifest.digest, name, *(blob.digest for blob in manifest.blobs))))
    files["index.json"] = _index(entries)
    files[LIST] = "".join(f"{line}\n" for line in lines).encode()
    return dict(sorted(files.items()))


def _entry(name: str, manifest: Manifest, platform: str) -> dict[str, Any]:
    system, architecture, *variant = platform.split("/")
    return {
        "mediaType": manifest.media_type,
        "digest": f"sha256:{manifest.digest}",
        "size": len(manifest.data),
        "platform": {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})},
        "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": _short(name)},
    }


def _short(name: str) -> str:
    """The tag or digest of a full name."""
    rest = name.rpartition("/")[2]
    return rest.partition("@")[2] or rest.partition(":")[2]


def _index(entries: Iterable[Mapping[str, Any]]) -> bytes:
    return _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": list(entries)})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


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
