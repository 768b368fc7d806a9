"""Telling how the scripts of a recipe's packages are taken care of."""

from dataclasses import dataclass

from assembler.api.build import open_project
from assembler.api.effects import scripts
from assembler.api.lock import require_lock, warn
from assembler.api.tools import lock_build_tools
from assembler.api.workspace import RecipeFile, Workspace
from assembler.audit.judge import Difference, judge, side_of
from assembler.configure.report import ScriptReport
from assembler.errors import AssembleError, Problems
from assembler.layers import rootfs
from assembler.layers.contents import contents
from assembler.layers.context import BuildContext
from assembler.lockfile.model import LockedMachine
from assembler.recipe.load import LoadedRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What would become of the packages' scripts."""

    packages: tuple[str, ...]
    """Names of all packages of the root file system, sorted."""
    scripts: tuple[ScriptReport, ...]
    problems: tuple[AssembleError, ...]
    """Everything that would stop a build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstDpkg:
    """A recipe's root file system as it is built, held against one that dpkg has made of the same packages."""

    packages: tuple[str, ...]
    """Names of all packages of the root file system, sorted."""
    scripts: tuple[ScriptReport, ...]
    """Every maintainer script, and how it is handled where the image is built."""
    differences: tuple[Difference, ...]
    keys: tuple[AssembleError, ...] = ()
    """Private keys that scripts make, which stop a build."""

    @property
    def unexplained(self) -> tuple[Difference, ...]:
        """The differences that are not meant."""
        return tuple(one for one in self.differences if not one.reason)


def check(recipe: RecipeFile, workspace: Workspace, *, locked: bool = False, effects: bool = False) -> CheckResult:
    """Try everything of a `recipe` up to its finished root file system. With `locked`, it needs a lock; with `effects`,
    the reports of scripts that are computed tell what they do, line by line.

    Raises AssembleError when there is no lock, or packages cannot be had.
    """
    loaded = recipe.load()
    store = workspace.open_store()
    chosen = workspace.mirrors(loaded.recipe, loaded.local)
    with loaded.discreet(), workspace.transport() as transport:
        make = not (locked or workspace.offline)
        lock = require_lock(workspace, loaded, store=store, transport=transport, chosen=chosen, make=make)
        warn(workspace, loaded, lock)
        checked = scripts(loaded, lock, workspace, store=store, transport=transport, chosen=chosen, effects=effects)
    problems = _discreet(loaded, Problems(checked.problems)) if checked.problems else ()
    return CheckResult(packages=tuple(sorted(checked.packages)), scripts=tuple(checked.scripts), problems=problems)


def check_against_dpkg(recipe: RecipeFile, workspace: Workspace, *, locked: bool = False) -> AgainstDpkg:
    """Make a `recipe`'s root file system as a build does, and again with all packages unpacked and configured by their
    own dpkg in a machine, and compare the two, path by path. With `locked`, it needs a lock.

    The recipe's own steps (``rootfs.run``) are left out of both. Where the recipe has some packages executed, they are
    configured after all others, so that accounts are compared by their names. A private key that scripts make, which
    stops a build, does not stop this. Raises AssembleError when there is no lock, packages cannot be had, or one of the
    two cannot be made.
    """
    loaded = recipe.load()
    with open_project(workspace, loaded, make=not (locked or workspace.offline)) as project:
        means, packages = project.means, project.lock.role("rootfs")
        means.fetch(packages)
        execute = means.execute((project.lock.tools, _machine(workspace, project)))
        own, executed = (
            rootfs.compose(
                loaded.recipe.rootfs.model_copy(update={"run": [], **scripts}),
                packages,
                files=project.files("rootfs"),
                contents=contents(project),
                architecture=project.lock.architecture,
                epoch=project.epoch,
                store=means.store,
                jobs=means.jobs,
                reporter=means.reporter,
                execute=execute,
                refuse_keys=False,
            )
            for scripts in ({}, {"scripts": "executed"})
        )
    handlings = {script.handling for script in own.report.scripts}
    with workspace.reporter.step("compare"):
        mixed, keys = "executed" in handlings, [key.where.path for key in own.report.keys]
        found = judge(side_of(own.tree, "the image"), side_of(executed.tree, "dpkg"), mixed=mixed, keys=keys)
    return AgainstDpkg(
        packages=tuple(sorted(package.name for package in own.packages)),
        scripts=own.report.scripts,
        differences=tuple(found),
        keys=own.report.keys,
    )


def _machine(workspace: Workspace, project: BuildContext) -> LockedMachine:
    """The lock's machine; one as a lock would have it now, when nothing of the recipe is executed otherwise."""
    if project.lock.machine:
        return project.lock.machine
    rootfs = project.recipe.rootfs.model_copy(update={"scripts": "executed"})
    recipe = project.recipe.model_copy(update={"rootfs": rootfs})
    with workspace.transport() as transport:
        chosen = workspace.mirrors(recipe)
        supply = workspace.supply(store=project.means.store, transport=transport, chosen=chosen)
        machine = lock_build_tools(workspace, supply, recipe).machine
    assert machine is not None
    return machine


def _discreet(loaded: LoadedRecipe, problems: Problems) -> tuple[AssembleError, ...]:
    """The problems without what errors do not tell."""
    try:
        with loaded.discreet():
            raise problems
    except Problems as told:
        return told.errors
