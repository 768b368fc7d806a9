"""What lies in a store, told apart for people: objects by how they begin, results by the names of their kinds."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from assembler import jsontext

INDICES, PACKAGES, IMAGES, FILES = "archive indices", "packages", "container images", "files"
CACHE, PARTIAL, LOGS, TEMPORARY, USES = (
    "compiler cache", "partial downloads", "logs", "left by builds that were killed", "notes of what was used",
)  # fmt: skip
OTHER = "other results"

_RESULTS = {
    "unpacked": "unpacked packages",
    "archive": "unpacked upstream files",
    "kernel-source": "kernel sources laid out",
    "toolbox": "tools laid out",
    "proved-tools": "notes on tools",
    "pinned-tools": "notes on tools",
    "layer": "results of steps",
    "made": "records of outputs",
    "executed": "results of machines",
    "byte-code": "byte code",
    "depmod": "indexes of modules and hardware",
    "hwdb": "indexes of modules and hardware",
    "vanilla": "compiled kernels",
    "modules": "compiled modules",
}
"""By the name of a kind, without its version and, for steps, without which step it is."""
_HEAD = 1 << 10
_LARGEST = 4 << 20
"""Bytes of a document that is looked at whole: a manifest has no more."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


def of_result(kind: str) -> str:
    """What results of a `kind`, such as ``unpacked-3``, are called."""
    name = kind.rpartition("-")[0]
    return _RESULTS.get(name) or _RESULTS.get(name.partition("-")[0], OTHER)


def of_objects(paths: Iterable[Path]) -> dict[str, str]:
    """What the objects at `paths` are, by digest. It is a guess for people, and decides nothing.

    Parts of container images are known by their manifests, indices by the Releases that name them.
    """
    found: dict[str, str] = {}
    named: set[str] = set()
    listed: set[str] = set()
    for path in paths:
        try:
            found[path.name] = _of_object(path, named, listed)
        except OSError:
            continue
    found |= dict.fromkeys(named & found.keys(), IMAGES)
    return found | {digest: INDICES for digest in listed if found.get(digest) == FILES}


def _of_object(path: Path, named: set[str], listed: set[str]) -> str:
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        if head.startswith(b"!<arch>\ndebian-binary"):
            return PACKAGES
        if head.startswith((b"-----BEGIN PGP", b"Origin:", b"Package:")) or b"\nSHA256:" in head:
            text = head + stream.read(_LARGEST)
            listed.update(match.decode() for match in re.findall(rb"^ ([0-9a-f]{64}) ", text, re.MULTILINE))
            return INDICES
        if head.startswith(b"{") and path.stat().st_size <= _LARGEST:
            return IMAGES if _names(head + stream.read(_LARGEST), named) else FILES
    return FILES


def _names(data: bytes, named: set[str]) -> bool:
    """Whether a document is a manifest of an image or a list of such; then what it names is in `named`."""
    try:
        document: Any = jsontext.parse(data, limit=_LARGEST)
    except ValueError:
        return False
    if not isinstance(document, dict):
        return False
    parts = [document.get("config"), *_list(document, "layers"), *_list(document, "manifests")]
    digests = [
        match[1] for part in parts if isinstance(part, dict) and (match := _DIGEST.fullmatch(str(part.get("digest"))))
    ]
    named.update(digests)
    return bool(digests)


def _list(document: dict[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    return value if isinstance(value, list) else []
