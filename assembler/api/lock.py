"""Locking a recipe, and looking at its lock."""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from assembler.api.effects import ChangedScript, changed_scripts, scripts
from assembler.api.tools import host, lock_build_tools
from assembler.api.workspace import RecipeFile, Workspace
from assembler.architecture import named
from assembler.debian.mirrors import Mirrors
from assembler.errors import AssembleError, Place
from assembler.image import libraries
from assembler.kernel import host_tools
from assembler.kubernetes import skew
from assembler.kubernetes.manifests import images_of
from assembler.lock import trust
from assembler.lock.changelogs import with_changelogs
from assembler.lock.changes import Changes, changes
from assembler.lock.check import require
from assembler.lock.objects import archives_of
from assembler.lock.resolve import resolve
from assembler.lockfile.migrate import migrate
from assembler.lockfile.model import SCHEMA, Lock, LockedAccounts, LockedTool
from assembler.lockfile.toml import read_lock, read_text, write_lock
from assembler.oci.reference import parse
from assembler.reading import Reach
from assembler.recipe.load import LoadedRecipe
from assembler.recipe.model import Recipe
from assembler.store.objects import Store
from assembler.store.transport import Transport
from assembler.tools import trust as tool_trust


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """What of a lock is to change."""

    upgrade: bool = False
    """Whether everything is taken as the archives have it now."""
    packages: tuple[str, ...] = ()
    """Names of packages and source packages that are, when not everything is."""
    write: bool = True
    """Whether the lock is written."""
    effects: bool = False
    """Whether it is told which scripts of upgraded packages do something else than before; that takes the packages."""


_AS_IT_IS = LockOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockResult:
    """A recipe locked."""

    path: Path
    """The lock's file."""
    lock: Lock
    previous: Lock | None
    """The lock that was there before."""
    changes: Changes
    written: bool
    scripts: tuple[ChangedScript, ...] = ()
    """Scripts of upgraded packages that do something else, where that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedLock:
    """A lock that fits its recipe."""

    path: Path
    lock: Lock
    proved: int = 0
    """Packages that were followed up to a signature, tools included."""

    @property
    def archives(self) -> int:
        """How many archives its packages come from."""
        return len(archives_of(self.lock))


def lock(
    recipe: RecipeFile, workspace: Workspace, options: LockOptions = _AS_IT_IS, *, out: Path | None = None
) -> LockResult:
    """Lock a `recipe` into the file `out`, by default beside it. What a lock that is there has stays as `options` say.

    Raises AssembleError of many kinds.
    """
    loaded = recipe.load()
    target = out or loaded.lock_path
    previous = _read(loaded, out)
    moving = None if options.upgrade or not previous else options.packages
    store, chosen = workspace.open_store(), workspace.mirrors(loaded.recipe, loaded.local)
    other: tuple[ChangedScript, ...] = ()
    with loaded.discreet(), workspace.transport() as transport:
        made = _resolved(
            workspace, loaded, store=store, transport=transport, chosen=chosen, previous=previous, upgrade=moving
        )
        if options.effects and previous:
            before, after = (
                scripts(loaded, lock, workspace, store=store, transport=transport, chosen=chosen)
                for lock in (previous, made)
            )
            other = changed_scripts(previous, made, before, after)
    changed = changes(previous, made)
    if loaded.recipe.livecd.state != "none" and _may_move(previous, made):
        workspace.reporter.warn(
            "users and groups may get other numbers than they have on the disks of nodes: "
            "the lock keeps none (record them before, with assemble RECIPE.toml --record)"
        )
    if not options.write:
        changed = with_changelogs(changed, made, store)
    if options.write:
        if previous and not changed:
            made = dataclasses.replace(made, build=previous.build)
        write_lock(target, made)
        _tell(workspace, made)
    return LockResult(path=target, lock=made, previous=previous, changes=changed, written=options.write, scripts=other)


def _may_move(previous: Lock | None, made: Lock) -> bool:
    """Whether other packages make accounts than before, and nothing keeps the numbers of these."""
    if previous is None or previous.accounts != LockedAccounts():
        return False
    before, after = ({package.name for package in lock.role("rootfs")} for lock in (previous, made))
    return before != after


def check_lock(
    recipe: RecipeFile, workspace: Workspace, *, out: Path | None = None, prove: bool = False
) -> CheckedLock:
    """Look at the lock `out` of a `recipe`, by default the one beside it.

    Raises LockError unless it fits the recipe; with `prove`, an AssembleError unless it can be proved, too.
    """
    loaded = recipe.load()
    target = out or loaded.lock_path
    found = _read(loaded, out)
    if found is None:
        raise _missing(target)
    require(found, loaded.recipe, loaded.inputs_sha256, build_architecture=found.build_architecture, path=target)
    warn(workspace, loaded, found)
    proved = 0
    if prove:
        with loaded.discreet(), workspace.transport() as transport:
            proved = _proved(workspace, loaded, found, target, transport)
    return CheckedLock(path=target, lock=found, proved=proved)


def _proved(workspace: Workspace, loaded: LoadedRecipe, lock: Lock, path: Path, transport: Transport) -> int:
    """How many packages of `lock` are proved, tools included; an AssembleError when one is not."""
    recipe, chosen = loaded.recipe, workspace.mirrors(loaded.recipe, loaded.local)
    supply = workspace.supply(store=workspace.open_store(), transport=transport, chosen=chosen)
    proved = trust.prove(lock, recipe, file=str(path), **supply.means, now=supply.now, reporter=workspace.reporter)
    boxes = (lock.tools, *([lock.toolchain] if lock.toolchain else ()))
    tools = [tool_trust.prove(box, workspace.tool_source(), supply) for box in boxes]
    return proved + sum(len(box.packages) for box in tools)


def _read(loaded: LoadedRecipe, out: Path | None = None) -> Lock | None:
    """The lock `out`, which the user names, or that beside the recipe, which may be as much a stranger's as that is."""
    return read_lock(out) if out else read_lock(loaded.lock_path, Reach(loaded.reach.project))


def _resolved(
    workspace: Workspace,
    loaded: LoadedRecipe,
    *,
    store: Store,
    transport: Transport,
    chosen: Mirrors,
    previous: Lock | None = None,
    upgrade: Collection[str] | None = None,
) -> Lock:
    # First, as it is quick to fail.
    of_host = _host_tools(workspace, loaded.recipe)
    supply = workspace.supply(store=store, transport=transport, chosen=chosen)
    own = lock_build_tools(workspace, supply, loaded.recipe, previous=previous, upgrade=upgrade)
    if previous and upgrade:
        here = {name for package in previous.packages for name in (package.name, package.source)}
        packages = [package for box in own.toolboxes for package in box.packages]
        of_tools = {name for package in packages for name in (package.name, package.source)}
        upgrade = [name for name in upgrade if name in here or name not in of_tools]
    made = resolve(
        loaded.recipe,
        loaded.inputs_sha256,
        tools=own.tools,
        **supply.means,
        now=supply.now,
        previous=previous,
        upgrade=upgrade,
        reporter=workspace.reporter,
    )
    warn(workspace, loaded, made)
    accounts = previous.accounts if previous else made.accounts
    return dataclasses.replace(
        made,
        machine=own.machine,
        toolchain=own.toolchain,
        host_tools=of_host,
        libraries=libraries_here(),
        accounts=accounts,
    )


def libraries_here() -> tuple[LockedTool, ...]:
    """The libraries that write formats, as a lock names them."""
    return tuple(LockedTool(name=name, version=version) for name, version in libraries.versions().items())


@dataclass(frozen=True, slots=True, kw_only=True)
class MigratedLock:
    """A lock that is of today's schema now."""

    path: Path
    lock: Lock
    schema: int
    """That its file had."""
    written: bool
    """Whether it was of an older one, and has been written again."""
    left_out: tuple[str, ...]
    """What of the file is not in it, in words."""


def migrate_lock(recipe: RecipeFile, *, out: Path | None = None) -> MigratedLock:
    """Write the lock of a `recipe`, or the one at `out`, as one of today's schema, with every package as it was.

    Nobody is asked. Raises AssembleError when there is none.
    """
    loaded = recipe.load()
    target = out or loaded.lock_path
    text = read_text(target, None if out else Reach(loaded.reach.project))
    if text is None:
        raise _missing(target)
    found = migrate(text, str(target))
    written = found.schema != SCHEMA
    moved = dataclasses.replace(found.lock, libraries=libraries_here()) if written else found.lock
    if written:
        write_lock(target, moved)
    return MigratedLock(path=target, lock=moved, schema=found.schema, written=written, left_out=found.left_out)


def warn(workspace: Workspace, loaded: LoadedRecipe, lock: Lock) -> None:
    """Tell of versions in `lock` that do not go together, and of images that it lacks."""
    kubernetes = loaded.recipe.kubernetes
    for text in skew.warnings(kubernetes, lock):
        workspace.reporter.warn(text)
    here = {image.name for image in lock.images}
    for number, name in enumerate(kubernetes.manifests if kubernetes and here else ()):
        wanted = images_of(loaded.files[f"kubernetes.manifests[{number}]"].data)
        if missing := [image for image in wanted if _full(image) not in here]:
            workspace.reporter.warn(
                f"{name} wants {', '.join(missing)}, which the medium does not have: a node without a network cannot "
                "start that (add it to kubernetes.extra_images)"
            )


def _full(image: str) -> str:
    """The whole name of an image; one that is none stays as it is."""
    try:
        return str(parse(image))
    except AssembleError:
        return image


def _host_tools(workspace: Workspace, recipe: Recipe) -> tuple[LockedTool, ...]:
    """What this machine would compile the recipe's kernel with, when that is to be its own programs."""
    if recipe.kernel.source != "vanilla" or recipe.kernel.toolchain != "host":
        return ()
    return host_tools.find(named(recipe.arch), host(workspace), workspace.search).tools


def _tell(workspace: Workspace, lock: Lock) -> None:
    workspace.reporter.info(
        f"locked {len(lock.role('rootfs'))} packages in the image, "
        f"{len(lock.packages)} in all and {len(lock.tools.packages)} for the tools that build it"
    )


def _missing(path: Path) -> AssembleError:
    return AssembleError(
        "there is no lock", where=Place(file=str(path)), hint="make one with assemble lock, which needs the network"
    )


def require_lock(
    workspace: Workspace, loaded: LoadedRecipe, *, store: Store, transport: Transport, chosen: Mirrors, make: bool
) -> Lock:
    """The lock beside a recipe, made when it is missing and `make` says so; AssembleError otherwise."""
    found = _read(loaded)
    if found is not None:
        require(
            found,
            loaded.recipe,
            loaded.inputs_sha256,
            build_architecture=workspace.architecture,
            path=loaded.lock_path,
        )
        return found
    if not make:
        raise _missing(loaded.lock_path)
    made = _resolved(workspace, loaded, store=store, transport=transport, chosen=chosen)
    write_lock(loaded.lock_path, made)
    _tell(workspace, made)
    return made
