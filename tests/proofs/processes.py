"""What this process has started: how much processor it takes, and whether it has ended. For Linux, with its /proc."""

import ctypes
import math
import os
import signal
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
"""In a second; see proc_pid_stat(5)."""
PR_SET_CHILD_SUBREAPER = 36
"""See prctl(2)."""


def adopt() -> None:
    """Orphans of what this process starts become its children, so that it knows of them."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def _processes() -> dict[int, tuple[int, float]]:
    """All processes: the parent, and the CPU seconds of it and of its children that it has waited for."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        found[int(stat.parent.name)] = int(fields[1]), sum(map(int, fields[11:15])) / TICKS
    return found


def children(parent: int) -> list[int]:
    """The processes that `parent` has, those that have ended and not been waited for included."""
    return [number for number, (above, _) in _processes().items() if above == parent]


def watch(process: "subprocess.Popen[bytes]", limit: float = math.inf) -> float:
    """Let a process run until it ends, or has taken `limit` CPU seconds with all it started; how many it took."""
    spent = 0.0
    while process.poll() is None and spent < limit:
        time.sleep(0.1)
        found = _processes()
        spent, family = 0.0, {process.pid}
        while family:
            spent += sum(found[number][1] for number in family if number in found)
            family = {number for number, (above, _) in found.items() if above in family}
    return spent


def reap() -> int:
    """Wait for all orphans that have ended; how many have not."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return 0
    return len(children(os.getpid()))


def kill_orphans() -> None:
    """Kill our children and theirs, who become ours."""
    while reap():
        for child in children(os.getpid()):
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
