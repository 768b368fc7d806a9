"""From a recipe to its lock: signed archives, their indices, and the packages that a solver chooses from them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from assembler.debian.index import Universe
from assembler.debian.mirrors import Mirrors
from assembler.debian.package import Candidate
from assembler.debian.release import Release, choose_indices, fetch_indices, fetch_release, read_index
from assembler.debian.solver import solve
from assembler.debian.sources import Archive, archives, parse_sources
from assembler.lock.model import Lock, LockedArchive, LockedIndex, LockedPackage
from assembler.lock.toml import LockError
from assembler.lock.wanted import Wanted, wanted
from assembler.progress import SILENT, Reporter
from assembler.recipe.model import Recipe
from assembler.store.objects import Store
from assembler.store.transport import Transport

Indices = Mapping[str, tuple[LockedIndex, ...]]
"""The indices of an archive by the architecture that they are for; one for ``all`` may belong to several."""


def resolve(
    recipe: Recipe,
    recipe_digest: str,
    *,
    transport: Transport,
    store: Store,
    mirrors: Mirrors,
    now: datetime,
    build_architecture: str,
    previous: Lock | None = None,
    reporter: Reporter = SILENT,
) -> Lock:
    """Lock `recipe` to what its archives offer at `now`, an aware time.

    :param recipe_digest: SHA-256 of the parsed recipe, which the lock will name.
    :param previous: the lock that there is; archives may not be older than it has seen.
    :raises AssembleError: of many kinds: SourcesError, TransportError, SignatureError, ReleaseError, SolverError.
    """
    roles = wanted(recipe, build_architecture)
    architectures = tuple(dict.fromkeys(role.architecture for role in roles))
    sources = archives(parse_sources(recipe.debian.sources))
    releases: list[tuple[Archive, Release, Indices]] = []
    with reporter.step("archives", total=len(sources)) as step:
        for archive in sources:
            step.note(archive.suite)
            release = fetch_release(
                archive,
                mirrors=mirrors,
                transport=transport,
                now=now,
                previous=_seen(previous, archive),
                reporter=reporter,
            )
            indices = {name: choose_indices(release, archive, name) for name in architectures}
            releases.append((archive, release, indices))
            step.advance()
    fetch_indices(
        [(archive, release, index) for archive, release, chosen in releases for index in set().union(*chosen.values())],
        store=store,
        transport=transport,
        mirrors=mirrors,
    )
    packages = _Packages()
    with reporter.step("solve", total=len(roles)) as step:
        for architecture in architectures:
            texts = [
                (archive.id, read_index(store, release, index))
                for archive, release, indices in releases
                for index in indices[architecture]
            ]
            universe = Universe.from_indices(texts, architecture)
            for role in roles:
                if role.architecture == architecture:
                    step.note(role.role)
                    packages.add(role.role, _chosen(universe, role))
                    step.advance()
            del texts, universe  # 60 MB for each architecture
    newest = max(release.date for _, release, _ in releases)
    return Lock(
        recipe_sha256=recipe_digest,
        source_date_epoch=int(newest.timestamp()) if recipe.epoch is None else recipe.epoch,
        architecture=recipe.arch,
        build_architecture=build_architecture,
        archives=tuple(sorted((_archive(*found, store) for found in releases), key=lambda item: item.id)),
        packages=packages.locked(),
    )


def _chosen(universe: Universe, role: Wanted) -> Iterable[Candidate]:
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
    """Packages with the roles that they are wanted for."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], tuple[Candidate, set[str]]] = {}

    def add(self, role: str, candidates: Iterable[Candidate]) -> None:
        for candidate in candidates:
            key = candidate.name, candidate.architecture, candidate.version
            first, roles = self._found.setdefault(key, (candidate, set()))
            if first.sha256 != candidate.sha256:
                raise LockError(
                    f"two archives have different files of {candidate.name} {candidate.version}",
                    why=f"{first.archive} and {candidate.archive}, for different architectures",
                    hint="take it from one of them only",
                )
            roles.add(role)

    def locked(self) -> tuple[LockedPackage, ...]:
        return tuple(
            LockedPackage(
                name=candidate.name,
                version=candidate.version,
                architecture=candidate.architecture,
                source=candidate.source,
                source_version=candidate.source_version,
                size=candidate.size,
                sha256=candidate.sha256,
                path=candidate.filename,
                archive=candidate.archive,
                roles=tuple(sorted(roles)),
            )
            for _, (candidate, roles) in sorted(self._found.items())
        )


def _seen(previous: Lock | None, archive: Archive) -> LockedArchive | None:
    """`archive` in an earlier lock."""
    known = previous.archives if previous else ()
    return next((old for old in known if (old.root, old.suite) == (archive.root, archive.suite)), None)


def _archive(archive: Archive, release: Release, indices: Indices, store: Store) -> LockedArchive:
    return LockedArchive(
        id=archive.id,
        root=archive.root,
        suite=archive.suite,
        components=archive.source.components,
        inrelease_sha256=store.add(release.data),
        date=_rfc3339(release.date),
        valid_until=_rfc3339(release.valid_until) if release.valid_until else "",
        signed_by=release.signed_by,
        indices=tuple(sorted(set().union(*indices.values()), key=lambda index: index.path)),
    )


def _rfc3339(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
