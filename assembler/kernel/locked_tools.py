"""The compilers of a kernel out of the lock: packages laid out in the store, of which no host has to have any.

A program is started through the toolchain's own dynamic loader (ld.so(8)). So is all that it starts, and all that is
compiled on the way: start.c, which is compiled first and preloaded into each of them, sees to it. What a script names
as the host's (``#!/bin/sh``) is the toolchain's, too. Nothing is changed in the packages' files nor in the source.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assembler.architecture import Architecture, named
from assembler.carried import PACKAGE
from assembler.kernel.toolchain import Toolchain, ToolchainError
from assembler.store.objects import Store
from assembler.store.scratch import scratch
from assembler.tools.toolbox import Toolbox

_SOURCE = PACKAGE / "kernel/start.c"
_LIBRARY = "start.so"
_CHOSEN = {"awk": "mawk"}
"""Programs that alternatives choose, which packages do not have under these names."""
_READS = tuple(map(Path, ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu")))
"""How many processors there are."""


@contextmanager
def opened(toolbox: Toolbox, store: Store, target: Architecture, release: str) -> Iterator[Toolchain]:
    """The toolchain of the packages in `toolbox` for kernels of `target`, for use while the context lasts.

    `release` is what programs take for that of the running kernel (``uname -r``). Raises ToolchainError when it lacks
    something, and ToolError when its own compiler fails.
    """
    root, host = toolbox.root, named(toolbox.architecture)
    with scratch(store.executable) as own:
        own.mkdir()
        for program, chosen in _CHOSEN.items():
            (own / program).symlink_to(toolbox.find(chosen))
        _compile(toolbox, host, own, release)
        yield Toolchain(
            prefix="" if target == host else target.prefix,
            search=f"{root}/usr/bin:{root}/usr/sbin:{own}",
            runs=(*toolbox.reach, own),
            reads=_READS,
            ccache="ccache",
            starts=(
                *(str(toolbox.loader), "--inhibit-cache", "--library-path", str(toolbox.libraries)),
                *("--preload", str(own / _LIBRARY), "--argv0"),
            ),
            make=str(toolbox.find("make")),
            options=f"--sysroot={root}",
            moved=(root,),
            settings=(f"SHELL={root}/usr/bin/sh",),
            variables={
                "BISON_PKGDATADIR": f"{root}/usr/share/bison",
                "CCACHE_CONFIGPATH": f"{own}/ccache.conf",
                "M4": str(toolbox.find("m4")),
                "PERL5LIB": ":".join(map(str, _perl(root, toolbox.libraries))),
                "PYTHONHOME": f"{root}/usr",
            },
        )


def _perl(root: Path, libraries: Path) -> Iterator[Path]:
    """Where perl's modules are: what it has built in are the host's directories."""
    for directory in (libraries / "perl", root / "usr/share/perl"):
        yield from sorted(directory.glob("[0-9]*"))
    yield libraries / "perl-base"


def _compile(toolbox: Toolbox, host: Architecture, own: Path, release: str) -> None:
    """Make `_LIBRARY` in the directory `own`: by compiler, assembler and linker themselves, as the driver that would
    start these needs it already.
    """
    root, libraries = toolbox.root, toolbox.libraries
    found = sorted(root.glob(f"usr/lib*/gcc/{host.triplet}/*/cc1"))
    if len(found) != 1:
        raise ToolchainError("the toolchain has not one C compiler", hint="lock again: its package is missing")
    inside = found[0].parent.name
    strings = {
        "ROOT": root, "CHOSEN": own, "LOADER": toolbox.loader, "LIBRARIES": libraries, "SELF": own / _LIBRARY,
        "RELEASE": release,
    }  # fmt: skip
    include = (f"usr/lib/gcc/{host.triplet}/{inside}/include", "usr/include", f"usr/include/{host.triplet}")
    commands: tuple[tuple[Path, list[str | Path]], ...] = (
        (
            found[0],
            [
                "-quiet", "-O2", "-fPIC", "-nostdinc",
                *(word for directory in include for word in ("-isystem", root / directory)),
                *(f'-D{key}="{text}"' for key, text in strings.items()), f"-DMACHINE={host.elf_machine}",
                _SOURCE, "-o", own / "start.s",
            ],
        ),
        (toolbox.find(f"{host.prefix}as"), [own / "start.s", "-o", own / "start.o"]),
        (
            toolbox.find(f"{host.prefix}ld.bfd"),
            ["-shared", "-o", own / _LIBRARY, own / "start.o", libraries / "libc.so.6"],
        ),
    )  # fmt: skip
    for program, args in commands:
        toolbox.run(program, args, reads=[_SOURCE], writes=[own], attributes=True)
