"""Modules from outside the kernel (``M=``): compiled against exactly one kernel, as dkms(8) does, and signed.

What a source runs is confined as the kernel's own make is: to the toolchain, what the kernel was built with, and a
directory of its own.
"""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assembler.architecture import Architecture
from assembler.carried import PACKAGE
from assembler.errors import AssembleError, Place
from assembler.kernel import results
from assembler.kernel.module import LARGEST, ModuleError, read_module
from assembler.kernel.toolchain import Toolchain
from assembler.kernel.work import LIMITS, OBJECTS, SOURCE, MakeError, Work, constants, ended, follow, mapped, new_log
from assembler.progress import SILENT, Reporter
from assembler.store.objects import Store
from assembler.store.scratch import scratch
from assembler.tools.confinement import Confinement, tell

_SCRIPT = PACKAGE / "kernel/dkms.sh"
_MADE = "made"
_NOT_FOR_IT = 3
"""The script's exit status for a source that is not for this kernel."""
_SAID = "dkms: "
"""What it begins lines with that say why it ends."""
_PLACE = "/usr/src/modules"
"""What debug information and messages say in place of the directory that is compiled in."""
_WHERE = re.compile(rb"(?<![\w./])/lib/modules/")
_SAYS_WHERE = re.compile(r"(?:GNU)?[Mm]akefile.*|Kbuild.*|.*\.(?:mk|sh)|configure|dkms\.conf")
"""Files in which a source may name the directory of the running kernel's modules."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}\.ko")
_COMPILER = re.compile(r"(?:gcc|cc|cpp|g\+\+|c\+\+)(?:-[0-9]+)?")


class ModulesError(AssembleError):
    """Modules that cannot be compiled for a kernel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """A kernel to compile modules against."""

    release: str
    """As ``uname -r`` will say."""
    objects: Path
    """What is ``/lib/modules/RELEASE/build`` elsewhere: configuration, generated headers, Module.symvers, programs."""
    tree: Path
    """And ``/lib/modules/RELEASE/source``: the rest of its headers and its makefiles."""
    reach: tuple[Path, ...] = ()
    """Directories that links in either lead to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which modules are wanted."""

    name: str
    """What errors call them."""
    source: Path
    """Their source: with a dkms.conf, or one that kbuild takes as it is (``make M=``)."""
    against: Against
    architecture: Architecture
    native: bool
    """Whether the build machine is of that architecture, too."""
    epoch: int
    """SOURCE_DATE_EPOCH, seconds."""
    toolchain: Toolchain


def build(wish: Wish, directory: Path, store: Store, *, jobs: int = 2, reporter: Reporter = SILENT) -> None:
    """Make `directory` and compile the modules into it: ``NAME.ko`` each, without debug information, not signed.

    Raises ModulesError, with the lines that tell of trouble and where the log is, and OSError for a full disk.
    """
    tell(reporter)
    log = new_log(store, "modules")
    with store.writing(), scratch(store.executable) as work:
        work.mkdir()
        _lay(wish, work)
        toolchain, machine = wish.toolchain, wish.architecture.machine
        variables = {} if wish.native else {"ARCH": wish.architecture.kernel.arch, "CROSS_COMPILE": toolchain.prefix}
        todo = Work(
            command=[*_started(toolchain, "bash"), str(work / _SCRIPT.name), wish.against.release, machine, str(jobs)],
            confinement=Confinement(
                runs=(*toolchain.runs, wish.against.objects, wish.against.tree, *wish.against.reach, work),
                reads=toolchain.reads,
                writes=(work,),
                attributes=True,
                limits=LIMITS,
            ),
            environment={
                **constants(toolchain, wish.epoch, work),
                **variables,
                "DEB_BUILD_ARCH": wish.architecture.name,
                "PATH": f"{work}/bin:{toolchain.search}",
            },
            directory=work,
        )
        _, status, trouble = follow(todo, log, name=f"modules of {wish.name}", reporter=reporter)
        if status:
            raise _failed(wish, status, log, trouble)
        made = _made(wish, work)
        directory.mkdir()
        for name, data in made.items():
            (directory / name).write_bytes(data)
    log.unlink()


def _failed(wish: Wish, status: int, log: Path, trouble: Sequence[str]) -> ModulesError:
    with log.open("r", encoding="utf-8", errors="replace") as lines:
        said = [line.removeprefix(_SAID).strip() for line in lines if line.startswith(_SAID)]
    if status == _NOT_FOR_IT and said:
        return ModulesError(
            f"{wish.name} is not for this kernel",
            where=Place(file="dkms.conf", key="kernel.modules"),
            why=f"{said[0]}; this is Linux {wish.against.release}",
            hint="leave it out, or take another kernel or version of it",
        )
    return ModulesError(
        f"{wish.name} cannot be compiled for Linux {wish.against.release}",
        where=Place(file=str(log), key="kernel.modules"),
        why=said[0] if said else ended(status),
        hint=f"all that it printed is in {log}",
        details=[line for line in trouble if not line.startswith(_SAID)],
    )


def _made(wish: Wish, work: Path) -> dict[str, bytes]:
    """The modules that were made in `work`, by name. Raises ModulesError when they are none for the kernel."""
    found: dict[str, bytes] = {}
    wrong = ""
    directory = work / _MADE
    names = sorted(directory.iterdir()) if directory.is_dir() and not directory.is_symlink() else []
    for name in (path.name for path in names):
        if not _NAME.fullmatch(name):
            wrong = wrong or f"{name[:120]!r} is no module's name"
            continue
        try:
            found[name] = data = results.read(work, f"{_MADE}/{name}", LARGEST)
            magic = " ".join(read_module(data).values("vermagic"))
        except (MakeError, ModuleError) as error:
            wrong = wrong or f"{name}: {error.why or error.what}"
            continue
        if magic.partition(" ")[0] != wish.against.release:
            wrong = wrong or f"{name} is for Linux {magic.partition(' ')[0]!r}"
        elif str(work).encode() in data:
            wrong = wrong or f"{name} names the directory that it was compiled in, which is another each time"
    if wrong or not found:
        raise ModulesError(
            f"{wish.name} did not become modules for Linux {wish.against.release}",
            where=Place(key="kernel.modules"),
            why=wrong or "it made no module",
        )
    return found


def _lay(wish: Wish, work: Path) -> None:
    """Everything that the script expects in `work`."""
    shutil.copytree(wish.source, work / "source", symlinks=True)
    for top, _, names in os.walk(work / "source"):
        # All of the same time: makefiles of autoconf make again what is older than what it is made of.
        for name in names:
            path = Path(top, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o600)
                if _SAYS_WHERE.fullmatch(name):
                    path.write_bytes(_WHERE.sub(f"{work}/lib/modules/".encode(), path.read_bytes()))
            os.utime(path, (wish.epoch, wish.epoch), follow_symlinks=False)
    shutil.copyfile(_SCRIPT, work / _SCRIPT.name)
    modules = work / "lib/modules" / wish.against.release
    modules.mkdir(parents=True)
    (modules / "build").symlink_to(wish.against.objects)
    (modules / "source").symlink_to(wish.against.tree)
    (work / "bin").mkdir()
    options = mapped({work: _PLACE, wish.against.objects: OBJECTS, wish.against.tree: SOURCE}, wish.toolchain)
    for name, compiler in _compilers(wish.toolchain).items():
        _script(work / "bin" / name, f'exec {compiler} {wish.toolchain.options} {options} "$@"\n')
    # That of the target, also where the build machine is another one; and where nothing comes between (start.c).
    told = {"-m": wish.architecture.machine, "-r": wish.against.release, "-n": "assembler"}
    cases = "".join(f"{option}) echo {text} ;;\n" for option, text in told.items())
    real = _started(wish.toolchain, "uname")[-1]
    _script(work / "bin/uname", f'case "$*" in\n{cases}*) exec {real} "$@" ;;\nesac\n')


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}", "utf-8")
    path.chmod(0o700)


def _compilers(toolchain: Toolchain) -> dict[str, str]:
    """Every name that a compiler of `toolchain` goes by, with its path; plain ``gcc`` is there in any case."""
    found: dict[str, str] = {}
    for directory in map(Path, toolchain.search.split(":")):
        for path in sorted(directory.iterdir() if directory.is_dir() else ()):
            if _COMPILER.fullmatch(re.sub(r"^[a-z0-9_]+-linux-gnu-", "", path.name)):
                found.setdefault(path.name, str(path))
    versions = sorted((name for name in found if re.fullmatch(r"gcc-[0-9]+", name)), key=len)
    for plain in ("gcc", "cc"):
        if plain not in found and versions:
            found[plain] = found[versions[-1]]
    return found


def _started(toolchain: Toolchain, name: str) -> list[str]:
    """The beginning of an argument list that starts the program `name` of `toolchain`."""
    path = shutil.which(name, path=toolchain.search)
    if path is None:
        raise ModulesError(f"the toolchain has no {name}", hint="lock again: its package is missing")
    return [*toolchain.starts, name, path] if toolchain.starts else [path]
