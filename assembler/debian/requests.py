"""What a recipe asks for by more than a name: ``NAME=VERSION`` and ``NAME/RELEASE``, as apt-get(8) has them.

A release brings along what its package needs of it: where no candidate will do, that of the same release is taken.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from assembler.debian.explain import hard_needs, meeting
from assembler.debian.index import Dependency, Offer, Universe
from assembler.debian.marking import provides
from assembler.debian.version import satisfies, version_key
from assembler.errors import AssembleError, Place, Problems
from assembler.recipe.names import request


@dataclass(frozen=True, slots=True)
class Request:
    """A package, and which version of it."""

    text: str
    """As it was asked for."""
    name: str
    """Perhaps with an architecture, ``name:amd64``."""
    version: str = ""
    """A version, or what it begins with and a ``*``; empty for the candidate."""
    release: str = ""
    """The suite or codename that it shall come from; empty for whichever."""

    @classmethod
    def of(cls, text: str) -> "Request":
        """Read ``NAME``, ``NAME=VERSION`` or ``NAME/RELEASE``."""
        return cls(text, *request(text))

    @property
    def plain(self) -> bool:
        """Whether any version will do."""
        return not (self.version or self.release)


def choose(
    universe: Universe, requests: Iterable[Request], *, requested: Sequence[str] = (), recommends: bool = False
) -> None:
    """Have the versions that `requests` are for be the candidates in `universe`; a name that it does not have is left.

    A candidate that was chosen before, and is as requested, stays. `requested` are the names of all packages that are
    asked for, of whatever version. Raises AssembleError for what no archive has, and Problems for several such.
    """
    errors: list[AssembleError] = []
    found: list[tuple[Offer, str]] = []
    for asked in requests:
        name = asked.name.partition(":")[0]
        offers = universe.versions(name)
        if asked.plain or not offers or (universe.is_chosen(name) and _is_asked(universe, offers[0], asked)):
            continue
        fitting = [offer for offer in offers if _is_asked(universe, offer, asked)]
        if fitting:
            found.append((max(fitting, key=lambda each: version_key(each.version)), asked.release))
        else:
            errors.append(_missing(asked, offers))
    if errors:
        raise errors[0] if len(errors) == 1 else Problems(errors)
    for offer, _ in found:
        universe.choose(offer)
    names = dict.fromkeys(name.partition(":")[0] for name in (*requested, *(offer.name for offer, _ in found)))
    candidates = [candidate for candidate in map(universe.offer, names) if candidate]
    switch = _Switch(universe, candidates, recommends=recommends)
    for offer, release in found:
        if release:
            universe.work = 0
            _bring_along(universe, offer, release, switch)
    # Whatever could not be had for them: these are what was asked for, and choosing says what is missing.
    for offer, _ in found:
        universe.choose(offer)


def _bring_along(universe: Universe, offer: Offer, release: str, switch: "_Switch") -> None:
    try:
        switch.changed.append(offer)
        switch.to(offer, release)
        _take(universe, offer, release, set())
    except RecursionError as error:
        raise AssembleError(
            f"what {offer.name} needs of {release} has no end",
            why="each package needs another, in a chain without end",
            hint=f"leave out the archive with such relations; there are {', '.join(universe.archives)}",
        ) from error


class _Switch:
    """What apt takes of a release along with a package of it: ``pkgDepCache::SetCandidateRelease``, to the letter.

    apt asks whether a candidate that would do has all its own needs met, by what is installed or asked for. Where it
    has not, it takes the version of the release if that is asked for by its version. It ends at the first need for
    which there is none, and what it has taken until then stays. What a lock holds is as if it were installed. Other
    than in apt, what has failed is not tried again, which could go on without end.
    """

    def __init__(self, universe: Universe, requested: Sequence[Offer], *, recommends: bool) -> None:
        self._universe = universe
        self._requested = requested
        self._recommends = recommends
        self.changed: list[Offer] = []
        """What was taken, of all releases."""
        self._failed: set[Offer] = set()

    def to(self, offer: Offer, release: str) -> bool:
        """Have `offer` be a candidate, and those of `release` that it needs; False when not all could be had."""
        universe, before = self._universe, len(self.changed)
        universe.choose(offer)
        if offer in self._failed:
            return False
        for dependency in offer.dependencies:
            universe.spend(1 + len(dependency.targets))
            if dependency.negative or not (dependency.hard or (self._recommends and dependency.field == "Recommends")):
                continue
            taken = any(map(self._is_fine, dependency.targets)) or self._alternative(dependency, release)
            if dependency.hard and not taken:
                del self.changed[before:]
                self._failed.add(offer)
                return False
        return True

    def _alternative(self, dependency: Dependency, release: str) -> bool:
        """Take the first alternative of `dependency` that `release` has."""
        for number, (name, operator, version) in enumerate(dependency.targets, 1):
            newest = _newest(self._universe, name, release)
            if not operator or newest is None or not satisfies(newest.version, operator, version):
                continue
            old = self._universe.offer(name)
            if newest is old and any(offer.name == name for offer in self.changed):
                return True
            self.changed.append(newest)
            if self.to(newest, release):
                return True
            if number == len(dependency.targets):
                return False
            if old:
                self._universe.choose(old)
            self.changed.pop()
        return False

    def _is_fine(self, target: tuple[str, str, str]) -> bool:
        name, operator, version = target
        offer, providers = self._universe.offer(name), self._universe.providers(name)
        if operator:
            return offer is not None and satisfies(offer.version, operator, version) and self._is_complete(offer)
        if providers and not self._universe.is_chosen(name):
            return any(self._universe.offer(other.name) is other and self._is_complete(other) for other, _ in providers)
        return offer is not None and self._is_complete(offer)

    def _is_complete(self, offer: Offer) -> bool:
        """Whether a lock holds it, or what is asked for meets all its needs and nothing of that excludes it."""
        return self._universe.is_chosen(offer.name) or all(
            any(self._is_met(target, offer) for target in dependency.targets) != dependency.negative
            for dependency in offer.dependencies
            if dependency.hard
        )

    def _is_met(self, target: tuple[str, str, str], owner: Offer) -> bool:
        name, operator, version = target
        self._universe.spend(len(self._requested))
        return any(
            (offer.name == name and satisfies(offer.version, operator, version))
            or any(name == provided and provides(has, operator, version) for provided, has in offer.provides)
            for offer in self._requested
            if offer.name != owner.name
        )


def _is_asked(universe: Universe, offer: Offer, asked: Request) -> bool:
    if asked.version:
        return fnmatchcase(offer.version, asked.version)
    return _is_in(universe, offer, asked.release)


def _is_in(universe: Universe, offer: Offer, release: str) -> bool:
    return any(listing.is_release(release) for listing in universe.listings_of(offer))


def _missing(asked: Request, offers: Sequence[Offer]) -> AssembleError:
    there = ", ".join(f"{offer.version} in {offer.candidate.archive}" for offer in offers[:5])
    what = f"no archive has version {asked.version}" if asked.version else f"it is not in {asked.release}"
    return AssembleError(what, where=Place(package=asked.text), why=f"there is {there}")


def _take(universe: Universe, offer: Offer, release: str, failed: set[Offer]) -> bool:
    """Make `offer` the candidate, and what it needs of the same release; False, and nothing changed, if that fails.

    What is in `failed` is not tried again, and what fails is added to it. This goes on where apt has ended, for what no
    candidate meets: so it finds what apt refuses.
    """
    before = {offer.name: universe.offer(offer.name)}
    universe.choose(offer)
    for dependency in hard_needs(offer):
        universe.spend(1 + len(dependency.targets))
        if any(_is_fine(universe, target) for target in dependency.targets):
            continue
        taken = False
        for other in _of_release(universe, dependency, release):
            before.setdefault(other.name, universe.offer(other.name))
            if other not in failed and _take(universe, other, release, failed):
                taken = True
                break
        if not taken:
            failed.add(offer)
            for former in before.values():
                if former:
                    universe.choose(former)
            return False
    return True


def _of_release(universe: Universe, dependency: Dependency, release: str) -> Iterable[Offer]:
    """The versions in `release` that would meet the versioned alternatives of `dependency`."""
    for name, operator, version in dependency.targets:
        newest = _newest(universe, name, release)
        if operator and newest and satisfies(newest.version, operator, version):
            yield newest


def _newest(universe: Universe, name: str, release: str) -> Offer | None:
    there = [offer for offer in universe.versions(name) if _is_in(universe, offer, release)]
    return max(there, key=lambda offer: version_key(offer.version), default=None)


def _is_fine(universe: Universe, target: tuple[str, str, str]) -> bool:
    """Whether a candidate that can be installed meets `target`; a provider only without a version, as apt has it."""
    name, operator, version = target
    offer = universe.offer(name)
    if offer and satisfies(offer.version, operator, version) and _can_be_installed(universe, offer):
        return True
    return not operator and any(
        universe.offer(other.name) is other and _can_be_installed(universe, other)
        for other, _ in universe.providers(name)
    )


def _can_be_installed(universe: Universe, offer: Offer) -> bool:
    """Whether candidates meet each of its own needs."""
    return all(meeting(universe, need) for need in hard_needs(offer))
