"""Proving a lock: each package's chain of trust, followed from the lock up to a signature.

A lock says of every package where it comes from; that is a claim until somebody follows it. A package must be in an
index of its archive with the same version, size, digest and path, the index in the archive's InRelease, and that must
be signed by whom the recipe trusts. One that the recipe brings itself must be that, and what it says of itself in its
control file. And the packages must be those that the recipe leads to, no more and no fewer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from assembler.debian.fetch import fetch_packages
from assembler.debian.index import Universe
from assembler.debian.indices import fetch_indices, read_index
from assembler.debian.mirrors import Mirrors
from assembler.debian.release import Release, locked_release
from assembler.debian.sources import Archive
from assembler.errors import AssembleError, Place, Problems
from assembler.lock.own import brought, own_packages
from assembler.lock.own import differs as differs_from_own
from assembler.lock.resolve import Resolved, resolve_packages
from assembler.lock.wanted import archives_of, pins_of, wanted
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import Lock, LockedArchive, LockedIndex, LockedPackage
from assembler.progress import SILENT, Reporter
from assembler.recipe.model import Recipe
from assembler.store.objects import Store
from assembler.store.transport import Transport

_HINT = "restore the lock from where it was reviewed, or delete it and run `assemble lock`"


def prove(
    lock: Lock,
    recipe: Recipe,
    *,
    file: str,
    transport: Transport,
    store: Store,
    mirrors: Mirrors,
    now: datetime,
    reporter: Reporter = SILENT,
) -> int:
    """Follow every package of `lock`, read from `file`, up to a signature that `recipe` trusts; returns how many.

    Raises Problems with all links that are broken; TransportError when what the lock names cannot be had any more, so
    that nothing is proved.
    """
    prove_packages(
        lock.packages,
        lock.archives,
        recipe,
        file=file,
        transport=transport,
        store=store,
        mirrors=mirrors,
        now=now,
        reporter=reporter,
    )
    asked = _asked_for(lock, recipe, transport=transport, store=store, mirrors=mirrors, now=now)
    if found := [
        _broken(file, _key(package), "the recipe does not lead to this package", "no request of it needs that")
        for package in lock.packages
        if _identity(package) not in asked
    ]:
        raise Problems(found)
    if missing := sorted(asked - {_identity(package) for package in lock.packages}):
        raise _broken(file, "packages", "a package that the recipe leads to is missing", missing[0][0])
    return len(lock.packages)


def prove_packages(
    packages: Sequence[LockedPackage],
    locked_archives: Sequence[LockedArchive],
    recipe: Recipe,
    *,
    file: str,
    transport: Transport,
    store: Store,
    mirrors: Mirrors,
    now: datetime,
    reporter: Reporter = SILENT,
) -> None:
    """Follow `packages` of `locked_archives` up to signatures that `recipe` trusts; raises as :func:`prove` does.

    That the recipe leads to them is not looked at.
    """
    sources = archives_of(recipe)
    known = {locked.id for locked in locked_archives}
    problems: list[AssembleError] = [
        _broken(file, _key(package), "this package is of no archive of the lock", package.archive)
        for package in packages
        if package.archive and package.archive not in known
    ]
    own, known_own = [package for package in packages if not package.archive], brought(recipe)
    fetch_packages(own, (), store=store, transport=transport, mirrors=mirrors)
    problems += [
        _broken(file, _key(package), "the recipe does not bring this package so", why)
        for package in own
        if (why := differs_from_own(package, known_own, store=store, mirrors=mirrors))
    ]
    with reporter.step("prove", total=len(packages), unit="items") as step:
        for locked in locked_archives:
            mine = [package for package in packages if package.archive == locked.id]
            step.note(locked.id)
            source = source_of(locked, sources)
            if source is None:
                what = "the recipe takes nothing from this archive"
                problems.append(_broken(file, f"archives.{locked.id}", what))
                continue
            if not mine:
                continue
            problems += [
                _broken(file, found.key, found.what, found.why)
                for found in unproved(locked, mine, source, store=store, transport=transport, mirrors=mirrors, now=now)
            ]
            step.advance(len(mine))
    if problems:
        raise Problems(problems)


_Identity = tuple[str, str, str, tuple[str, ...]]


def _identity(package: LockedPackage) -> _Identity:
    return package.name, package.version, package.sha256, package.roles


def _asked_for(
    lock: Lock, recipe: Recipe, *, transport: Transport, store: Store, mirrors: Mirrors, now: datetime
) -> set[_Identity]:
    """What `recipe` leads to in the archives as `lock` saw them, at the versions that it has."""
    chosen = resolve_packages(
        archives_of(recipe),
        wanted(recipe, lock.build_architecture),
        own=own_packages(recipe, store=store, transport=transport, mirrors=mirrors),
        transport=transport,
        store=store,
        mirrors=mirrors,
        now=now,
        previous=Resolved(archives=lock.archives, packages=lock.packages),
        upgrade=(),
        pins=pins_of(recipe),
    )
    return {_identity(package) for package in chosen.packages}


def _key(package: LockedPackage) -> str:
    return f'packages."{package.name}_{package.version}_{package.architecture}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLink:
    """A link of a chain of trust that is not there."""

    key: str
    """Of the lock's table that claims it."""
    what: str
    why: str
    packages: tuple[LockedPackage, ...]
    """What is not proved without it."""


def source_of(locked: LockedArchive, sources: Iterable[Archive]) -> Archive | None:
    """That of `sources` which `locked` claims to be a state of."""
    return next((each for each in sources if (each.root, each.suite) == (locked.root, locked.suite)), None)


def of_component(index: LockedIndex, source: Archive) -> bool:
    """Whether `index` is one of packages in a component that is taken from `source`: a Release lists many others."""
    component, binary, _ = index.path.partition("/binary-")
    return component in source.source.components if binary else source.flat


def unproved(
    locked: LockedArchive,
    packages: Sequence[LockedPackage],
    source: Archive,
    *,
    store: Store,
    transport: Transport,
    mirrors: Mirrors,
    now: datetime,
) -> list[BrokenLink]:
    """What breaks between `packages`, all of them from `locked`, and a signature that `source` trusts.

    Raises TransportError when what the lock names cannot be had any more; SignatureError and ReleaseError when the
    archive's InRelease is not what the lock says.
    """
    release = locked_release(source, locked, store=store, mirrors=mirrors, transport=transport, now=now)
    key = f"archives.{locked.id}"
    found = [
        BrokenLink(key=key, what=f"the signed Release does not list this {index.path}", why=index.sha256,
                   packages=tuple(packages))
        for index in locked.indices
        if release.files.get(index.path) != (index.sha256, index.size)
    ]  # fmt: skip
    found += [
        BrokenLink(key=key, what="it is of no component that is asked for", why=index.path, packages=tuple(packages))
        for index in locked.indices
        if not of_component(index, source)
    ]
    if found:
        return found
    listed = listings(locked.id, source, release, locked.indices, packages, store=store, transport=transport,
                      mirrors=mirrors)  # fmt: skip
    for package in packages:
        if wrong := differs(package, listed):
            what = f"{locked.id} does not have this package so"
            found.append(BrokenLink(key=_key(package), what=what, why=wrong, packages=(package,)))
    return found


def listings(
    name: str,
    source: Archive,
    release: Release,
    indices: Sequence[LockedIndex],
    packages: Iterable[LockedPackage],
    *,
    store: Store,
    transport: Transport,
    mirrors: Mirrors,
) -> list[Universe]:
    """What `indices` of `release`, fetched when they are not in the store, have for the architectures of `packages`."""
    wanted = [(source, release, index) for index in indices]
    fetch_indices(wanted, store=store, transport=transport, mirrors=mirrors, snapshots=True)
    texts = [(name, read_index(store, release, index)) for index in indices]
    # A package for all architectures is in the index of each.
    each = {package.architecture for package in packages} - {"all"} or {"all"}
    return [Universe.from_indices(texts, architecture) for architecture in sorted(each)]


def _broken(file: str, key: str, what: str, why: str = "") -> LockError:
    return LockError(what, where=Place(file=file, key=key), why=why, hint=_HINT)


def differs(package: LockedPackage, universes: Iterable[Universe]) -> str:
    """How `package` differs from what the indices say of it; empty when they say the same."""
    offers = [
        offer.candidate
        for universe in universes
        for offer in universe.offers(package.name)
        if (offer.version, offer.candidate.architecture) == (package.version, package.architecture)
    ]
    if not offers:
        return "no index of it lists this version"
    names = {"sha256": "sha256", "size": "size", "path": "filename", "source": "source"}
    names["source_version"] = "source_version"
    for offer in offers:
        wrong = [
            f"{mine} is {getattr(package, mine)}, the index says {getattr(offer, theirs)}"
            for mine, theirs in names.items()
            if getattr(package, mine) != getattr(offer, theirs)
        ]
        if not wrong:
            return ""
    return "; ".join(wrong)
