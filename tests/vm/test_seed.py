"""A private copy of a seed: whatever its meta-data is, and whatever wrote it."""

from io import BytesIO
from pathlib import Path

import pytest
import yaml
from pycdlib.pycdlib import PyCdlib

from assembler.errors import AssembleError
from assembler.formats.iso import write_iso
from assembler.tools.toolbox import Toolbox
from assembler.vm.isofile import read_files
from assembler.vm.seed import SeedError, with_keys

KEY = "ssh-ed25519 AAAA x"


def seed(directory: Path, meta_data: bytes) -> Path:
    path = directory / "seed.iso"
    files = {"/user-data": b"#cloud-config\n{}\n", "/meta-data": meta_data}
    write_iso(path, files, label="cidata", epoch=0, joliet=True)
    return path


@pytest.mark.parametrize("meta_data", [b"instance-id: a\n", b"", b"public-keys: {a: [ssh-rsa y]}\n"])
def test_keys_are_added(tmp_path: Path, meta_data: bytes) -> None:
    out = with_keys(seed(tmp_path, meta_data), [KEY], tmp_path / "out.iso")
    meta = yaml.safe_load(read_files(out, ["/meta-data"])["/meta-data"])
    assert meta["public-keys"][-1] == KEY


def test_it_is_the_same_machine_with_a_key_more(tmp_path: Path) -> None:
    out = with_keys(seed(tmp_path, b"instance-id: a\n"), [KEY], tmp_path / "out.iso")
    assert yaml.safe_load(read_files(out, ["/meta-data"])["/meta-data"])["instance-id"] == "a"


FILES = {"user-data": b"#cloud-config\n{}\n", "meta-data": b"instance-id: a\n", "network-config": b"version: 2\n"}


def joliet(directory: Path) -> Path:
    iso = PyCdlib()
    iso.new(joliet=3, vol_ident="CIDATA")
    for number, (name, data) in enumerate(FILES.items()):
        iso.add_fp(BytesIO(data), len(data), f"/F{number}.;1", joliet_path=f"/{name}")
    iso.write(str(directory / "j.iso"))
    iso.close()
    return directory / "j.iso"


def fat(directory: Path, toolbox: Toolbox) -> Path:
    image = directory / "seed.img"
    image.write_bytes(bytes(1 << 20))
    toolbox.run("mkfs.fat", ["-n", "CIDATA", image], reads=[image], writes=[image])
    for name, data in FILES.items():
        (directory / name).write_bytes(data)
        # FAT keeps case, and cares for none.
        target = f"::/{name.capitalize()}"
        toolbox.run("mcopy", ["-i", image, directory / name, target], reads=[directory / name, image], writes=[image])
    return image


@pytest.mark.parametrize("kind", ["joliet", "fat"])
def test_seeds_of_other_tools(toolbox: Toolbox, tmp_path: Path, kind: str) -> None:
    given = joliet(tmp_path) if kind == "joliet" else fat(tmp_path, toolbox)
    paths = [f"/{name}" for name in FILES]
    same = read_files(with_keys(given, [], tmp_path / "same.iso"), paths)
    assert same == {f"/{name}": data for name, data in FILES.items()}
    out = read_files(with_keys(given, [KEY], tmp_path / "out.iso"), paths)
    assert yaml.safe_load(out["/meta-data"]) == {"instance-id": "a", "public-keys": [KEY]}
    assert out["/network-config"] == FILES["network-config"]


def test_what_is_no_seed(toolbox: Toolbox, tmp_path: Path) -> None:
    image = tmp_path / "x"
    image.write_bytes(bytes(1 << 20))
    with pytest.raises(AssembleError, match="this is no ISO"):
        with_keys(image, [KEY], tmp_path / "out.iso")
    toolbox.run("mkfs.fat", ["-n", "CIDATA", image], reads=[image], writes=[image])
    with pytest.raises(SeedError, match="this is no cloud-init seed: it has no user-data"):
        with_keys(image, [KEY], tmp_path / "out.iso")


@pytest.mark.parametrize(
    "meta_data", [b"a: !!bool x\n", b"a: &a [*a]\n", b"\xff", b"[1]", b"a: " + b"[" * 5000, b"a: " + b"9" * 5000]
)
def test_meta_data_that_is_none(tmp_path: Path, meta_data: bytes) -> None:
    with pytest.raises(SeedError, match="meta-data is no YAML"):
        with_keys(seed(tmp_path, meta_data), [KEY], tmp_path / "out.iso")
