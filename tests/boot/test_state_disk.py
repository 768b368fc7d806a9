"""Which disk the live system writes to, and above all which it does not: every case is a boot of the real kernel and
initrd, after which each disk is compared byte by byte with what it was."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.formats import cpio
from assembler.initrd.compose import OVER
from assembler.tree.staging import Tree
from assembler.vm.node import Built
from assembler.vm.qemu import Emulator
from tests.boot.live_parts import Parts, Verdict, boot, live_parts, medium
from tests.boot.state_disks import (
    FOREIGN,
    MIB,
    SIZE,
    Maker,
    digest,
    dirty_ext4,
    ext4,
    ours,
    put,
    raid_10,
    run,
    xfs,
    xfs_with_our_label,
    zero,
)

pytestmark = pytest.mark.boot


@pytest.fixture(scope="module")
def parts(node: Built, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    return live_parts(node, emulator, tmp_path_factory.mktemp("live"))


Disk = Callable[[Maker], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """Makes one more disk of a kind."""

    def make(maker: Maker) -> Path:
        return maker(tmp_path / f"{len(list(tmp_path.glob('*.img')))}-{maker.__name__}.img")

    return make


class Untouched:
    """Disks that must be afterwards what they were before."""

    def __init__(self, *disks: Path) -> None:
        self._before = {path: digest(path) for path in disks}

    def check(self) -> None:
        for path, before in self._before.items():
            assert digest(path) == before, f"{path.name} has been written to"


def lost_on_power_off(verdict: Verdict) -> bool:
    """Whether changes are in memory, and the user was told on the console, at every login and in the state file."""
    assert verdict.mount("/mnt")[:2] == ["tmpfs", "tmpfs"]
    assert verdict.mount("/")[:2] == ["overlay", "overlay"]
    assert "CHANGES TO THIS SYSTEM ARE LOST" in verdict.console.split("BEGIN-VERDICT")[0]
    assert "if this is meant to be" in verdict.sections["screen"]
    assert verdict.sections["state"].count("\n") == 3
    return verdict.state["MODE"] == "memory" and "CHANGES TO THIS SYSTEM ARE LOST" in verdict.notice


def kept_on(verdict: Verdict, device: str) -> bool:
    """Whether changes are on this device, without any notice."""
    assert verdict.mount("/mnt")[:2] == [device, "ext4"]
    return verdict.state["MODE"] == "disk" and verdict.state["DEVICE"] == device and not verdict.notice


# --- auto ----------------------------------------------------------


def test_disks_of_others_are_never_touched(parts: Parts, disk: Disk) -> None:
    disks = [disk(maker) for maker in FOREIGN.values()]
    untouched = Untouched(*disks)
    verdict = boot(parts, *disks)
    untouched.check()
    assert lost_on_power_off(verdict)
    listing = verdict.notice.split("none that is blank.\n")[1].split("\n\n")[0]
    reasons = dict(zip(FOREIGN, listing.split("\n"), strict=True))
    assert "holds ext4 labelled precious" in reasons["ext4"]
    assert "holds ext4 labelled precious" in reasons["dirty_ext4"]
    assert "has no signature, yet is not blank" in reasons["torn_ext4"]
    assert "has no signature, yet is not blank" in reasons["headless_ext4"]
    assert "holds xfs labelled precious" in reasons["xfs"]
    assert "holds btrfs labelled precious" in reasons["btrfs"]
    assert "holds a partition table (gpt)" in reasons["gpt"]
    assert "holds a partition table (dos)" in reasons["mbr"]
    assert "holds crypto_LUKS" in reasons["luks1"]
    assert "holds crypto_LUKS" in reasons["luks2"]
    assert "holds LVM2_member" in reasons["lvm"]
    assert "holds linux_raid_member" in reasons["raid_12"]
    assert "holds linux_raid_member" in reasons["raid_090"]
    assert "has no signature, yet is not blank" in reasons["lonely_byte"]
    assert "has no signature, yet is not blank: something on it is not zero" in reasons["mapped_ext4"]


def test_from_blank_over_a_power_cut_to_the_next_boot(parts: Parts, disk: Disk, tmp_path: Path) -> None:
    # The medium is the first disk itself, an ISO written to it.
    foreign = [disk(FOREIGN[name]) for name in ("headless_xfs", "gpt", "dirty_ext4")]
    small = zero(tmp_path / "small.img", 255 * MIB)
    state = zero(tmp_path / "state.img", 1 << 30)
    image = tmp_path / "medium.iso"
    shutil.copyfile(parts.medium, image)
    own = replace(parts, medium=image)
    untouched = Untouched(image, *foreign, small)
    first = boot(own, *foreign, small, state, medium_as="disk", power_cut=True)
    untouched.check()
    assert kept_on(first, "/dev/vdf")
    assert first.state["REASON"] == "it was blank and has been formatted"
    assert first.sections["medium"].splitlines()[0] == "DEVICE=/dev/vda"
    assert first.sections["marker"] == ""
    header = run("dumpe2fs", "-h", str(state))
    assert "Filesystem volume name:   K8S_STATE\n" in header
    for feature in ("has_journal", "metadata_csum", "64bit", "extent", "needs_recovery"):
        assert feature in header

    another = zero(tmp_path / "another.img", SIZE)
    untouched = Untouched(another, *foreign)
    second = boot(own, another, *foreign, state)
    untouched.check()
    assert kept_on(second, "/dev/vde")
    assert second.state["REASON"] == "it is labelled K8S_STATE"
    assert second.sections["marker"] == "kept\n"
    assert "recovering journal" in second.sections["fsck.log"]
    run("e2fsck", "-p", str(state), good=(0, 1))
    assert run("debugfs", "-R", "cat overlay/upper/marker", str(state)) == "kept\n"


def test_what_the_system_finds_itself_in(parts: Parts, disk: Disk) -> None:
    verdict = boot(parts, disk(ours), append="3 livecd.state=auto")
    assert verdict.sections["init"] == "first process with 3\n"
    modes = [line.split() for line in verdict.sections["modes"].splitlines()]
    # The medium and the squashfs on it, where private files are for whoever reads it, are below /run/initramfs.
    expected = dict.fromkeys(("/", "/run", "/mnt", "/mnt/overlay", "/tmp"), ("755", "0:0"))
    assert {path: (mode, owner) for mode, owner, path in modes} == {**expected, "/run/initramfs": ("700", "0:0")}
    assert set(verdict.sections["root"].split()) >= {"dev", "mnt", "proc", "run", "sys", "usr"}
    assert verdict.mount("/run/initramfs/medium")[:3] == ["/dev/sr0", "iso9660", "ro"]
    assert verdict.mount("/run/initramfs/rootfs")[1:3] == ["squashfs", "ro"]
    for path in ("/run/initramfs/medium", "/run/initramfs/rootfs"):
        assert {"nodev", "nosuid"} <= set(verdict.mount(path))
    assert verdict.mount("/dev")[1] == "devtmpfs"
    assert not {"state", "init", "newroot"} & set(verdict.sections["root"].split())


def test_two_blank_disks(parts: Parts, disk: Disk) -> None:
    disks = [disk(zero), disk(zero)]
    untouched = Untouched(*disks)
    verdict = boot(parts, *disks)
    untouched.check()
    assert lost_on_power_off(verdict)
    assert "Several disks are blank (vda vdb)" in verdict.notice


def test_two_disks_of_ours(parts: Parts, disk: Disk) -> None:
    disks = [disk(ours), disk(zero), disk(ours)]
    untouched = Untouched(*disks)
    verdict = boot(parts, *disks)
    untouched.check()
    assert lost_on_power_off(verdict)
    assert "Several disks are labelled K8S_STATE (vda vdc)" in verdict.notice


def test_ours_in_a_mirror_is_not_ours_alone(parts: Parts, disk: Disk) -> None:
    member = disk(raid_10)
    untouched = Untouched(member)
    verdict = boot(parts, member)
    untouched.check()
    assert lost_on_power_off(verdict)
    assert "holds linux_raid_member" in verdict.notice


def test_our_label_on_another_file_system(parts: Parts, disk: Disk) -> None:
    disks = [disk(xfs_with_our_label), disk(zero)]
    untouched = Untouched(*disks)
    verdict = boot(parts, *disks)
    untouched.check()
    assert lost_on_power_off(verdict)
    assert "vda is labelled K8S_STATE but holds xfs" in verdict.notice


def test_read_only_disks(parts: Parts, disk: Disk) -> None:
    state, blank = disk(ours), disk(zero)
    untouched = Untouched(state, blank)
    verdict = boot(parts, state, blank, read_only=(state,))
    untouched.check()
    assert lost_on_power_off(verdict)
    assert "The state disk vda is read-only" in verdict.notice

    verdict = boot(parts, blank, read_only=(blank,))
    untouched.check()
    assert lost_on_power_off(verdict)
    assert "vda (320 MiB): read-only" in verdict.notice


def test_too_small_and_not_read_in_time(parts: Parts, disk: Disk, tmp_path: Path) -> None:
    small, blank, mine = zero(tmp_path / "small.img", 255 * MIB), disk(zero), disk(with_uuid)
    untouched = Untouched(small, blank, mine)
    verdict = boot(parts, small, blank, mine, append="livecd.blank_timeout=0")
    untouched.check()
    assert lost_on_power_off(verdict)
    assert "vda (255 MiB): too small, at least 256 MiB are needed" in verdict.notice
    assert "vdb (320 MiB): not read to its end, 0 MiB in 0 seconds; livecd.state=/dev/disk/by-path/" in verdict.notice
    assert "livecd.state=UUID=11111111-2222-4333-8444-555555555555 takes it as it is" in verdict.notice
    assert "mkfs.ext4 -L K8S_STATE /dev/NAME" in verdict.notice


def test_ours_when_damaged_is_repaired(parts: Parts, disk: Disk) -> None:
    state = disk(ours)
    # The root's inode is gone and the kernel has noticed: e2fsck -p refuses to go on, -y makes a new one and puts the
    # file into lost+found.
    run("debugfs", "-w", "-f", "-", str(state), stdin="clri <2>\nssv state 2\n")
    verdict = boot(parts, state)
    assert kept_on(verdict, "/dev/vda")
    assert "UNEXPECTED INCONSISTENCY" in verdict.sections["fsck.log"]
    run("e2fsck", "-fn", str(state))


def test_ours_beyond_repair_is_left_as_it_is(parts: Parts, disk: Disk) -> None:
    state, blank = disk(ours), disk(zero)
    run("debugfs", "-w", "-R", "feature FEATURE_I31", str(state))
    untouched = Untouched(state, blank)
    verdict = boot(parts, state, blank)
    untouched.check()
    assert lost_on_power_off(verdict)
    assert "The file system on the state disk vda is damaged and was not repaired" in verdict.notice


# --- none, and named ----------------------------------------------------------


def test_none(parts: Parts, disk: Disk) -> None:
    disks = [disk(ours), disk(zero)]
    untouched = Untouched(*disks)
    verdict = boot(parts, *disks, append="livecd.state=none")
    untouched.check()
    assert verdict.mount("/mnt")[:2] == ["tmpfs", "tmpfs"]
    assert verdict.state == {"MODE": "memory", "DEVICE": "", "REASON": "livecd.state=none"}
    assert not verdict.notice


def with_uuid(path: Path) -> Path:
    return ext4(path, "mine", SIZE, "-U", "11111111-2222-4333-8444-555555555555")


@pytest.mark.parametrize("name", ["/dev/vdb", "LABEL=mine", "UUID=11111111-2222-4333-8444-555555555555"])
def test_a_named_file_system_is_used_as_it_is(parts: Parts, disk: Disk, name: str) -> None:
    named, others = disk(with_uuid), [disk(ours), disk(zero), disk(ext4)]
    untouched = Untouched(*others)
    verdict = boot(parts, others[0], named, *others[1:], append=f"livecd.state={name}")
    untouched.check()
    assert kept_on(verdict, "/dev/vdb")
    assert verdict.state["REASON"] == f"livecd.state={name} names it"
    assert run("debugfs", "-R", "cat precious.txt", str(named)) == "precious data\n"


def test_a_named_blank_disk_among_others(parts: Parts, disk: Disk) -> None:
    disks = [disk(zero), disk(zero), disk(ext4)]
    untouched = Untouched(disks[0], disks[2])
    verdict = boot(parts, *disks, append="livecd.state=/dev/vdb")
    untouched.check()
    assert kept_on(verdict, "/dev/vdb")
    assert "volume name:   K8S_STATE\n" in run("dumpe2fs", "-h", str(disks[1]))


def test_a_named_blank_partition(parts: Parts, disk: Disk) -> None:
    def partitioned(path: Path) -> Path:
        run("sfdisk", "-q", str(zero(path, 1 << 30)), stdin="label: gpt\nsize=512MiB, name=state\nsize=100MiB\n")
        put(path, 600 * MIB, b"precious")
        return path

    path = disk(partitioned)
    table = run("sfdisk", "-d", str(path))
    verdict = boot(parts, path, append="livecd.state=PARTLABEL=state,required")
    assert kept_on(verdict, "/dev/vda1")
    assert run("sfdisk", "-d", str(path)) == table
    with path.open("rb") as stream:
        stream.seek(600 * MIB)
        assert stream.read(8) == b"precious"


@pytest.mark.parametrize(
    ("maker", "name", "why"),
    [
        (xfs, "/dev/vda", "holds xfs labelled precious"),
        (FOREIGN["headless_btrfs"], "/dev/vda", "has no signature, yet is not blank"),
        (FOREIGN["gpt"], "/dev/vda", "holds a partition table (gpt)"),
        (FOREIGN["luks2"], "LABEL=precious", "holds crypto_LUKS labelled precious"),
        (zero, "sda", "livecd.state=sda is none of auto, none,"),
    ],
)
def test_a_named_disk_that_is_not_to_be_had(parts: Parts, disk: Disk, maker: Maker, name: str, why: str) -> None:
    path = disk(maker)
    untouched = Untouched(path)
    verdict = boot(parts, path, append=f"livecd.state={name} livecd.wait=2")
    untouched.check()
    assert lost_on_power_off(verdict)
    assert why in " ".join(verdict.notice.split())


def test_a_required_disk_that_does_not_come(parts: Parts, disk: Disk) -> None:
    disks = [disk(dirty_ext4), disk(zero)]
    untouched = Untouched(*disks)
    expect = r"must not start without its state(?s:.*)/dev/vdz has not appeared within 2 sec(?s:.*)restarts in 1 sec"
    verdict = boot(parts, *disks, append="livecd.state=/dev/vdz,required livecd.state_wait=2 panic=1", expect=expect)
    untouched.check()
    assert "starting /sbin/init" not in verdict.console


def test_two_of_one_name(parts: Parts, disk: Disk) -> None:
    disks = [disk(ext4), disk(ext4)]
    untouched = Untouched(*disks)
    verdict = boot(parts, *disks, append="livecd.state=LABEL=precious")
    untouched.check()
    assert lost_on_power_off(verdict)
    assert "Several devices are LABEL=precious (vda vdb)" in verdict.notice


def test_the_medium_itself_is_no_state_disk(parts: Parts) -> None:
    untouched = Untouched(parts.medium)
    verdict = boot(parts, medium_as="disk", append="livecd.state=/dev/vda")
    untouched.check()
    assert lost_on_power_off(verdict)
    assert "holds iso9660 labelled K8S_NODE" in verdict.notice


# --- the medium ----------------------------------------------------------


def test_no_medium_no_shell(parts: Parts, disk: Disk) -> None:
    disks = [disk(ours), disk(zero)]
    untouched = Untouched(*disks)
    verdict = boot(parts, *disks, medium_as="", append="livecd.wait=1", expect=r"started here instead\.\n=+\n")
    untouched.check()
    assert "No medium labelled K8S_NODE has appeared within 1 seconds" in verdict.console
    assert "vda: 320 MiB, ext4 labelled K8S_STATE" in verdict.console
    assert "vdb: 320 MiB, no known signature" in verdict.console
    assert "#" not in verdict.console.rpartition("=====")[2]


def test_rescue_shell_when_asked_for(parts: Parts) -> None:
    boot(parts, append="livecd.label=ANOTHER livecd.wait=0 livecd.rescue", expect=r"rescue shell follows(?s:.*)# $")


def test_restart_when_asked_for(parts: Parts) -> None:
    again = r"restarts in 1 seconds(?s:.*)THE LIVE SYSTEM CANNOT START"
    boot(parts, medium_as="", append="livecd.wait=0 panic=1", expect=again)


def test_the_medium_is_the_one_that_was_started(parts: Parts, tmp_path: Path) -> None:
    own, stranger, liar, changed = (tmp_path / f"{name}.iso" for name in ("own", "stranger", "liar", "changed"))
    sums = medium(own, parts.busybox, text="mine\n")
    identity = hashlib.sha256(sums.encode()).hexdigest()
    medium(stranger, parts.busybox, text="theirs\n")
    medium(liar, parts.busybox, text="theirs\n", sums=sums)
    data = bytearray(own.read_bytes())
    # The superblock's time, which nothing else would notice (squashfs, "Superblock": mkfs_time at byte 8).
    data[data.index(b"hsqs") + 8] ^= 1
    changed.write_bytes(data)
    planted = (stranger, liar, changed)
    untouched = Untouched(own, *planted)
    append = f"livecd.medium={identity} livecd.state=none"
    verdict = boot(replace(parts, medium=own), *planted, medium_as="last disk", append=append)
    assert (
        verdict.sections["medium"] == f"DEVICE=/dev/vdd\nLABEL=K8S_NODE\nSHA256SUMS={identity}\nFILE=\nPLACE=medium\n"
    )
    assert verdict.sections["text"] == "mine\n"
    for name in ("vda", "vdb", "vdc"):
        assert f"warning: {name} is labelled K8S_NODE, yet is not the medium" in verdict.console

    # Without the medium none of them does in its place.
    expect = (
        r"vd[abc] is labelled K8S_NODE, yet is not(?s:.*)CANNOT START(?s:.*)or not the one that the machine was started"
    )
    boot(parts, *planted, medium_as="", append=f"{append} livecd.wait=1", expect=expect)
    # Nor is one of them taken when nothing says which.
    expect = r"Several media are labelled K8S_NODE \(vda vdb vdc\)(?s:.*)\n=+\n"
    boot(parts, *planted, medium_as="", append="livecd.state=none", expect=expect)
    boot(parts, append="livecd.medium=K8S_NODE", expect=r"livecd\.medium=K8S_NODE is no SHA-256")
    untouched.check()


def test_another_label_in_a_file_on_a_stick_copied_into_memory(parts: Parts, tmp_path: Path) -> None:
    image, stick = tmp_path / "other.iso", zero(tmp_path / "stick.img")
    medium(image, parts.busybox, "OTHER", text="mine\n")
    run("mkfs.vfat", str(stick))
    run("mmd", "-i", str(stick), "::/isos")
    run("mcopy", "-i", str(stick), str(image), "::/isos/other.iso")
    untouched = Untouched(stick)
    append = "livecd.label=OTHER livecd.state=none findiso=/isos/other.iso livecd.toram"
    verdict = boot(parts, stick, medium_as="", append=append)
    untouched.check()
    told = "DEVICE=/dev/vda\nLABEL=OTHER\nSHA256SUMS=\nFILE=/isos/other.iso\nPLACE=memory\n"
    assert verdict.sections["medium"] == told
    assert verdict.sections["text"] == "mine\n"
    assert verdict.mount("/run/initramfs/medium")[1] == "tmpfs"
    assert "/dev/vda" not in verdict.sections["mounts"], "it can be pulled out"
    assert "iso9660" not in verdict.sections["mounts"]


def test_a_damaged_medium_and_a_system_without_init(parts: Parts, tmp_path: Path) -> None:
    image = tmp_path / "damaged.iso"
    data = parts.medium.read_bytes()
    at = data.index(b"hsqs")
    image.write_bytes(data[:at] + b"XXXX" + data[at + 4 :])
    boot(replace(parts, medium=image), expect=r"The system on the medium sr0 cannot be mounted(?s:.*)\n=+\n")
    boot(parts, append="init=/sbin/none livecd.state=none", expect=r"has no program /sbin/none to start(?s:.*)\n=+\n")


def test_what_the_initrd_lays_over_the_root(parts: Parts, tmp_path: Path) -> None:
    over = Tree()
    over.write(f"{OVER}/boot/config-over", b"CONFIG_MODULES is not set", parents=True)
    over.write(f"{OVER}/usr/bin/extra", b"", parents=True)
    initrd = tmp_path / "initrd.img"
    first = parts.initrd.read_bytes()
    # The kernel takes one archive after another; each begins at a multiple of four.
    initrd.write_bytes(first + bytes(-len(first) % 4) + b"".join(cpio.write(over)))
    verdict = boot(replace(parts, initrd=initrd), append="livecd.state=none")
    assert "is not set" in verdict.sections["over"]
    assert "first process" in verdict.sections["init"], "what the squashfs has in the same directories is there as well"
    assert any(line.endswith("755 0:0 /") for line in verdict.sections["modes"].splitlines())
