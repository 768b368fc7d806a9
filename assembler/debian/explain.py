"""Why packages cannot be had: names that do not exist, chains of needs that end nowhere, conflicts between two chains.

Runs only when choosing packages has failed, so it may take its time.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from itertools import count

from assembler.debian.index import Dependency, Offer, Universe
from assembler.debian.marking import Marks, provides
from assembler.debian.version import satisfies
from assembler.errors import AssembleError, Place, Problems

_SONAME = re.compile(r"[0-9][0-9.-]*(t64|v5|ldbl|g|c2|c2a)*$")
_NAMES_SHOWN = 8
_STEPS_SHOWN = 20


def resolve_names(universe: Universe, wanted: Iterable[str]) -> list[str]:
    """The real packages that `wanted` names, in its order. A virtual name stands for its only provider.

    :raises AssembleError: for names that stand for nothing, or for several packages; all of them at once.
    """
    found: list[str] = []
    errors: list[AssembleError] = []
    for request in wanted:
        name, _colon, architecture = request.partition(":")
        where = Place(package=request)
        if architecture not in {"", "all", "native", universe.architecture}:
            errors.append(
                AssembleError(
                    f"is of architecture {architecture}, but the image is of {universe.architecture}", where=where
                )
            )
            continue
        providers = [name] if universe.offers(name) else _providing_candidates(universe, name)
        match providers:
            case [only]:
                found.append(only)
            case []:
                what = f"there is no such package in {', '.join(universe.archives)}"
                errors.append(AssembleError(what, where=where, hint=suggest(universe, name)))
            case _:
                what = f"is a virtual package provided by {_listed(providers)}"
                errors.append(AssembleError(what, where=where, hint="choose one"))
    if errors:
        raise errors[0] if len(errors) == 1 else Problems(errors)
    return found


def suggest(universe: Universe, name: str) -> str:
    """``did you mean ...?`` with names that look like `name`; empty when none does."""
    if universe.offers(f"{name}t64"):
        return f"did you mean {name}t64?"
    stem = _SONAME.sub("", name)
    names = [other for other in universe.names if other[:1] == name[:1] and abs(len(other) - len(name)) <= 4]
    near = [other for other in names if stem != name and _SONAME.sub("", other) == stem]
    near = difflib.get_close_matches(name, near or names, n=3, cutoff=0.8) or sorted(near)
    return f"did you mean {' or '.join(near[:3])}?" if near else ""


def unsatisfiable(universe: Universe, requested: Sequence[str], marks: Marks) -> AssembleError:
    """Why `requested` could not be installed, given the marks that were left.

    A package that lacks something whatever else is chosen is explained by its chain of needs. If there is none,
    packages exclude each other, and both chains are named.
    """
    lacking = _lacking(universe, requested)
    errors = [_chain_error(universe, lacking, name) for name in requested if name in lacking]
    if not errors:
        return _Conflicts(universe, requested, marks).first()
    return errors[0] if len(errors) == 1 else Problems(errors)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _providing_candidates(universe: Universe, name: str) -> list[str]:
    return sorted({offer.name for offer, _version in universe.providers(name) if universe.offer(offer.name) is offer})


def meeting(universe: Universe, dependency: Dependency) -> list[Offer]:
    """The candidates that would meet a dependency."""
    found: dict[Offer, None] = {}
    for name, operator, version in dependency.targets:
        universe.spend(1 + len(universe.providers(name)))
        offer = universe.offer(name)
        if offer and satisfies(offer.version, operator, version):
            found[offer] = None
        for offer, provided in universe.providers(name):
            if universe.offer(offer.name) is offer and provides(provided, operator, version):
                found[offer] = None
    return list(found)


def hard_needs(offer: Offer) -> list[Dependency]:
    """What it is broken without."""
    return [dependency for dependency in offer.dependencies if dependency.hard and not dependency.negative]


def _lacking(universe: Universe, requested: Iterable[str]) -> dict[str, tuple[int, Dependency]]:
    """The packages in reach that can never be installed, each with a dependency that nothing can meet.

    The number is the distance from what is missing, so the way of falling numbers ends there.
    """
    needs: dict[str, list[tuple[Dependency, list[str]]]] = {}
    todo = list(requested)
    while todo:
        name = todo.pop()
        offer = universe.offer(name)
        if name in needs or offer is None:
            continue
        needs[name] = [
            (dependency, [option.name for option in meeting(universe, dependency)]) for dependency in hard_needs(offer)
        ]
        todo += [option for _dependency, options in needs[name] for option in options]
    lacking: dict[str, tuple[int, Dependency]] = {}
    for distance in count():
        universe.spend(len(needs))
        found = {
            name: (distance, lost[0])
            for name, dependencies in needs.items()
            if name not in lacking
            and (lost := [need for need, options in dependencies if all(option in lacking for option in options)])
        }
        if not found:
            break
        lacking |= found
    return lacking


def _chain_error(universe: Universe, lacking: dict[str, tuple[int, Dependency]], root: str) -> AssembleError:
    where = Place(package=root)
    dependency = lacking[root][1]
    text, steps = f"needs {dependency}", 0
    while options := meeting(universe, dependency):
        nearest = min((option.name for option in options), key=lambda name: lacking[name][0])
        last, steps = f" -> {_which(dependency, nearest)} needs {lacking[nearest][1]}", steps + 1
        text += last if steps <= _STEPS_SHOWN else " -> ..." if steps == _STEPS_SHOWN + 1 else ""
        dependency = lacking[nearest][1]
    if steps > _STEPS_SHOWN:
        text += last
    for relation in dependency.alternatives:
        offer = universe.offer(relation.name)
        if offer and not satisfies(offer.version, relation.operator, relation.version):
            return AssembleError(f"{text}, of which there is only {offer.version}", where=where)
        if offer:
            return AssembleError(f"{text}, which {relation.name} does not allow", where=where)
    hints = (suggest(universe, relation.name) for relation in dependency.alternatives[:_NAMES_SHOWN])
    return AssembleError(f"{text}, not available", where=where, hint=next(filter(None, hints), ""))


def _which(dependency: Dependency, name: str) -> str:
    """How a sentence goes on with package `name` after `dependency`: by its name if that has not just been said."""
    return "which" if [relation.name for relation in dependency.alternatives] == [name] else name


class _Conflicts:
    """Explains the broken packages among `marks` by what excludes them."""

    def __init__(self, universe: Universe, requested: Sequence[str], marks: Marks) -> None:
        self._universe = universe
        self._marks = marks
        self._requested = frozenset(requested)
        self._other = ""
        self._selected = {offer.name: offer for offer in marks.selected()}
        self._needed_by: dict[str, str] = {}
        todo = [name for name in requested if name in self._selected]
        for name in todo:  # grows as it goes: breadth first, so chains are short
            for dependency in hard_needs(self._selected[name]):
                for option in meeting(universe, dependency):
                    if option.name in self._selected and option.name not in {*self._needed_by, *requested}:
                        self._needed_by[option.name] = name
                        todo.append(option.name)

    def first(self) -> AssembleError:
        """What is wrong with the first broken package; the others are mostly in the same conflict."""
        name = next(iter(self._marks.broken_names()))
        offer = self._selected[name]
        lost = [d for d in offer.dependencies if d.hard and not self._marks.holds(d, name)]
        *way, root = self._chain(name)
        where = Place(package=root)
        text = "".join(f"needs {step} -> which " for step in reversed(way))
        for dependency in lost:
            if dependency.negative:
                found = self._refusal(offer)
            else:
                found = self._obstacle(dependency, f"needs {dependency}", {name})
            if found:
                error = AssembleError(text + found, where=where)
                error.against = Place(package=self._other)
                return error
        return AssembleError(f"{text}needs {lost[0]}, which cannot be installed with the rest", where=where)

    def _chain(self, name: str) -> list[str]:
        """From a package up to the requested one that needs it."""
        chain = [name]
        while chain[-1] in self._needed_by:
            chain.append(self._needed_by[chain[-1]])
        return chain

    def _obstacle(self, dependency: Dependency, text: str, seen: set[str]) -> str:
        """What keeps the options of `dependency` out, as the end of a sentence that begins with `text`."""
        for option in meeting(self._universe, dependency):
            if option.name in seen:
                continue
            seen.add(option.name)
            onward = f"{text} -> {_which(dependency, option.name)} "
            if refusal := self._refusal(option):
                return onward + refusal
            for need in hard_needs(option):
                if not self._marks.holds(need, option.name) and (
                    found := self._obstacle(need, f"{onward}needs {need}", seen)
                ):
                    return found
        return ""

    def _refusal(self, offer: Offer) -> str:
        """``conflicts with x, which y needs``: the package to stay that `offer` excludes, or is excluded by."""
        for other in self._selected.values():
            if other.name == offer.name:
                continue
            for dependency in offer.dependencies:
                if dependency.negative and _names(dependency, other):
                    verb = "breaks" if dependency.field == "Breaks" else "conflicts with"
                    return f"{verb} {dependency}{self._reason(other, dependency)}"
            for dependency in other.dependencies:
                if dependency.negative and _names(dependency, offer):
                    verb = "is broken by" if dependency.field == "Breaks" else "conflicts with"
                    return f"{verb} {other.name}{self._reason(other)}"
        return ""

    def _reason(self, other: Offer, dependency: Dependency | None = None) -> str:
        named = dependency is None or dependency.alternatives[0].name == other.name
        text = "" if named else f" ({other.name})"
        _name, *chain = self._chain(other.name)
        self._other = (chain or [other.name])[-1]
        if other.name in self._requested:
            return f"{text}, which is requested"
        return f"{text}, which {' <- '.join(chain)} needs" if chain else text


def _names(dependency: Dependency, offer: Offer) -> bool:
    name, operator, version = dependency.targets[0]
    if offer.name == name and satisfies(offer.version, operator, version):
        return True
    return any(name == provided and provides(has, operator, version) for provided, has in offer.provides)
