"""Machines of the assembler's for proofs: those that recipes/livecd.toml is built with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assembler.api import RecipeFile, Workspace
from assembler.api.build import open_project
from assembler.configure.job import Execute
from tests.support.command import ROOT


@contextmanager
def executing(store: Path) -> Iterator[Execute]:
    """What has jobs done, each once for all who use `store`."""
    workspace = Workspace(store=store)
    recipe = RecipeFile(path=ROOT / "recipes" / "livecd.toml").load()
    with open_project(workspace, recipe, make=True) as context:
        assert context.lock.machine is not None
        yield context.means.execute((context.lock.tools, context.lock.machine))
