"""What an image says of itself, on the image: every file of it by digest, and the trees inside it path by path.

/live/contents/contents.json   every other file on the ISO, and the digests of the trees
/live/contents/NAME.zst        a tree's listing (see tree/digest.py), zstd
/live/SHA256SUMS               what the running node takes from the medium, for the initrd to check
/live/recipe/                  the recipe, so that the image can be built again (see recipe/portable.py)
/live/NAME.lock.toml           the lock
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from assembler.errors import AssembleError, Place
from assembler.store.objects import sha256_of

FOLDER = "/live/contents"
INDEX = f"{FOLDER}/contents.json"
PROVENANCE = f"{FOLDER}/provenance.json"
RECIPE_FOLDER = "/live/recipe"
SUMS = "/live/SHA256SUMS"
SCHEMA = 1
_LARGEST = 1 << 28
"""Bytes of a listing; a root file system of a million paths has fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeListing:
    """The tree inside a file of the ISO."""

    path: str
    """Of the file: ``/live/filesystem.squashfs``."""
    name: str
    """``rootfs``."""
    text: bytes
    """See tree/digest.py."""


def lock_path(name: str) -> str:
    """Where the lock of the image `name` is on it."""
    return f"/live/{name}.lock.toml"


def describe(
    files: Mapping[str, bytes | Path], trees: list[TreeListing], *, about: Mapping[str, Any]
) -> dict[str, bytes]:
    """The files of `FOLDER` for an ISO with `files` by path; `about` is further values of the index."""
    found: dict[str, bytes] = {}
    for tree in trees:
        compressor = zstandard.ZstdCompressor(level=19, write_checksum=True, write_content_size=True)
        found[f"{FOLDER}/{tree.name}.zst"] = compressor.compress(tree.text)
    index = {
        "schema": SCHEMA,
        **about,
        "files": {path: _described(data) for path, data in sorted({**files, **found}.items())},
        "trees": {
            tree.path: {"listing": f"{FOLDER}/{tree.name}.zst", "sha256": hashlib.sha256(tree.text).hexdigest()}
            for tree in trees
        },
    }
    found[INDEX] = (json.dumps(index, indent=1, sort_keys=True) + "\n").encode()
    return found


def sums(files: Mapping[str, bytes | Path]) -> bytes:
    """The text of `SUMS` for `files` by absolute path, as sha256sum(1) takes it from the top of the medium."""
    return "".join(f"{_described(data)['sha256']}  {path[1:]}\n" for path, data in sorted(files.items())).encode()


def _described(data: bytes | Path) -> dict[str, Any]:
    if isinstance(data, Path):
        return {"size": data.stat().st_size, "sha256": sha256_of(data)}
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def read_listing(data: bytes, path: str) -> str:
    """The text of a listing. Raises AssembleError when it is none."""
    try:
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=_LARGEST).decode("ascii")
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise AssembleError("the listing of a tree is damaged", where=Place(path=path), why=str(error)) from error


def read_index(data: bytes) -> dict[str, Any]:
    """The index. Raises AssembleError when it is none, or of another schema."""
    try:
        index = json.loads(data)
        sound = index["schema"] == SCHEMA and all(isinstance(index[key], dict) for key in ("files", "trees"))
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise AssembleError("the image's list of contents is damaged, or of another version", where=Place(path=INDEX))
    return dict(index)
