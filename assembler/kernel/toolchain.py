"""What a kernel is compiled with, wherever it comes from: programs of the lock (locked_tools.py) or of the host
(host_tools.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assembler.errors import AssembleError
from assembler.lockfile.model import LockedTool


class ToolchainError(AssembleError):
    """Programs or headers that a kernel cannot be built without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """A complete set of tools."""

    prefix: str
    """What the target's compiler and linker begin with; empty for the build machine's own."""
    search: str
    """The `PATH` that they are found with."""
    runs: tuple[Path, ...]
    """Directories that they may read and execute, and"""
    reads: tuple[Path, ...]
    """files and directories that they may read besides."""
    ccache: str = ""
    """What ccache is called with; empty when there is none. It changes no byte."""
    starts: tuple[str, ...] = ()
    """What a program has to be started by, with its name and path; nothing when it can be started by itself."""
    make: str = "make"
    """Where make is."""
    options: str = ""
    """Of every compiler."""
    moved: tuple[Path, ...] = ()
    """Directories that it calls by the path below them: what would be at the top of a file system."""
    settings: tuple[str, ...] = ()
    """Further variables of make: ``SHELL=/bin/sh``."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Further variables of the environment."""
    tools: tuple[LockedTool, ...] = ()
    """Name and version of each, sorted by name, when they are the host's."""
