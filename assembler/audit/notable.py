"""What somebody who reviews an image wants to see first of all that differs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from assembler.audit.compare import Comparison
from assembler.audit.inventory import Item
from assembler.debian.version import compare

_LOGINS = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers", "/etc/pam.d/", "/etc/ssh/")


@dataclass(frozen=True, slots=True)
class Notable:
    """Something to look at."""

    what: str
    """A path or a package."""
    why: str


def notable(found: Comparison, old: Iterable[Item], new: Iterable[Item]) -> Iterator[Notable]:
    """What to look at first of what was `found`; `old` and `new` are what the images hold, if that is known."""
    powers = {item.path: item.power for item in old}
    for item in new:
        if item.power and item.power != powers.get(item.path, ""):
            before = powers.get(item.path)
            yield Notable(item.path, f"{'new' if before is None else 'now'} with {item.power}")
    for package in found.packages:
        if package.old and package.new and compare(package.new, package.old) < 0:
            yield Notable(package.name, f"an older version than before: {package.old} became {package.new}")
    for source in found.lock.sources:
        for locked in source.packages:
            if locked.bytes_only:
                yield Notable(locked.name, "the lock has another file of the same version")
    versions = {package.name for package in found.packages}
    for change in found.changes:
        name = change.path.rpartition("!")[2]
        if "content" in change.fields and change.package and change.package not in versions:
            yield Notable(change.path, f"another content, while {change.package} is the same version")
        elif change.layer == "rootfs" and name.startswith(_LOGINS):
            yield Notable(change.path, "who may log in, and how")
        elif change.layer == "kernel":
            yield Notable(change.path, "another kernel")
        elif "mode" in change.fields and _writable(change.fields["mode"]):
            yield Notable(change.path, "everybody may write to it now")


def _writable(modes: tuple[str, str]) -> bool:
    old, new = (int(mode, 8) if mode.isdigit() else 0 for mode in modes)
    return bool(new & 0o002 and not old & 0o002 and not new & 0o1000)
