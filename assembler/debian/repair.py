"""What apt's problem resolver does about broken packages, once everything requested has been marked.

Packages are looked at from the highest score to the lowest, again and again until nothing changes. A package that
lacks something is taken back, unless it is protected; of two that exclude each other the lower score goes. On an empty
system nothing more is possible, so the rules are fewer than apt's.
"""

from collections import Counter
from typing import Final

from assembler.debian.index import Dependency, Offer
from assembler.debian.marking import Marks, State, provides
from assembler.debian.version import satisfies

_ROUNDS: Final = 20
_PRIORITY_SCORE: Final = {0: 0, 1: 3, 2: 2, 3: 1, 4: -1, 5: -2}
_FIELD_SCORE: Final = {"Depends": 1, "Pre-Depends": 1, "Recommends": 1, "Conflicts": -1, "Breaks": -1}
_PASSED_ON: Final = frozenset({"Depends", "Pre-Depends", "Recommends"})


class Repair:
    """One run of the resolver over `marks`; `requested` are the names that the user gave."""

    def __init__(self, marks: Marks, requested: frozenset[str]) -> None:
        self._marks = marks
        self._requested = requested
        self._tried: set[str] = set()
        self._scores = self._score()

    def run(self) -> None:
        """Repair what can be; broken packages that remain mean failure."""
        order = self._scores.copy()
        for turn in range(_ROUNDS):
            changed = False
            # The scores change on the way, the order does not.
            for name in sorted(self._marks.states, key=lambda name: -order[name]):
                changed |= self._repair(self._marks.state(name), turn)
            if not changed:
                break

    def _score(self) -> Counter[str]:
        marks = self._marks
        scores: Counter[str] = Counter()
        depends: list[tuple[str, str]] = []
        for offer in list(marks.selected()):
            state = marks.state(offer.name)
            if state.essential or state.important:
                scores[offer.name] += 100
            scores[offer.name] += _PRIORITY_SCORE[offer.priority]
            for dependency in offer.dependencies:
                points = _FIELD_SCORE.get(dependency.field, 0)
                if not points:
                    continue
                for name, operator, version in dependency.targets:
                    if not (dependency.negative and name == offer.name):
                        there = marks.states[name].selected if name in marks.states else None
                        if operator and not (there and satisfies(there.version, operator, version)):
                            continue
                        scores[name] += points
                        if dependency.field in _PASSED_ON:
                            depends.append((offer.name, name))
                    providers = marks.universe.providers(name)
                    marks.universe.spend(1 + len(providers))
                    owners = {
                        owner.name
                        for owner, provided in providers
                        if not (dependency.negative and owner.name == offer.name)
                        and owner.name in marks.states
                        and marks.states[owner.name].selected is owner
                        and provides(provided, operator, version)
                    }
                    scores.update(dict.fromkeys(owners, points))
        before = Counter(scores)
        for offer in list(marks.selected()):
            for dependency in offer.dependencies:
                if dependency.field in _PASSED_ON and before[offer.name] > 0:
                    for name, _operator, _version in dependency.targets:
                        if name in marks.states and marks.states[name].selected:
                            scores[name] += before[offer.name]
        for name in list(marks.states):
            if gained := abs(scores[name] - before[name]):
                owners = {
                    owner.name
                    for owner, _provided in marks.universe.providers(name)
                    if owner.name in marks.states and marks.states[owner.name].selected is owner
                }
                scores.update(dict.fromkeys(owners, gained))
        for state in marks.states.values():
            if state.name in self._requested:
                scores[state.name] += 10000
            if state.essential or state.important:
                scores[state.name] += 5000
        return scores

    def _targets(self, target: tuple[str, str, str], owner: str, *, negative: bool) -> list[Offer]:
        """Every version of every package that `target` names, candidates or not."""
        name, operator, version = target
        universe = self._marks.universe
        universe.spend(1 + len(universe.offers(name)) + len(universe.providers(name)))
        found = [
            offer
            for offer in universe.offers(name)
            if not (negative and name == owner) and satisfies(offer.version, operator, version)
        ]
        found += [
            offer
            for offer, provided in universe.providers(name)
            if not (negative and offer.name == owner) and provides(provided, operator, version)
        ]
        return found

    def _repair(self, state: State, turn: int) -> bool:
        marks = self._marks
        if not marks.broken(state):
            return False
        assert state.selected is not None
        changed = False
        losers: list[str] = []
        for dependency in state.selected.dependencies:
            if not dependency.hard or marks.holds(dependency, state.name):
                continue
            if dependency.negative:
                done = self._repair_conflict(state, dependency, losers)
            else:
                done = self._repair_lack(state, dependency)
            if done:
                changed = True
                break
        if state.selected:
            for loser in losers:
                kept = marks.unmark(loser)
                if (not kept or turn > 1) and self._scores[state.name] > self._scores[loser]:
                    self._scores[loser] = self._scores[state.name]
                    changed = True
                changed |= kept
        return changed

    def _repair_lack(self, state: State, dependency: Dependency) -> bool:
        """Take back a package that lacks something. For a protected one, try to bring it in."""
        if not state.protected:
            return self._marks.unmark(state.name)
        for target in dependency.targets:
            if self._marks.holds(dependency, state.name):
                break
            for offer in self._targets(target, state.name, negative=False):
                if self._bring_in(offer.name):
                    self._scores[offer.name] = min(self._scores[offer.name], self._scores[state.name])
                    break
        return False

    def _repair_conflict(self, state: State, dependency: Dependency, losers: list[str]) -> bool:
        marks = self._marks
        for offer in self._targets(dependency.targets[0], state.name, negative=True):
            other = marks.state(offer.name)
            if other.selected is not offer:
                continue
            if self._scores[state.name] <= self._scores[offer.name]:
                if not state.protected:
                    return marks.unmark(state.name)
                if self._bring_in(offer.name):
                    self._scores[offer.name] = min(self._scores[offer.name], self._scores[state.name])
                    break
            elif not other.protected:
                losers.append(offer.name)
        return False

    def _bring_in(self, name: str) -> bool:
        """Install a package and, as far as needed, what it depends on; each is tried once."""
        marks = self._marks
        state = marks.state(name)
        if name in self._tried or name in self._requested or state.candidate is None:
            return False
        self._tried.add(name)
        was_marked = state.marked
        if not marks.install(name, follow=False) or state.selected is None:
            return False
        if all(self._satisfy(state, dependency) for dependency in state.selected.dependencies if dependency.hard):
            return True
        if not was_marked or not (state.essential or state.important):
            marks.unmark(name)
        return False

    def _satisfy(self, state: State, dependency: Dependency) -> bool:
        marks = self._marks
        done = True
        for target in dependency.targets:
            if marks.holds(dependency, state.name):
                break
            package = self._smart_target(target[0], state.name)
            if marks.state(package).protected:
                done = False
            elif dependency.negative:
                break  # left to the next round
            elif marks.possible(target) and self._bring_in(package):
                return True
            else:
                done = False
        return done

    def _smart_target(self, name: str, owner: str) -> str:
        """The package that a name means, when it is real or has providers."""
        universe = self._marks.universe
        if universe.offers(name):
            return name
        return next((offer.name for offer, _version in universe.providers(name) if offer.name != owner), name)
