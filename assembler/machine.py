"""What the machine is that this process runs on."""

import os
import platform

from assembler.architecture import of_machine


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def host_architecture() -> str:
    """Debian's name for this machine's architecture; empty when tools that run on it cannot be had."""
    found = of_machine(platform.machine())
    return found.name if found else ""
