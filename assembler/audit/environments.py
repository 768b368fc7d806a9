"""In which environments ``assemble reproduce`` builds, and how they differ: pure values."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

YEAR = 365 * 24 * 3600
"""Seconds."""
SEED = 20_260_101
"""Of the order of directories' entries; any number does."""
NOBODY = 65534
"""The user and group that own nothing, on Debian and most others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where and as what a build runs."""

    program: tuple[str, ...]
    """What starts ``assemble``: argument list."""
    directory: Path
    """All that it has: home, temporary files, store; also its working directory."""
    recipes: Path
    """By what name the recipe's directory is found."""
    environment: Mapping[str, str]
    umask: int
    """Mode bits that new files lack."""
    processors: int
    user: int | None
    """User and group; None for those of who asks."""

    @property
    def store(self) -> Path:
        """Its own store."""
        return self.directory / "store"


def plain(directory: Path, recipes: Path, *, python: str, search: str, processors: int) -> Environment:
    """A build as anyone has it; `search` is `PATH`."""
    return Environment(
        program=(python, "-P", "-m", "assembler"),
        directory=directory,
        recipes=recipes,
        environment={
            "HOME": str(directory / "home"),
            "TMPDIR": str(directory / "tmp"),
            "PATH": search,
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
        },
        umask=0o022,
        processors=processors,
        user=None,
    )


def varied(directory: Path, recipes: Path, *, python: str, search: str, user: int | None) -> Environment:
    """A build in which everything is otherwise that can be; `search` is empty when it needs no program of the host."""
    return Environment(
        program=(python, "-P", "-m", "assembler.cli.varied", str(YEAR), str(SEED)),
        directory=directory,
        recipes=recipes,
        environment={
            "HOME": str(directory / "home"),
            "TMPDIR": str(directory / "tmp"),
            "PATH": search or str(directory / "nothing"),
            "LC_ALL": "tr_TR.UTF-8",
            # By rule instead of by name, so that it does not depend on the host's list of time zones.
            "TZ": "<+1245>-12:45",
            "PYTHONHASHSEED": "4242",
        },
        umask=0o077,
        processors=1,
        user=user,
    )


def differences(first: Environment, second: Environment) -> dict[str, tuple[str, str]]:
    """What is otherwise, for people."""
    found = {
        "directory": (str(first.directory), str(second.directory)),
        "recipe's directory": (str(first.recipes), str(second.recipes)),
        "umask": (f"{first.umask:03o}", f"{second.umask:03o}"),
        "processors": (str(first.processors), str(second.processors)),
        "user": (_user(first), _user(second)),
        "clock": ("the host's", "a year ahead"),
        "order of directories": ("the host's", "shuffled"),
    }
    found |= {name: (value, second.environment[name]) for name, value in first.environment.items()}
    return {name: pair for name, pair in found.items() if pair[0] != pair[1]}


def _user(one: Environment) -> str:
    return str(os.geteuid() if one.user is None else one.user)
