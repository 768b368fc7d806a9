"""A kernel from its source: configured by fragments, checked, compiled."""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assembler.architecture import Architecture
from assembler.image.names import KERNEL, KERNEL_CONFIG, SYSTEM_MAP
from assembler.kernel import config, headers, results
from assembler.kernel.config import Setting
from assembler.kernel.kconfig import read_symbols
from assembler.kernel.make import Make
from assembler.kernel.source import SourceError, release_of
from assembler.kernel.toolchain import Toolchain
from assembler.kernel.work import new_log
from assembler.progress import SILENT, Reporter
from assembler.store.objects import Store

RELEASE = "release"
"""A file with what ``uname -r`` will say."""
BUILTIN = ("modules.builtin", "modules.builtin.modinfo")
"""What is built in, for modprobe: that it need not be loaded, and under which other names it goes."""
OBJECTS = "objects"
"""A directory with what modules are compiled against, when the kernel takes modules."""
_RELEASE = "include/config/kernel.release"
"""The file of make's that `RELEASE` is a copy of."""
_COUNT = "steps"
"""A file with how many files make worked on."""

_ROUNDS = 5
"""How often modules are left out of a configuration: what depends on one may then be another."""
_STEPS_BEFORE, _STEPS_BY_SYMBOL = 400, 2.1
"""How many files make works on, roughly: a number, and more for each symbol that is on: 4073 for 1714 symbols."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which kernel is wanted."""

    tree: Path
    """Its source; see kernel/source.py."""
    architecture: Architecture
    base: str
    """The target of make that the configuration begins with: ``defconfig``."""
    fragments: Sequence[tuple[str, bytes]]
    """(name, bytes) each, which go on top of it."""
    epoch: int
    toolchain: Toolchain
    modular: bool = False
    """Whether it takes modules from outside."""


def build(wish: Wish, directory: Path, store: Store, *, kind: str, jobs: int = 2, reporter: Reporter = SILENT) -> None:
    """Make `directory` and compile the kernel into it: `IMAGE`, `CONFIG`, `SYSTEM_MAP`, `RELEASE` and `BUILTIN`.

    `kind` is what the store calls such results: the last one tells how long this takes. Raises Problems for a
    configuration that is not what the fragments ask for, MakeError, and OSError for a full disk.
    """
    asked = config.merge(wish.fragments, modular=wish.modular)
    log = new_log(store, "kernel")
    with _objects(store) as (objects, lock):
        make = Make(
            tree=wish.tree,
            objects=objects,
            architecture=wish.architecture,
            toolchain=wish.toolchain,
            epoch=wish.epoch,
            jobs=jobs,
            cache=cache_of(store, wish.tree),
            lock=lock,
        )
        values = configure(make, wish.base, asked, log, reporter)
        target, image = wish.architecture.kernel.made(values)
        expected = _last_count(store, kind, wish.architecture.name) or _estimate(values)
        done = make.run([target, *(["modules"] if wish.modular else [])], log, expected=expected, reporter=reporter)
        _check_release((objects / _RELEASE).read_text("utf-8", "replace").strip())
        directory.mkdir()
        made = {
            KERNEL: image,
            KERNEL_CONFIG: ".config",
            SYSTEM_MAP: "System.map",
            RELEASE: _RELEASE,
            **{name: name for name in BUILTIN},
        }
        for name, path in made.items():
            results.copy(objects, path, directory / name)
        if wish.modular:
            headers.keep(objects, wish.architecture.kernel.directory, directory / OBJECTS)
        (directory / _COUNT).write_text(f"{wish.architecture.name} {done}\n", "ascii")
    log.unlink()


def configure(
    make: Make, base: str, asked: Mapping[str, Setting], log: Path, reporter: Reporter = SILENT
) -> dict[str, str]:
    """Write the .config that `base` and what is `asked` make; returns its values by symbol.

    Raises Problems with everything that did not take.
    """
    make.run([base], log, name="configure", reporter=reporter)
    path = make.objects / ".config"
    path.write_text(config.apply(path.read_text("utf-8"), asked), "utf-8")
    make.run(["olddefconfig"], log, name="configure", reporter=reporter)
    values = config.read_config(path.read_text("utf-8"))
    for _ in range(_ROUNDS):
        if "m" not in values.values():
            break
        # What is a module by default, where there are modules.
        path.write_text(config.apply(path.read_text("utf-8"), asked), "utf-8")
        make.run(["olddefconfig"], log, name="configure", reporter=reporter)
        values = config.read_config(path.read_text("utf-8"))
    symbols = read_symbols(make.tree, make.architecture.kernel.directory)
    config.check(asked, values, symbols, release_of(make.tree))
    return values


def _check_release(release: str) -> None:
    """Directories are called by it, on the host and in the image."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+_~-]{0,63}", release):
        raise SourceError("the kernel calls its release by what is no name", why=repr(release[:80]))


@contextmanager
def _objects(store: Store) -> Iterator[tuple[Path, int]]:
    """An empty directory to compile in, removed afterwards, and the descriptor of its lock. It is always the same
    one, one build at a time: compilers are told of it, and ccache finds again only what they were told before.
    """
    directory = store.root / "tmp" / "kernel"
    with store.locked("kernel-objects") as lock:
        shutil.rmtree(directory, ignore_errors=True)  # of a build that was killed
        try:
            with store.writing():
                directory.mkdir()
            yield directory, lock
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def cache_of(store: Store, tree: Path) -> Path:
    """The directory that ccache has for the source `tree`: its own, as programs of the source can write there."""
    return store.root / "ccache" / tree.name


def _last_count(store: Store, kind: str, architecture: str) -> int:
    """How many files the newest kernel in the store took; 0 when there is none."""
    try:
        results = sorted((store.results / kind).glob(f"*/{_COUNT}"), key=lambda path: path.stat().st_mtime)
        for path in reversed(results):
            name, _, count = path.read_text("ascii").partition(" ")
            if name == architecture:
                return int(count)
    except FileNotFoundError:  # somebody prunes the store just now, and it is an estimate
        pass
    return 0


def _estimate(values: Mapping[str, str]) -> int:
    return _STEPS_BEFORE + int(_STEPS_BY_SYMBOL * sum(value == "y" for value in values.values()))
