"""Telling what scripts leave in an image that is random or dated, and the same everywhere for the seed's sake alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from assembler.api.build import open_project
from assembler.api.workspace import RecipeFile, Workspace
from assembler.configure.job import SEED, Execute, Job
from assembler.configure.leftovers import without
from assembler.guest.differing import differing
from assembler.layers import rootfs
from assembler.lockfile.model import LockedMachine, LockedToolbox
from assembler.tree.changes import Changes
from assembler.tree.staging import Tree

_LATER = 463 * 86400 + 5 * 3600 + 7 * 60 + 11
"""Seconds: another year, month, day and hour."""
_INFO = "/var/lib/dpkg/info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Random:
    """A path that executed scripts make another one with another seed, or on another date."""

    path: str
    package: str
    """Whose it is, or whose directory it is in; empty when it is nobody's or many packages'."""
    seed: str
    """What another seed makes of it, for people; empty for nothing."""
    date: str
    """The same of another date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomResult:
    """What is random or dated."""

    jobs: int
    """How many jobs are executed for the image; with none, nothing is random."""
    paths: int
    """How many paths they change."""
    found: tuple[Random, ...]
    """Sorted by package and path."""


def check_random(recipe: RecipeFile, workspace: Workspace, *, locked: bool = False) -> RandomResult:
    """Execute each job of the recipe's root file system three times: as a build does, with another seed, and on
    another date. With `locked`, it needs a lock.

    Raises what composing that does, and GuestError when a script fails on another date.
    """
    loaded = recipe.load()
    jobs: list[Job] = []
    paths: set[str] = set()
    by: dict[str, dict[str, str]] = {"seed": {}, "date": {}}
    with open_project(workspace, loaded, make=not (locked or workspace.offline)) as context:

        def watched(machine: tuple[LockedToolbox, LockedMachine] | None) -> Execute:
            execute = context.means.execute(machine)

            def each(tree: Tree, job: Job) -> Changes:
                usual = execute(tree, job)
                jobs.append(job)
                paths.update(usual.put)
                for name, other in (("seed", replace(job, seed=SEED + 1)), ("date", replace(job, later=_LATER))):
                    found = differing(without(usual), without(execute(tree, other)))
                    by[name] |= {one.path: one.what for one in found}
                return usual

            return each

        means = replace(context.means, execute=watched)
        tree = rootfs.layer(replace(context, means=means)).compose()
    owners = _owners(tree)
    found = [
        Random(
            path=path,
            package=_owner(path, owners),
            seed=by["seed"].get(path, ""),
            date=by["date"].get(path, ""),
        )
        for path in by["seed"].keys() | by["date"].keys()
    ]
    found.sort(key=lambda one: (one.package, one.path))
    return RandomResult(jobs=len(jobs), paths=len(paths), found=tuple(found))


def _owners(tree: Tree) -> dict[str, str]:
    """The package of each path that one package alone ships, as dpkg's database has it."""
    owners: dict[str, str] = {}
    for name in tree.names(_INFO):
        if name.endswith(".list"):
            package = name.removesuffix(".list").partition(":")[0]
            for path in tree.read_text(f"{_INFO}/{name}").splitlines():
                owners[path] = package if owners.get(path, package) == package else ""
    return owners


def _owner(path: str, owners: Mapping[str, str]) -> str:
    """Whose `path` is, or the closest directory above it that is anybody's."""
    for each in (path, *map(str, PurePosixPath(path).parents)):
        if each in owners:
            return owners[each]
    return ""
