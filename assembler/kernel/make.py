"""Running the kernel's own make: constant environment, progress by what it compiles, errors that say what broke.

It runs programs that come with the source. They are confined, see tools/confinement.py, to the toolchain, the source,
and the directory that they compile in.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assembler.architecture import Architecture
from assembler.errors import Place
from assembler.kernel.toolchain import Toolchain
from assembler.kernel.work import LIMITS, OBJECTS, SOURCE, MakeError, Work, constants, ended, follow, mapped
from assembler.progress import SILENT, Reporter
from assembler.tools.confinement import Confinement, tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """Everything that make is told. Only `tree`, `architecture`, `epoch` and the toolchain decide what it makes."""

    tree: Path
    """The source, which is not written to."""
    objects: Path
    """Where everything is made."""
    architecture: Architecture
    toolchain: Toolchain
    epoch: int
    """SOURCE_DATE_EPOCH, seconds: the build's time, as the kernel tells it (``uname -v``)."""
    jobs: int
    cache: Path
    """ccache's directory, used when there is ccache."""
    lock: int | None = None
    """Descriptor of a lock on `objects`, which make and all that it starts hold, too: when this process is killed, no
    other compiles there before they have ended."""

    def __post_init__(self) -> None:
        for directory in (self.tree, self.objects):
            # Make and the shells that it starts would take these for something else than a path.
            if found := re.search(r"[^\w/.,+@-]", str(directory)):
                raise MakeError(
                    "a kernel cannot be built in this directory",
                    where=Place(file=str(directory)),
                    why=f"its make does not take {found[0]!r} in paths, nor spaces, colons and the like",
                    hint="put the store elsewhere with --store",
                )

    def environment(self) -> dict[str, str]:
        """All the environment variables that make gets."""
        return {"CCACHE_DIR": str(self.cache), **constants(self.toolchain, self.epoch, self.objects)}

    def confinement(self) -> Confinement:
        """All that make, and whatever it starts, can reach."""
        return Confinement(
            runs=(*self.toolchain.runs, self.tree, self.objects),
            reads=self.toolchain.reads,
            writes=(self.objects, *([self.cache] if self.toolchain.ccache else [])),
            attributes=True,
            limits=LIMITS,
        )

    def command(self, targets: Sequence[str]) -> list[str]:
        """The argument list that makes `targets`."""
        maps = mapped({self.tree: SOURCE, self.objects: OBJECTS}, self.toolchain)
        before = f"{self.toolchain.ccache} " if self.toolchain.ccache else ""
        after = f" {self.toolchain.options}" if self.toolchain.options else ""
        starts = (*self.toolchain.starts, "make") if self.toolchain.starts else ()
        return [
            *starts,
            self.toolchain.make,
            f"--jobs={self.jobs}",
            f"--directory={self.tree}",
            f"O={self.objects}",
            f"ARCH={self.architecture.kernel.arch}",
            f"CROSS_COMPILE={self.toolchain.prefix}",
            f"CC={before}{self.toolchain.prefix}gcc{after}",
            f"HOSTCC={before}gcc{after}",
            f"KCFLAGS={maps}",
            f"KAFLAGS={maps}",
            *self.toolchain.settings,
            *targets,
        ]

    def run(
        self, targets: Sequence[str], log: Path, *, expected: int = 0, name: str = "kernel", reporter: Reporter = SILENT
    ) -> int:
        """Make `targets`, adding what is printed to the file `log`; returns how many files were worked on.

        The reporter sees a step called `name` of `expected` files (0: nobody knows). Raises MakeError with the lines
        around what failed, and OSError (ENOSPC) when the disk is full. When anything interrupts, make and all that it
        has started are killed.
        """
        tell(reporter)
        if self.toolchain.ccache:
            self.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        work = Work(
            command=self.command(targets),
            confinement=self.confinement(),
            environment=self.environment(),
            directory=self.objects,
            descriptors=() if self.lock is None else (self.lock,),
        )
        done, status, trouble = follow(work, log, expected=expected, name=name, reporter=reporter)
        if status == 0:
            return done
        raise MakeError(
            "the kernel cannot be compiled",
            where=Place(file=str(log)),
            why=f"make {' '.join(targets)}: {ended(status)}",
            hint=f"all that it printed is in {log}",
            details=trouble,
        )
