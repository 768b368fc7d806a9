"""What programs take of the machine: processor, time and memory."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What a program took, with all that it started."""

    cpu: float
    """Seconds, user and system."""
    wall: float
    """Seconds."""
    memory: int = 0
    """Bytes that the process itself had at most; 0 when it does not say."""


def measure(argv: Sequence[str], *, stdin: Path | None = None, directory: Path) -> Cost:
    """Run `argv` to its end; ends the program, with what it said, when it fails."""
    log = directory / "measured.log"
    report = directory / "report.json"
    report.unlink(missing_ok=True)
    with log.open("wb") as output, Path(stdin or os.devnull).open("rb") as source:
        begun = time.monotonic()
        process = subprocess.Popen(
            argv,
            stdin=source,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"TMPDIR": str(directory)},
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"bench: {argv[0]} failed:\n{log.read_text(errors='replace')[-4000:]}")
    memory = json.loads(report.read_text())["memory"] if report.exists() else 0
    return Cost(usage.ru_utime + usage.ru_stime, wall, memory)


def cheapest(rounds: int, once: Callable[[], Cost]) -> Cost:
    """The least time of some rounds, and the most memory."""
    costs = [once() for _ in range(rounds)]
    return Cost(
        min(cost.cpu for cost in costs),
        min(cost.wall for cost in costs),
        max(cost.memory for cost in costs),
    )
