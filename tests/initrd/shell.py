"""Parts of the initramfs in busybox's shell, on files: no root, no machine."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.host_commands import need

SCRIPTS = Path(__file__).parents[2] / "initramfs"


def shell(body: str, *arguments: str, parts: tuple[str, ...] = ("blank", "disks")) -> subprocess.CompletedProcess[str]:
    """Run `body` in busybox's shell, with parts of the initramfs sourced; `arguments` are $1, $2 ..."""
    sources = "".join(f". {SCRIPTS}/lib/{part}.sh\n" for part in parts)
    need("badblocks", "e2fsprogs")
    return subprocess.run(
        [need("busybox", "busybox-static"), "sh", "-u", "-c", sources + body, "sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
    )


def below(directory: Path, *parts: str) -> str:
    """The text of parts of the initramfs, for which devices and what the kernel says of them are below `directory`."""
    text = "".join((SCRIPTS / f"lib/{part}.sh").read_text() for part in parts)
    text = text.replace("/sys/class/", f"{directory}/sys/class/").replace("/sys/devices/", f"{directory}/sys/devices/")
    for before in ('probe "', 'is_blank "', 'blkid "'):
        text = text.replace(f"{before}/dev/", f"{before}{directory}/dev/")
    return text


def tell(directory: Path, name: str, *, path: str, size: int = 0, says: Mapping[str, str | bytes]) -> Path:
    """Make a device known below `directory`/sys as the kernel does; where it is.

    `path` is where it is below /sys/devices, its own name included; `says` are files there, by path below that.
    """
    place = directory / "sys/devices" / path
    place.mkdir(parents=True, exist_ok=True)
    for file, value in {"size": str(size // 512), "ro": "0", **says}.items():
        at = place / file
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(value if isinstance(value, bytes) else f"{value}\n".encode())
    (directory / "sys/class/block").mkdir(parents=True, exist_ok=True)
    (directory / "sys/class/block" / name).symlink_to(place)
    return place
