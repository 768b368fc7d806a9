"""The root file system layer: packages unpacked, configured, and what the recipe adds."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Protocol, TypeVar

from assembler.configure import added, executed, ids, localization, people, settings
from assembler.configure.debconf import Selections
from assembler.configure.engine import ScriptsFailed, Settings, configure, executing_the_rest
from assembler.configure.executed import Execution, Failed
from assembler.configure.finish import finish
from assembler.configure.first_boot import waiting
from assembler.configure.identity.alike import expected
from assembler.configure.job import Execute, Job, refuse
from assembler.configure.order import orderable, unpack_order
from assembler.configure.report import Report, ScriptReport
from assembler.configure.rules import Rule, read_rules
from assembler.configure.survey import Script, survey
from assembler.debian.deb import Deb, DebError, open_package
from assembler.debian.package import Unpacked
from assembler.debian.paths import path_filter
from assembler.debian.unpack import unpack
from assembler.debian.version import compare
from assembler.errors import AssembleError, Place, Problems
from assembler.image.names import FACTS, LayerName
from assembler.layers import apt
from assembler.layers.asked import Told, answered, steps, unfit
from assembler.layers.byte_code import NONE, ByteCode, made_with, python_of
from assembler.layers.contents import composed, of_fetched, of_large
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import Counts, Epoch, Ignored, counted, packages, value
from assembler.layers.keeping import keeping
from assembler.layers.laid import Laid, ModulesLayer
from assembler.layers.rootfs_inputs import (
    of_accounts,
    of_host_files,
    of_machine,
    of_python,
    of_tree,
    recipe_inputs,
    recipe_secrets,
)
from assembler.layers.step import Step
from assembler.lockfile.model import LockedAccounts, LockedFile, LockedMachine, LockedPackage, LockedToolbox
from assembler.progress import SILENT, Reporter
from assembler.recipe.document import RecipeError
from assembler.recipe.model import Ids
from assembler.recipe.model import Rootfs as RootfsRecipe
from assembler.recipe.named import LargeFile
from assembler.store.objects import Store
from assembler.tree import digest
from assembler.tree.changes import Changes
from assembler.tree.content import Content, size_of
from assembler.tree.staging import Kind, Tree

T = TypeVar("T")

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


class DeclaredTree(Protocol):
    """A frozen dataclass that a tree is declared with: see layers/declared.py."""

    __dataclass_fields__: ClassVar[Any]

    def compose(self, means: Means) -> Tree:
        """The tree."""


def tree_layer(layer: LayerName, name: str, declared: DeclaredTree, means: Means) -> TreeLayer:
    """The layer whose tree is declared so, and composed at most once."""
    once = cache(partial(declared.compose, means))
    inputs, secrets = counted(declared)
    step = Step(layer=layer, name="tree", inputs=inputs, secrets=secrets, make=partial(_list, once))
    return TreeLayer(name=name, step=step, compose=once)


def _list(compose: Callable[[], Tree], directory: Path) -> None:
    tree = compose()
    lines = list(digest.listing(tree))
    (directory / LISTING).write_text("".join(lines), "ascii")
    (directory / FACTS).write_text(json.dumps({"tree_sha256": digest.digest(lines), **extent(tree)}), "ascii")


def extent(tree: Tree) -> dict[str, int]:
    """How many paths a tree has, and the bytes of its files, each counted once."""
    inodes = {id(inode): inode for _, inode in tree.walk()}
    size = sum(size_of(inode.content) for inode in inodes.values() if inode.kind is Kind.FILE)
    return {"paths": sum(1 for _ in tree.walk()), "bytes": size}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Composed:
    """The recipe's root file system."""

    recipe: Annotated[RootfsRecipe, Counts(recipe_inputs, secret=recipe_secrets)]
    files: Annotated[Mapping[str, bytes], Counts(of_host_files)]
    private: Annotated[Mapping[str, bytes], Counts(secret=of_host_files)]
    large: Annotated[Mapping[str, LargeFile], Counts(of_large)]
    private_large: Annotated[Mapping[str, LargeFile], Counts(secret=of_large)]
    fetched: Annotated[tuple[LockedFile, ...], Counts(of_fetched)]
    packages: Annotated[tuple[LockedPackage, ...], packages("package")]
    architecture: Annotated[str, value("architecture")]
    epoch: Epoch
    machine: Annotated[tuple[LockedToolbox, LockedMachine] | None, Counts(of_machine)]
    """Where scripts are executed, and the tools that make its disk; None when there is none."""
    accounts: Annotated[LockedAccounts, Counts(of_accounts)]
    """Numbers that accounts keep."""
    python: Annotated[LockedToolbox | None, Counts(of_python)]
    """The tools whose Python makes byte code; None where it is left out."""
    modules: Laid
    """Of its kernel, from outside of that."""
    told: Annotated[Told, Ignored("what is told of it is no part of it")]

    def compose(self, means: Means) -> Tree:
        means.fetch(self.packages)
        tree = compose(
            self.recipe,
            self.packages,
            files={**self.files, **self.private},
            contents=composed(self.recipe, {**self.large, **self.private_large}, self.fetched, means),
            architecture=self.architecture,
            epoch=self.epoch,
            store=means.store,
            jobs=means.jobs,
            told=self.told,
            reporter=means.reporter,
            execute=means.execute(self.machine),
            accounts=self.accounts,
            byte_code=made_with(means, self.python, self.packages),
        ).tree
        if self.modules:
            self.modules.lay(tree)
        return tree


def machine(context: BuildContext) -> tuple[LockedToolbox, LockedMachine] | None:
    """The machine that the lock has, and the tools that make its disk; None when it has none."""
    return (context.lock.tools, context.lock.machine) if context.lock.machine else None


def layer(context: BuildContext, modules: ModulesLayer | None = None) -> TreeLayer:
    """The recipe's root file system, with `modules` of its kernel."""
    installed = {package.name for package in context.lock.role("rootfs")}
    recipe, files = apt.with_archives(context.recipe, installed), context.files("rootfs")
    secret, large = recipe.private_sources, context.large_files()
    declared = _Composed(
        recipe=of_tree(recipe),
        files=_only(files, files.keys() - secret),
        private=_only(files, secret),
        large=_only(large, large.keys() - secret),
        private_large=_only(large, secret),
        fetched=tuple(context.lock.files_for("rootfs")),
        packages=context.lock.role("rootfs"),
        architecture=context.lock.architecture,
        epoch=context.epoch,
        machine=machine(context) if executed.may_execute(recipe) else None,
        accounts=context.lock.accounts,
        python=python_of(context),
        modules=modules if modules and not modules.apart else None,
        told=context.loaded.told,
    )
    return tree_layer("rootfs", "rootfs", declared, context.means)


def _only(named: Mapping[str, T], keys: Collection[str]) -> dict[str, T]:
    """What of `named` has one of `keys`, in its order."""
    return {key: value for key, value in named.items() if key in keys}


def accounts(context: BuildContext) -> LockedAccounts:
    """The numbers of the accounts of the recipe's root file system, for the lock to keep; raises as `compose`."""
    return ids.numbers(layer(context).compose(), context.lock.accounts)


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
    contents: Mapping[str, Content] = MappingProxyType({}),
    architecture: str,
    epoch: int,
    store: Store,
    jobs: int = 2,
    told: Told = lambda error: error,
    reporter: Reporter = SILENT,
    execute: Execute = refuse,
    accounts: LockedAccounts = LockedAccounts(),  # noqa: B008  an immutable value
    byte_code: ByteCode = NONE,
    refuse_keys: bool = True,
) -> Rootfs:
    """The tree that the locked `packages` and the recipe make.

    `files` holds the bytes of the files that the recipe names, `contents` those that are not in memory; `epoch`
    (SOURCE_DATE_EPOCH, seconds) is the time of all that is made here and the latest that anything has; `told` says what
    is told of a warning; `accounts` are numbers that users and groups keep; `byte_code` makes that of Python's modules.
    Without `refuse_keys`, private keys that packages' scripts make are in the report and end nothing. Raises DebError,
    UnpackError, and Problems for scripts that nobody has vouched for.
    """
    debs = _ordered(packages, store=store, jobs=jobs, reporter=reporter)
    tree, unpacked = _unpack(recipe, debs, epoch=epoch, reporter=reporter)
    recipe = localization.asked(tree, recipe, files, {package.name for package in unpacked})
    answers = answered(recipe, files, unpacked, told, reporter)
    if errors := (*answers.problems, *unfit(recipe, files)):
        raise Problems(errors)
    configuration = _configuration(recipe, unpacked, files, architecture=architecture, epoch=epoch, store=store)
    configuration = replace(configuration, python=byte_code.version, fill=byte_code.fill)
    tree, report, _ = _configured(
        recipe,
        debs,
        tree,
        unpacked,
        configuration,
        answers=answers,
        execute=execute,
        refuse_keys=refuse_keys,
        reporter=reporter,
    )
    for error in report.alike if refuse_keys else ():
        reporter.warn(str(error))
    people.add(tree, recipe, epoch)
    _number(tree, people.numbers(recipe), accounts, unpacked, reporter)
    settings.apply(tree, recipe, {**files, **contents}, epoch)
    if run := (*finish(tree, recipe, unpacked, configuration), *steps(recipe, files)):
        job = Job(steps=run, epoch=epoch)
        secrets = executed.carried_out(execute, tree, job, (), refuse_keys=False, byte_code=bool(byte_code.version))
        for key in secrets.keys:
            # It may be meant so.
            reporter.warn(str(key))
        for path in secrets.left:
            reporter.warn(f"{path}: a step of rootfs.run made this, and it is left out, as each node makes its own")
        # Those that the steps have made.
        _number(tree, Ids(), ids.without(accounts, people.numbers(recipe)), unpacked, reporter)
    added.remove(tree, recipe.remove, unpacked)
    return Rootfs(tree, tuple(unpacked), report)


def _number(tree: Tree, own: Ids, kept: LockedAccounts, packages: Sequence[Unpacked], reporter: Reporter) -> None:
    """Give accounts the numbers of lock and recipe; what may not have followed is told as a warning."""
    moved = ids.fix(tree, own, kept)
    if moved.users or moved.groups:
        shipped = {path for package in packages for path in package.paths}
        for error in ids.unmapped(tree, moved, shipped):
            reporter.warn(str(error))


def check(
    recipe: RootfsRecipe,
    packages: Sequence[LockedPackage],
    *,
    files: Mapping[str, bytes],
    contents: Mapping[str, Content] = MappingProxyType({}),
    architecture: str,
    epoch: int,
    store: Store,
    jobs: int = 2,
    told: Told = lambda error: error,
    reporter: Reporter = SILENT,
    effects: bool = False,
    python: str = "",
    thorough: bool = False,
) -> Checked:
    """What :func:`compose` would come to, with every problem instead of the first; the arguments are the same.

    With `effects`, the reports of scripts that are computed tell what they do; `thorough` as in configure's settings.
    `python` is the version whose byte code would be made.
    """
    debs = _ordered(packages, store=store, jobs=jobs, reporter=reporter)
    tree, unpacked = _unpack(recipe, debs, epoch=epoch, reporter=reporter)
    recipe = localization.asked(tree, recipe, files, {package.name for package in unpacked})
    configuration = _configuration(recipe, unpacked, files, architecture=architecture, epoch=epoch, store=store)
    configuration = replace(configuration, effects=effects, python=python, thorough=thorough)
    answers = answered(recipe, files, unpacked, told, reporter)
    execution = _execution(recipe, debs, unpacked, configuration, answers=answers, execute=_nothing, failed={})
    scripts = _surveyed(unpacked, configuration, execution)
    errors = [*answers.problems, *unfit(recipe, files)]
    if not errors:
        try:
            tree, report, execution = _configured(
                recipe, debs, tree, unpacked, configuration, answers=answers, execute=_nothing, reporter=reporter
            )
            done = {(one.package, one.script): one.effects for one in report.scripts if one.effects}
            scripts = [
                replace(script, effects=done.get((script.package, script.name), ()))
                for script in _surveyed(unpacked, configuration, execution)
            ]
            if not execution:
                # Scripts that were not executed have not made their accounts, nor what units need.
                people.add(tree, recipe, epoch)
                ids.fix(tree, people.numbers(recipe))
                settings.apply(tree, recipe, {**files, **contents}, epoch)
                left = list(finish(tree, recipe, unpacked, configuration))
                if not left and not recipe.run:
                    added.remove(tree, recipe.remove, unpacked)
        except ScriptsFailed as found:
            errors = list(found.errors)
            failed = dict(found.instead)
            scripts = [replace(script, failed=failed.get((script.package, script.name), "")) for script in scripts]
        except Problems as found:
            errors = list(found.errors)
        except AssembleError as error:
            errors = [error]
    for alike in expected(unpacked, execution.names if execution else (), answers.text):
        reporter.warn(str(alike))
    reports = tuple(script.report() for script in scripts)
    return Checked(tuple(package.name for package in unpacked), reports, tuple(errors))


def _ordered(packages: Sequence[LockedPackage], *, store: Store, jobs: int, reporter: Reporter) -> list[Deb]:
    """The packages in the order of unpacking."""
    debs = {deb.name: deb for deb in open_packages(store, packages, jobs=jobs, reporter=reporter)}
    return [debs[name] for name in unpack_order(orderable(debs.values()))]


def _unpack(
    recipe: RootfsRecipe, debs: Sequence[Deb], *, epoch: int, reporter: Reporter
) -> tuple[Tree, list[Unpacked]]:
    """A tree with the files of packages, which are in the order of unpacking."""
    tree = Tree(mtime=epoch)
    with reporter.step("compose"):
        return tree, unpack(tree, debs, latest=epoch, paths=path_filter(recipe.exclude, recipe.include))


def _nothing(_tree: Tree, _job: Job) -> Changes:
    """Has nothing done, for looking at the rest."""
    return Changes()


def _surveyed(packages: Sequence[Unpacked], configuration: Settings, execution: Execution | None) -> list[Script]:
    """Every script, and how it is handled."""
    return survey(
        packages,
        configuration.arch,
        configuration.rules,
        configuration.first_boot,
        executed=execution.names if execution else {},
        unpacked=execution.unpacked if execution else (),
    )


def _configured(
    recipe: RootfsRecipe,
    debs: Sequence[Deb],
    whole: Tree,
    packages: Sequence[Unpacked],
    configuration: Settings,
    *,
    answers: Selections,
    execute: Execute,
    reporter: Reporter,
    refuse_keys: bool = True,
) -> tuple[Tree, Report, Execution | None]:
    """The packages, which are unpacked in the tree `whole`, configured; that tree is used up. And what was executed."""

    def attempt(failed: Failed) -> tuple[Tree, Report, Execution | None]:
        execution = _execution(recipe, debs, packages, configuration, answers=answers, execute=execute, failed=failed)
        if execution:
            execution = replace(execution, refuse_keys=refuse_keys)
        given = replace(
            configuration, execution=execution, selections="" if recipe.scripts == "executed" else answers.public
        )
        tree, there = whole, execution.unpacked if execution else frozenset()
        if failed or there:
            tree, _ = _unpack(recipe, executed.laid_out(debs, there), epoch=configuration.epoch, reporter=reporter)
        return tree, configure(tree, packages, given, reporter), execution

    return executing_the_rest(attempt, recipe.scripts)


def _execution(
    recipe: RootfsRecipe,
    debs: Sequence[Deb],
    packages: Sequence[Unpacked],
    settings: Settings,
    *,
    answers: Selections,
    execute: Execute,
    failed: Failed,
) -> Execution | None:
    """What dpkg configures in a machine; None when nothing is left to it."""
    names, early = executed.chosen(
        packages,
        settings.arch,
        settings.rules,
        settings.first_boot,
        recipe.scripts,
        asking=answers.asking,
        failed=failed,
    )
    if not names:
        return None
    filters = [f"--path-exclude={pattern}" for pattern in recipe.exclude]
    filters += [f"--path-include={pattern}" for pattern in recipe.include]
    return Execution(
        execute=execute,
        names=names,
        unpack=tuple(deb for deb in debs if deb.name in early),
        filters=tuple(filters),
        selections=answers.text,
    )


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
    return Settings(epoch, architecture, tuple(own), keeping(store), later)
