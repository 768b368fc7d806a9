"""The work of ``assemble lock``, and what ``build`` needs of it."""

from datetime import UTC, datetime
from pathlib import Path

from assembler.cli.session import Session
from assembler.debian import mirrors
from assembler.debian.mirrors import Mirrors
from assembler.errors import AssembleError, Place
from assembler.lock.check import require
from assembler.lock.model import Lock
from assembler.lock.resolve import resolve
from assembler.lock.toml import read_lock, write_lock
from assembler.recipe.load import LoadedRecipe, load
from assembler.store.objects import Store
from assembler.store.transport import Transport


def lock_file(current: Session, path: Path, args: dict[str, str], out: Path | None, *, offline: bool) -> None:
    """Lock the recipe at `path` into `out`, by default beside it."""
    loaded = load(path, args)
    chosen = mirrors.choose(loaded.recipe.debian, override=current.settings.mirror)
    target = out or loaded.lock_path
    with current.transport(offline=offline) as transport:
        store = Store(current.settings.store)
        lock = lock_recipe(current, loaded, target, store=store, transport=transport, chosen=chosen)
    current.say(str(target))
    current.reporter.result({"lock": str(target), "packages": len(lock.packages)})


def lock_recipe(
    current: Session, loaded: LoadedRecipe, path: Path, *, store: Store, transport: Transport, chosen: Mirrors
) -> Lock:
    """Lock a recipe to what its archives offer now, and write that to `path`."""
    if not current.settings.architecture:
        raise AssembleError("no tools run on this machine's architecture", hint="use an x86_64 or aarch64 machine")
    lock = resolve(
        loaded.recipe,
        loaded.inputs_sha256,
        transport=transport,
        store=store,
        mirrors=chosen,
        now=datetime.now(UTC),
        build_architecture=current.settings.architecture,
        previous=read_lock(path),
        reporter=current.reporter,
    )
    write_lock(path, lock)
    current.reporter.info(f"locked {len(lock.role('rootfs'))} packages in the image, {len(lock.packages)} in all")
    return lock


def require_lock(
    current: Session, loaded: LoadedRecipe, *, store: Store, transport: Transport, chosen: Mirrors, make: bool
) -> Lock:
    """The lock beside a recipe, made when it is missing and `make` says so; AssembleError otherwise."""
    lock = existing(loaded, current.settings.architecture)
    if lock is None and make:
        lock = lock_recipe(current, loaded, loaded.lock_path, store=store, transport=transport, chosen=chosen)
    if lock is None:
        raise AssembleError(
            "there is no lock",
            where=Place(file=str(loaded.lock_path)),
            hint="make one with assemble lock, which needs the network",
        )
    return lock


def existing(loaded: LoadedRecipe, architecture: str) -> Lock | None:
    """The lock beside a recipe; None when there is none, LockError when it is not for this recipe and machine."""
    lock = read_lock(loaded.lock_path)
    if lock is not None:
        require(lock, loaded.inputs_sha256, build_architecture=architecture, path=loaded.lock_path)
    return lock
