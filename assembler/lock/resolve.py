"""From a recipe to its lock: signed archives, their indices, and the packages that a solver chooses from them."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches

from assembler import __version__
from assembler.debian.explain import resolve_names
from assembler.debian.fetch import fetch_packages
from assembler.debian.index import Universe, check
from assembler.debian.indices import choose_indices, fetch_indices, listing, read_index
from assembler.debian.mirrors import Mirrors
from assembler.debian.package import Candidate
from assembler.debian.preferences import Pin, Policy
from assembler.debian.reasons import ESSENTIAL, REQUESTED, reasons
from assembler.debian.release import Release, fetch_release, locked_release
from assembler.debian.requests import choose
from assembler.debian.solver import solve
from assembler.debian.sources import Archive
from assembler.errors import AssembleError
from assembler.kubernetes import finding
from assembler.kubernetes.parts import wanted_files, wanted_images
from assembler.lock.files import lock_files
from assembler.lock.own import NOTHING, OwnPackages, own_packages
from assembler.lock.own import listing as own_listing
from assembler.lock.wanted import Wanted, archives_of, kernel_files, pins_of, rootfs_files, wanted
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import (
    Lock,
    LockedArchive,
    LockedFile,
    LockedImage,
    LockedIndex,
    LockedPackage,
    LockedToolbox,
    LockedVersion,
)
from assembler.oci.locking import lock_images
from assembler.progress import SILENT, Reporter
from assembler.recipe.model import Recipe
from assembler.store.objects import Store
from assembler.store.transport import Transport

_LOG = logging.getLogger(__name__)

Indices = Mapping[str, tuple[LockedIndex, ...]]
"""The indices of an archive by the architecture that they are for; one for ``all`` may belong to several."""


@dataclass(frozen=True, slots=True)
class _State:
    """An archive at one time."""

    id: str
    archive: Archive
    release: Release
    indices: Indices


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Packages that were chosen, and the archives that they come from, both as a lock has them."""

    archives: tuple[LockedArchive, ...]
    packages: tuple[LockedPackage, ...]


def resolve(
    recipe: Recipe,
    recipe_digest: str,
    *,
    tools: LockedToolbox,
    transport: Transport,
    store: Store,
    mirrors: Mirrors,
    now: datetime,
    previous: Lock | None = None,
    upgrade: Collection[str] | None = None,
    reporter: Reporter = SILENT,
) -> Lock:
    """Lock `recipe` to what its archives offer.

    :param recipe_digest: SHA-256 of the parsed recipe, which the lock will name.
    :param tools: what builds it: see :func:`assembler.tools.locking.lock_tools`.
    :param now: an aware time, by which signatures and dates are checked.
    :param previous: the lock that there is; archives may not be older than it has seen.
    :param upgrade: as for :func:`resolve_packages`, with what `previous` has.
    :raises AssembleError: of many kinds: SourcesError, TransportError, SignatureError, ReleaseError, SolverError.
    """
    own = own_packages(recipe, store=store, transport=transport, mirrors=mirrors)
    chosen = resolve_packages(
        archives_of(recipe),
        wanted(recipe, tools.architecture),
        own=own,
        transport=transport,
        store=store,
        mirrors=mirrors,
        now=now,
        previous=Resolved(archives=previous.archives, packages=previous.packages) if previous else None,
        upgrade=upgrade,
        pins=pins_of(recipe),
        reporter=reporter,
    )
    # Archives keep what they have; where these are may be gone tomorrow.
    mine = [package for package in chosen.packages if not package.archive]
    fetch_packages(mine, (), store=store, transport=transport, mirrors=mirrors)
    epoch = recipe.epoch if recipe.epoch is not None else _latest(chosen.archives)
    held = previous if upgrade is not None else None
    files: tuple[LockedFile, ...] = ()
    images: tuple[LockedImage, ...] = ()
    versions: tuple[LockedVersion, ...] = ()
    asked = [*kernel_files(recipe), *rootfs_files(recipe)]
    if recipe.kubernetes is not None:
        version = recipe.kubernetes.version
        kept = held.kubernetes if held else ()
        versions = finding.find(version, transport=transport, held=kept, reporter=reporter)
        kubernetes = finding.locked_release(version, versions)
        asked += wanted_files(recipe.kubernetes, kubernetes, recipe.arch)
        names = wanted_images(recipe.kubernetes, kubernetes)
        images = lock_images(names, recipe.arch, store=store, transport=transport, held=held, reporter=reporter)
    if asked:
        files = lock_files(
            asked, store=store, transport=transport, previous=previous, hold=held is not None, reporter=reporter
        )
    return Lock(
        assembler=__version__,
        recipe_sha256=recipe_digest,
        source_date_epoch=epoch,
        architecture=recipe.arch,
        archives=chosen.archives,
        packages=chosen.packages,
        tools=tools,
        kubernetes=versions,
        files=files,
        images=images,
    )


def _latest(archives: Sequence[LockedArchive]) -> int:
    """The time of the newest of `archives`, in seconds."""
    if not archives:
        raise LockError(
            "nothing says what time the image is of",
            why="there are no archives, whose newest date that would be",
            hint="give it as epoch, in seconds since 1970",
        )
    return max(int(datetime.fromisoformat(archive.date).timestamp()) for archive in archives)


def resolve_packages(
    sources: Sequence[Archive],
    roles: Sequence[Wanted],
    *,
    own: OwnPackages = NOTHING,
    transport: Transport,
    store: Store,
    mirrors: Mirrors,
    now: datetime,
    previous: Resolved | None = None,
    upgrade: Collection[str] | None = None,
    pins: Sequence[Pin] = (),
    reporter: Reporter = SILENT,
) -> Resolved:
    """Choose the packages for `roles` from what the archives `sources` offer.

    :param own: what the recipe brings itself, which no lock holds: it is as it is there.
    :param upgrade: None takes the archives as they are now. Otherwise what `previous` has locked stays as it is, and
        what is newly wanted comes from the archives as they were then; except for the packages named here, by
        their own or their source package's names, which take what the archives have now. With a package goes
        all that was built from its source, since such packages often depend on each other's exact version.
    :param pins: priorities that the recipe gives to versions of packages.
    :raises AssembleError: of many kinds, as :func:`resolve`.
    """
    architectures = tuple(dict.fromkeys(role.architecture for role in roles))
    held = previous if upgrade is not None else None
    moving = _moving(held, upgrade or ())
    states: list[_State] = []

    def add(name: str, archive: Archive, release: Release) -> None:
        indices = {each: choose_indices(release, archive, each) for each in architectures}
        states.append(_State(name, archive, release, indices))

    with reporter.step("archives", total=len(sources)) as step:
        for archive in sources:
            step.note(archive.suite)
            kept = _seen(held, archive)
            for old in kept:
                add(
                    old.id,
                    archive,
                    locked_release(archive, old, store=store, mirrors=mirrors, transport=transport, now=now),
                )
            if not kept or moving:
                newest = max(_seen(previous, archive), key=lambda old: old.date, default=None)
                release = fetch_release(
                    archive, mirrors=mirrors, transport=transport, now=now, previous=newest, reporter=reporter
                )
                if all(state.release.data != release.data for state in states if state.archive is archive):
                    add(f"{archive.id}+{release.date:%Y%m%dT%H%M%SZ}" if kept else archive.id, archive, release)
            step.advance()
    fetch_indices(
        [
            (state.archive, state.release, index)
            for state in states
            for index in sorted(set().union(*state.indices.values()), key=lambda index: index.path)
        ],
        store=store,
        transport=transport,
        mirrors=mirrors,
        snapshots=held is not None,
    )
    packages = _Packages(own)
    names: dict[str, tuple[str, ...]] = {}
    with reporter.step("solve", total=len(roles)) as step:
        for architecture in architectures:
            mine = [role for role in roles if role.architecture == architecture]
            offered = [(state, index) for state in states for index in state.indices[architecture]]
            texts = [(state.id, read_index(store, state.release, index)) for state, index in offered]
            listings = tuple(listing(state.release, state.archive, index) for state, index in offered)
            texts += [(index.id, index.text) for index in own.indices(architecture)]
            listings += tuple(own_listing(index) for index in own.indices(architecture))
            universe = Universe.from_indices(
                texts, architecture, _held(held, moving, architecture), Policy(listings, pins)
            )
            with _explained(held):
                for role in mine:
                    asked = (*role.packages, *(universe.essential if role.essential else ()))
                    choose(universe, role.requests, requested=asked, recommends=role.recommends)
                if architecture == own.architecture:
                    own.prefer(universe, [request for role in mine for request in role.requests])
            for role in mine:
                step.note(role.role)
                with _explained(held):
                    given = own.names if role.given else ()
                    whole = replace(role, packages=(*role.packages, *role.further(names), *given))
                    found = _chosen(universe, whole)
                    names[role.role] = tuple(candidate.name for candidate in found)
                    packages.add(whole, found, universe)
                step.advance()
            del texts, universe  # 60 MB for each architecture
    chosen = packages.locked()
    used = {package.archive for package in chosen}
    # Of several states of one archive those are kept that something comes from.
    states = [state for state in states if state.id in used or sum(_same(state, other) for other in states) == 1]
    return Resolved(
        archives=tuple(sorted((_archive(state, store) for state in states), key=lambda item: item.id)),
        packages=chosen,
    )


def _moving(held: Resolved | None, names: Collection[str]) -> frozenset[str]:
    """The packages of `held` that may change when `names` shall: all from the source packages concerned."""
    if held is None:
        return frozenset()
    for name in names:
        if not any(name in {package.name, package.source} for package in held.packages):
            near = get_close_matches(name, {package.name for package in held.packages}, 1)
            raise LockError(
                f"{name} is not in the lock, so it cannot be upgraded",
                hint=f"did you mean {near[0]}?" if near else "name a package, or a source package, that is locked",
            )
    sources = {package.source for package in held.packages if package.name in names or package.source in names}
    return frozenset(package.name for package in held.packages if package.source in sources)


def _held(held: Resolved | None, moving: Collection[str], architecture: str) -> Mapping[str, str]:
    return {
        package.name: package.version
        for package in (held.packages if held else ())
        if package.architecture in {architecture, "all"} and package.archive and package.name not in moving
    }


@contextmanager
def _explained(held: Resolved | None) -> Iterator[None]:
    """Say of what cannot be had that locked packages had to stay as they are."""
    try:
        yield
    except AssembleError as error:
        if held is not None and not error.hint:
            error.hint = "what is locked stays as it is: name more with --upgrade-package, or take --upgrade for all"
        raise


def _same(state: _State, other: _State) -> bool:
    return state.archive is other.archive


def _chosen(universe: Universe, role: Wanted) -> Sequence[Candidate]:
    if role.dependencies:
        return solve(universe, role.packages, recommends=role.recommends, essential=role.essential)
    found = [universe.candidate(name) for name in role.packages]
    if None in found:
        name = role.packages[found.index(None)]
        raise LockError(
            f"no archive has {name}",
            why=f"it is needed for {role.role}",
            hint="add a suite that has it to debian.sources",
        )
    return [candidate for candidate in found if candidate]


class _Packages:
    """Packages with the roles that they are wanted for, and why."""

    def __init__(self, own: OwnPackages) -> None:
        self._own = own
        self._found: dict[tuple[str, str, str], tuple[Candidate, set[str], list[str]]] = {}

    def add(self, role: Wanted, candidates: Sequence[Candidate], universe: Universe) -> None:
        requested = resolve_names(universe, role.packages)
        essential = universe.essential if role.essential else ()
        why = reasons(candidates, requested, essential, universe.architecture)
        for candidate in candidates:
            if not candidate.name.startswith(role.kept):
                continue
            key = candidate.name, candidate.architecture, candidate.version
            first, roles, causes = self._found.setdefault(key, (candidate, set(), []))
            if first.sha256 != candidate.sha256:
                raise LockError(
                    f"two archives have different files of {candidate.name} {candidate.version}",
                    why=f"{first.archive} and {candidate.archive}, for different architectures",
                    hint="take it from one of them only",
                )
            roles.add(role.role)
            causes.append(why[candidate.name])
            _LOG.debug(
                "%s: %s %s from %s: %s",
                role.role,
                candidate.name,
                candidate.version,
                candidate.archive,
                why[candidate.name],
            )

    def locked(self) -> tuple[LockedPackage, ...]:
        return tuple(
            # The strongest of the reasons in its roles, the first role's if they are equal.
            locked(candidate, roles, min(causes, key=lambda cause: (cause != REQUESTED, cause != ESSENTIAL)), self._own)
            for _, (candidate, roles, causes) in sorted(self._found.items())
        )


def locked(candidate: Candidate, roles: Iterable[str], why: str = "", own: OwnPackages = NOTHING) -> LockedPackage:
    """A chosen package as a lock names it. Raises AssembleError when its values are odd; see index.check."""
    check(candidate)
    brought = own.owns(candidate.archive)
    return LockedPackage(
        name=candidate.name,
        version=candidate.version,
        architecture=candidate.architecture,
        source=candidate.source,
        source_version=candidate.source_version,
        size=candidate.size,
        sha256=candidate.sha256,
        path=candidate.filename,
        archive="" if brought else candidate.archive,
        roles=tuple(sorted(roles)),
        why=why,
        url=own.urls.get(candidate.sha256, "") if brought else "",
    )


def _seen(lock: Resolved | None, archive: Archive) -> tuple[LockedArchive, ...]:
    """`archive` in an earlier lock, at one time or several, the earliest first."""
    known = lock.archives if lock else ()
    found = [old for old in known if (old.root, old.suite) == (archive.root, archive.suite)]
    return tuple(sorted(found, key=lambda old: old.date))


def _archive(state: _State, store: Store) -> LockedArchive:
    release = state.release
    return LockedArchive(
        id=state.id,
        root=state.archive.root,
        suite=state.archive.suite,
        components=state.archive.source.components,
        inrelease_sha256=store.add(release.data),
        signature_sha256=store.add(release.signature) if release.signature else "",
        date=_rfc3339(release.date),
        valid_until=_rfc3339(release.valid_until) if release.valid_until else "",
        signed_by=release.signed_by,
        indices=tuple(sorted(set().union(*state.indices.values()), key=lambda index: index.path)),
    )


def _rfc3339(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
