"""What the machine is that this process runs on."""

import os
import platform

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Debian's architecture by the kernel's name (uname -m)."""


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def host_architecture() -> str:
    """Debian's name for this machine's architecture; empty when tools that run on it cannot be had."""
    return _ARCHITECTURES.get(platform.machine(), "")
