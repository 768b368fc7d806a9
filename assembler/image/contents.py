"""What an image says of itself, on the image: every file of it by digest, and the trees inside it path by path.

An index has every other file on the ISO and the digests of the trees; a listing for each tree (see tree/digest.py),
zstd, its paths. Where all of that lies, image/names.py says.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from assembler import jsontext
from assembler.errors import AssembleError, Place
from assembler.formats import zstd
from assembler.image.names import ISO_INDEX, listing_path
from assembler.lockfile.values import SHA256
from assembler.store.objects import sha256_of

SCHEMA = 1
LISTING = 128 << 20
"""Bytes of a listing at most, and as many compressed; that of a node with 11,000 paths has 1.5 million."""
LARGEST_INDEX = 16 << 20
"""Bytes of the index at most; an ISO has some twenty files."""
_LONGEST = 4096
"""Characters of a path at most, as in Linux."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_SHA256 = re.compile(SHA256)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeListing:
    """The tree inside a file of the ISO."""

    path: str
    """Of the file: ``/live/filesystem.squashfs``."""
    name: str
    """``rootfs``."""
    text: bytes
    """See tree/digest.py."""


def describe(
    files: Mapping[str, bytes | Path], trees: list[TreeListing], *, about: Mapping[str, Any]
) -> dict[str, bytes]:
    """The files of `DIRECTORY` for an ISO with `files` by path; `about` is further values of the index."""
    found: dict[str, bytes] = {}
    for tree in trees:
        compressor = zstandard.ZstdCompressor(level=19, write_checksum=True, write_content_size=True)
        found[listing_path(tree.name)] = compressor.compress(tree.text)
    index = {
        "schema": SCHEMA,
        **about,
        "files": {path: _described(data) for path, data in sorted({**files, **found}.items())},
        "trees": {
            tree.path: {"listing": listing_path(tree.name), "sha256": hashlib.sha256(tree.text).hexdigest()}
            for tree in trees
        },
    }
    found[ISO_INDEX] = (json.dumps(index, indent=1, sort_keys=True) + "\n").encode()
    return found


def sums(files: Mapping[str, bytes | Path]) -> bytes:
    """The text of `SUMS` for `files` by absolute path, as sha256sum(1) takes it from the top of the medium."""
    return "".join(f"{_described(data)['sha256']}  {path[1:]}\n" for path, data in sorted(files.items())).encode()


def _described(data: bytes | Path) -> dict[str, Any]:
    if isinstance(data, Path):
        return {"size": data.stat().st_size, "sha256": sha256_of(data)}
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def read_listing(data: bytes, path: str) -> str:
    """The text of a listing. Raises AssembleError when it is none, or larger than `LISTING`."""
    try:
        return zstd.decompress(data, LISTING, alone=True).decode("ascii")
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise AssembleError("the listing of a tree is damaged", where=Place(path=path), why=str(error)) from error


def read_index(data: bytes) -> dict[str, Any]:
    """The index, every value in it of the kind that :func:`describe` writes.

    Raises AssembleError when it is none, or of another schema.
    """
    try:
        index = jsontext.parse(data, limit=LARGEST_INDEX)
        why = _unsound(index)
    except ValueError as error:
        why = str(error)
    if why:
        raise AssembleError(
            "the image's list of contents is damaged, or of another version", where=Place(path=ISO_INDEX), why=why
        )
    return dict(index)


def _unsound(index: Any) -> str:
    """What is wrong with an index; empty when nothing is."""
    if not isinstance(index, dict) or index.get("schema") != SCHEMA:
        return f"its schema is not {SCHEMA}"
    name, files, trees = (index.get(key) for key in ("name", "files", "trees"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "it does not name the image"
    if not isinstance(files, dict) or not isinstance(trees, dict):
        return "it has no files and trees"
    if any(len(path) > _LONGEST for path in (*files, *trees)):
        return f"it has a path of more than {_LONGEST} characters"
    for path, file in files.items():
        if not isinstance(file, dict) or not isinstance(file.get("size"), int) or not _digest(file.get("sha256")):
            return f"it does not describe {path!r}"
    for path, tree in trees.items():
        if not isinstance(tree, dict) or not isinstance(tree.get("listing"), str) or not _digest(tree.get("sha256")):
            return f"it does not describe the tree in {path!r}"
    return ""


def _digest(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None
