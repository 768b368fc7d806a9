import json
import subprocess
from pathlib import Path

import pytest
import yaml

from assembler.errors import AssembleError
from assembler.formats import qcow2
from assembler.formats.iso import write_iso
from assembler.vm import node
from assembler.vm.seed import SeedError, read_key, with_keys

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMZ/xUvDI3qgJMWDI9eSbSnwF9GGSbqXJMI1uJ9xjc4Z someone@somewhere"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBk8UPkXqZ0XFnRD7ITkh7MQzG4gdLr0ZIMkLYxjNWzq other"


@pytest.fixture
def built(tmp_path: Path) -> node.Built:
    (tmp_path / "manifest.json").write_text(json.dumps({"architecture": "amd64", "name": "livecd", "more": 1}))
    return node.built(tmp_path)


def test_hardware_of_a_node(built: node.Built) -> None:
    state = built.folder / "var.qcow2"
    machine = node.hardware(built, seed=built.seed, state=state, processors=3)
    assert (machine.memory, machine.processors, machine.firmware, machine.ssh_port) == (2048, 3, "bios", 2222)
    assert [(drive.path, drive.kind, drive.read_only, drive.boot) for drive in machine.drives] == [
        (built.iso, "cd", True, True),
        (built.seed, "cd", False, False),
        (state, "disk", False, False),
    ]
    alone = node.hardware(built, medium="disk", seed=None, state=None, processors=1, firmware="uefi")
    assert [(drive.path, drive.kind, drive.read_only) for drive in alone.drives] == [(built.iso, "disk", True)]
    assert alone.firmware == "uefi"


@pytest.mark.parametrize("text", [None, "", "[]", "{}", "nonsense"])
def test_no_build(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(AssembleError) as caught:
        node.built(tmp_path)
    assert "assemble RECIPE.toml" in caught.value.hint


def test_lock_on_the_iso(built: node.Built) -> None:
    write_iso(built.iso, {"/live/livecd.lock.toml": b"schema = 1\n"}, label="K8S_NODE", epoch=0)
    assert node.lock_of(built) == "schema = 1\n"
    write_iso(built.iso, {"/live/other": b""}, label="K8S_NODE", epoch=0)
    with pytest.raises(AssembleError, match="no lock on the ISO"):
        node.lock_of(built)
    built.iso.unlink()
    with pytest.raises(AssembleError, match="No such file"):
        node.lock_of(built)


def test_state_is_made_once_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "var.qcow2"
    node.keep_state(state)
    assert state.stat().st_size < 1 << 20
    assert state.stat().st_mode & 0o777 == 0o600
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 1G 64k", state], check=True, capture_output=True)
    before = state.read_bytes()
    node.keep_state(state)
    assert state.read_bytes() == before
    with state.open("rb") as stream:
        assert qcow2.read_header(stream).size == 20 << 30


def test_something_else_in_the_place_of_the_state(tmp_path: Path) -> None:
    state = tmp_path / "var.qcow2"
    state.write_bytes(b"a raw disk" * 100)
    with pytest.raises(qcow2.Qcow2Error, match="not a qcow2 image"):
        node.keep_state(state)


# --- the seed --------------------------------------------------------------------------------------------------------


def extract(seed: Path, name: str) -> str:
    """Read one file with xorriso, an independent reader."""
    out = seed.with_name(f"{seed.name}.{name}")
    argv = ["xorriso", "-osirrox", "on", "-indev", str(seed), "-extract", f"/{name}", str(out)]
    subprocess.run(argv, check=True, capture_output=True)
    return out.read_text()


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    out = tmp_path / "seed.iso"
    files = {
        "/user-data": b"#!/bin/sh\necho not YAML at all\n",
        "/meta-data": f"instance-id: node-1\nlocal-hostname: a\npublic-keys:\n  mine: ['{OTHER}']\n".encode(),
        "/network-config": b"version: 2\n",
    }
    write_iso(out, files, label="cidata", epoch=0, joliet=True)
    return out


def test_keys_are_added_to_meta_data(seed: Path, tmp_path: Path) -> None:
    out = with_keys(seed, [KEY], tmp_path / "mine.iso")
    assert extract(out, "user-data") == "#!/bin/sh\necho not YAML at all\n"
    assert extract(out, "network-config") == "version: 2\n"
    meta = yaml.safe_load(extract(out, "meta-data"))
    assert meta.pop("instance-id").startswith("node-1-")
    assert meta == {"public-keys": [OTHER, KEY], "local-hostname": "a"}
    label = subprocess.run(
        ["blkid", "-p", "-s", "LABEL", "-o", "value", out], capture_output=True, text=True, check=True
    )
    assert label.stdout == "cidata\n"


def test_the_instance_changes_with_the_keys_only(seed: Path, tmp_path: Path) -> None:
    first, again, other = (
        with_keys(seed, [key], tmp_path / f"{number}.iso").read_bytes() for number, key in enumerate([KEY, KEY, OTHER])
    )
    assert first == again
    assert first != other


def test_not_a_seed(tmp_path: Path) -> None:
    path = tmp_path / "seed.iso"
    path.write_bytes(b"\0" * 100_000)
    with pytest.raises(AssembleError, match="no ISO"):
        with_keys(path, [KEY], tmp_path / "mine.iso")
    write_iso(path, {"/readme": b"hello"}, label="cidata", epoch=0)
    with pytest.raises(SeedError, match="no cloud-init seed"):
        with_keys(path, [KEY], tmp_path / "mine.iso")


def test_reading_keys(tmp_path: Path) -> None:
    path = tmp_path / "id.pub"
    path.write_text(f"# comment\n{KEY}\n\n{OTHER}\n")
    assert read_key(path) == f"{KEY}\n{OTHER}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "private key"),
        ("", "no SSH public key"),
        ("ssh-ed25519\n", "no SSH public key"),
        ("hello world\n", "no SSH public key"),
    ],
)
def test_files_that_are_no_keys(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "id"
    path.write_text(text)
    with pytest.raises(SeedError, match=message):
        read_key(path)
    with pytest.raises(SeedError, match="cannot be read"):
        read_key(tmp_path / "gone")


def test_a_root_file_system_is_told_from_a_state_disk_by_the_manifest(tmp_path: Path) -> None:
    document = {"architecture": "arm64", "name": "n", "artifacts": [{"name": "rootfs.qcow2"}, {"name": "node.iso"}]}
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    assert node.root_disk(tmp_path / "rootfs.qcow2")
    assert not node.root_disk(tmp_path / "node.iso")
    assert not node.root_disk(tmp_path / "var.qcow2")
    assert not node.root_disk(tmp_path / "elsewhere/rootfs.qcow2")


@pytest.mark.parametrize("initrd", [True, False])
def test_hardware_that_starts_from_a_disk(built: node.Built, *, initrd: bool) -> None:
    if initrd:
        (built.folder / "initrd.img").touch()
    disk = built.folder / "rootfs.qcow2"
    machine = node.disk_hardware(built, disk, seed=built.seed, processors=2)
    assert [(drive.path, drive.format, drive.kind) for drive in machine.drives] == [
        (disk, "qcow2", "disk"),
        (built.seed, "raw", "cd"),
    ]
    assert machine.kernel == built.folder / "vmlinuz"
    assert machine.initrd == (built.folder / "initrd.img" if initrd else None)
    assert machine.append == "root=/dev/vda rw console=tty0 console=ttyS0,115200"
