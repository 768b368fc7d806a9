"""The list of contents of an image: what is written into it, and what is not taken for one."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from assembler.errors import AssembleError
from assembler.image.contents import LISTING, TreeListing, describe, read_index, read_listing, sums
from assembler.image.names import ISO_INDEX

SHA256 = hashlib.sha256(b"x").hexdigest()


def index(**values: Any) -> dict[str, Any]:
    file, tree = {"size": 1, "sha256": SHA256}, {"listing": "/l.zst", "sha256": SHA256}
    return {"schema": 1, "name": "x", "files": {"/a": file}, "trees": {"/t": tree}, **values}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"x")
    tree = TreeListing(path="/t", name="rootfs", text=b"a listing\n" * 100)
    found = describe({"/b": tmp_path / "b", "/a": b"xyz"}, [tree], about={"name": "x", "more": 1})
    packed = found["/live/contents/rootfs.zst"]
    assert sorted(found) == [ISO_INDEX, "/live/contents/rootfs.zst"]
    assert read_listing(packed, "/l").encode() == tree.text
    assert found[ISO_INDEX].endswith(b"}\n")
    assert read_index(found[ISO_INDEX]) == {
        "schema": 1,
        "name": "x",
        "more": 1,
        "files": {
            "/a": {"size": 3, "sha256": hashlib.sha256(b"xyz").hexdigest()},
            "/b": {"size": 1, "sha256": SHA256},
            "/live/contents/rootfs.zst": {"size": len(packed), "sha256": hashlib.sha256(packed).hexdigest()},
        },
        "trees": {"/t": {"listing": "/live/contents/rootfs.zst", "sha256": hashlib.sha256(tree.text).hexdigest()}},
    }
    frame = zstandard.get_frame_parameters(packed)
    assert (frame.content_size, frame.has_checksum) == (len(tree.text), True)
    assert sums({"/b/c": tmp_path / "b", "/a": b"x"}) == f"{SHA256}  a\n{SHA256}  b/c\n".encode()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "a" + "-" * 127},
        {"name": "0a"},
        {"files": {}, "trees": {}},
        {"files": {"/" + "a" * 4095: {"size": 0, "sha256": SHA256}}},
    ],
)
def test_an_index(values: dict[str, Any]) -> None:
    assert read_index(json.dumps(index(**values)).encode()) == index(**values)


@pytest.mark.parametrize(
    ("size", "why"), [(16 << 20, ""), ((16 << 20) + 1, "it has 16777217 bytes, more than 16777216")]
)
def test_the_largest_index(size: int, why: str) -> None:
    data = json.dumps(index()).encode().ljust(size)
    if not why:
        assert read_index(data) == index()
        return
    with pytest.raises(AssembleError) as caught:
        read_index(data)
    assert caught.value.why == why


def test_an_index_is_written_for_people_to_read() -> None:
    data = describe({"/a": b""}, [], about={"name": "x"})[ISO_INDEX]
    assert data.decode() == json.dumps(json.loads(data), indent=1, sort_keys=True) + "\n"


LONG = "/" + "a" * 4096


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([], "its schema is not 1"),
        (index(schema=2), "its schema is not 1"),
        (index(name=1), "it does not name the image"),
        (index(name="a" * 129), "it does not name the image"),
        (index(name="-a"), "it does not name the image"),
        (index(name="A"), "it does not name the image"),
        (index(files=[]), "it has no files and trees"),
        (index(trees=[]), "it has no files and trees"),
        (index(files={LONG: {"size": 0, "sha256": SHA256}}), "it has a path of more than 4096 characters"),
        (index(trees={LONG: {"listing": "", "sha256": SHA256}}), "it has a path of more than 4096 characters"),
        (index(files={"/a": []}), "it does not describe '/a'"),
        (index(files={"/a": {"size": "1", "sha256": SHA256}}), "it does not describe '/a'"),
        (index(files={"/a": {"size": 1, "sha256": SHA256[1:]}}), "it does not describe '/a'"),
        (index(files={"/a": {"size": 1, "sha256": SHA256 + "0"}}), "it does not describe '/a'"),
        (index(files={"/a": {"size": 1, "sha256": 1}}), "it does not describe '/a'"),
        (index(trees={"/t": []}), "it does not describe the tree in '/t'"),
        (index(trees={"/t": {"listing": 1, "sha256": SHA256}}), "it does not describe the tree in '/t'"),
        (index(trees={"/t": {"listing": "", "sha256": "x"}}), "it does not describe the tree in '/t'"),
    ],
)
def test_what_is_no_index(value: Any, why: str) -> None:
    with pytest.raises(AssembleError) as caught:
        read_index(json.dumps(value).encode())
    assert caught.value.why == why
    assert caught.value.where.path == ISO_INDEX


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + data, lambda data: data[:0], lambda data: data + b"x"]
)
def test_what_is_no_listing(change: Callable[[bytes], bytes]) -> None:
    packed = zstandard.compress(b"a\n")
    assert read_listing(packed, "/l") == "a\n"
    for data in (change(packed), zstandard.compress(b"\xe9")):
        with pytest.raises(AssembleError) as caught:
            read_listing(data, "/l")
        assert caught.value.where.path == "/l"


def test_a_listing_has_a_limit() -> None:
    assert LISTING == 128 << 20
    packed = zstandard.ZstdCompressor().compress(b"a" * (LISTING + 1))
    with pytest.raises(AssembleError, match="the listing of a tree is damaged"):
        read_listing(packed, "/l")
