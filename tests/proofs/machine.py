"""Machines of the assembler's for proofs: those that recipes/livecd.toml is built with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assembler.api import RecipeFile, Workspace
from assembler.api.build import open_project
from assembler.configure.job import Execute
from assembler.errors import AssembleError, Place
from tests.support.command import ROOT


@contextmanager
def executing(store: Path) -> Iterator[Execute]:
    """What has jobs done, each once for all who use `store`. Raises AssembleError."""
    workspace = Workspace(store=store)
    recipe = RecipeFile(path=ROOT / "recipes" / "livecd.toml").load()
    with open_project(workspace, recipe, make=True) as context:
        if context.lock.machine is None:
            raise AssembleError("the lock is of a time without machines", where=Place(file=str(recipe.lock_path)))
        yield context.means.execute((context.lock.tools, context.lock.machine))
