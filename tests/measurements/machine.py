"""Measure what executing scripts in the machine costs: a step that does nothing, a mail server, four daemons.

    scripts/machine-cost [--only CASE] [--repeat]

Each case is a recipe on top of livecd.toml, or livecd-arm64.toml. It is locked and downloaded beforehand, then composed
with nothing kept of what machines did, and once more with it kept. CPU time is user and system, of this process and of
all that it starts; wall time says more of what else the machine does. A second of the machine's is 10⁹ instructions.
With `--repeat` a case is executed twice, and both results have to be the same to the last byte.
"""

import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assembler.api.machines import Machine
from assembler.api.workspace import Workspace
from assembler.cli import environment
from assembler.cli.main import call
from assembler.configure.job import Job
from assembler.debian.fetch import fetch_packages
from assembler.guest import execute
from assembler.guest.execute import Executor
from assembler.guest.machine import Said, run
from assembler.layers import rootfs
from assembler.lockfile.toml import read_lock
from assembler.progress import Unit
from assembler.recipe.load import load
from assembler.store.objects import Store
from assembler.tree.changes import Changes
from assembler.tree.digest import digest, listing
from assembler.tree.staging import Tree
from tests.measurements.cost import Cost, measure
from tests.support.command import arguments
from tests.support.reporters import Recorder

CASES = {
    "tiny": ("livecd", (), True),
    "exim": ("livecd", ("exim4-daemon-light",), False),
    "four": ("livecd", ("postgresql", "mariadb-server", "nginx", "exim4-daemon-light"), False),
    "exim-arm64": ("livecd-arm64", ("exim4-daemon-light",), False),
}
"""By name: the recipe below, packages besides, and whether there is a step that does nothing."""
_UPTIME = re.compile(r"\[ *(\d+\.\d+)\] reboot: ")
"""The kernel's last line; its clock begins with the machine's."""


class Clock(Recorder):
    """A reporter that knows what the steps of a build took, by name: CPU seconds, and seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.took: dict[str, tuple[float, float]] = {}

    @contextmanager
    def step(self, name: str, *, total: int = 0, unit: Unit = "steps") -> Iterator[Recorder]:  # type: ignore[override]
        """A step that is timed."""
        cpu, wall = _cpu(), time.monotonic()
        yield super().step(name, total=total, unit=unit)
        before = self.took.get(name, (0.0, 0.0))
        self.took[name] = (before[0] + _cpu() - cpu, before[1] + time.monotonic() - wall)


class Fresh(Machine):
    """A machine that keeps what it did in a store of its own."""

    kept: Store
    clock: Clock

    def prepare(self, epoch: int) -> None:
        """Fetch what it is made of."""
        self._parts(epoch)

    def _executor(self, job: Job) -> Executor:
        return Executor(parts=self._parts(job.epoch), store=self.kept, reporter=self.clock)

    def __call__(self, tree: Tree, job: Job) -> Changes:
        """What `job` makes of `tree`; all that is no machine's is a step, too."""
        with self.clock.step("executing in all"):
            return super().__call__(tree, job)


def main() -> int:
    """Measure and print; the exit status."""
    if sys.argv[1:2] == ["--child"]:
        _child(Path(sys.argv[2]), Path(sys.argv[3]))
        return 0
    parser = arguments("machine-cost", __doc__)
    parser.add_argument("--only", choices=CASES, action="append", help="this case; all by default")
    parser.add_argument("--repeat", action="store_true", help="execute twice and compare")
    options = parser.parse_args()
    status = 0
    with tempfile.TemporaryDirectory(prefix="assemble-machine-cost-") as directory:
        for name in options.only or CASES:
            digests = {_case(name, Path(directory) / f"{name}-{turn}") for turn in range(1 + options.repeat)}
            if options.repeat:
                print(f"{name}: {'the same bytes twice' if len(digests) == 1 else 'OTHER BYTES'}", flush=True)
            status |= len(digests) > 1
    return status


def _case(name: str, directory: Path) -> str:
    """Measure one case and print it; a digest of what came out."""
    directory.mkdir()
    base, packages, step = CASES[name]
    recipe = directory / "recipe.toml"
    text = f'extends = "builtin:{base}.toml"\n[rootfs]\npackages_add = {json.dumps(packages)}\n'
    recipe.write_text(text + ('[[rootfs.run]]\nscript = "true"\n' if step else ""))
    if call(["lock", str(recipe), "--quiet"]):
        sys.exit(f"machine-cost: {name} cannot be locked")
    argv = [sys.executable, "-P", "-m", "tests.measurements.machine", "--child", str(recipe)]
    # The first time fetches and unpacks packages, and is not counted; nothing is executed.
    measure([*argv, "nothing"], directory=directory)
    store = directory / "store"
    cost = measure([*argv, str(store)], directory=directory)
    told = json.loads((directory / "told.json").read_text())
    kept = measure([*argv, str(store)], directory=directory)
    _print(name, cost, told, kept)
    return str(told["digest"])


def _print(name: str, cost: Cost, told: dict[str, Any], kept: Cost) -> None:
    print(f"{name}: {told['virtual']} s of the machine's")
    for step, (cpu, wall) in told["steps"].items():
        print(f"    {step:20} {cpu:6.2f} CPU s {wall:7.1f} s")
    print(f"    {'whole':20} {cost.cpu:6.2f} CPU s {cost.wall:7.1f} s")
    print(f"    {'whole, kept':20} {kept.cpu:6.2f} CPU s {kept.wall:7.1f} s")
    print(f"    peak memory: QEMU {told['machine']} MiB, assembler {told['own']} MiB", flush=True)


def _child(recipe: Path, kept: Path) -> None:
    """Compose a root file system; ``told.json`` beside the recipe says what it took."""
    settings = environment.read()
    workspace = Workspace(store=settings.store, architecture=settings.architecture, search=settings.search)
    loaded = load(recipe)
    lock = read_lock(loaded.lock_path)
    assert lock is not None
    assert lock.machine is not None
    store, clock = workspace.open_store(), Clock()
    with workspace.transport() as transport, _uptimes() as virtual:
        supply = workspace.supply(store=store, transport=transport, chosen=workspace.mirrors(loaded.recipe))
        fetch_packages(lock.role("rootfs"), lock.archives, **supply.means)
        machine = Fresh(workspace, (lock.tools, lock.machine), supply)
        if kept.name == "nothing":
            machine.prepare(lock.source_date_epoch)
            rootfs.open_packages(store, lock.role("rootfs"))
            return
        machine.kept, machine.clock = Store(kept), clock
        composed = rootfs.compose(
            loaded.recipe.rootfs,
            lock.role("rootfs"),
            files={name: file.data for name, file in loaded.files.items()},
            architecture=lock.architecture,
            epoch=lock.source_date_epoch,
            store=store,
            reporter=clock,
            execute=machine,
        )
    told = {
        "virtual": sum(virtual),
        "steps": clock.took,
        "own": _peak(),
        "machine": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10,
        "digest": digest(listing(composed.tree)),
    }
    recipe.with_name("told.json").write_text(json.dumps(told))


@contextmanager
def _uptimes() -> Iterator[list[float]]:
    """How many seconds of their own the machines took that end meanwhile."""
    found: list[float] = []
    names = vars(execute)

    def listened(*given: Any, **named: Any) -> Said:
        said = run(*given, **named)
        found.extend(float(match[1]) for line in said.tail if (match := _UPTIME.match(line)))
        return said

    names["run"] = listened
    try:
        yield found
    finally:
        names["run"] = run


def _peak() -> int:
    """MiB that this process itself had at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM:"))


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    sys.exit(main())
