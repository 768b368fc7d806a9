"""The root file system as a disk starts by itself: the kernel given directly, the artifact left as it was built."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from assembler.store.objects import sha256_of
from assembler.vm.node import Built
from tests.boot.test_firmware import TIMEOUT

pytestmark = pytest.mark.boot


def test_reaches_the_login_prompt(node: Built, free_port: Callable[[], int]) -> None:
    disk = node.directory / "rootfs.qcow2"
    before = sha256_of(disk)
    argv = [sys.executable, "-P", "-m", "assembler", "run", "--disk", str(disk), "--ssh-port", str(free_port())]
    argv += ["--expect", r"^k8s-livecd login: $", "--timeout", str(TIMEOUT)]
    hidden = os.environ | {"PATH": "/nonexistent"}
    done = subprocess.run(argv, env=hidden, capture_output=True, text=True, timeout=TIMEOUT + 60, check=False)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    assert "livecd: the root is vda" in done.stdout
    assert "[FAILED]" not in done.stdout
    assert sha256_of(disk) == before
