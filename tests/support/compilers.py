"""A machine that has compilers, on any machine: the programs of the locked toolchain under the names that hosts have.

The tests of ``kernel.toolchain = "host"`` want a host with compilers, and no host has to have any. Its directory is
where such a host has its programs: each is a script of two lines, which starts the toolchain's program of that name.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from assembler.architecture import AMD64
from assembler.kernel.locked_tools import opened
from assembler.kernel.toolchain import Toolchain
from assembler.lock.compilers import packages
from assembler.store.objects import Store
from assembler.tools.confinement import HOST, HOST_FILES
from tests.support.toolboxes import cache, own_tools

_COMPILERS = ("gcc", "cpp", "g++")
_MORE = ("util-linux",)
"""Packages with programs that every host has: setsid."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A host that has compilers."""

    search: str
    """Its PATH."""
    roots: tuple[Path, ...]
    """Where its programs, and what these need, lie."""
    reads: tuple[Path, ...] = HOST_FILES

    def toolchain(self, *, prefix: str = "", ccache: str = "", search: str | None = None) -> Toolchain:
        """Its programs as a toolchain, without having been looked for."""
        own = self.search if search is None else search
        return Toolchain(prefix=prefix, ccache=ccache, search=own, runs=self.roots, reads=self.reads)


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One that is there as long as the tests are."""
    directory = tmp_path_factory.mktemp("machine") / "bin"
    directory.mkdir()
    with opened(own_tools((*packages(AMD64, AMD64), *_MORE)), Store(cache()), AMD64, "6.12") as toolchain:
        for place in map(Path, toolchain.search.split(":")):
            for program in sorted(place.iterdir()):
                _write(directory / program.name, toolchain, program)
        yield Machine(search=str(directory), roots=(*HOST, directory, *toolchain.runs))


def _write(script: Path, toolchain: Toolchain, program: Path) -> None:
    """Write the script that starts `program`; what is itself a script is left out."""
    if script.exists() or not program.is_file():
        return
    with program.open("rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return
    # Compilers look for their parts from where they are called to be.
    command = [*toolchain.starts, str(program), str(program)]
    if script.name.rpartition("-")[2] in _COMPILERS:
        command += [toolchain.options]
    variables = " ".join(f"{key}={shlex.quote(value)}" for key, value in sorted(toolchain.variables.items()))
    script.write_text(f'#!/bin/sh\n{variables} exec {shlex.join(command)} "$@"\n')
    script.chmod(0o755)
