"""What of a manifest is believed: it may come from anybody."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from assembler.image.manifest import Artifact, Manifest, StepResult, made_of, read_layers
from assembler.image.names import MANIFEST

SHA256 = "0123456789abcdef" * 4


def entry(**values: Any) -> dict[str, Any]:
    outputs = [{"name": "x.iso", "size": 0, "sha256": SHA256}]
    return {"key": SHA256, "inputs": {"a": "1"}, "outputs": outputs, "contents": {"f": "2"}, "facts": {}, **values}


def output(**values: Any) -> dict[str, Any]:
    return entry(outputs=[{"name": "x.iso", "size": 0, "sha256": SHA256, **values}])


@pytest.mark.parametrize("name", ["x", "_x", "A.b_c+d-e", "x" * 255])
def test_an_entry(name: str) -> None:
    made = made_of(output(name=name, size=1 << 40))
    assert made == StepResult(
        key=SHA256,
        inputs={"a": "1"},
        outputs=(Artifact(name=name, size=1 << 40, sha256=SHA256),),
        contents={"f": "2"},
        metadata={},
    )
    assert made_of(made.document()) == made


@pytest.mark.parametrize(
    "values",
    [
        entry(key="x"),
        entry(key=SHA256 + "0"),
        entry(key=1),
        entry(inputs={"a": 1}),
        entry(contents={"a": None}),
        entry(outputs=1),
        entry(outputs=[{}]),
        output(name=""),
        output(name="../x"),
        output(name=".x"),
        output(name="x/y"),
        output(name="x" * 256),
        output(name="x\n"),
        output(size=-1),
        output(size=True),
        output(size=1.5),
        output(size="1"),
        output(sha256=SHA256[1:]),
        output(sha256=SHA256.upper()),
        output(more=1),
        {"key": SHA256},
    ],
)
def test_what_is_no_entry(values: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        made_of(values)
    document = {"schema": 3, "name": "n", "architecture": "a", "layers": {"rootfs": {"tree": values}}}
    (tmp_path / MANIFEST).write_text(json.dumps(document))
    assert read_layers(tmp_path, name="n", architecture="a") == {}


def test_of_the_same_image_only(tmp_path: Path) -> None:
    made = made_of(entry())
    manifest = Manifest(
        name="n",
        architecture="a",
        source_date_epoch=7,
        recipe_sha256="r",
        lock_sha256="l",
        layers={"livecd": {"iso": made}, "rootfs": {"tree": made}},
        packages=({"name": "p"},),
    )
    text = manifest.json()
    assert text.endswith(b"\n}\n")
    (tmp_path / MANIFEST).write_bytes(text)
    found = read_layers(tmp_path, name="n", architecture="a")
    assert found == manifest.layers
    assert list(found) == ["rootfs", "livecd"], "in the order in which they are built"
    assert read_layers(tmp_path, name="m", architecture="a") == {}
    assert read_layers(tmp_path, name="n", architecture="b") == {}
    document = json.loads(text)
    assert document["artifacts"] == [asdict(one) for one in manifest.artifacts]
    assert document["packages"] == [{"name": "p"}]
    others: list[dict[str, Any]] = [{"schema": 2}, {"layers": []}, {"layers": {"rotfs": {}}}]
    for changed in others:
        (tmp_path / MANIFEST).write_text(json.dumps({**document, **changed}))
        assert read_layers(tmp_path, name="n", architecture="a") == {}
    (tmp_path / MANIFEST).write_text(json.dumps({**document, "layers": {"rootfs": {"../x": entry(), "y": entry()}}}))
    assert read_layers(tmp_path, name="n", architecture="a") == {"rootfs": {"y": made}}


def test_the_largest_manifest(tmp_path: Path) -> None:
    document = {"schema": 3, "name": "n", "architecture": "a", "layers": {"rootfs": {"tree": entry()}}}
    for size, found in ((16 << 20, {"rootfs": {"tree": made_of(entry())}}), ((16 << 20) + 1, {})):
        (tmp_path / MANIFEST).write_bytes(json.dumps(document).encode().ljust(size))
        assert read_layers(tmp_path, name="n", architecture="a") == found


def test_a_manifest_as_written() -> None:
    manifest = Manifest(
        name="n",
        architecture="a",
        source_date_epoch=7,
        recipe_sha256="r",
        lock_sha256="l",
        layers={"rootfs": {"tree": made_of(output(name="b")), "disk": made_of(output(name="a"))}},
        packages=(),
    )
    document = json.loads(manifest.json())
    assert manifest.json().decode() == json.dumps(document, indent=2, sort_keys=True) + "\n"
    assert [one.name for one in manifest.artifacts] == ["a", "b"], "by name"
    assert document["layers"]["rootfs"]["tree"] == output(name="b")
    told = {key: value for key, value in document.items() if key not in {"layers", "artifacts", "packages"}}
    assert told == {
        "schema": 3,
        "name": "n",
        "architecture": "a",
        "source_date_epoch": 7,
        "recipe_sha256": "r",
        "lock_sha256": "l",
    }
