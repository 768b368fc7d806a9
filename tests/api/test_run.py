"""The machine that ``run`` starts: what it is made of, what is said of it, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from assembler import api
from assembler.api.run import _accelerated, _emulator, _greet, _hardware, _Lines, _seed
from assembler.formats import qcow2
from assembler.formats.iso import write_iso
from assembler.vm import node
from assembler.vm.isofile import read_files
from assembler.vm.qemu import Emulator
from tests.support.reporters import Recorder

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOXony4Qv3ebzXeKIEsLABn9H2NA9c+9wbEJmn82i3DE x"
QEMU = Emulator(command=("qemu",), reach=())


@pytest.fixture
def built(tmp_path: Path) -> node.Built:
    out = tmp_path / "out"
    out.mkdir()
    artifacts = [{"name": "rootfs.qcow2"}]
    (out / "manifest.json").write_text(json.dumps({"architecture": "amd64", "name": "x", "artifacts": artifacts}))
    return node.built(out)


@pytest.fixture
def told() -> Recorder:
    return Recorder()


@pytest.fixture
def workspace(tmp_path: Path, told: Recorder) -> api.Workspace:
    return api.Workspace(store=tmp_path / "store", offline=True, search=str(tmp_path / "bin"), reporter=told)


def write_seed(path: Path) -> Path:
    write_iso(path, {"/user-data": b"#cloud-config\n{}\n", "/meta-data": b""}, label="cidata", epoch=0, joliet=True)
    return path


def test_a_node_and_its_state(built: node.Built, workspace: api.Workspace, told: Recorder, tmp_path: Path) -> None:
    disk = tmp_path / "state.qcow2"
    options = api.MachineOptions(
        disk=disk, medium="disk", firmware="uefi", memory=512, processors=3, ssh_port=2345, seed=tmp_path / "s.iso"
    )
    found = _hardware(workspace, built, options, tmp_path)
    assert (found.memory, found.processors, found.ssh_port, found.firmware) == (512, 3, 2345, "uefi")
    assert [(drive.path, drive.kind, drive.boot) for drive in found.drives] == [
        (built.iso, "disk", True),
        (tmp_path / "s.iso", "cd", False),
        (disk, "disk", False),
    ]
    with disk.open("rb") as stream:
        assert qcow2.read_header(stream).size == 10 << 30
    assert told.messages == []
    disk.unlink()
    disk.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(api.AssembleError, match="symbolic link"):
        _hardware(workspace, built, options, tmp_path)


def test_a_root_file_system_is_started_as_a_copy(
    built: node.Built, workspace: api.Workspace, told: Recorder, tmp_path: Path
) -> None:
    disk = built.directory / "rootfs.qcow2"
    disk.write_bytes(qcow2.empty(1 << 20))
    options = api.MachineOptions(disk=disk, memory=512, processors=3, ssh_port=2345)
    found = _hardware(workspace, built, options, tmp_path)
    copy = tmp_path / "rootfs.qcow2"
    assert (found.memory, found.processors, found.ssh_port) == (512, 3, 2345)
    assert found.kernel == built.kernel
    assert found.initrd is None
    assert [(drive.path, drive.format, drive.kind) for drive in found.drives] == [(copy, "qcow2", "disk")]
    assert copy.read_bytes() == disk.read_bytes()
    assert told.messages == [f"starting a copy of {disk}: what changes in it is lost afterwards"]
    copy.unlink()
    write_seed(built.seed)
    built.initrd.touch()
    found = _hardware(workspace, built, options, tmp_path)
    assert found.initrd == built.initrd
    assert [(drive.path, drive.kind) for drive in found.drives] == [(copy, "disk"), (built.seed, "cd")]


def test_which_seed(built: node.Built, tmp_path: Path) -> None:
    other = write_seed(tmp_path / "other.iso")
    assert _seed(built, api.MachineOptions(), tmp_path) is None
    assert _seed(built, api.MachineOptions(seed=other), tmp_path) == other
    write_seed(built.seed)
    assert _seed(built, api.MachineOptions(), tmp_path) == built.seed
    assert _seed(built, api.MachineOptions(seed=other), tmp_path) == other
    (tmp_path / "k.pub").write_text(KEY)
    before = built.seed.read_bytes()
    private = _seed(built, api.MachineOptions(ssh_keys=(tmp_path / "k.pub",)), tmp_path)
    assert private == tmp_path / "seed.iso"
    assert yaml.safe_load(read_files(private, ["/meta-data"])["/meta-data"])["public-keys"] == [KEY]
    assert built.seed.read_bytes() == before


def test_a_key_without_a_seed(built: node.Built, tmp_path: Path) -> None:
    with pytest.raises(api.AssembleError) as caught:
        _seed(built, api.MachineOptions(ssh_keys=(tmp_path / "k.pub",)), tmp_path)
    assert caught.value.what == "there is no cloud-init seed to put the SSH key into"
    assert caught.value.hint == "name one with --seed"


def test_kvm_or_emulation(built: node.Built) -> None:
    fast = replace(QEMU, accelerated=True)
    for one in (QEMU, fast):
        assert _accelerated(one, built, "auto") is one
        assert _accelerated(one, built, "tcg").accelerated is False
    assert _accelerated(fast, built, "kvm").accelerated is True
    with pytest.raises(api.AssembleError) as caught:
        _accelerated(QEMU, built, "kvm")
    assert caught.value.what == "KVM does not work here for amd64"
    assert caught.value.hint == "it needs /dev/kvm and a processor that virtualises; --accel tcg emulates"


@pytest.mark.parametrize(
    ("accelerated", "patience"),
    [(True, "with KVM"), (False, "emulated, as there is no usable KVM: give it some minutes")],
)
def test_what_is_said_before(workspace: api.Workspace, told: Recorder, *, accelerated: bool, patience: str) -> None:
    _greet(workspace, replace(QEMU, accelerated=accelerated), api.MachineOptions(ssh_port=2345))
    assert told.messages == [
        f"starting the machine, {patience}; Ctrl-A X ends it",
        "to log in over SSH: ssh -p 2345 root@127.0.0.1",
    ]


def write_qemu(tmp_path: Path) -> Path:
    program = tmp_path / "bin/qemu-system-x86_64"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho QEMU emulator version 9.2.1\n")
    program.chmod(0o755)
    return program


def test_the_hosts_qemu(built: node.Built, workspace: api.Workspace, told: Recorder, tmp_path: Path) -> None:
    program = write_qemu(tmp_path)
    hardware = node.hardware(built, seed=None, state=None, processors=1)
    assert _emulator(workspace, built, hardware).command == (str(program),)
    assert told.messages == []


def test_no_qemu_on_the_host(built: node.Built, workspace: api.Workspace, told: Recorder) -> None:
    with pytest.raises(api.AssembleError):
        _emulator(workspace, built, node.hardware(built, seed=None, state=None, processors=1))
    assert told.messages[0] == "there is no QEMU on this host: using the assembler's own"


def lines(feed: Callable[[_Lines], None]) -> list[str]:
    shown: list[str] = []
    them = _Lines(shown.append)
    feed(them)
    return shown


def test_the_console_is_shown_line_by_line() -> None:
    def feed(them: _Lines) -> None:
        for text in ("on", "e\r\ntwo\n\nfo", "ur"):
            them.feed(text)

    assert lines(feed) == ["one", "two", ""]

    def feed_and_end(them: _Lines) -> None:
        feed(them)
        them.end()
        them.end()

    assert lines(feed_and_end) == ["one", "two", "", "four"]


def test_lines_without_end_are_cut() -> None:
    assert lines(lambda them: them.feed("x" * 4096)) == []
    assert lines(lambda them: them.feed("x" * 4097)) == ["x" * 4096]
    assert lines(lambda them: them.feed("x" * 8193)) == ["x" * 4096] * 2
    assert lines(lambda them: them.feed("\x1b[2Jx\n")) == [r"\x1b[2Jx"]
