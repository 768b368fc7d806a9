"""Telling how the scripts of a recipe's packages are taken care of."""

from dataclasses import dataclass

from assembler.api.lock import require_lock
from assembler.api.workspace import RecipeFile, Workspace
from assembler.configure.report import ScriptReport
from assembler.debian.fetch import fetch_packages
from assembler.errors import AssembleError, Problems
from assembler.layers import rootfs
from assembler.recipe.load import LoadedRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What would become of the packages' scripts."""

    packages: tuple[str, ...]
    """Names of all packages of the root file system, sorted."""
    scripts: tuple[ScriptReport, ...]
    problems: tuple[AssembleError, ...]
    """Everything that would stop a build."""


def check(recipe: RecipeFile, workspace: Workspace, *, locked: bool = False) -> CheckResult:
    """Try everything of a `recipe` up to its finished root file system. With `locked`, it needs a lock.

    Raises AssembleError when there is no lock, or packages cannot be had.
    """
    loaded = recipe.load()
    store = workspace.open_store()
    chosen = workspace.mirrors(loaded.recipe)
    with loaded.discreet(), workspace.transport() as transport:
        make = not (locked or workspace.offline)
        lock = require_lock(workspace, loaded, store=store, transport=transport, chosen=chosen, make=make)
        packages = lock.role("rootfs")
        fetch_packages(packages, lock.archives, store=store, transport=transport, mirrors=chosen)
    with loaded.discreet():
        checked = rootfs.check(
            loaded.recipe.rootfs,
            packages,
            files={name: file.data for name, file in loaded.files.items()},
            architecture=lock.architecture,
            epoch=lock.source_date_epoch,
            store=store,
            jobs=workspace.jobs,
            told=loaded.told,
            reporter=workspace.reporter,
        )
    problems = _discreet(loaded, Problems(checked.problems)) if checked.problems else ()
    return CheckResult(packages=tuple(sorted(checked.packages)), scripts=tuple(checked.scripts), problems=problems)


def _discreet(loaded: LoadedRecipe, problems: Problems) -> tuple[AssembleError, ...]:
    """The problems without what errors do not tell."""
    try:
        with loaded.discreet():
            raise problems
    except Problems as told:
        return told.errors
