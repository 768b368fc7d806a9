"""Choosing packages: the set that ``apt-get install`` would choose on an empty system.

Not the best set, or the smallest, but apt's: a recipe should give what its author sees when trying it with apt.
``scripts/compare-solver`` holds it against apt. The way, as in apt:

1. the requested packages are marked, and protected (``marking.py``);
2. in the order of the request, each gets what it needs;
3. what is broken then is repaired (``repair.py``);
4. what nothing needs any more is dropped again: leftovers of ways that were tried in vain.

apt itself adds nothing to a request on an empty system, not even essential packages; like debootstrap and its kind
we ask for these by name.
"""

from collections.abc import Sequence

from assembler.debian import explain
from assembler.debian.index import Offer, Universe
from assembler.debian.marking import Marks, State, provides
from assembler.debian.package import Candidate
from assembler.debian.repair import Repair
from assembler.debian.version import satisfies, version_key
from assembler.errors import AssembleError


def solve(
    universe: Universe, wanted: Sequence[str], *, recommends: bool = False, essential: bool = True
) -> tuple[Candidate, ...]:
    """The packages to install for `wanted`, with all that they need, sorted by name.

    :param wanted: package names; one that only a single package provides stands for that package. ``name:arch`` is
        accepted for the architecture of the universe. Order matters little but it does, where packages compete.
    :param recommends: whether recommended packages are installed where possible.
    :param essential: whether to install all essential packages too; they are requested after `wanted`.
    :raises AssembleError: when a name is unknown, the packages cannot be installed together, or choosing does not end
        within MOST_WORK looks.
    """
    universe.work = 0
    try:
        return _solve(universe, wanted, recommends=recommends, essential=essential)
    except RecursionError as error:
        raise AssembleError(
            "choosing packages takes too long",
            why="each package needs another, in a chain without end",
            hint=f"leave out the archive with such relations; there are {', '.join(universe.archives)}",
        ) from error


def _solve(universe: Universe, wanted: Sequence[str], *, recommends: bool, essential: bool) -> tuple[Candidate, ...]:
    names = explain.resolve_names(universe, wanted)
    if essential:
        names = [*names, *universe.essential]
    names = list(dict.fromkeys(names))
    marks = Marks(universe, recommends=recommends)
    for name in names:
        marks.protect(name)
        marks.install(name, follow=False, requested=True)
    for name in names:
        marks.install(name, follow=True, requested=True)
    Repair(marks, frozenset(names)).run()
    if marks.broken_names():
        raise explain.unsatisfiable(universe, names, marks)
    _collect(marks)
    return tuple(sorted((offer.candidate for offer in marks.selected()), key=lambda candidate: candidate.name))


def _collect(marks: Marks) -> None:
    """Drop what no requested or essential package leads to, along Depends, Recommends and Suggests."""
    reached = _reached(marks)
    dropped = [
        state
        for state in sorted(marks.states.values(), key=lambda state: state.name)
        if state.marked and state.name not in reached and marks.unmark(state.name)
    ]
    # With recommendations a leftover may be what another package recommends, which is not installed for that
    # reason alone; apt brings such back when something is incomplete.
    while dropped and any(marks.incomplete(state) for state in list(marks.states.values())):
        back = next((state for state in dropped if _is_asked_for(marks, state)), None)
        if back is None:
            break
        marks.install(back.name, follow=False)
        dropped.remove(back)


def _reached(marks: Marks) -> set[str]:
    reached: set[str] = set()
    roots = (
        state.selected
        for state in marks.states.values()
        if state.selected and (not state.automatic or state.essential or state.important or state.protected)
    )
    todo = list(roots)
    while todo:
        offer = todo.pop()
        if offer.name in reached:
            continue
        reached.add(offer.name)
        for dependency in offer.dependencies:
            if not dependency.negative:
                for target in dependency.targets:
                    todo += _followed(marks, target)
    return reached


def _followed(marks: Marks, target: tuple[str, str, str]) -> list[Offer]:
    """The selected packages that `target` names; of several from one source, those of its highest version."""
    name, operator, version = target
    states = marks.states
    by_source: dict[str, list[Offer]] = {}
    state = states.get(name)
    if state and state.selected and satisfies(state.selected.version, operator, version):
        by_source[state.selected.candidate.source] = [state.selected]
    providers = marks.universe.providers(name)
    marks.universe.spend(1 + len(providers))
    for offer, provided in providers:
        if offer.name in states and states[offer.name].selected is offer and provides(provided, operator, version):
            by_source.setdefault(offer.candidate.source, []).append(offer)
    followed: list[Offer] = []
    for offers in by_source.values():
        highest = max(offers, key=lambda offer: version_key(offer.candidate.source_version)).candidate.source_version
        followed += [offer for offer in offers if offer.candidate.source_version == highest]
    return followed


def _is_asked_for(marks: Marks, state: State) -> bool:
    if state.candidate is None:
        return False
    names = {(state.name, state.candidate.version), *state.candidate.provides}
    return any(
        name == wanted and provides(version, operator, asked)
        for offer in marks.selected()
        for dependency in offer.dependencies
        if not dependency.negative and marks.matters(dependency)
        for wanted, operator, asked in dependency.targets
        for name, version in names
    )
