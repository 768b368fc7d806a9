"""A medium that is a file or is copied into memory, and the end of the system: decisions of the initramfs on files.

What would mount something moves files about instead; tests/boot does it for real.
"""

from pathlib import Path

import pytest

from tests.initrd.shell import SCRIPTS, below, shell, tell

MOUNTING = """
    mount() {
        local at
        for at; do :; done
        case "$*" in
            "-o move "*) rmdir "$4"; mv "$3" "$4"; mkdir "$3" ;;
            *tmpfs*) echo "mount $*" >>"$TOP/mounts" ;;
            *) echo "mount $*" >>"$TOP/mounts"; cp -a "$5.files/." "$at/" ;;
        esac
    }
    umount() { echo "umount $1" >>"$TOP/mounts"; rm -rf "${1:?}"/*; }
    fail() { echo "stop: $1"; exit 9; }
    notice() { echo "notice: $1"; }
    info() { :; }
    warn() { :; }
"""
"""File systems are directories beside the device's file, and mounting one copies it."""


def run(directory: Path, body: str, *arguments: str) -> list[str]:
    """What `body` says where /run, /proc and all devices are below `directory`."""
    text = below(directory, "disks", "names", "isofile", "toram", "medium")
    for place in ("/run/", "/proc/"):
        text = text.replace(place, f"{directory}{place}")
    for folder in ("run/initramfs/medium", "run/livecd", "proc"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    text = text.replace('losetup -r "$LOOP"', f'losetup -r {directory}"$LOOP"').replace(
        '"/dev/$1"', f'"{directory}/dev/$1"'
    )
    done = shell(f"TOP={directory}\n{text}{MOUNTING}{body}", *arguments, parts=())
    assert not done.stderr
    return [line.replace(str(directory), "") for line in done.stdout.splitlines()]


def mounts(directory: Path) -> list[str]:
    """What was mounted and unmounted."""
    path = directory / "mounts"
    return path.read_text().replace(str(directory), "").splitlines() if path.exists() else []


# --- a file ----------------------------------------------------------

FINDING = """
    MEDIUM=$1 LABEL=K8S_NODE ISO_FILE=$2 MEDIUM_TROUBLE=
    probe() { PROBE_STATUS=0 PROBE_TABLE= PROBE_TYPE=$(cat "$1" 2>/dev/null); }
    losetup() { if [ "$1" = -f ]; then echo /dev/loop7; else echo "losetup $*" >>"$TOP/mounts"; fi; }
    try_medium() { echo "tried $1"; [ -e "$TOP/right" ]; }
    for name in $(devices); do
        if try_file "$name"; then
            echo "found on $name"
            [ -n "$MEDIUM" ] || check_file_alone "$name"
            exit
        fi
    done
    echo none
    for name in $(devices); do try_file "$name"; done
"""


def device(directory: Path, name: str, kind: str, *files: str) -> Path:
    """A device with a file system of this kind, which has these files; where they are."""
    tell(directory, name, path=f"virtual/block/{name}", size=1 << 30, says={})
    root = directory / f"dev/{name}.files"
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"an ISO")
    root.mkdir(parents=True, exist_ok=True)
    (directory / "dev" / name).write_text(kind)
    return root


@pytest.mark.parametrize(
    ("kind", "mounted"),
    [
        ("ext4", "-t ext4 -o ro,noload,nodev,nosuid,noexec"),
        ("xfs", "-t xfs -o ro,norecovery,nodev,nosuid,noexec"),
        ("vfat", "-t vfat -o ro,nodev,nosuid,noexec"),
        ("exfat", "-t exfat -o ro,nodev,nosuid,noexec"),
        ("ntfs", "-t ntfs3 -o ro,nodev,nosuid,noexec"),
    ],
)
@pytest.mark.parametrize("path", ["/isos/node.iso", "isos/node.iso"])
def test_a_file_is_found_and_nothing_is_written_for_that(tmp_path: Path, kind: str, mounted: str, path: str) -> None:
    device(tmp_path, "sda", "ext4", "other.iso")
    device(tmp_path, "sdb", "crypto_LUKS", "isos/node.iso")
    device(tmp_path, "sdc", kind, "isos/node.iso")
    (tmp_path / "right").touch()
    assert run(tmp_path, FINDING, "of the medium", path) == ["tried loop7", "found on sdc"]
    folder = "/run/initramfs/isodevice"
    assert mounts(tmp_path) == [
        f"mount -t ext4 -o ro,noload,nodev,nosuid,noexec /dev/sda {folder}",
        f"umount {folder}",
        f"mount {mounted} /dev/sdc {folder}",
        f"losetup -r /dev/loop7 {folder}/isos/node.iso",
    ]


def test_one_that_is_not_the_medium_is_let_go_and_not_read_again(tmp_path: Path) -> None:
    device(tmp_path, "sda", "ext4", "node.iso")
    assert run(tmp_path, FINDING, "of the medium", "/node.iso") == ["tried loop7", "none"]
    assert [line.split()[0] for line in mounts(tmp_path)] == ["mount", "losetup", "losetup", "umount"]


def test_links_do_not_lead_out_of_the_stick(tmp_path: Path) -> None:
    root = device(tmp_path, "sda", "ext4", "deep/other.iso")
    (root / "node.iso").symlink_to("/etc/passwd")
    (root / "same.iso").symlink_to("deep/other.iso")
    (tmp_path / "right").touch()
    assert run(tmp_path, FINDING, "x", "/node.iso") == ["none"]
    assert run(tmp_path, FINDING, "x", "/deep/../../../etc/passwd") == ["none"]
    assert run(tmp_path, FINDING, "x", "/deep") == ["none"]
    assert run(tmp_path, FINDING, "x", "/same.iso") == ["tried loop7", "found on sda"]


def test_two_sticks_with_the_same_file_and_nothing_that_tells_them_apart(tmp_path: Path) -> None:
    for name in ("sda", "sdb"):
        device(tmp_path, name, "vfat", "node.iso")
    (tmp_path / "right").touch()
    said = run(tmp_path, FINDING, "", "/node.iso")
    assert said[2] == "stop: /node.iso is on sda and on sdb, and which one is meant is not guessed."
    for folder in ("isodevice", "other"):
        for path in (tmp_path / "run/initramfs" / folder).glob("*"):
            path.unlink()
    assert run(tmp_path, FINDING, "of the medium", "/node.iso") == ["tried loop7", "found on sda"]


# --- memory ----------------------------------------------------------


def copy(directory: Path, *, free: int, identity: str = "", before: str = "") -> tuple[list[str], str]:
    """What copying a medium of 3 MiB says with so many KiB free; and what is then where the medium was."""
    medium = directory / "run/initramfs/medium"
    (medium / "live").mkdir(parents=True)
    (medium / "live/filesystem.squashfs").write_bytes(bytes(3 << 20))
    (medium / "boot").mkdir()
    (directory / "proc").mkdir()
    (directory / "proc/meminfo").write_text(f"MemTotal: 9999999 kB\nMemAvailable: {free} kB\n")
    body = f"MEDIUM='{identity}'\n{before}\ncopy_to_memory {medium} && echo in memory"
    said = run(directory, body)
    return said, " ".join(sorted(path.name for path in medium.glob("*")))


def test_what_the_system_uses_of_the_medium_is_copied(tmp_path: Path) -> None:
    assert copy(tmp_path, free=1 << 20) == (["in memory"], "live")
    assert (tmp_path / "run/initramfs/medium/live/filesystem.squashfs").stat().st_size == 3 << 20
    (mounted, unmounted) = mounts(tmp_path)
    size = int(mounted.partition("size=")[2].partition("k")[0])
    assert 3072 + 1024 < size < 3072 * 4
    assert unmounted == "umount /run/initramfs/medium"


def test_without_room_the_medium_stays(tmp_path: Path) -> None:
    enough = 256 * 1024 + 3072
    said, there = copy(tmp_path / "1", free=enough - 1)
    assert there == "boot live"
    assert said[0] == "notice: THE MEDIUM MUST STAY IN THIS MACHINE, though livecd.toram was to let it go."
    assert said[2].startswith("It holds 3 MiB")
    assert not mounts(tmp_path / "1")
    assert copy(tmp_path / "2", free=enough + 64)[1] == "live"


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ('cp() { command cp "$@"; return 1; }', "could not be read to its end"),
        ("differs() { echo 'it has no SUMS.'; }", "it has no SUMS"),
    ],
)
def test_a_copy_that_is_not_whole_is_not_used(tmp_path: Path, before: str, why: str) -> None:
    said, there = copy(tmp_path, free=1 << 20, identity="of the medium", before=before)
    assert there == "boot live"
    assert why in said[2]


# --- the end ----------------------------------------------------------


def end(directory: Path, mounted: str, *stubborn: str, verb: str = "poweroff") -> list[str]:
    """What the last program does with these mounts, of which the stubborn ones stay."""
    (directory / "mounts").write_text(mounted)
    text = (SCRIPTS / "shutdown").read_text().removesuffix('main "$@"\n').replace("/proc/mounts", f"{directory}/mounts")
    body = f"""
        PATH=$OLD
        busybox() {{
            case $1 in
                umount)
                    case " {" ".join(stubborn)} " in *" $2 "*) return 1 ;; esac
                    grep -v -F " $(echo "$2" | sed 's/ /\\\\040/g') " {directory}/mounts >{directory}/new
                    mv {directory}/new {directory}/mounts
                    echo "umount $2" ;;
                mount | chroot) echo "$@"; return 1 ;;
                sync | sleep) ;;
                poweroff | reboot | halt) echo "$@"; exit ;;
                *) "$@" ;;
            esac
        }}
        main "$1"
    """
    done = shell(f"OLD=$PATH\n{text}{body}", verb, parts=())
    assert not done.stderr
    return done.stdout.splitlines()


MOUNTED = """\
tmpfs / tmpfs rw 0 0
overlay /oldroot overlay rw,upperdir=/state/overlay/upper 0 0
/dev/vda /oldroot/mnt ext4 rw 0 0
/dev/vda /oldroot/var/a\\040b ext4 rw 0 0
proc /proc proc rw 0 0
tmpfs /run tmpfs rw 0 0
tmpfs /run/initramfs tmpfs rw 0 0
/dev/sr0 /run/initramfs/medium iso9660 ro 0 0
/dev/loop0 /run/initramfs/rootfs squashfs ro 0 0
"""


@pytest.mark.parametrize("verb", ["poweroff", "reboot", "halt"])
def test_all_of_the_old_root_is_unmounted_the_innermost_first(tmp_path: Path, verb: str) -> None:
    said = end(tmp_path, MOUNTED, verb=verb)
    assert said[-1] == f"{verb} -f"
    assert [line for line in said[:-1] if "/oldroot" in line] == [
        "umount /oldroot/var/a b",
        "umount /oldroot/mnt",
        "umount /oldroot",
    ]
    left = (tmp_path / "mounts").read_text().splitlines()
    assert [line.split()[1] for line in left] == ["/", "/proc", "/run", "/run/initramfs"]


def test_what_cannot_be_unmounted_is_told_and_made_read_only(tmp_path: Path) -> None:
    said = end(tmp_path, MOUNTED, "/oldroot/mnt", "/oldroot")
    assert "livecd: not everything could be unmounted:" in said
    assert said[-3:] == ["mount -o remount,ro /oldroot/mnt", "mount -o remount,ro /oldroot", "poweroff -f"]


def test_kexec_is_the_old_roots(tmp_path: Path) -> None:
    said = end(tmp_path, MOUNTED, verb="kexec")
    assert said[-2:] == ["chroot /oldroot /usr/sbin/kexec -e", "reboot -f"]
    assert not [line for line in said if line.startswith("umount")]


def test_an_unknown_verb_ends_all_the_same(tmp_path: Path) -> None:
    assert end(tmp_path, MOUNTED, verb="sleep")[-1] == "reboot -f"
