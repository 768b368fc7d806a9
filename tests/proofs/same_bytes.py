"""Proves that the machine gives the same bytes whatever the host does, and lists what another seed or date changes.

A script writes all that is usually different each time: times, random numbers, process numbers, names that are made up,
directories in the order in which they are read, and what the hardware says of itself. It is executed again and again:
alone, beside other load, on one processor, as another user, in another directory and environment, without Landlock and
seccomp. What comes of it has to be the same to the last byte.
"""

import argparse
import codecs
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from assembler.configure.job import SEED, Job, Run
from assembler.guest.differing import differing
from assembler.guest.execute import Executor, Parts
from assembler.store.objects import Store
from assembler.tools import confinement
from assembler.tools.toolbox import Toolbox
from assembler.tree.changes import Changes
from assembler.tree.content import read, size_of
from assembler.vm.finding import in_toolbox
from tests.support.guests import EPOCH, busybox, parts

ROOT = Path(__file__).parents[2]
NOBODY = 65534
SCRIPT = rb"""#!/bin/sh
exec 2>/complaints
mkdir /out /out/many; cd /out
date +%s.%N >date; cat /proc/uptime >uptime; adjtimex >adjtimex
head -c 100000 /dev/urandom >urandom; cat /proc/sys/kernel/random/uuid >uuid; cat /proc/sys/kernel/random/boot_id >boot
i=0
while [ $i -lt 50 ]; do
    mktemp many/XXXXXXXXXX; (sh -c 'echo $$' >>numbers) & date +%N >>moments; i=$((i + 1))
done
wait
find many >order; find /usr/bin >order.known; ls -lan --full-time many >listing; stat many/* >stats
race() { j=0; while [ $j -lt 200 ]; do date +%N; j=$((j + 1)); done; }
race >race.1 & race >race.2 &
sleep 0.2; wait; sleep 33.3; date +%s.%N >>date
cat /proc/cpuinfo >cpu; cat /proc/meminfo /proc/vmstat /proc/interrupts /proc/stat >counters; dmesg >messages
cat /proc/self/maps >maps; df -k / >df; env >environment; uname -a >uname; mount >mounts; ls -l /proc/self/fd >fds
setsid sh -c 'while :; do echo $$; date +%s.%N; done >/out/left' &
usleep 12345; date +%s.%N >>date; echo $$ >>numbers; touch mark; cat /proc/schedstat /proc/slabinfo >kernel
"""


WRITTEN = (
    "date", "uptime", "urandom", "uuid", "boot", "numbers", "moments", "order", "order.known", "listing", "stats",
    "race.1", "race.2", "messages", "counters", "maps", "left", "df", "mounts", "fds", "cpu",
)  # fmt: skip
"""What has to be there in the end, and not empty."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a run differs from the others."""

    name: str
    load: int = 0
    """How many processes beside it do nothing but take time."""
    processors: int | None = None
    user: int | None = None
    confined: bool = True
    environment: dict[str, str] = field(default_factory=dict)


ELSEWHERE = {"TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8", "MALLOC_PERTURB_": "7", "X": "x" * 5000}
WAYS = (
    Way(name="alone"),
    Way(name="as another user, beside load, without Landlock", user=NOBODY, load=4, confined=False),
    Way(name="on one processor, beside load", processors=1, load=3),
    Way(name="in another environment", environment=ELSEWHERE),
    Way(name="without Landlock", confined=False),
    Way(name="beside load", load=6),
    Way(name="as another user", user=NOBODY),
    Way(name="on one processor", processors=1),
    Way(name="again"),
    Way(name="at last, beside load", load=2),
)  # fmt: skip


def main() -> int:
    """Run all ways, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=len(WAYS), help="how many of the ways are tried")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one is not None:
        return _one(WAYS[chosen.one], chosen.place)
    with tempfile.TemporaryDirectory(prefix="assemble-same-") as place:
        return _all(Path(place), chosen.rounds)


def _all(place: Path, rounds: int) -> int:
    place.chmod(0o755)
    laid_out = _laid_out(place)
    first = ""
    failures = 0
    for index, way in enumerate(WAYS[:rounds]):
        if way.user is not None and os.geteuid():
            print(f"{way.name} | left out: only root can be another user", flush=True)
            continue
        began = time.monotonic()
        digest = _child(index, way, place)
        first = first or digest
        failures += digest != first
        verdict = "the same" if digest == first else "OTHER BYTES"
        print(f"{way.name} | {digest[:16]} | {verdict} | {time.monotonic() - began:.0f} s", flush=True)
    with tempfile.TemporaryDirectory(dir=place) as store:
        execute = Executor(parts=laid_out, store=Store(Path(store)))
        usual = execute(busybox(APPLETS), _job())
        for name, job in (("seed", replace(_job(), seed=SEED + 1)), ("date", replace(_job(), later=40_000_000))):
            found = differing(usual, execute(busybox(APPLETS), job))
            others = ", ".join(each.path for each in found)
            print(f"with another {name} {len(found)} of {len(usual.put)} differ: {others}", flush=True)
    print(f"failures: {failures}")
    return 1 if failures else 0


APPLETS = (
    "adjtimex", "cat", "date", "df", "dmesg", "env", "find", "head", "ls", "mkdir", "mktemp", "mount", "setsid",
    "sh", "sleep", "stat", "touch", "uname", "usleep",
)  # fmt: skip


def _job() -> Job:
    return Job(steps=(Run(name="all that differs", script=SCRIPT),), epoch=EPOCH)


def _laid_out(place: Path) -> Parts:
    """The parts of a machine where every user may read them."""
    here = parts()
    roots = {}
    for name, root in (("tools", here.toolbox.root), ("qemu", here.emulator.reach[0])):
        roots[name] = place / name
        shutil.copytree(root, roots[name], symlinks=True, copy_function=os.link)
    return _with(here, place, place)


def _with(here: Parts, place: Path, logs: Path) -> Parts:
    architecture = here.toolbox.architecture
    qemu = Toolbox(place / "qemu", architecture, logs)
    return replace(
        here,
        toolbox=Toolbox(place / "tools", architecture, logs),
        emulator=in_toolbox(here.architecture, qemu),
        firmware=None,
    )


@contextmanager
def _load(count: int) -> Iterator[None]:
    busy = [subprocess.Popen([sys.executable, "-P", "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _child(index: int, way: Way, place: Path) -> str:
    """Run a way in a process of its own; the digest of what came of it."""
    with tempfile.TemporaryDirectory(dir=place) as own, _load(way.load):
        command = [sys.executable, "-P", "-m", "tests.proofs.same_bytes", "--one", str(index), "--place", own]
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, **way.environment}, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()


def _one(way: Way, own: Path) -> int:
    found = _with(parts(), own.parent, own / "logs")
    found = replace(found, start=replace(found.start, kernel=read(found.start.kernel)))
    tree = busybox(APPLETS)
    for _, inode in tree.walk():
        if not isinstance(inode.content, bytes):
            inode.content = Path(inode.content.file).read_bytes()[inode.content.offset :][: inode.content.size]
    if way.processors is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: way.processors])
    if not way.confined:
        confinement.landlock = lambda: 0  # type: ignore[assignment]
        confinement.filters = lambda: False  # type: ignore[assignment]
    if way.user is not None:
        for encoding in ("ascii", "latin-1", "utf-8", "idna"):
            codecs.lookup(encoding)  # Python itself may lie where only we can read it
        os.chown(own, way.user, way.user)
        os.setgroups([])
        os.setgid(way.user)
        os.setuid(way.user)
    changes = Executor(parts=found, store=Store(own / "store"))(tree, _job())
    print(_digest(changes, own / "store"))
    return 0


def _digest(changes: Changes, store: Path) -> str:
    """Of all that came of a run, and whether it is what there should be."""
    sizes = {path: size_of(entry.content) for path, entry in changes.put.items()}
    empty = [name for name in WRITTEN if not sizes.get(f"/out/{name}")]
    complaints = read(changes.put["/complaints"].content).decode("utf-8", "replace")
    assert not empty, (empty, complaints)
    [kept] = (store / "derived").glob("executed-*/*")
    state = hashlib.sha256()
    for path in sorted(kept.iterdir()):
        data = path.read_bytes()
        state.update(json.dumps([path.name, len(data)]).encode() + data)
    return state.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
