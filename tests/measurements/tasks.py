"""The parts of a build that are measured, each in a process of its own.

The arguments are the name of one and its parameters, in JSON.
"""

import contextlib
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assembler.configure.engine import ScriptsFailed, Settings, configure
from assembler.debian.mirrors import choose
from assembler.debian.paths import path_filter
from assembler.debian.unpack import unpack
from assembler.formats.iso import write_iso
from assembler.formats.squashfs import write_squashfs
from assembler.layers import rootfs
from assembler.lockfile.model import Lock
from assembler.lockfile.toml import read_lock
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.model import Debian
from assembler.store.objects import Store
from assembler.store.transport import Transport
from assembler.tools.ready import open_tools
from assembler.tools.source import built_in
from assembler.tools.supply import Supply
from assembler.tree import tar
from assembler.tree.content import CHUNK, Content
from assembler.tree.kept import Make, at_once
from assembler.tree.staging import Tree
from tests.proofs.reference import in_order


def child(task: str, parameters: dict[str, Any]) -> None:
    """Do one of our own tasks in this process, and leave its peak of memory in ``report.json``."""
    TASKS[task](**parameters)
    # Not getrusage(2)'s ru_maxrss, which counts what ran in this process before exec, too.
    with Path("/proc/self/status").open() as lines:
        peak = next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
    Path(os.environ["TMPDIR"], "report.json").write_text(json.dumps({"memory": peak}))


def _assemble(arguments: list[str]) -> None:
    from assembler.cli.main import call  # noqa: PLC0415  the other tasks need not wait for it

    status = call(arguments)
    if status:
        sys.exit(status)


def _rootfs(recipe: str, lock: str, store: str, names: list[str], out: str) -> None:
    """From locked packages in the store, those in `names`, to one tar of the configured system."""
    loaded, locked = _load(recipe, lock)
    chosen = set(names)
    composed = rootfs.compose(
        loaded.recipe.rootfs,
        [package for package in locked.role("rootfs") if package.name in chosen],
        files={name: file.data for name, file in loaded.files.items()},
        architecture=locked.architecture,
        epoch=locked.source_date_epoch,
        store=Store(Path(store)),
        jobs=len(os.sched_getaffinity(0)),
    )
    with Path(out).open("wb") as stream:
        stream.writelines(tar.write(composed.tree, latest=locked.source_date_epoch))


def _configure(recipe: str, lock: str, store: str, out: str, *, modules: bool) -> None:
    """Configure the locked packages in the store, as far as they are computed; the CPU seconds that only this took and
    the number of packages go into the file `out`. `modules`: whether the indexes of the kernel's modules are made, and
    what is kept in the store like them.
    """
    loaded, locked = _load(recipe, lock)
    debs = in_order(rootfs.open_packages(Store(Path(store)), locked.role("rootfs")))
    tree = Tree(mtime=locked.source_date_epoch)
    paths = path_filter(loaded.recipe.rootfs.exclude, loaded.recipe.rootfs.include)
    packages = unpack(tree, debs, latest=locked.source_date_epoch, paths=paths)
    keep = at_once if modules else _nothing
    settings = Settings(locked.source_date_epoch, locked.architecture, keep=keep, thorough=True)
    begun = time.process_time()
    with contextlib.suppress(ScriptsFailed):
        configure(tree, packages, settings)
    Path(out).write_text(f"{time.process_time() - begun} {len(packages)}")


def _nothing(_kind: str, _inputs: Sequence[object], _make: Make) -> Mapping[str, Content]:
    return defaultdict(bytes)


def _squashfs(recipe: str, lock: str, store: str, source: str, out: str) -> None:
    _, locked = _load(recipe, lock)
    here = Store(Path(store))
    with Transport(offline=True) as transport:
        supply = Supply(transport=transport, store=here, mirrors=choose(Debian()), now=datetime.now(UTC))
        toolbox = open_tools(locked.tools, built_in(), supply)
    with Path(source).open("rb") as stream:
        archive = iter(lambda: stream.read(CHUNK), b"")
        write_squashfs(archive, Path(out), toolbox, epoch=locked.source_date_epoch)


def _iso(files: dict[str, str], out: str) -> None:
    write_iso(Path(out), {path: Path(name) for path, name in files.items()}, label="K8S_NODE", epoch=0)


TASKS: dict[str, Callable[..., None]] = {
    "assemble": _assemble,
    "rootfs": _rootfs,
    "configure": _configure,
    "squashfs": _squashfs,
    "iso": _iso,
}


def _load(recipe: str, lock: str) -> tuple[LoadedRecipe, Lock]:
    locked = read_lock(Path(lock))
    assert locked is not None, lock
    return load(Path(recipe)), locked


if __name__ == "__main__":
    child(sys.argv[1], json.loads(sys.argv[2]))
