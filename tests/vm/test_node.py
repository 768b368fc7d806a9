import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from assembler.errors import AssembleError
from assembler.formats import qcow2
from assembler.formats.iso import write_iso
from assembler.hostfile import HostFileError
from assembler.vm import node
from assembler.vm.isofile import read_files
from assembler.vm.seed import SeedError, read_key, with_keys

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMZ/xUvDI3qgJMWDI9eSbSnwF9GGSbqXJMI1uJ9xjc4Z someone@somewhere"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBk8UPkXqZ0XFnRD7ITkh7MQzG4gdLr0ZIMkLYxjNWzq other"


@pytest.fixture
def built(tmp_path: Path) -> node.Built:
    (tmp_path / "manifest.json").write_text(json.dumps({"architecture": "amd64", "name": "livecd", "more": 1}))
    return node.built(tmp_path)


def test_hardware_of_a_node(built: node.Built) -> None:
    state = built.directory / "var.qcow2"
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


def test_files_on_the_iso(built: node.Built) -> None:
    path = "/live/livecd.lock.toml"
    write_iso(built.iso, {path: b"schema = 1\n"}, label="K8S_NODE", epoch=0)
    assert read_files(built.iso, [path]) == {path: b"schema = 1\n"}
    write_iso(built.iso, {"/live/other": b""}, label="K8S_NODE", epoch=0)
    assert read_files(built.iso, [path]) == {}
    built.iso.unlink()
    with pytest.raises(AssembleError, match="No such file"):
        read_files(built.iso, [path])


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
        assert qcow2.read_header(stream).size == 10 << 30


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
    assert meta == {"instance-id": "node-1", "public-keys": [OTHER, KEY], "local-hostname": "a"}
    label = subprocess.run(
        ["blkid", "-p", "-s", "LABEL", "-o", "value", out], capture_output=True, text=True, check=True
    )
    assert label.stdout == "cidata\n"


def test_a_seed_changes_with_the_keys_only(seed: Path, tmp_path: Path) -> None:
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
        (built.directory / "initrd.img").touch()
    disk = built.directory / "rootfs.qcow2"
    machine = node.disk_hardware(built, disk, seed=built.seed, processors=2)
    assert [(drive.path, drive.format, drive.kind) for drive in machine.drives] == [
        (disk, "qcow2", "disk"),
        (built.seed, "raw", "cd"),
    ]
    assert machine.kernel == built.directory / "vmlinuz"
    assert machine.initrd == (built.directory / "initrd.img" if initrd else None)
    assert machine.append == "root=/dev/vda rw console=tty0 console=ttyS0,115200"


# --- a directory that somebody else has filled
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"architecture": "amd64", "name": "../x"}',
        '{"architecture": "amd64", "name": 7}',
        '{"architecture": "amd64", "name": null}',
        '{"architecture": "vax", "name": "x"}',
        '{"architecture": ["amd64"], "name": "x"}',
        '{"architecture": {}, "name": "x"}',
        '"architecture"',
        '{"name":' + "[" * 100_000,
        '{"architecture": "amd64", "name": "x", "n": ' + "1" * 10_000 + "}",
        '{"architecture": "amd64", "name": "x", "n": NaN}',
    ],
)
def test_a_manifest_that_lies(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(AssembleError, match="no manifest of a build"):
        node.built(tmp_path)
    (tmp_path / "rootfs.qcow2").touch()
    assert not node.root_disk(tmp_path / "rootfs.qcow2")


@pytest.mark.parametrize("artifacts", ["7", "{}", '["x"]', '[{"name": 7}]', "null"])
def test_artifacts_that_lie(tmp_path: Path, artifacts: str) -> None:
    (tmp_path / "manifest.json").write_text(f'{{"artifacts": {artifacts}}}')
    assert not node.root_disk(tmp_path / "rootfs.qcow2")


def test_a_manifest_that_never_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(AssembleError, match="no regular file"):
        node.built(tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "manifest.json").symlink_to("/dev/zero")
    with pytest.raises(AssembleError, match="symbolic link"):
        node.built(tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "manifest.json").touch()
    os.truncate(tmp_path / "manifest.json", 1 << 40)
    with pytest.raises(AssembleError, match="larger than it may be"):
        node.built(tmp_path)


@pytest.mark.parametrize("name", ["node.iso", "cloud-init-seed.iso", "vmlinuz", "initrd.img"])
def test_what_the_machine_would_see_is_in_the_directory(built: node.Built, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "id_ed25519"
    secret.write_text("secret")
    (built.directory / name).symlink_to(secret)
    with pytest.raises(HostFileError, match="is no regular file"):
        node.built(built.directory)


def qemu_img(*arguments: str | Path) -> None:
    subprocess.run(["qemu-img", *arguments], check=True, capture_output=True)


def with_feature(path: Path, bit: int) -> None:
    data = bytearray(qcow2.empty(1 << 20))
    data[72:80] = (1 << bit).to_bytes(8, "big")
    path.write_bytes(data)


def with_extension(path: Path) -> None:
    """A name of a data file without the feature that says so."""
    name = b"/etc/passwd"
    data = bytearray(qcow2.empty(1 << 20))
    data[112:120] = (0x44415441).to_bytes(4, "big") + len(name).to_bytes(4, "big")
    data[120 : 120 + len(name)] = name
    path.write_bytes(data)


DISKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "overlay": (
        lambda path: qemu_img("create", "-u", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", path, "1M"),
        "overlay over another file",
    ),
    "data file": (
        lambda path: qemu_img("create", "-f", "qcow2", "-o", f"data_file={path}.raw,data_file_raw=on", path, "1M"),
        "data in another file",
    ),
    "data file of version 3": (with_extension, "data in another file"),
    "unknown feature": (lambda path: with_feature(path, 40), "unknown features"),
    "raw": (lambda path: path.write_bytes(bytes(1 << 20)), "not a qcow2 image"),
    "no size": (lambda path: path.write_bytes(qcow2.empty(512).replace(b"\2\0", b"\0\0", 1)), "0 bytes"),
    "encrypted": (lambda path: path.write_bytes(_encrypted()), "encrypted"),
    "empty": (lambda path: path.touch(), "not a qcow2 image"),
    "link": (lambda path: path.symlink_to(path.parent / "elsewhere.qcow2"), "symbolic link"),
    "dangling link": (lambda path: path.symlink_to(path.parent / "nowhere"), "symbolic link"),
    "pipe": (os.mkfifo, "no regular file"),
    "directory": (lambda path: path.mkdir(), "no regular file"),
}


def _encrypted() -> bytes:
    data = bytearray(qcow2.empty(1 << 20))
    data[32:36] = (2).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("kind", DISKS)
def test_disks_that_qemu_must_not_open(tmp_path: Path, kind: str) -> None:
    make, why = DISKS[kind]
    (tmp_path / "elsewhere.qcow2").write_bytes(qcow2.empty(1 << 20))
    disk = tmp_path / "x.qcow2"
    make(disk)
    with pytest.raises(AssembleError, match=why):
        node.keep_state(disk)
    with pytest.raises(AssembleError, match=why):
        node.copy_root(disk, tmp_path / "copy.qcow2")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("options", [(), ("-o", "extended_l2=on,cluster_size=128k"), ("-o", "compat=0.10")])
def test_disks_that_need_nothing_else(tmp_path: Path, options: tuple[str, ...]) -> None:
    disk = tmp_path / "x.qcow2"
    qemu_img("create", "-f", "qcow2", *options, disk, "1M")
    node.keep_state(disk)
    # With a hole of a terabyte, which is not copied byte by byte.
    os.truncate(disk, 1 << 40)
    node.copy_root(disk, tmp_path / "copy.qcow2")
    copy = (tmp_path / "copy.qcow2").stat()
    assert copy.st_size == 1 << 40
    assert copy.st_blocks * 512 < 4 << 20
    with disk.open("rb") as before, (tmp_path / "copy.qcow2").open("rb") as after:
        assert before.read(1 << 20) == after.read(1 << 20)


def seed_with(tmp_path: Path, meta: bytes) -> Path:
    seed = tmp_path / "seed.iso"
    write_iso(seed, {"/user-data": b"#cloud-config\n", "/meta-data": meta}, label="cidata", epoch=0)
    return seed


@pytest.mark.parametrize(
    "meta",
    [
        b"a0: &a0 [x, x]\n" + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 20)),
        b"public-keys: " + b"[" * 5000,
        b"public-keys: " + b"[" * 80 + b"]" * 80,
        b"instance-id: 2001-99-99\n",
        b"? [a, b]\n: c\n",
        b"a: !!timestamp x\n",
        b"a: " + b"x" * (1 << 18),
        b"\xff\xfe\xff",
        b"- a\n",
        b"--- a\n--- b\n",
    ],
)
def test_meta_data_that_is_an_attack(tmp_path: Path, meta: bytes) -> None:
    with pytest.raises(SeedError, match=r"meta-data (is no YAML|has more than)"):
        with_keys(seed_with(tmp_path, meta), [KEY], tmp_path / "out.iso")


def test_a_seed_that_is_large(tmp_path: Path) -> None:
    seed = tmp_path / "seed.iso"
    write_iso(seed, {"/user-data": bytes(17 << 20)}, label="cidata", epoch=0)
    with pytest.raises(AssembleError, match="larger than it may be"):
        with_keys(seed, [KEY], tmp_path / "out.iso")
