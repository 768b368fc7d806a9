"""Why each chosen package is there."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from assembler.debian.index import Offer
from assembler.debian.marking import provides
from assembler.debian.package import Candidate
from assembler.debian.version import satisfies

REQUESTED, ESSENTIAL = "requested", "essential"


def reasons(
    chosen: Sequence[Candidate], requested: Iterable[str], essential: Iterable[str], architecture: str
) -> Mapping[str, str]:
    """Why each of `chosen` is there, by name: `REQUESTED`, `ESSENTIAL`, or ``for NAME``.

    NAME needs it (or recommends it) and is nearest to what is requested, then to what is essential; of several the
    first by name. So following the names leads to a request by the shortest way. `architecture` is that of the image.
    """
    offers = {candidate.name: Offer(candidate, (0, 0), architecture) for candidate in chosen}
    found = {name: REQUESTED for name in sorted(requested) if name in offers}
    providers: dict[str, list[tuple[Offer, str]]] = {}
    for offer in offers.values():
        for name, version in offer.provides:
            providers.setdefault(name, []).append((offer, version))
    _follow(offers, providers, found)
    for name in sorted(essential):
        if name in offers:
            found.setdefault(name, ESSENTIAL)
    _follow(offers, providers, found)
    # What is left is there for a package that was tried and given up; apt keeps some of these.
    return {name: found.get(name, REQUESTED) for name in offers}


def _follow(
    offers: Mapping[str, Offer], providers: Mapping[str, Sequence[tuple[Offer, str]]], found: dict[str, str]
) -> None:
    queue = deque(sorted(found))
    while queue:
        owner = queue.popleft()
        needed = set()
        for dependency in offers[owner].dependencies:
            if dependency.negative or dependency.field == "Suggests":
                continue
            for name, operator, version in dependency.targets:
                offer = offers.get(name)
                if offer and satisfies(offer.version, operator, version):
                    needed.add(name)
                needed |= {
                    provider.name
                    for provider, provided in providers.get(name, ())
                    if provides(provided, operator, version)
                }
        for name in sorted(needed - found.keys()):
            found[name] = f"for {owner}"
            queue.append(name)
