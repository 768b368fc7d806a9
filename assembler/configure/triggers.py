"""dpkg's triggers: which packages are told what while others are unpacked and configured (deb-triggers(5),
dpkg-trigger(1), dpkg 1.22: lib/dpkg/triglib.c and src/main/trigproc.c).

A trigger makes dpkg run ``postinst triggered NAMES`` of the interested packages that are configured at that moment: to
all others it means nothing. All of these are run at last, as apt has it.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from assembler.configure.known import INSTALLED
from assembler.debian.dpkg_database import Interest, conffiles, read_triggers
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError

_ROUNDS = 20
"""How often a package is triggered; triggers may activate one another forever."""


class TriggersGoRound(AssembleError):
    """Packages whose triggers activate one another without an end, with which dpkg gives up."""


@dataclass(slots=True)
class Pending:
    """What packages have been told, and have not dealt with yet.

    `interested` has the packages by trigger, `states` the state of each package at the moment, as
    :mod:`assembler.configure.known` has it.
    """

    interested: Mapping[str, Sequence[str]]
    states: Mapping[str, str]
    seen: set[str] = field(default_factory=set)
    """All triggers that meant something to somebody."""
    _waiting: dict[str, list[str]] = field(default_factory=dict)
    """By package, in the order in which they were first told; the latest trigger first."""
    _rounds: dict[str, int] = field(default_factory=dict)

    def unpacked(self, package: Unpacked) -> None:
        """A package is unpacked."""
        self.activate(read_triggers(package)[1])
        for path in package.paths:
            self._tell(path)

    def configured(self, package: Unpacked) -> None:
        """Configuring a package begins, and its conffiles come to their places."""
        self.activate(read_triggers(package)[1])
        self.activate(path for path, flag in conffiles(package) if not flag)

    def activate(self, names: Iterable[str]) -> None:
        """Activate triggers by name; a path means all directories above it, too."""
        for name in names:
            self._tell(name)
            while name.startswith("/") and name != "/":
                name = name.rpartition("/")[0] or "/"  # noqa: PLW2901  the next one above
                self._tell(name)

    def _tell(self, trigger: str) -> None:
        for name in self.interested.get(trigger, ()):
            if self.states.get(name) == INSTALLED:
                self.seen.add(trigger)
                told = self._waiting.setdefault(name, [])
                if trigger not in told:
                    told.insert(0, trigger)

    def next(self) -> tuple[str, list[str]] | None:
        """The package whose turn it is, and its triggers, which are dealt with from now on; None when none are left.

        Raises TriggersGoRound.
        """
        if not self._waiting:
            return None
        name = next(iter(self._waiting))
        self._rounds[name] = self._rounds.get(name, 0) + 1
        if self._rounds[name] > _ROUNDS:
            raise TriggersGoRound("triggers activate one another without an end", why=" ".join(self._waiting[name]))
        return name, self._waiting.pop(name)


def pending(packages: Sequence[Unpacked], states: Mapping[str, str]) -> Pending:
    """Nothing as yet, with the interests of `packages`."""
    interested: dict[str, list[str]] = {}
    for package, interest in interests(packages):
        names = interested.setdefault(interest.trigger, [])
        if package.name not in names:
            names.append(package.name)
    return Pending(interested, states)


def possible(packages: Sequence[Unpacked], paths: Collection[str] = ()) -> set[str]:
    """The triggers that may be activated by `packages`, and by what else is at `paths`: paths with something at or
    below them, and any that has a name, as scripts may do that.
    """
    triggers = {interest.trigger for _, interest in interests(packages)}
    shipped = sorted({*paths, *(path for package in packages for path in package.paths)})
    found = {trigger for trigger in triggers if not trigger.startswith("/")}
    for trigger in triggers - found:
        for prefix in (trigger, f"{trigger}/"):
            at = bisect_left(shipped, prefix)
            if at < len(shipped) and (shipped[at] == trigger or shipped[at].startswith(f"{trigger}/")):
                found.add(trigger)
    return found


def interests(packages: Sequence[Unpacked]) -> list[tuple[Unpacked, Interest]]:
    """Every interest with its package, in the order of `packages`."""
    return [(package, interest) for package in packages for interest in read_triggers(package)[0]]


def generic(trigger: str) -> str:
    """`trigger` as rules name it: multiarch directories evened out."""
    return re.sub(r"^/usr/lib/\w+-linux-gnu\w*/", "/usr/lib/@MULTIARCH@/", trigger)
