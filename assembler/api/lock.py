"""The work of ``assemble lock``, and what ``build`` needs of it."""

import dataclasses
from collections.abc import Collection
from pathlib import Path

from assembler.api.tools import host, lock_build_tools, supply_of, tool_source
from assembler.architecture import named
from assembler.cli.session import Session
from assembler.debian import mirrors
from assembler.debian.mirrors import Mirrors
from assembler.errors import AssembleError, Place
from assembler.kernel import toolchain
from assembler.lock import trust
from assembler.lock.changelogs import with_changelogs
from assembler.lock.changes import changes, describe
from assembler.lock.check import require
from assembler.lock.resolve import resolve
from assembler.lockfile.model import Lock, LockedTool
from assembler.lockfile.toml import read_lock, write_lock
from assembler.reading import Reach
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.model import Recipe
from assembler.store.objects import Store
from assembler.store.transport import Transport
from assembler.tools import trust as tool_trust


def lock_file(
    current: Session,
    path: Path,
    args: dict[str, str],
    out: Path | None,
    *,
    upgrade: Collection[str] | None,
    write: bool,
    offline: bool,
) -> None:
    """Lock the recipe at `path` into `out`, by default beside it, and tell what changes; only tell, unless `write`.

    `upgrade` as in :func:`resolve`, if there is a lock.
    """
    loaded = load(path, args, project=current.project, allow_read=current.allow_read)
    target = out or loaded.lock_path
    previous = _read(loaded, out)
    with loaded.discreet(), current.transport(offline=offline) as transport:
        lock = _resolved(
            current,
            loaded,
            store=current.store(),
            transport=transport,
            chosen=choose_mirrors(current, loaded.recipe),
            previous=previous,
            upgrade=upgrade if previous else None,
        )
    changed = changes(previous, lock)
    if not write:
        changed = with_changelogs(changed, lock, current.store())
    if write:
        if previous and not changed:
            lock = dataclasses.replace(lock, build=previous.build)
        write_lock(target, lock)
        _tell(current, lock)
        current.say(str(target))
    if previous or not write:
        for line in describe(changed) or ["nothing changes"]:
            current.say(line)
    current.reporter.result(
        {
            "lock": str(target),
            "written": write,
            "packages": len(lock.packages),
            "changes": dataclasses.asdict(changed),
        }
    )


def check_file(
    current: Session, path: Path, args: dict[str, str], out: Path | None, *, offline: bool, prove: bool
) -> None:
    """Raise LockError unless the lock of the recipe at `path` fits it; with `prove`, unless it can be proved, too."""
    loaded = load(path, args, project=current.project, allow_read=current.allow_read)
    target = out or loaded.lock_path
    lock = _read(loaded, out)
    if lock is None:
        raise _missing(target)
    require(lock, loaded.recipe, loaded.inputs_sha256, build_architecture=lock.build_architecture, path=target)
    proved = 0
    if prove:
        with current.transport(offline=offline) as transport:
            proved = _proved(current, loaded.recipe, lock, target, transport)
        archives = len(dict.fromkeys((*lock.archives, *lock.tools.archives)))
        current.say(f"{proved} packages proved up to the signatures of {archives} archives")
    current.say(f"{target} fits the recipe")
    current.reporter.result({"lock": str(target), "packages": len(lock.packages), "proved": proved})


def _proved(current: Session, recipe: Recipe, lock: Lock, path: Path, transport: Transport) -> int:
    """How many packages of `lock` are proved, tools included; an AssembleError when one is not."""
    chosen = choose_mirrors(current, recipe)
    supply = supply_of(current, store=current.store(), transport=transport, chosen=chosen)
    proved = trust.prove(lock, recipe, file=str(path), **supply.means, now=supply.now, reporter=current.reporter)
    tools = tool_trust.prove(lock.tools, tool_source(current), supply)
    return proved + len(tools.packages)


def _read(loaded: LoadedRecipe, out: Path | None = None) -> Lock | None:
    """The lock `out`, which the user names, or that beside the recipe, which may be as much a stranger's as that is."""
    return read_lock(out) if out else read_lock(loaded.lock_path, Reach(loaded.reach.project))


def choose_mirrors(current: Session, recipe: Recipe) -> Mirrors:
    """The mirrors for `recipe` in these surroundings."""
    settings = current.settings
    return mirrors.choose(recipe.debian, override=settings.mirror, snapshots=settings.snapshots)


def lock_recipe(
    current: Session, loaded: LoadedRecipe, path: Path, *, store: Store, transport: Transport, chosen: Mirrors
) -> Lock:
    """Lock a recipe that has no lock to what its archives offer now, and write that to `path`."""
    lock = _resolved(current, loaded, store=store, transport=transport, chosen=chosen)
    write_lock(path, lock)
    _tell(current, lock)
    return lock


def _resolved(
    current: Session,
    loaded: LoadedRecipe,
    *,
    store: Store,
    transport: Transport,
    chosen: Mirrors,
    previous: Lock | None = None,
    upgrade: Collection[str] | None = None,
) -> Lock:
    # First, as it is quick to fail.
    compilers = _toolchain(current, loaded.recipe)
    supply = supply_of(current, store=store, transport=transport, chosen=chosen)
    tools = lock_build_tools(current, supply, previous=previous.tools if previous else None, upgrade=upgrade)
    if previous and upgrade:
        here = {name for package in previous.packages for name in (package.name, package.source)}
        of_tools = {name for package in tools.packages for name in (package.name, package.source)}
        upgrade = [name for name in upgrade if name in here or name not in of_tools]
    lock = resolve(
        loaded.recipe,
        loaded.inputs_sha256,
        tools=tools,
        **supply.means,
        now=supply.now,
        previous=previous,
        upgrade=upgrade,
        reporter=current.reporter,
    )
    return dataclasses.replace(lock, toolchain=compilers)


def _toolchain(current: Session, recipe: Recipe) -> tuple[LockedTool, ...]:
    """What this machine would compile the recipe's kernel with."""
    if recipe.kernel.source != "vanilla":
        return ()
    return toolchain.find(named(recipe.arch), host(current), current.settings.search).tools


def _tell(current: Session, lock: Lock) -> None:
    current.reporter.info(
        f"locked {len(lock.role('rootfs'))} packages in the image, "
        f"{len(lock.packages)} in all and {len(lock.tools.packages)} for the tools that build it"
    )


def _missing(path: Path) -> AssembleError:
    return AssembleError(
        "there is no lock", where=Place(file=str(path)), hint="make one with assemble lock, which needs the network"
    )


def require_lock(
    current: Session, loaded: LoadedRecipe, *, store: Store, transport: Transport, chosen: Mirrors, make: bool
) -> Lock:
    """The lock beside a recipe, made when it is missing and `make` says so; AssembleError otherwise."""
    lock = existing(loaded, current.settings.architecture)
    if lock is None and make:
        lock = lock_recipe(current, loaded, loaded.lock_path, store=store, transport=transport, chosen=chosen)
    if lock is None:
        raise _missing(loaded.lock_path)
    return lock


def existing(loaded: LoadedRecipe, architecture: str) -> Lock | None:
    """The lock beside a recipe; None when there is none, LockError when it is not for this recipe and machine."""
    lock = _read(loaded)
    if lock is not None:
        require(lock, loaded.recipe, loaded.inputs_sha256, build_architecture=architecture, path=loaded.lock_path)
    return lock
