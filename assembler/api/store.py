"""What is in the store: how much, what of it goes, whether it is whole; and a lock's objects for another machine."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assembler.api.workspace import Workspace
from assembler.audit.stored import Damage, StoreFindings
from assembler.audit.stored import verify_store as look_at
from assembler.debian import mirrors
from assembler.errors import AssembleError, Place
from assembler.hostfile import open_image, replacing
from assembler.layers.step import is_sound
from assembler.lock import bundle
from assembler.lock.bundle import Imported
from assembler.lock.fetching import fetch_all
from assembler.lock.objects import directly_named, identity, named_by_manifests
from assembler.lockfile.model import Lock
from assembler.lockfile.toml import read_lock, write_lock
from assembler.recipe.model import Debian
from assembler.store.holds import NOBODY, holds
from assembler.store.inventory import Item, Usage, by_kind, inventory
from assembler.store.objects import Store, StoreError
from assembler.store.pruning import Pruned, plan, prune
from assembler.store.uses import noted_uses
from assembler.tools import unpack

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """How much is in a store."""

    root: Path
    kinds: tuple[Usage, ...]
    """The largest first."""
    builds: int
    """How many use it at present."""

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(kind.size for kind in self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneOptions:
    """What of a store nobody needs. One of them has to be given."""

    unused_since: datetime | None = None
    """What was used before this time goes."""
    keep_size: int | None = None
    """What nobody has used for the longest time goes, until no more than so many bytes are left."""
    keep: tuple[Path, ...] = ()
    """Locks; what they name stays, and so does what is known to be made of it. Alone: all else goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """What would be removed."""

    root: Path
    items: tuple[Item, ...]
    kinds: tuple[Usage, ...]
    """The same by kind."""
    left: int
    """Bytes that stay."""
    builds: int
    """How many use the store at present; what they have used stays."""

    @property
    def size(self) -> int:
        """Bytes of what would be removed."""
        return sum(kind.size for kind in self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreVerification:
    """What was found of a store, and what became of it."""

    found: StoreFindings
    removed: tuple[Damage, ...] = ()
    """What is damaged and was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """A bundle."""

    path: Path
    objects: int
    size: int
    """Bytes of the file."""


def store_status(workspace: Workspace) -> StoreStatus:
    """How much is in the store, by kind."""
    store = workspace.open_store(looks_on=True)
    return StoreStatus(root=store.root, kinds=by_kind(inventory(store)), builds=len(holds(store.root / "holds")))


def plan_prune(workspace: Workspace, options: PruneOptions) -> PrunePlan:
    """What of the store would be removed. Raises AssembleError when a lock cannot be read, or `options` say nothing."""
    if options.unused_since is None and options.keep_size is None and not options.keep:
        raise AssembleError("nothing says what is to be removed", hint="give an age, a size, or locks to keep")
    store = workspace.open_store(looks_on=True)
    since = options.unused_since
    in_use = holds(store.root / "holds")
    everything = inventory(store)
    items = plan(
        everything,
        unused_since=None if since is None else int(since.timestamp()) * _NANOSECONDS,
        size=options.keep_size,
        kept=_kept(store, [_read(path) for path in options.keep], everything),
        held_since=min(in_use, default=NOBODY),
    )
    left = sum(item.size for item in everything) - sum(item.size for item in items)
    return PrunePlan(root=store.root, items=items, kinds=by_kind(items), left=left, builds=len(in_use))


def prune_store(workspace: Workspace, planned: PrunePlan) -> Pruned:
    """Remove what was `planned`, but what is in use by a build, or was used since. Raises StoreError."""
    return prune(workspace.open_store(looks_on=True), planned.items, workspace.reporter)


def verify_store(workspace: Workspace, *, repair: bool = False) -> StoreVerification:
    """Look at all that is in the store. With `repair`, what is damaged is removed unless a build has it in use."""
    store = workspace.open_store(looks_on=True)
    found = look_at(store, inventory(store), {"layer": is_sound}, workspace.reporter)
    if not repair or not found.damaged:
        return StoreVerification(found=found)
    gone = set(prune(store, [damage.item for damage in found.damaged], workspace.reporter).removed)
    return StoreVerification(found=found, removed=tuple(each for each in found.damaged if each.item in gone))


def export_bundle(path: Path, out: Path, workspace: Workspace) -> ExportResult:
    """Write the lock at `path` and exactly its objects into the file `out`. What the store does not have is fetched.

    Raises AssembleError, of a workspace that is offline with all that is missing; then there is nothing in `out`.
    """
    lock = _read(path)
    store = workspace.open_store()
    if lock.host_tools:
        workspace.reporter.warn("the lock has a kernel compiled by programs of the host, which no bundle can bring")
    if workspace.offline:
        if missing := bundle.missing(lock, store):
            raise StoreError(
                f"{len(missing)} of the objects that the lock names are not in the store",
                where=Place(file=str(path)),
                why="the network is ruled out",
                hint="leave out --offline, and they are fetched",
                details=[f"{each.name} (sha256 {each.digest})" for each in missing],
            )
    else:
        with workspace.transport() as transport:
            chosen = mirrors.choose(Debian(), override=workspace.mirror, snapshots=workspace.snapshots)
            fetch_all(lock, store=store, transport=transport, mirrors=chosen)
    try:
        with replacing(out) as stream:
            objects = bundle.write(lock, store, stream, reporter=workspace.reporter)
        return ExportResult(path=out, objects=objects, size=out.stat().st_size)
    except OSError as error:
        raise AssembleError(
            "the bundle cannot be written",
            where=Place(file=str(out)),
            why=error.strerror or str(error),
            hint="name a file in a directory that is there, with room, and that you may write to",
        ) from error


def import_bundle(path: Path, workspace: Workspace, *, lock: Path | None = None, write: Path | None = None) -> Imported:
    """Bring the objects of the bundle at `path` into the store, each when it is what the lock names.

    :param lock: whose objects are wanted; by default, of the lock that the bundle has.
    :param write: where the lock of the bundle is written to; nothing may be there.

    Raises AssembleError of many kinds; what was whole before is in the store then.
    """
    if write is not None and write.exists():
        raise AssembleError("there is something where the lock shall be", where=Place(file=str(write)))
    wanted = _read(lock) if lock else None
    store = workspace.open_store()
    with open_image(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        found = bundle.read(stream, str(path), store, wanted=wanted, reporter=workspace.reporter, size=size)
    if write is not None:
        write_lock(write, found.lock)
    return found


def _read(path: Path) -> Lock:
    """The lock at `path`; raises AssembleError when there is none."""
    found = read_lock(path)
    if found is None:
        raise AssembleError("there is no lock", where=Place(file=str(path)))
    return found


def _kept(store: Store, locks: Sequence[Lock], items: Sequence[Item]) -> frozenset[Path]:
    """What stays for the sake of `locks`: their objects, what is named after one of these, tools laid out, and what
    builds of them were seen to use.
    """
    digests: set[str] = set()
    kept: set[Path] = set()
    for lock in locks:
        digests |= directly_named(lock).keys()
        digests |= named_by_manifests(lock, bundle.manifests(lock, store)).keys()
        kept |= {store.results / unpack.KIND / unpack.key(box.packages) for box in lock.toolboxes}
    kept |= noted_uses(store.root, [identity(lock) for lock in locks])
    return frozenset(kept | {item.path for item in items if item.path.name in digests})
