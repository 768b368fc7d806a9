"""The root file system layer: packages unpacked, configured, and what the recipe adds."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from assembler.configure import ids, settings
from assembler.configure.engine import Settings, configure, problems
from assembler.configure.first_boot import waiting
from assembler.configure.order import Orderable, unpack_order
from assembler.configure.report import Report, ScriptReport
from assembler.configure.rules import Rule, read_rules
from assembler.configure.survey import survey
from assembler.debian.deb import Deb, DebError, open_package
from assembler.debian.package import Unpacked
from assembler.debian.paths import path_filter
from assembler.debian.unpack import unpack
from assembler.debian.version import compare
from assembler.errors import AssembleError, Place, Problems
from assembler.image.names import FACTS, LayerName
from assembler.layers.inputs import Inputs
from assembler.layers.module_indexes import cached_depmod
from assembler.layers.step import Step, of_files, of_packages, of_table, of_values
from assembler.lockfile.model import LockedPackage
from assembler.progress import SILENT, Reporter
from assembler.recipe.document import RecipeError
from assembler.recipe.model import Rootfs as RootfsRecipe
from assembler.store.objects import Store
from assembler.tree import digest
from assembler.tree.content import size_of
from assembler.tree.staging import Kind, Tree

LISTING = "listing.txt"
"""The tree as :mod:`assembler.tree.digest` writes it, in the result of a tree's step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeLayer:
    """A root file system that other layers build upon or write out."""

    name: str
    """Stem of the files it is written to: ``rootfs``."""
    step: Step
    """Its result has `LISTING`, and facts: the tree's digest, paths and bytes. The tree itself is composed whenever
    it is needed."""
    compose: Callable[[], Tree]
    """The tree, the same one every time: not to be changed, but for a copy of it."""


def tree_layer(
    layer: LayerName,
    name: str,
    inputs: Mapping[str, str],
    compose: Callable[[], Tree],
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> TreeLayer:
    """The layer whose tree `compose` makes of `inputs` and `secrets`, at most once."""
    once = cache(compose)

    def make(directory: Path) -> None:
        tree = once()
        lines = list(digest.listing(tree))
        (directory / LISTING).write_text("".join(lines), "ascii")
        (directory / FACTS).write_text(json.dumps({"tree_sha256": digest.digest(lines), **extent(tree)}), "ascii")

    step = Step(layer=layer, name="tree", inputs=inputs, secrets=secrets, make=make)
    return TreeLayer(name=name, step=step, compose=once)


def extent(tree: Tree) -> dict[str, int]:
    """How many paths a tree has, and the bytes of its files, each counted once."""
    inodes = {id(inode): inode for _, inode in tree.walk()}
    size = sum(size_of(inode.content) for inode in inodes.values() if inode.kind is Kind.FILE)
    return {"paths": sum(1 for _ in tree.walk()), "bytes": size}


def layer(inputs: Inputs) -> TreeLayer:
    """The recipe's root file system."""
    recipe, epoch = inputs.recipe.rootfs, inputs.epoch
    private = recipe.private_sources

    def make() -> Tree:
        return compose(
            recipe,
            inputs.fetched("rootfs"),
            files=inputs.files,
            architecture=inputs.lock.architecture,
            epoch=epoch,
            store=inputs.store,
            jobs=inputs.jobs,
            reporter=inputs.reporter,
        ).tree

    needed = {
        **of_values(architecture=inputs.lock.architecture, epoch=epoch),
        **recipe_inputs(recipe),
        **of_files("rootfs", {key: data for key, data in inputs.files.items() if key not in private}),
        **of_packages("package", inputs.lock.role("rootfs")),
    }
    secrets = {
        **recipe_secrets(recipe),
        **of_files("rootfs", {key: data for key, data in inputs.files.items() if key in private}),
    }
    return tree_layer("rootfs", "rootfs", needed, make, secrets)


def recipe_inputs(recipe: RootfsRecipe) -> dict[str, str]:
    """The keys of the recipe's table as inputs of its tree, but for what is in `recipe_secrets`."""
    files = [file.model_copy(update={"content": ""}) if file.private else file for file in recipe.files]
    public = of_table("rootfs", recipe.model_copy(update={"files": files}))
    return {name: value for name, value in public.items() if name != "rootfs.root_password"}


def recipe_secrets(recipe: RootfsRecipe) -> dict[str, str]:
    """The secrets in the recipe's table as inputs of its tree.

    The password is there as it is in the image: to guess it by this costs as much as by the image itself.
    """
    contents = {file.path: file.content for file in recipe.files if file.private and file.content is not None}
    hashed = settings.hashed_password(recipe)
    return {
        **(of_values(**{"rootfs.root_password": hashed}) if hashed != "!" else {}),
        **(of_values(**{"rootfs.files": contents}) if contents else {}),
    }


@dataclass(frozen=True, slots=True)
class Rootfs:
    """A composed root file system."""

    tree: Tree
    packages: tuple[Unpacked, ...]
    report: Report
    """How every maintainer script was handled."""


@dataclass(frozen=True, slots=True)
class Checked:
    """How a root file system would be composed."""

    packages: tuple[str, ...]
    """Names, in the order of unpacking."""
    scripts: tuple[ScriptReport, ...]
    """Every maintainer script, and what triggers do."""
    problems: tuple[AssembleError, ...]
    """What stops a build, all at once."""


def open_packages(
    store: Store, packages: Sequence[LockedPackage], *, jobs: int = 2, reporter: Reporter = SILENT
) -> list[Deb]:
    """The packages, unpacked in the store if they were not, in the order given; `jobs` are decompressed at a time."""
    with reporter.step("unpack", total=len(packages), unit="items") as step:

        def one(package: LockedPackage) -> Deb:
            deb = open_package(store, package.sha256, package.name)
            _check_named(deb, package)
            step.advance()
            return deb

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, packages))


def _check_named(deb: Deb, package: LockedPackage) -> None:
    """A package is what index and lock call it: whoever looked for a vulnerable version looked at those."""
    if deb.name != package.name or compare(deb.fields["Version"], package.version):
        raise DebError(
            "a package is another one than the lock says",
            where=Place(package=package.name),
            why=f"it is {deb.name} {deb.fields['Version']}, not {package.name} {package.version}",
        )


def compose(
    recipe: RootfsRecipe,
    packages: Sequence[LockedPackage],
    *,
    files: Mapping[str, bytes],
    architecture: str,
    epoch: int,
    store: Store,
    jobs: int = 2,
    reporter: Reporter = SILENT,
) -> Rootfs:
    """The tree that the locked `packages` and the recipe make.

    `files` holds the bytes of the files that the recipe names; `epoch` (SOURCE_DATE_EPOCH, seconds) is the time of all
    that is made here and the latest that anything has. Raises DebError, UnpackError, and Problems for scripts that
    nobody has vouched for.
    """
    tree, unpacked = _unpack(recipe, packages, epoch=epoch, store=store, jobs=jobs, reporter=reporter)
    configuration = _configuration(recipe, unpacked, files, architecture=architecture, epoch=epoch, store=store)
    report = configure(tree, unpacked, configuration, reporter)
    ids.fix(tree, recipe.ids)
    settings.apply(tree, recipe, files, epoch)
    return Rootfs(tree, tuple(unpacked), report)


def check(
    recipe: RootfsRecipe,
    packages: Sequence[LockedPackage],
    *,
    files: Mapping[str, bytes],
    architecture: str,
    epoch: int,
    store: Store,
    jobs: int = 2,
    reporter: Reporter = SILENT,
) -> Checked:
    """What :func:`compose` would come to, with every problem instead of the first; the arguments are the same."""
    tree, unpacked = _unpack(recipe, packages, epoch=epoch, store=store, jobs=jobs, reporter=reporter)
    configuration = _configuration(recipe, unpacked, files, architecture=architecture, epoch=epoch, store=store)
    scripts = survey(unpacked, architecture, configuration.rules, configuration.first_boot)
    reports = tuple(script.report() for script in scripts)
    errors = problems(scripts)
    if not errors:
        try:
            configure(tree, unpacked, configuration, reporter)
            ids.fix(tree, recipe.ids)
            settings.apply(tree, recipe, files, epoch)
        except Problems as found:
            errors = list(found.errors)
        except AssembleError as error:
            errors = [error]
    return Checked(tuple(package.name for package in unpacked), reports, tuple(errors))


def _unpack(
    recipe: RootfsRecipe,
    packages: Sequence[LockedPackage],
    *,
    epoch: int,
    store: Store,
    jobs: int,
    reporter: Reporter,
) -> tuple[Tree, list[Unpacked]]:
    """A tree with the files of `packages`, and these in the order of unpacking."""
    debs = {deb.name: deb for deb in open_packages(store, packages, jobs=jobs, reporter=reporter)}
    order = unpack_order([Orderable(deb.name, deb.fields, "postinst" in deb.control) for deb in debs.values()])
    ordered = [debs[name] for name in order]
    tree = Tree(mtime=epoch)
    with reporter.step("compose"):
        unpacked = unpack(
            tree,
            ordered,
            latest=epoch,
            paths=path_filter(recipe.exclude, recipe.include),
        )
    return tree, unpacked


def _configuration(
    recipe: RootfsRecipe,
    packages: Sequence[Unpacked],
    files: Mapping[str, bytes],
    *,
    architecture: str,
    epoch: int,
    store: Store,
) -> Settings:
    own: list[Rule] = []
    later: dict[str, str] = {}
    errors: list[AssembleError] = []
    for index, name in enumerate(recipe.rules):
        try:
            own += read_rules(files[f"rootfs.rules[{index}]"], name)
        except (Problems, RecipeError) as found:
            errors += found.errors if isinstance(found, Problems) else [found]
    try:
        later = waiting(packages, recipe.first_boot)
    except Problems as found:
        errors += found.errors
    if errors:
        raise Problems(errors)
    return Settings(epoch, architecture, tuple(own), cached_depmod(store), later)
