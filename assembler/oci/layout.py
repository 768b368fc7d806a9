"""OCI layouts of images that are there (OCI image specification 1.1)."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assembler.oci.registry import Manifest

LIST = "images.txt"
"""Beside a layout's own files: a line an image, with its manifest's digest, its name, and the digests of its blobs."""
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
