"""Proving a lock: each package's chain of trust, followed from the lock up to a signature.

A lock says of every package where it comes from; that is a claim until somebody follows it. A package must be in an
index of its archive with the same version, size, digest and path, the index in the archive's InRelease, and that must
be signed by whom the recipe trusts.
"""

from datetime import datetime

from assembler.debian.index import Universe
from assembler.debian.mirrors import Mirrors
from assembler.debian.release import Release, fetch_indices, locked_release, read_index
from assembler.debian.sources import Archive, archives, parse_sources
from assembler.errors import AssembleError, Place, Problems
from assembler.lock.model import Lock, LockedArchive, LockedPackage
from assembler.lock.toml import LockError
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
    sources = archives(parse_sources(recipe.debian.sources))
    problems: list[AssembleError] = []
    proved = 0
    with reporter.step("prove", total=len(lock.packages), unit="items") as step:
        for locked in lock.archives:
            step.note(locked.id)
            source = next((each for each in sources if (each.root, each.suite) == (locked.root, locked.suite)), None)
            if source is None:
                problems.append(_broken(file, f"archives.{locked.id}", "the recipe takes nothing from this archive"))
                continue
            release = locked_release(source, locked, store=store, mirrors=mirrors, transport=transport, now=now)
            found = list(_unlisted(locked, release, file))
            if found:
                problems += found
                continue
            universes = _universes(lock, locked, source, release, store=store, transport=transport, mirrors=mirrors)
            for package in lock.packages:
                if package.archive == locked.id:
                    step.advance()
                    wrong = _differs(package, universes)
                    if wrong:
                        key = f'packages."{package.name}_{package.version}_{package.architecture}"'
                        problems.append(_broken(file, key, f"{locked.id} does not have this package so", wrong))
                    proved += not wrong
    if problems:
        raise Problems(problems)
    return proved


def _broken(file: str, key: str, what: str, why: str = "") -> LockError:
    return LockError(what, where=Place(file=file, key=key), why=why, hint=_HINT)


def _unlisted(locked: LockedArchive, release: Release, file: str) -> list[LockError]:
    return [
        _broken(file, f"archives.{locked.id}", f"the signed Release does not list this {index.path}", index.sha256)
        for index in locked.indices
        if release.files.get(index.path) != (index.sha256, index.size)
    ]


def _universes(
    lock: Lock,
    locked: LockedArchive,
    source: Archive,
    release: Release,
    *,
    store: Store,
    transport: Transport,
    mirrors: Mirrors,
) -> list[Universe]:
    fetch_indices(
        [(source, release, index) for index in locked.indices],
        store=store,
        transport=transport,
        mirrors=mirrors,
        snapshots=True,
    )
    texts = [(locked.id, read_index(store, release, index)) for index in locked.indices]
    return [Universe.from_indices(texts, each) for each in dict.fromkeys((lock.architecture, lock.build_architecture))]


def _differs(package: LockedPackage, universes: list[Universe]) -> str:
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
