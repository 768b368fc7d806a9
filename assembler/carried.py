"""What comes along with the assembler beside its code: recipes to use and extend, and what runs inside the initrd.

The directories are at the top of a checkout. In an installed package, which is a directory of its own among
strangers', they are inside it (pyproject.toml). Nothing else looks for them.
"""

import os
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
"""The package itself, in a checkout or where it is installed."""

_BESIDE = ("recipes", "initramfs", "NOTICE")
"""What comes along."""
_KINDS = frozenset({".asc", ".bash", ".c", ".css", ".fish", ".py", ".service", ".sh", ".toml", ".zsh", ""})
"""Ends of names of what the package is made of; see tests/package/ for that they are all."""


def place(name: str, package: Path = PACKAGE) -> Path:
    """Where `name` is, which comes along with `package`: inside it, else beside it, as in a checkout."""
    inside = package / name
    return inside if inside.exists() else package.parent / name


RECIPES = place("recipes")
"""The recipes, with the files that they name."""
INITRAMFS = place("initramfs")
"""The init script and its parts."""
NOTICE = place("NOTICE")
"""Licences, in words."""


def code(package: Path = PACKAGE) -> Iterator[tuple[str, Path]]:
    """The files that the assembler itself is made of, by their path in the package, sorted.

    They are the same in a checkout, and wherever it is installed: without what Python, an editor or somebody's work
    leaves there, and without what comes along, which is an input of the steps that use it.
    """
    found = {}
    for top, directories, files in os.walk(package):
        if Path(top) == package:
            for names in (directories, files):
                names[:] = [each for each in names if each not in _BESIDE]
        directories[:] = [each for each in directories if each.isidentifier() and each != "__pycache__"]
        for name in files:
            path = Path(top, name)
            if name[0] not in ".#" and path.suffix in _KINDS and not name.endswith("~") and path.is_file():
                found[path.relative_to(package).as_posix()] = path
    yield from sorted(found.items())
