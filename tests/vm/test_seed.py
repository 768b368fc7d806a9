"""A private copy of a seed: whatever its meta-data is."""

from pathlib import Path

import pytest
import yaml

from assembler.formats.iso import write_iso
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


@pytest.mark.parametrize(
    "meta_data", [b"a: !!bool x\n", b"a: &a [*a]\n", b"\xff", b"[1]", b"a: " + b"[" * 5000, b"a: " + b"9" * 5000]
)
def test_meta_data_that_is_none(tmp_path: Path, meta_data: bytes) -> None:
    with pytest.raises(SeedError, match="meta-data is no YAML"):
        with_keys(seed(tmp_path, meta_data), [KEY], tmp_path / "out.iso")
