"""A live system just large enough to see what its initramfs does: the real kernel and initrd, a medium with a squashfs
whose /sbin/init tells what it finds."""

import hashlib
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pycdlib
import zstandard

from assembler.formats import cpio
from assembler.vm.machine import Machine
from assembler.vm.node import Built
from assembler.vm.qemu import Drive, Emulator, Hardware
from tests.boot.state_disks import run

TIMEOUT = 600
"""Seconds for a boot; about 8 on an idle machine under emulation."""

INIT = """\
#!/usr/bin/busybox sh
export PATH=/usr/bin
tell() {
    echo "BEGIN $1"
    cat 2>&1
    echo "END $1"
}
{
    echo BEGIN-VERDICT
    [ $$ = 1 ] && echo "first process with $*" | tell init
    for file in state medium log fsck.log; do
        [ ! -e /run/livecd/$file ] || tell $file </run/livecd/$file
    done
    [ ! -e /run/motd.d/livecd ] || tell notice </run/motd.d/livecd
    tell mounts </proc/mounts
    tell screen </dev/vcs
    stat -c '%a %u:%g %n' / /run /mnt /mnt/overlay /tmp /run/initramfs | tell modes
    ls / | tell root
    tell text </etc/text
    cat /boot/config-over 2>/dev/null | tell over
    cat /marker 2>/dev/null | tell marker
    echo kept >/marker
    sync
    echo END-VERDICT
} >/dev/console 2>&1
grep -q test.dirty /proc/cmdline && { sleep 3600; }
poweroff -f
"""
"""What the system on the medium runs: a verdict in marked sections, then off."""


@dataclass(frozen=True)
class Parts:
    """What is the same in every boot."""

    kernel: Path
    initrd: Path
    medium: Path
    busybox: bytes
    emulator: Emulator


@dataclass(frozen=True)
class Verdict:
    """What the system said of itself, section by section, and all that was on the console."""

    sections: dict[str, str]
    console: str

    @property
    def state(self) -> dict[str, str]:
        """/run/livecd/state."""
        return dict(line.split("=", 1) for line in self.sections["state"].splitlines() if "=" in line)

    @property
    def notice(self) -> str:
        """What nobody should miss; empty when all went as asked."""
        return self.sections.get("notice", "")

    def mount(self, path: str) -> list[str]:
        """Device, type and options of what is mounted at `path`."""
        for line in self.sections["mounts"].splitlines():
            device, where, kind, options, *_ = line.split()
            if where == path:
                return [device, kind, *options.split(",")]
        return []


def live_parts(node: Built, emulator: Emulator, directory: Path) -> Parts:
    """Kernel and initrd as `node` was built with, and a medium made in `directory`."""
    initrd = node.directory / "initrd.img"
    unpacked = cpio.read(io.BytesIO(zstandard.ZstdDecompressor().decompress(initrd.read_bytes())))
    busybox = unpacked.read("/usr/bin/busybox")
    parts = Parts(node.directory / "vmlinuz", initrd, directory / "medium.iso", busybox, emulator)
    medium(parts.medium, parts.busybox)
    return parts


def medium(out: Path, busybox: bytes, label: str = "K8S_NODE", *, sums: str = "", text: str = "") -> str:
    """Write an ISO with /live/filesystem.squashfs, which holds busybox, INIT and `text` in /etc/text.

    `sums` is its /live/SHA256SUMS; empty for what that should be. Returns the one that there should be.
    """
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        for directory in ("usr/bin", "usr/sbin", "dev", "proc", "run", "sys", "tmp", "etc"):
            (root / directory).mkdir(parents=True)
        (root / "usr/bin/busybox").write_bytes(busybox)
        (root / "usr/bin/busybox").chmod(0o755)
        for applet in ("sh", "cat", "echo", "grep", "ls", "mkdir", "poweroff", "sleep", "stat", "sync"):
            (root / "usr/bin" / applet).symlink_to("busybox")
        (root / "sbin").symlink_to("usr/sbin")
        (root / "usr/sbin/init").symlink_to("../bin/test-init")
        (root / "usr/bin/test-init").write_text(INIT)
        (root / "usr/bin/test-init").chmod(0o755)
        (root / "etc/text").write_text(text)
        squashfs = Path(name) / "filesystem.squashfs"
        run("mksquashfs", str(root), str(squashfs), "-all-root", "-noappend", "-no-progress", "-quiet")
        right = f"{hashlib.sha256(squashfs.read_bytes()).hexdigest()}  live/filesystem.squashfs\n"
        written = (sums or right).encode()
        iso = pycdlib.PyCdlib()
        iso.new(interchange_level=3, rock_ridge="1.09", vol_ident=label)
        iso.add_directory("/LIVE", rr_name="live")
        iso.add_file(str(squashfs), "/LIVE/FILESYSTEM.SQU;1", rr_name="filesystem.squashfs")
        iso.add_fp(io.BytesIO(written), len(written), "/LIVE/SHA256SUM.;1", rr_name="SHA256SUMS")
        iso.write(str(out))
        iso.close()
    return right


def boot(
    parts: Parts,
    *disks: Path,
    append: str = "",
    read_only: tuple[Path, ...] = (),
    medium_as: str = "cd",
    power_cut: bool = False,
    expect: str = r"^END-VERDICT",
) -> Verdict:
    """Start a machine with `disks` (vda, vdb ...) and the medium; what it said until it switched itself off.

    With `power_cut` it does not get to do so: the power goes when the verdict is out. `medium_as` is ``cd``, ``disk``
    (the first one, vda), ``last disk`` or nothing for a machine without one.
    """
    drives = [Drive(path=disk, read_only=disk in read_only) for disk in disks]
    if medium_as == "disk":
        drives.insert(0, Drive(path=parts.medium))
    elif medium_as == "last disk":
        drives.append(Drive(path=parts.medium))
    elif medium_as == "cd":
        drives.append(Drive(path=parts.medium, kind="cd"))
    command_line = f"console=tty0 console=ttyS0 loglevel=4 {append}" + (" test.dirty" if power_cut else "")
    hardware = Hardware(
        memory=512,
        processors=1,
        network=False,
        drives=tuple(drives),
        kernel=parts.kernel,
        initrd=parts.initrd,
        append=command_line,
    )
    with Machine(parts.emulator, hardware) as machine:
        machine.expect(expect, TIMEOUT)
        if not power_cut and expect == r"^END-VERDICT":
            machine.wait(TIMEOUT)
        console = machine.console.text
    return Verdict(_sections(console), console)


def _sections(console: str) -> dict[str, str]:
    sections: dict[str, str] = {}
    name = ""
    for line in console.splitlines():
        if line.startswith("BEGIN "):
            name = line.removeprefix("BEGIN ")
            sections[name] = ""
        elif line.startswith("END "):
            name = ""
        elif name:
            sections[name] += line + "\n"
    return sections
