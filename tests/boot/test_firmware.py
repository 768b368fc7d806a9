"""The ISO starts in BIOS and UEFI, with Secure Boot too, as a CD and as a disk, by the command that users have for it.

The host's programs are hidden from it, so QEMU and firmware are those of the image's lock.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from assembler.formats import qcow2
from assembler.vm.node import Built

pytestmark = pytest.mark.boot

TIMEOUT = 1200
"""Seconds; some 100 under emulation on two idle processors."""

STATE = 1 << 30
"""Bytes of the state disk."""


@pytest.mark.parametrize(
    ("firmware", "medium"),
    [("bios", "cd"), ("bios", "disk"), ("uefi", "cd"), ("uefi", "disk"), ("secure-boot", "cd")],
)
def test_reaches_the_login_prompt(
    node: Built, free_port: Callable[[], int], tmp_path: Path, firmware: str, medium: str
) -> None:
    # Emulated, the 10 GiB that a new one has take half a minute to read.
    qcow2.create(tmp_path / "var.qcow2", STATE)
    argv = [
        sys.executable,
        "-P",
        "-m",
        "assembler",
        "run",
        "--out",
        str(node.directory),
        "--disk",
        str(tmp_path / "var.qcow2"),
    ]
    argv += ["--firmware", firmware, "--as", medium, "--ssh-port", str(free_port())]
    argv += ["--expect", r"^k8s-livecd login: $", "--timeout", str(TIMEOUT)]
    hidden = os.environ | {"PATH": "/nonexistent"}
    done = subprocess.run(argv, env=hidden, capture_output=True, text=True, timeout=TIMEOUT + 60, check=False)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    locked_down = "Kernel is locked down from EFI Secure Boot" in done.stdout
    assert locked_down == (firmware == "secure-boot")
