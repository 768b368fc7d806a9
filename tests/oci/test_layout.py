"""OCI images: what we write, read by skopeo; and the same bytes every time."""

import json
import subprocess
from pathlib import Path
from typing import Literal

import pytest

from assembler.oci.layout import LIST, layout
from assembler.tree.staging import Tree
from tests.oci.images import Image, image
from tests.support.host_commands import need

NAME = "registry.k8s.io/pause:3.10.2"


def tree(text: str) -> Tree:
    made = Tree(mtime=5)
    made.write("/etc/motd", text.encode(), 0o640, 0, 42, parents=True)
    made.symlink("motd", "/etc/issue")
    return made


def made(compression: Literal["gzip", "zstd", "none"] = "gzip") -> Image:
    config = {"Entrypoint": ["/pause"], "User": "65535:65535"}
    return image([tree("one"), tree("two")], architecture="amd64", epoch=9, config=config, compression=compression)


def write(images: dict[str, Image], directory: Path) -> Path:
    blobs = {}
    for one in images.values():
        for digest, data in one.blobs.items():
            blobs[digest] = directory / f"blob-{digest}"
            blobs[digest].parent.mkdir(parents=True, exist_ok=True)
            blobs[digest].write_bytes(data)
    for path, content in layout({name: (it.manifest, "linux/amd64") for name, it in images.items()}, blobs).items():
        target = directory / "layout" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    return directory / "layout"


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_another_program_reads_it(tmp_path: Path, compression: Literal["gzip", "zstd", "none"]) -> None:
    directory = write({NAME: made(compression)}, tmp_path)
    skopeo = need("skopeo", "skopeo")
    shown = subprocess.run(
        [skopeo, "inspect", "--config", f"oci:{directory}:3.10.2"], check=True, capture_output=True, text=True
    )
    config = json.loads(shown.stdout)
    assert (config["architecture"], config["config"]["Entrypoint"]) == ("amd64", ["/pause"])
    assert config["created"] == "1970-01-01T00:00:09Z"
    copied = tmp_path / "copy"
    command = [skopeo, "--insecure-policy", "copy", "-q", f"oci:{directory}:3.10.2", f"dir:{copied}"]
    subprocess.run(command, check=True)  # verifies every digest
    assert len([path for path in copied.iterdir() if len(path.name) == 64]) == 3


def test_the_same_bytes_every_time() -> None:
    assert made() == made()
    assert made().manifest.digest != made("zstd").manifest.digest


def test_shared_layers_are_there_once_and_each_image_can_be_taken_out(tmp_path: Path) -> None:
    base = image([tree("one")], architecture="amd64", epoch=9)
    directory = write({NAME: made(), "docker.io/library/x:1": base}, tmp_path)
    lines = [line.split() for line in (directory / LIST).read_text().splitlines()]
    assert [line[1] for line in lines] == ["docker.io/library/x:1", NAME]
    blobs = {path.name for path in (directory / "blobs/sha256").iterdir()}
    assert set().union(*(set(line) - {line[1]} for line in lines)) == blobs
    assert len(blobs) == 2 + 2 + 2, "two manifests, two configurations, and two layers, one of which both have"
    for digest, name, *_ in lines:
        (entry,) = json.loads((directory / f"index/{digest}.json").read_bytes())["manifests"]
        assert entry["annotations"]["io.containerd.image.name"] == name
        assert entry["digest"] == f"sha256:{digest}"


def test_every_file_of_a_layout() -> None:
    one = made().manifest
    digest = "sha256:" + "a" * 64
    names = {NAME: (one, "linux/arm64/v8"), f"h.example:5000/x@{digest}": (one, "linux/amd64")}
    blobs = {blob.digest: Path("/blobs", blob.digest) for blob in one.blobs}
    files = layout(names, blobs)
    assert list(files) == sorted(
        [
            "images.txt",
            "index.json",
            f"index/{one.digest}.json",
            "oci-layout",
            f"blobs/sha256/{one.digest}",
            *(f"blobs/sha256/{each}" for each in blobs),
        ]
    )
    assert files["oci-layout"] == b'{"imageLayoutVersion":"1.0.0"}'
    assert files[f"blobs/sha256/{one.digest}"] == one.data
    assert {files[f"blobs/sha256/{each}"] for each in blobs} == set(blobs.values())
    content = files["index.json"]
    assert isinstance(content, bytes)
    assert json.loads(content) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": one.media_type,
                "digest": f"sha256:{one.digest}",
                "size": len(one.data),
                "platform": platform,
                "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": short},
            }
            for name, short, platform in (
                (f"h.example:5000/x@{digest}", digest, {"os": "linux", "architecture": "amd64"}),
                (NAME, "3.10.2", {"os": "linux", "architecture": "arm64", "variant": "v8"}),
            )
        ],
    }
    assert b": " not in content
    parts = " ".join(blob.digest for blob in one.blobs)
    assert files[LIST] == f"{one.digest} h.example:5000/x@{digest} {parts}\n{one.digest} {NAME} {parts}\n".encode()
