"""The order in which dpkg would configure packages: dependencies first, essential packages before the others.

dpkg leaves the order to its caller except that a package's dependencies are configured before it (Debian policy 7.2).
Accounts get their numbers in that order, so it has to be one fixed order: a depth-first walk in which the essential
packages come first, each group by name, and dependencies in the order that the fields name them. A cycle is broken as
dpkg breaks it, at a package without postinst if there is one.
"""

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from assembler.debian.dpkg_database import trigger_directives

_BEFORE = ("Pre-Depends", "Depends")
_NAME = re.compile(r"\s*([a-z0-9][a-z0-9+.-]*)")


@dataclass(frozen=True, slots=True)
class Orderable:
    """What ordering needs to know of a package: its name, control fields, whether it has a postinst, and triggers."""

    name: str
    fields: Mapping[str, str]
    has_postinst: bool
    awaits: tuple[str, ...] = ()
    """Triggers that it activates when it is configured, and whose processing it awaits."""
    processes: tuple[str, ...] = ()
    """Triggers that it is interested in, so that those who activate them may wait for it."""


class HasFields(Protocol):
    """A package, opened or unpacked."""

    @property
    def name(self) -> str:
        """Its Package field."""

    @property
    def fields(self) -> Mapping[str, str]:
        """Its control paragraph."""

    @property
    def control(self) -> Mapping[str, bytes]:
        """The other files of its control archive by name."""


def orderable(packages: Iterable[HasFields]) -> list[Orderable]:
    """What ordering needs to know of `packages`, in their order."""
    return [
        Orderable(
            package.name,
            package.fields,
            "postinst" in package.control,
            _triggers(package, "activate", "activate-await"),
            _triggers(package, "interest", "interest-await"),
        )
        for package in packages
    ]


def _triggers(package: HasFields, *kinds: str) -> tuple[str, ...]:
    """The triggers that a package names in directives of these kinds (deb-triggers(5))."""
    return tuple(trigger for directive, trigger in trigger_directives(package.control) if directive in kinds)


def relation_names(field: str) -> list[list[str]]:
    """The groups of alternative package names in a relation field, versions and architectures dropped."""
    groups = []
    for group in field.split(","):
        names = [match.group(1) for part in group.split("|") if (match := _NAME.match(part))]
        if names:
            groups.append(names)
    return groups


def is_essential(fields: Mapping[str, str]) -> bool:
    """Whether a control paragraph says ``Essential: yes``."""
    return fields.get("Essential", "no") == "yes"


class _Graph:
    """Who must be configured before whom, among the packages at hand."""

    def __init__(self, packages: Sequence[Orderable]) -> None:
        self._groups: dict[str, list[list[str]]] = {}
        self.packages = {package.name: package for package in packages}
        self.providers: dict[str, list[str]] = {name: [name] for name in self.packages}
        self._processing: dict[str, list[str]] = {}
        for package in packages:
            for trigger in package.processes:
                self._processing.setdefault(trigger, []).append(package.name)
        for package in packages:
            for group in relation_names(package.fields.get("Provides", "")):
                self.providers.setdefault(group[0], []).append(package.name)
        for virtual, names in self.providers.items():
            names.sort(key=lambda name, virtual=virtual: (name != virtual, name))  # type: ignore[misc]  # a default

    def processing(self, trigger: str) -> list[str]:
        """The packages that process a trigger for those who await that."""
        return self._processing.get(trigger, [])

    def groups(self, name: str) -> list[list[str]]:
        """For each dependency of `name` that something here satisfies, the packages that do."""
        found = self._groups.get(name)
        if found is None:
            fields = self.packages[name].fields
            found = [
                [provider for option in group for provider in self.providers.get(option, ())]
                for field in _BEFORE
                for group in relation_names(fields.get(field, ""))
            ]
            self._groups[name] = found = [group for group in found if group and name not in group]
        return found

    def before(self, name: str) -> list[str]:
        """The packages that `name` needs; of alternatives, the first that is there."""
        return list(dict.fromkeys(group[0] for group in self.groups(name)))

    def closure(self, names: Sequence[str]) -> list[str]:
        """`names` with everything that they need, first met first."""
        found: dict[str, None] = {}
        pending = list(reversed(names))
        while pending:
            name = pending.pop()
            if name not in found:
                found[name] = None
                pending.extend(reversed(self.before(name)))
        return list(found)


def _essential_first(graph: _Graph) -> tuple[list[str], list[str]]:
    """Two lists, dependencies first: the essential packages with all they need, and the rest."""
    names = sorted(graph.packages, key=lambda name: (not is_essential(graph.packages[name].fields), name))
    order = [
        name
        for component in _components(graph, names)
        for name in sorted(component, key=lambda name: graph.packages[name].has_postinst)
    ]
    essential = set(graph.closure([name for name in order if is_essential(graph.packages[name].fields)]))
    return [name for name in order if name in essential], [name for name in order if name not in essential]


def stages(packages: Sequence[Orderable], first: Collection[str] = ()) -> list[list[str]]:
    """The names of `packages` in the parts that are unpacked and configured one after the other.

    These are the essential packages with all that they need, and the rest; each with dependencies first. When `first`
    names packages, all others are a third part, as on a system that has the first ones already: nothing that is added
    then changes the accounts' numbers of those.
    """
    early = [package for package in packages if package.name in first] or packages
    parts = list(_essential_first(_Graph(early)))
    if len(early) < len(packages):
        both = [name for part in _essential_first(_Graph(packages)) for name in part]
        known = {package.name for package in early}
        parts.append([name for name in both if name not in known])
    return parts


def needs_of(packages: Sequence[Orderable], names: Sequence[str]) -> set[str]:
    """`names` with all that they need."""
    return set(_Graph(packages).closure(names))


def dependents(packages: Sequence[Orderable], names: Iterable[str]) -> list[str]:
    """The packages that cannot be configured before `names` are, directly or not, without `names` themselves.

    One that has an alternative among the others can.
    """
    graph = _Graph(packages)
    late = dict.fromkeys(names)
    first = len(late)
    found = True
    while found:
        found = False
        for name in graph.packages:
            if name not in late and any(late.keys() >= set(group) for group in graph.groups(name)):
                late[name] = None
                found = True
    return list(late)[first:]


def unpack_order(packages: Sequence[Orderable], first: Collection[str] = ()) -> list[str]:
    """The names of `packages` in the order in which they are unpacked: part by part (see :func:`stages`).

    base-passwd comes before all of them because its preinst makes the accounts that the others name.
    """
    essential, *others = stages(packages, first)
    return sorted(essential, key=lambda name: name != "base-passwd") + [name for part in others for name in part]


def configure_order(packages: Sequence[Orderable], first: Collection[str] = ()) -> list[str]:
    """The names of `packages` in the order in which ``dpkg --configure`` takes them.

    dpkg is thought to be called for each part of :func:`stages`, each time with all packages of the part unpacked.
    """
    early = [package for package in packages if package.name in first] or packages
    essential, rest, *added = stages(packages, first)
    queue = _Queue(_Graph(early))
    queue.run(essential)
    queue.run(rest)
    queue.graph = _Graph(packages)
    for names in added:
        queue.run(names)
    return list(queue.done)


_PLAINLY, _BREAKING_CYCLES, _WITH_TRIGGERS = range(3)
"""What dpkg tries, one after the other, so that something can be configured."""


class _Queue:
    """The queue of ``dpkg --configure`` (dpkg 1.22, src/main/packages.c and src/main/depcon.c)."""

    def __init__(self, graph: _Graph) -> None:
        self.graph = graph
        self.done: dict[str, None] = {}
        self.broken: set[tuple[str, int, str]] = set()
        """Dependencies that are ignored to break a cycle: (package, which group, on which package)."""
        self.awaiting: dict[str, set[str]] = {}
        """Packages that are configured but for triggers, with those that have to process them."""
        self.processing = ""
        """The last package that somebody whose turn came would have needed to process its triggers."""

    def run(self, names: Sequence[str]) -> None:
        """Configure `names`, which are given to dpkg in this order.

        A package whose dependencies are not configured yet goes to the end of the queue; so does one whose dependencies
        await triggers. Only when the whole queue has gone round twice without progress are cycles looked for, and from
        then on whenever a package's turn comes; when that does not help, triggers are processed.
        """
        queue = deque(names)
        # A dpkg that is called anew looks for cycles among all that is there.
        self.broken.clear()
        tried, idle = _PLAINLY, 0
        while queue:
            name = queue.popleft()
            idle += 1
            if idle > 2 * len(queue) + 2 and self.processing:
                self.awaiting = {each: rest for each, on in self.awaiting.items() if (rest := on - {self.processing})}
                self.processing, idle = "", 0
                queue.append(name)
                continue
            if idle > 2 * len(queue) + 2:
                if tried == _WITH_TRIGGERS:
                    # What is missing is not among the packages. dpkg is told to go on regardless.
                    self._configure(name)
                tried, idle = min(tried + 1, _WITH_TRIGGERS), 0
            if tried >= _BREAKING_CYCLES and self._break_cycle(name):
                idle = 0
            if name in self.done or self._ready(name, triggers=tried == _WITH_TRIGGERS):
                self._configure(name)
                idle = 0
            else:
                queue.append(name)
        # What is left is processed before dpkg ends.
        self.awaiting, self.processing = {}, ""

    def _configure(self, name: str) -> None:
        self.done[name] = None
        triggers = self.graph.packages[name].awaits
        on = {other for trigger in triggers for other in self.graph.processing(trigger) if other in self.done}
        if on - {name}:
            self.awaiting[name] = on - {name}

    def _ready(self, name: str, *, triggers: bool) -> bool:
        for index, group in enumerate(self.graph.groups(name)):
            fine = (
                (other in self.done and other not in self.awaiting) or (name, index, other) in self.broken
                for other in group
            )
            if not any(fine):
                awaiting = next((other for other in group if other in self.awaiting), None)
                if awaiting is not None and triggers:
                    self.processing = min(self.awaiting[awaiting])
                return False
        return True

    def _break_cycle(self, start: str) -> bool:
        """Ignore one dependency of the first cycle that a depth-first search from `start` meets.

        It is one of a package without postinst, looked for from the end of the search backwards; else the first of the
        cycle.
        """
        visited: set[str] = set()
        path: list[tuple[str, int, str]] = []
        pending = [(start, self._links(start))]
        while pending:
            name, links = pending[-1]
            for link in links:
                other = link[2]
                names = [step[0] for step in path]
                if other in names:
                    cycle = [*path[names.index(other) :], link]
                    chosen = next((step for step in reversed(cycle) if not self._has_postinst(step[0])), cycle[0])
                    self.broken.add(chosen)
                    return True
                if other not in visited and other != name:
                    path.append(link)
                    pending.append((other, self._links(other)))
                    break
            else:
                visited.add(name)
                pending.pop()
                if path:
                    path.pop()
        return False

    def _links(self, name: str) -> Iterator[tuple[str, int, str]]:
        for index, group in enumerate(self.graph.groups(name)):
            for other in group:
                if (name, index, other) not in self.broken:
                    yield name, index, other

    def _has_postinst(self, name: str) -> bool:
        return self.graph.packages[name].has_postinst


def _components(graph: _Graph, names: Sequence[str]) -> list[list[str]]:
    """Strongly connected components, dependencies first (Tarjan's algorithm, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    result: list[list[str]] = []
    for root in names:
        if root in index:
            continue
        work = [(root, iter(graph.before(root)))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            name, needs = work[-1]
            for need in needs:
                if need not in index:
                    index[need] = low[need] = len(index)
                    stack.append(need)
                    on_stack.add(need)
                    work.append((need, iter(graph.before(need))))
                    break
                if need in on_stack:
                    low[name] = min(low[name], index[need])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == name:
                            break
                    # Members popped first were entered last: nearly dependencies first.
                    result.append(component)
    return result
