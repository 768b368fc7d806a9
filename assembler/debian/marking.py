"""Which packages are marked for installation, and how marking one marks what it needs.

This follows what apt's dependency cache does on a system where nothing is installed yet, so there is nothing to
upgrade, to remove or to hold. Its rules, each of which decides some choice in Debian:

* Of a group of alternatives the first that can be installed is taken, unless one is marked already.
* A virtual package means its providers: essential ones first, then `Protected` ones, then by `Priority`, and of those
  that remain the one whose name apt met last when it read the indices. A real package of the name goes before them.
* What a requested package needs and only one package can give is as good as requested: it is protected.
* A package that cannot be installed after all is dropped for good. What it had pulled in stays marked, and may decide
  later choices; only at the end it is collected (see ``solver.py``).
* A conflict or break is honoured at the moment of marking: what is marked already wins, unless the newcomer is
  protected and the other is not.

Marking is recursive and deep chains occur, so it is written as generators that a small loop drives.
"""

from collections.abc import Generator, Iterator
from functools import partial
from typing import Final

from assembler.debian.index import Dependency, Offer, Universe
from assembler.debian.version import satisfies

_Marking = Generator["_Marking", bool, bool]
_MAX_DEPTH: Final = 3000
"""How deep apt lets marking go."""

Target = tuple[str, str, str]
"""A name to look up, an operator, a version."""


class State:
    """What is decided about one package name."""

    __slots__ = ("automatic", "candidate", "essential", "important", "marked", "name", "protected", "selected")

    def __init__(self, name: str, universe: Universe) -> None:
        self.name = name
        self.candidate = universe.offer(name)
        """What could be installed; None once that has proved impossible."""
        self.selected: Offer | None = None
        """What is to be installed."""
        self.marked = False
        """Marked for installation. Goes with `selected`."""
        self.protected = False
        """Requested, or needed by what is: may no longer be changed for another package's sake."""
        self.automatic = False
        """Marked for another package's sake alone."""
        self.essential = universe.is_essential(name)
        self.important = universe.is_important(name)


class Marks:
    """The marks on all packages of a universe, none at first."""

    def __init__(self, universe: Universe, *, recommends: bool) -> None:
        self.universe = universe
        self.recommends = recommends
        self.states: dict[str, State] = {}
        # apt remembers for each dependency whether some candidate meets it, and looks again only when a package
        # concerned is marked. Candidates that were dropped since then still count. So the drops are numbered, and
        # for each name it is kept how many of them its dependencies have taken note of.
        self._drops: dict[str, int] = {}
        self._noted: dict[str, int] = {}

    # Looking

    def state(self, name: str) -> State:
        """The state of a package, untouched ones included."""
        state = self.states.get(name)
        if state is None:
            state = self.states[name] = State(name, self.universe)
        return state

    def selected(self) -> Iterator[Offer]:
        """What is to be installed, in the order in which names were first looked at."""
        return (state.selected for state in self.states.values() if state.selected)

    def met(self, target: Target, owner: str, *, negative: bool) -> bool:
        """Whether a selected package is what `target` names. Negative relations leave out their own package."""
        name, operator, version = target
        state = self.states.get(name)
        if (
            state
            and state.selected
            and not (negative and name == owner)
            and satisfies(state.selected.version, operator, version)
        ):
            return True
        providers = self.universe.providers(name)
        self.universe.spend(1 + len(providers))
        for offer, provided in providers:
            state = self.states.get(offer.name)
            if (
                state
                and state.selected is offer
                and not (negative and offer.name == owner)
                and provides(provided, operator, version)
            ):
                return True
        return False

    def holds(self, dependency: Dependency, owner: str) -> bool:
        """Whether the selected packages are what `dependency` of package `owner` asks for."""
        if dependency.negative:
            return not self.met(dependency.targets[0], owner, negative=True)
        return any(self.met(target, owner, negative=False) for target in dependency.targets)

    def broken(self, state: State) -> bool:
        """Whether a selected package lacks a hard dependency."""
        return state.selected is not None and not all(
            self.holds(dependency, state.name) for dependency in state.selected.dependencies if dependency.hard
        )

    def incomplete(self, state: State) -> bool:
        """Whether a selected package lacks a dependency that is to be installed: hard, or a wanted recommendation."""
        return state.selected is not None and not all(
            self.holds(dependency, state.name) for dependency in state.selected.dependencies if self.matters(dependency)
        )

    def matters(self, dependency: Dependency) -> bool:
        """Whether a dependency is followed when its package is installed."""
        return dependency.hard or (self.recommends and dependency.field == "Recommends")

    def broken_names(self) -> list[str]:
        """The packages that are selected but broken."""
        return [state.name for state in list(self.states.values()) if self.broken(state)]

    def possible(self, target: Target) -> bool:
        """Whether a candidate is what `target` names, as far as apt has noticed."""
        name, operator, version = target
        noted = self._noted.get(name, 0)
        drops = self._drops
        offer = self.universe.offer(name)
        if offer and drops.get(name, noted) >= noted and satisfies(offer.version, operator, version):
            return True
        providers = self.universe.providers(name)
        self.universe.spend(1 + len(providers))
        return any(
            drops.get(offer.name, noted) >= noted
            and self.universe.offer(offer.name) is offer
            and provides(provided, operator, version)
            for offer, provided in providers
        )

    def solutions(self, dependency: Dependency, owner: str) -> list[Offer]:
        """The candidates that meet `dependency` of `owner` (or that it refuses), those to be tried first in front."""
        found: list[Offer] = []
        for target in dependency.targets:
            candidates = self._candidates(target, owner, negative=dependency.negative)
            if len(candidates) > 1:
                candidates.sort(key=partial(self._preference, wanted=target[0]))
            found += candidates
        # Only neighbours are compared: what is named twice counts as two ways in apt, unless side by side.
        return [offer for place, offer in enumerate(found) if not place or found[place - 1] is not offer]

    def only_solution(self, dependency: Dependency, owner: str) -> Offer | None:
        """The one candidate that meets `dependency`; None when there are several, or none."""
        found = {offer for target in dependency.targets for offer in self._candidates(target, owner, negative=False)}
        return found.pop() if len(found) == 1 else None

    def _candidates(self, target: Target, owner: str, *, negative: bool) -> list[Offer]:
        name, operator, version = target
        found: list[Offer] = []
        state = self.states.get(name)
        offer = state.candidate if state else self.universe.offer(name)
        if offer and not (negative and name == owner) and satisfies(offer.version, operator, version):
            found.append(offer)
        providers = self.universe.providers(name)
        self.universe.spend(1 + len(providers))
        for offer, provided in providers:
            state = self.states.get(offer.name)
            candidate = state.candidate if state else self.universe.offer(offer.name)
            if candidate is offer and not (negative and offer.name == owner) and provides(provided, operator, version):
                found.append(offer)
        return found

    def _preference(self, offer: Offer, wanted: str) -> tuple[object, ...]:
        state = self.state(offer.name)
        met = self.universe.first_mention(offer.name)
        return (
            not state.protected,
            offer.name != wanted,
            not state.essential,
            not state.important,
            offer.priority,
            tuple(-number for number in met),
        )

    # Marking

    def install(self, name: str, *, follow: bool, requested: bool = False) -> bool:
        """Mark a package, and if `follow` what it needs; False when that cannot be."""
        return _drive(self._install(name, follow=follow, requested=requested, depth=0))

    def unmark(self, name: str) -> bool:
        """Take a mark back; False when the package is protected."""
        state = self.state(name)
        if not state.marked:
            return True
        if state.protected:
            return False
        state.marked = False
        state.selected = None
        self._note(state)
        return True

    def protect(self, name: str) -> None:
        """Let nothing change the package's mark any more."""
        self.state(name).protected = True

    def _note(self, state: State) -> None:
        """The dependencies on a package and on what it provides take note of the drops so far."""
        if not self._drops:
            return
        count = len(self._drops)
        self._noted[state.name] = count
        if state.candidate:
            for name, _version in state.candidate.provides:
                self._noted[name] = count

    def _drop(self, state: State) -> None:
        """What is not selected now never will be."""
        if state.candidate is not None and state.selected is None:
            self._drops.setdefault(state.name, len(self._drops))
        state.candidate = state.selected

    def _select(self, state: State, *, requested: bool) -> None:
        if state.protected and state.selected is state.candidate:
            return
        state.marked = True
        state.selected = state.candidate
        state.automatic = not requested
        self._note(state)

    def _installable(self, state: State) -> bool:
        """Whether every hard dependency can be met by some candidate; drops this one if not."""
        assert state.candidate is not None
        for dependency in state.candidate.dependencies:
            if not dependency.hard or dependency.negative:
                continue
            if any(
                self.met(target, state.name, negative=False) or self.possible(target) for target in dependency.targets
            ):
                continue
            if not state.protected:
                state.marked = False
                self._drops.setdefault(state.name, len(self._drops))
                state.candidate = None
            return False
        return True

    def _install(self, name: str, *, follow: bool, requested: bool, depth: int) -> _Marking:
        state = self.state(name)
        if depth > _MAX_DEPTH or (not requested and not state.marked and state.protected) or state.candidate is None:
            return False
        if not state.protected and state.marked and not self.incomplete(state):
            return True
        if follow and not self._installable(state):
            return False
        if requested:
            self._select(state, requested=True)

        lenient = state.protected or requested
        failed = False
        needed: list[Dependency] = []
        if follow:
            refused: list[Dependency] = []
            for dependency in state.candidate.dependencies:
                if self.matters(dependency) and (state.protected or not self.holds(dependency, name)):
                    (refused if dependency.negative else needed).append(dependency)
            if not self._refuse(state, refused, lenient=lenient):
                if not lenient:
                    return False
                failed = True
        if not requested:
            self._select(state, requested=False)
        if not follow:
            return not failed

        spread = state.protected
        state.protected = True
        complete = yield self._install_needed(state, needed, spread=spread, requested=requested, depth=depth)
        state.protected = spread
        if not complete and not lenient:
            state.selected = None
            state.marked = False
            self._note(state)
            self._drop(state)
            return False
        return complete and not failed

    def _refuse(self, state: State, refused: list[Dependency], *, lenient: bool) -> bool:
        """Unmark what `state` conflicts with or breaks, and when it is protected rule it out for good."""
        done = True
        for dependency in refused:
            for offer in self.solutions(dependency, state.name):
                other = self.state(offer.name)
                if other.candidate is not offer:
                    continue
                if other.marked and not self.unmark(offer.name):
                    done = False
                    if not lenient:
                        return False
                elif state.protected:
                    self._drop(other)
                    other.protected = True
        return done

    def _install_needed(
        self, state: State, needed: list[Dependency], *, spread: bool, requested: bool, depth: int
    ) -> _Marking:
        done = True
        for dependency in needed:
            if self.holds(dependency, state.name):
                # Met already. What a protected package needs is protected, if it is the only way.
                if spread and dependency.hard:
                    only = self.only_solution(dependency, state.name)
                    if only and not self.state(only.name).protected:
                        self.protect(only.name)
                        done &= yield self._install(only.name, follow=True, requested=False, depth=depth + 1)
                continue
            solutions = self.solutions(dependency, state.name)
            only_way = spread and dependency.hard and len(solutions) == 1
            for offer in solutions:
                if self.state(offer.name).candidate is not offer:
                    continue
                if only_way:
                    if not (yield self._install(offer.name, follow=False, requested=False, depth=depth + 1)):
                        continue
                    self.protect(offer.name)
                if (yield self._install(offer.name, follow=True, requested=False, depth=depth + 1)):
                    break
            else:
                if dependency.hard:
                    done = False
                    if not spread and not requested:
                        break
        return done


def provides(provided: str, operator: str, version: str) -> bool:
    """Whether a package provided in version `provided` (empty: in none) is what a versioned relation asks for."""
    return not operator or (bool(provided) and satisfies(provided, operator, version))


def _drive(marking: _Marking) -> bool:
    stack = [marking]
    answer: bool | None = None
    while True:
        try:
            step = stack[-1].send(answer)  # type: ignore[arg-type]  # the first send is of None
        except StopIteration as stop:
            stack.pop()
            answer = stop.value
            if not stack:
                return bool(answer)
        else:
            stack.append(step)
            answer = None
