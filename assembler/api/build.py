"""Building a recipe, and saying what that would make."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from assembler import __version__
from assembler.api.lock import libraries_here, require_lock
from assembler.api.machines import Machine
from assembler.api.tools import open_build_tools
from assembler.api.workspace import RecipeFile, Workspace
from assembler.audit.recorded import Mismatch, mismatches, record, same_inputs
from assembler.debian.fetch import fetch_packages
from assembler.errors import AssembleError, Place
from assembler.image import libraries
from assembler.image.keys import code_digest
from assembler.image.manifest import Artifact, Layers, Manifest
from assembler.layers import build as layers
from assembler.layers.context import BuildContext, Means
from assembler.layers.explain import Explanation
from assembler.layers.explain import explain as explained_steps
from assembler.layers.plan import plan
from assembler.layers.rootfs import accounts
from assembler.layers.selection import selected
from assembler.layers.step import secrets_sha256
from assembler.lock.files import fetch_files
from assembler.lock.objects import identity
from assembler.lock.trust import prove_packages
from assembler.lockfile.model import LockedPackage
from assembler.lockfile.toml import write_lock
from assembler.oci.locking import fetch_images
from assembler.recipe.given import Arguments
from assembler.recipe.load import LoadedRecipe
from assembler.recipe.model import Recipe
from assembler.store.objects import Store
from assembler.store.uses import note_uses
from assembler.tools.toolbox import Toolbox
from assembler.tools.trust import ProvedTools

KNOWN_PASSWORD = "root"  # noqa: S105  the one that everybody knows
"""The default root password of the recipes that come with the assembler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What is to be built of a recipe, and how strictly."""

    only: tuple[str, ...] = ()
    """Names of the layers to bring up to date; empty for all."""
    skip: tuple[str, ...] = ()
    """Names of layers to leave alone."""
    locked: bool = False
    """Whether it fails rather than make a lock, or make something other than the lock has recorded."""
    record: bool = False
    """Whether the lock records what is built, by digest, and the numbers of accounts. For a whole build only."""
    allow_compile: bool = True
    """Whether a kernel or modules may be compiled, which runs programs of their source on this machine."""


_WHOLE = BuildOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """What a build made."""

    out: Path
    """The directory that has it."""
    manifest: Manifest

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """All files in the directory but the manifest, by name."""
        return self.manifest.artifacts


def build(recipe: RecipeFile, out: Path, workspace: Workspace, options: BuildOptions = _WHOLE) -> BuildResult:
    """Build a `recipe` into the directory `out`, locking it first when it has no lock.

    Raises AssembleError of many kinds; nothing in `out` changes then.
    """
    if options.record and (options.only or options.skip):
        raise AssembleError("what is built is recorded of a whole build only", hint="build all layers")
    loaded = recipe.load()
    if (compiled := loaded.recipe.kernel.compiled) and not options.allow_compile:
        key, what = compiled
        raise AssembleError(
            f"the recipe has {what} compiled, which --no-compile rules out",
            where=Place(file=str(recipe.path), key=key),
            hint="leave --no-compile out when you trust whoever wrote the recipe and its lock",
        )
    _warn_of_password(workspace, loaded.recipe, recipe)
    with open_project(workspace, loaded, make=not (options.locked or workspace.offline)) as found:
        # The image holds its lock: with a record, the one that this will be in.
        context = _with_accounts(_with_libraries(found)) if options.record else found
        manifest = layers.build(context, out, only=options.only, skip=options.skip)
    whole = not options.only and not options.skip
    if options.record:
        write_lock(loaded.lock_path, dataclasses.replace(context.lock, build=record(manifest.layers, secrets(context))))
    elif whole and context.lock.build is not None:
        same = same_inputs(context.lock.build, manifest.layers, secrets(context))
        _compare_recorded(workspace, context, manifest.layers, same=same, strict=options.locked)
    return BuildResult(out=out, manifest=manifest)


def explain(
    recipe: RecipeFile, out: Path, workspace: Workspace, options: BuildOptions = _WHOLE
) -> tuple[Explanation, ...]:
    """What building a `recipe` into `out` would make anew and why. It needs the recipe's lock, and makes nothing."""
    workspace = dataclasses.replace(workspace, offline=True)
    with open_project(workspace, recipe.load(), make=False) as context:
        steps = plan(context)
        chosen = selected(steps, options.only, options.skip)
        return explained_steps(steps, layers.previous(context, out), out, context.means.store, chosen)


def require_empty(out: Path) -> None:
    """Raise AssembleError when something is in the directory `out` already."""
    if out.is_dir() and any(out.iterdir()):
        raise AssembleError(
            "the directory for what is built is not empty",
            where=Place(file=str(out)),
            hint="name another with --out, so that nothing of a former build is taken for a new one",
        )


def secrets(context: BuildContext) -> str:
    """The digest of all secrets that go into a build, for comparing only."""
    return secrets_sha256(plan(context))


def _with_libraries(context: BuildContext) -> BuildContext:
    """`context` with a lock that names the libraries that are here."""
    return dataclasses.replace(context, lock=dataclasses.replace(context.lock, libraries=libraries_here()))


def _with_accounts(context: BuildContext) -> BuildContext:
    """`context` with a lock that has the numbers of all accounts of the root file system; they keep them."""
    here = accounts(context)
    return dataclasses.replace(context, lock=dataclasses.replace(context.lock, accounts=here))


def _compare_recorded(workspace: Workspace, context: BuildContext, made: Layers, *, same: bool, strict: bool) -> None:
    """Tell when a build did not make what the lock has recorded of the `same`; with `strict`, raise AssembleError."""
    recorded = context.lock.build
    if recorded is None or not same:
        workspace.reporter.info("the outputs that the lock has recorded are of another recipe or other arguments")
        return
    found = mismatches(recorded, made)
    if not found:
        workspace.reporter.info("the outputs are those that the lock has recorded")
        return
    lines = list(explained(found))
    if recorded.assembler != __version__:
        lines.append(f"recorded by assembler {recorded.assembler}; this is {__version__}")
    locked = {one.name: one.version for one in context.lock.libraries}
    lines += libraries.differences(locked, context.libraries, "the lock").values()
    if strict:
        raise AssembleError(
            "what was built is not what the lock has recorded",
            where=Place(file=str(context.loaded.lock_path), key="build"),
            details=lines,
            hint="assemble reproduce tells whether building is at fault; --record takes the new outputs for good",
        )
    for line in lines:
        workspace.reporter.warn(line)


def explained(other: Iterable[Mismatch]) -> Iterable[str]:
    """Mismatches as lines for people."""
    for one in other:
        files = f" ({', '.join(one.outputs)})" if one.outputs else ""
        if not one.step:
            yield f"recorded in the lock, and not made{files}"
        else:
            cause = "differs from what the lock has recorded" if one.begins else "differs as what it is made of does"
            yield f"{one.step}{files} {cause}"


@contextmanager
def open_project(
    workspace: Workspace, loaded: LoadedRecipe, *, make: bool, store: Store | None = None
) -> Iterator[BuildContext]:
    """A recipe with its lock, which is made when it is missing and `make` says so.

    `store` is by default the workspace's. In the end it has a note of what was used for the lock.
    """
    reporter = workspace.reporter
    store = store or workspace.open_store()
    chosen = workspace.mirrors(loaded.recipe, loaded.local)
    with loaded.discreet(), workspace.transport() as transport:
        lock = require_lock(workspace, loaded, store=store, transport=transport, chosen=chosen, make=make)

        def fetch(packages: Iterable[LockedPackage]) -> None:
            fetch_packages(packages, lock.archives, store=store, transport=transport, mirrors=chosen)

        def prove(packages: Sequence[LockedPackage]) -> None:
            prove_packages(
                packages,
                lock.archives,
                loaded.recipe,
                file=str(loaded.lock_path),
                transport=transport,
                store=store,
                mirrors=chosen,
                now=datetime.now(UTC),
                reporter=reporter,
            )

        def programs(packages: Sequence[LockedPackage], architecture: str) -> Toolbox:
            prove(packages)
            fetch(packages)
            return Toolbox.open(store, ProvedTools(tuple(packages), architecture), store.root / "logs")

        yield BuildContext(
            loaded=loaded,
            lock=lock,
            means=Means(
                store=store,
                fetch=fetch,
                prove=prove,
                programs=programs,
                toolbox=cache(
                    lambda tools: open_build_tools(
                        workspace, tools, workspace.supply(store=store, transport=transport, chosen=chosen)
                    )
                ),
                fetch_files=lambda files: fetch_files(files, store=store, transport=transport),
                execute=lambda machine: Machine(
                    workspace, machine, workspace.supply(store=store, transport=transport, chosen=chosen)
                ),
                fetch_images=lambda images: fetch_images(images, store=store, transport=transport),
                jobs=workspace.jobs,
                reporter=reporter,
            ),
            libraries=libraries.versions(),
            search=workspace.search,
        )
        note_uses(store, identity(lock), code_digest())
    if store.hold:
        store.hold.release()


def _warn_of_password(workspace: Workspace, recipe: Recipe, given: RecipeFile) -> None:
    password, args = recipe.rootfs.root_password, given.args
    shown = args.open if isinstance(args, Arguments) else frozenset(args)
    for name in sorted(shown):
        how = f"--arg-file {name}=FILE"
        # A hash may be guessed where it is seen, too.
        if args[name] == password not in {KNOWN_PASSWORD, "!"}:
            workspace.reporter.warn(f"root's password is on the command line, which every user here can see: use {how}")
        if args[name] == recipe.kernel.modules_key != "":
            workspace.reporter.warn(
                f"the modules' key is on the command line, which every user here can see: use {how}"
            )
    if password != KNOWN_PASSWORD:
        return
    how = "--arg-file ROOT_PASSWORD=FILE" if "ROOT_PASSWORD" in recipe.args else "rootfs.root_password"
    workspace.reporter.warn(f"root's password is {KNOWN_PASSWORD!r}, which everybody knows: change it with {how}")
