"""Images of disks as people have them, made by the real tools where an ordinary user can run them on a file.

Every maker takes a path and leaves a sparse image there. RAID, LVM and LUKS headers are written here, by their
documented layout, because mdadm, pvcreate and cryptsetup want more than a file; SIGNATURES is what blkid sees in them.
"""

import hashlib
import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

KIB = 1 << 10
MIB = 1 << 20
SIZE = 320 * MIB
"""Bytes: a little more than what the live system takes for a state disk."""

Maker = Callable[[Path], Path]


def run(*argv: str, stdin: str = "", good: tuple[int, ...] = (0,)) -> str:
    """Run a program of this host that the tests need; its output. Any status but a good one is a failure."""
    program = shutil.which(argv[0], path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert program, f"the tests need the program {argv[0]}"
    done = subprocess.run([program, *argv[1:]], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode in good, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
    return done.stdout


def digest(path: Path) -> str:
    """SHA-256 of where an image is not zero and what is there; holes cost nothing."""
    state = hashlib.sha256(str(path.stat().st_size).encode())
    zero = bytes(64 * KIB)
    with path.open("rb") as stream:
        position = 0
        while True:
            try:
                position = os.lseek(stream.fileno(), position, os.SEEK_DATA) // len(zero) * len(zero)
            except OSError:  # ENXIO: no data from here on
                return state.hexdigest()
            chunk = os.pread(stream.fileno(), len(zero), position)
            if chunk.strip(b"\0"):
                state.update(b"%d:" % position + chunk)
            position += len(zero)


def blkid(path: Path) -> dict[str, str]:
    """What the host's blkid sees in an image; empty when nothing."""
    program = shutil.which("blkid", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert program, "the tests need the program blkid"
    done = subprocess.run([program, "-p", "-o", "export", str(path)], capture_output=True, text=True, check=False)
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def put(path: Path, offset: int, data: bytes) -> None:
    """Overwrite bytes of an image."""
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


def zero(path: Path, size: int = SIZE) -> Path:
    """A disk fresh from the factory."""
    path.unlink(missing_ok=True)
    with path.open("wb") as stream:
        stream.truncate(size)
    return path


def ext4(path: Path, label: str = "precious", size: int = SIZE, *options: str) -> Path:
    """ext4 on the whole disk, with a file on it."""
    zero(path, size)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-L", label, *options, str(path))
    source = path.with_suffix(".txt")
    source.write_text("precious data\n")
    run("debugfs", "-w", "-R", f"write {source} precious.txt", str(path))
    return path


def ours(path: Path) -> Path:
    """ext4 with the label of a state disk."""
    return ext4(path, "K8S_STATE")


def dirty_ext4(path: Path, label: str = "precious") -> Path:
    """ext4 that needs its journal replayed: a transaction is in it that has not reached its place."""
    ext4(path, label)
    block = path.with_suffix(".block")
    block.write_bytes(b"journalled" + bytes(4086))
    # Block 60000 is unused; what counts is that a replay would write it, and clear needs_recovery.
    run("debugfs", "-w", "-f", "-", str(path), stdin=f"jo\njw -b 60000 {block}\njc\n")
    assert "needs_recovery" in run("dumpe2fs", "-h", str(path))
    return path


def torn_ext4(path: Path) -> Path:
    """ext4 whose first superblock is gone; its backups would bring it back."""
    ext4(path)
    put(path, 1024, bytes(1024))
    return path


def headless_ext4(path: Path) -> Path:
    """ext4 whose first 4 MiB are gone. With blocks of 4 KiB, the first backup is at 128 MiB."""
    ext4(path, "precious", SIZE, "-b", "4096")
    put(path, 0, bytes(4 * MIB))
    return path


def mapped_ext4(path: Path) -> Path:
    """ext4 in a mapping that begins at 200 MiB, as device mapper or a loop device with an offset has it."""
    inner = ext4(path.with_suffix(".inner"), size=32 * MIB)
    put(zero(path), 200 * MIB, inner.read_bytes())
    inner.unlink()
    return path


def xfs(path: Path) -> Path:
    """XFS, label precious."""
    run("mkfs.xfs", "-q", "-L", "precious", str(zero(path)))
    return path


def headless_xfs(path: Path) -> Path:
    """XFS whose first 70 MiB are gone; the other allocation groups have copies of the superblock."""
    xfs(path)
    put(path, 0, bytes(70 * MIB))
    return path


def btrfs(path: Path) -> Path:
    """btrfs, label precious."""
    run("mkfs.btrfs", "-q", "-L", "precious", str(zero(path)))
    return path


def headless_btrfs(path: Path) -> Path:
    """btrfs of which only the superblock's mirror at 64 MiB is left."""
    btrfs(path)
    mirror = path.read_bytes()[64 * MIB : 64 * MIB + 4096]
    put(zero(path), 64 * MIB, mirror)
    return path


def xfs_with_our_label(path: Path) -> Path:
    """XFS that somebody has labelled as a state disk."""
    run("mkfs.xfs", "-q", "-L", "K8S_STATE", str(zero(path)))
    return path


def swap(path: Path) -> Path:
    """A swap area."""
    run("mkswap", "-L", "precious", str(zero(path)))
    return path


def gpt(path: Path) -> Path:
    """A GPT with one empty partition."""
    run("sfdisk", "-q", str(zero(path)), stdin="label: gpt\nsize=100MiB, type=linux\n")
    return path


def empty_gpt(path: Path) -> Path:
    """A GPT without a partition."""
    run("sfdisk", "-q", str(zero(path)), stdin="label: gpt\n")
    return path


def backup_gpt(path: Path) -> Path:
    """A GPT of which only the second one, at the end of the disk, is left."""
    gpt(path)
    put(path, 0, bytes(MIB))
    return path


def mbr(path: Path) -> Path:
    """An MBR with one empty partition."""
    run("sfdisk", "-q", str(zero(path)), stdin="label: dos\nsize=100MiB, type=83\n")
    return path


def luks1(path: Path) -> Path:
    """LUKS1: the magic and the version of its header (LUKS On-Disk Format Specification 1.2.3), then ciphertext."""
    zero(path)
    header = b"LUKS\xba\xbe" + struct.pack(">H32s32s32sII20s32sI40s", 1, b"aes", b"xts-plain64", b"sha256", 4096, 64,
        b"d" * 20, b"s" * 32, 1000, b"6ad7c5a4-5d4b-4a41-9f57-9c7a7f5f1d11")  # fmt: skip
    put(path, 0, header)
    put(path, 2 * MIB, hashlib.sha256(b"ciphertext").digest() * 128)
    return path


def luks2(path: Path) -> Path:
    """LUKS2: both binary headers (LUKS2 On-Disk Format Specification 1.0), 16 KiB each with the JSON area."""
    zero(path)
    area = b"{}".ljust(12 * KIB, b"\0")
    for offset, magic in ((0, b"LUKS\xba\xbe"), (16 * KIB, b"SKUL\xba\xbe")):
        header = struct.pack(">6sHQQ48s32s64s40s48sQ184x64s", magic, 2, 16 * KIB, 1, b"precious", b"sha256", b"s" * 64,
            b"6ad7c5a4-5d4b-4a41-9f57-9c7a7f5f1d12", b"", offset, b"").ljust(4 * KIB, b"\0")  # fmt: skip
        checksum = hashlib.sha256(header + area).digest().ljust(64, b"\0")
        put(path, offset, header[:448] + checksum + header[512:] + area)
    return path


def lvm(path: Path) -> Path:
    """An LVM physical volume without a volume group: its label in sector 1 (LVM2, lib/format_text/layout.h)."""
    zero(path)
    areas = struct.pack("<4Q", MIB, 0, 0, 0) + struct.pack("<4Q", 4 * KIB, MIB - 4 * KIB, 0, 0)
    body = struct.pack("<I8s32sQ", 32, b"LVM2 001", b"preciouspreciouspreciousprecious", SIZE) + areas
    body = body.ljust(512 - 20, b"\0")
    checksum = zlib.crc32(body, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
    put(path, 512, struct.pack("<8sQI", b"LABELONE", 1, checksum) + body)
    return path


def _md1(sector: int, data_sector: int, data_sectors: int) -> bytes:
    """A version-1 superblock of mdadm for a mirror of two (struct mdp_superblock_1, Linux include/uapi)."""
    raw = bytearray(struct.pack("<4I16s32sQ", 0xA92B4EFC, 1, 0, 0, b"preciousprecious", b"host:precious", 1))
    raw += struct.pack("<IIQII", 1, 0, data_sectors, 0, 2)
    raw = raw.ljust(128, b"\0")
    raw += struct.pack("<QQQQII16s", data_sector, data_sectors, sector, 0, 0, 0, b"devicedevicedev0").ljust(64, b"\0")
    raw += struct.pack("<QQQII", 1, 1, 0xFFFFFFFFFFFFFFFF, 0, 2).ljust(64, b"\0")
    raw += struct.pack("<2H", 0, 1)
    total = sum(struct.unpack(f"<{len(raw) // 4}I", raw))
    raw[216:220] = struct.pack("<I", ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF)
    return bytes(raw)


def raid_12(path: Path) -> Path:
    """A member of an md mirror with metadata 1.2, at 4 KiB."""
    put(zero(path), 4 * KIB, _md1(8, 2048, SIZE // 512 - 2048))
    return path


def raid_10(path: Path) -> Path:
    """A member of an md mirror with metadata 1.0, at the end: what is mirrored is our own file system."""
    ours(path)
    sector = (SIZE // 512 - 16) & ~7
    put(path, sector * 512, _md1(sector, 0, sector))
    return path


def raid_090(path: Path) -> Path:
    """A member of an md mirror with metadata 0.90 (struct mdp_superblock_s), 64 to 128 KiB before the end."""
    words = [0] * 1024
    words[:15] = (0xA92B4EFC, 0, 90, 0, 0, 0x70726563, 1, 1, SIZE // KIB - 64, 2, 2, 0, 0, 0x696F7573, 0x70726563)
    total = sum(words)
    words[38] = ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF
    put(zero(path), (SIZE & ~0xFFFF) - 0x10000, struct.pack("<1024I", *words))
    return path


def lonely_byte(path: Path) -> Path:
    """Nothing that anybody would recognise: one byte, right at the end of the first 4 MiB."""
    put(zero(path), 4 * MIB - 1, b"x")
    return path


FOREIGN: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        ext4, dirty_ext4, torn_ext4, headless_ext4, xfs, headless_xfs, btrfs, headless_btrfs, swap, gpt, empty_gpt,
        backup_gpt, mbr, luks1, luks2, lvm, raid_12, raid_090, lonely_byte,
        mapped_ext4,
    )
}  # fmt: skip
"""Disks that must never be written to, by name."""

SIGNATURES = {
    "ext4": ("TYPE", "ext4"),
    "dirty_ext4": ("TYPE", "ext4"),
    "xfs": ("TYPE", "xfs"),
    "btrfs": ("TYPE", "btrfs"),
    "swap": ("TYPE", "swap"),
    "gpt": ("PTTYPE", "gpt"),
    "empty_gpt": ("PTTYPE", "gpt"),
    "mbr": ("PTTYPE", "dos"),
    "luks1": ("TYPE", "crypto_LUKS"),
    "luks2": ("TYPE", "crypto_LUKS"),
    "lvm": ("TYPE", "LVM2_member"),
    "raid_12": ("TYPE", "linux_raid_member"),
    "raid_090": ("TYPE", "linux_raid_member"),
}
"""What blkid calls them; the others have no signature left."""
