"""What a recipe asks for by more than a name: ``NAME=VERSION`` and ``NAME/RELEASE``, as apt-get(8) has them.

A release brings along what its package needs of it: where no candidate will do, that of the same release is taken.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from assembler.debian.explain import hard_needs, meeting
from assembler.debian.index import Dependency, Offer, Universe
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


def choose(universe: Universe, requests: Iterable[Request], *, recommends: bool = False) -> None:
    """Have the versions that `requests` are for be the candidates in `universe`; a name that it does not have is left.

    A candidate that was chosen before, and is as requested, stays. Raises AssembleError for what no archive has, and
    Problems for several such.
    """
    errors = []
    for asked in requests:
        name = asked.name.partition(":")[0]
        offers = universe.offers(name)
        if asked.plain or not offers or (universe.is_chosen(name) and _is_asked(universe, offers[0], asked)):
            continue
        fitting = [offer for offer in offers if _is_asked(universe, offer, asked)]
        if not fitting:
            errors.append(_missing(asked, offers))
            continue
        offer = max(fitting, key=lambda each: version_key(each.version))
        universe.work = 0
        if asked.release:
            _bring_along(universe, offer, asked.release, recommends=recommends)
        # Whatever could not be had for it: this is what was asked for, and choosing says what is missing.
        universe.choose(offer)
    if errors:
        raise errors[0] if len(errors) == 1 else Problems(errors)


def _bring_along(universe: Universe, offer: Offer, release: str, *, recommends: bool) -> None:
    try:
        _take(universe, offer, release, set(), recommends=recommends)
    except RecursionError as error:
        raise AssembleError(
            f"what {offer.name} needs of {release} has no end",
            why="each package needs another, in a chain without end",
            hint=f"leave out the archive with such relations; there are {', '.join(universe.archives)}",
        ) from error


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


def _take(universe: Universe, offer: Offer, release: str, failed: set[Offer], *, recommends: bool) -> bool:
    """Make `offer` the candidate, and what it needs of the same release; False, and nothing changed, if that fails.

    What is in `failed` is not tried again, and what fails is added to it.

    As ``pkgDepCache::SetCandidateRelease`` of apt. That stops at the first need that neither the release meets nor a
    candidate whose own needs are met already; this goes on, and finds what apt refuses.
    """
    before = {offer.name: universe.offer(offer.name)}
    universe.choose(offer)
    for dependency in offer.dependencies:
        universe.spend(1 + len(dependency.targets))
        if dependency.negative or not (dependency.hard or (recommends and dependency.field == "Recommends")):
            continue
        if any(_is_fine(universe, target) for target in dependency.targets):
            continue
        taken = False
        for other in _of_release(universe, dependency, release):
            before.setdefault(other.name, universe.offer(other.name))
            if other not in failed and _take(universe, other, release, failed, recommends=recommends):
                taken = True
                break
        if not taken and dependency.hard:
            failed.add(offer)
            for former in before.values():
                if former:
                    universe.choose(former)
            return False
    return True


def _of_release(universe: Universe, dependency: Dependency, release: str) -> Iterable[Offer]:
    """The versions in `release` that would meet the versioned alternatives of `dependency`."""
    for name, operator, version in dependency.targets:
        there = [offer for offer in universe.offers(name) if _is_in(universe, offer, release)]
        newest = max(there, key=lambda offer: version_key(offer.version), default=None)
        if operator and newest and satisfies(newest.version, operator, version):
            yield newest


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
