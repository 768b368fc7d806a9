"""dpkg's triggers: which are activated by what is installed (deb-triggers(5), dpkg-trigger(1)).

A trigger makes dpkg run ``postinst triggered NAME`` of the interested package, which is analysed as any other script.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence

from assembler.debian.dpkg_database import Interest, read_triggers
from assembler.debian.package import Unpacked


def activated(packages: Sequence[Unpacked], explicit: set[str]) -> set[str]:
    """The triggers that installing `packages` activates, with those that scripts activated."""
    found = set(explicit)
    triggers = {interest.trigger for _, interest in interests(packages)}
    paths = sorted(trigger for trigger in triggers if trigger.startswith("/"))
    for package in packages:
        found.update(read_triggers(package)[1])
    shipped = sorted({path for package in packages for path in package.paths})
    for trigger in paths:
        # A file trigger is activated by any change at or below its path.
        for prefix in (trigger, f"{trigger}/"):
            at = bisect_left(shipped, prefix)
            if at < len(shipped) and (shipped[at] == trigger or shipped[at].startswith(f"{trigger}/")):
                found.add(trigger)
    return found & triggers


def possible(packages: Sequence[Unpacked]) -> set[str]:
    """The triggers that may be activated by `packages`: any that has a name, as scripts may do that."""
    names = {interest.trigger for _, interest in interests(packages) if not interest.trigger.startswith("/")}
    return activated(packages, names)


def interests(packages: Sequence[Unpacked]) -> list[tuple[Unpacked, Interest]]:
    """Every interest with its package, in the order of `packages`."""
    return [(package, interest) for package in packages for interest in read_triggers(package)[0]]


def generic(trigger: str) -> str:
    """`trigger` as rules name it: multiarch directories evened out."""
    return re.sub(r"^/usr/lib/\w+-linux-gnu\w*/", "/usr/lib/@MULTIARCH@/", trigger)
