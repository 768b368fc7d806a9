"""dpkg's triggers: which are activated by what is installed, and what each comes to on an image.

A trigger makes dpkg run ``postinst triggered`` of the interested package (deb-triggers(5), dpkg-trigger(1)). Every
interest that is known is listed here with its effect; one that is activated and not listed is unhandled, as a script
is.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence

from assembler.configure import ca_certificates
from assembler.configure.commands import Machine
from assembler.configure.rules.logic import glib_caches
from assembler.configure.shells import update_shells
from assembler.debian.dpkg_database import Interest, read_triggers
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place

Effect = Callable[[Machine], None]


def _nothing(_machine: Machine) -> None:
    pass


def _update_shells(machine: Machine) -> None:
    update_shells(machine.tree)


def _update_ca_certificates(machine: Machine) -> None:
    ca_certificates.update_ca_certificates(machine.tree)


KNOWN: dict[tuple[str, str], Effect] = {
    ("base-files", "/usr/lib32"): _nothing,  # its postinst makes the aliases
    ("base-files", "/usr/libo32"): _nothing,
    ("base-files", "/usr/libx32"): _nothing,
    ("ca-certificates", "update-ca-certificates"): _update_ca_certificates,
    ("ca-certificates", "update-ca-certificates-fresh"): _update_ca_certificates,
    ("dbus", "/etc/dbus-1/system.d"): _nothing,  # has a running bus read its configuration again
    ("dbus", "/usr/share/dbus-1/system-services"): _nothing,
    ("dbus", "/usr/share/dbus-1/system.d"): _nothing,
    ("debianutils", "/usr/share/debianutils/shells.d"): _update_shells,
    ("initramfs-tools", "update-initramfs"): _nothing,  # the image has an initramfs of its own
    ("libc-bin", "ldconfig"): _nothing,  # ldconfig.service makes the cache
    ("libglib2.0-0t64", "/usr/lib/@MULTIARCH@/gio/modules"): glib_caches,
    ("libglib2.0-0t64", "/usr/share/glib-2.0/schemas"): glib_caches,
    ("procps", "/usr/lib/sysctl.d"): _nothing,  # applies settings to a running kernel
    ("systemd", "/usr/lib/binfmt.d"): _nothing,
    ("systemd", "/usr/lib/sysctl.d"): _nothing,
    ("systemd", "/usr/lib/systemd/catalog"): _nothing,  # systemd-journal-catalog-update.service makes the catalog
    ("systemd", "libc-upgrade"): _nothing,
    ("udev", "/lib/udev/hwdb.d"): _nothing,  # systemd-hwdb-update.service makes hwdb.bin
    ("udev", "/usr/lib/udev/hwdb.d"): _nothing,
    ("ufw", "/etc/ufw/applications.d"): _nothing,  # updates rules made from profiles; there are none
}  # fmt: skip
"""By package (without architecture) and trigger, multiarch folders evened out."""


def _effect(package: str, trigger: str) -> Effect | None:
    return KNOWN.get((package, re.sub(r"^/usr/lib/\w+-linux-gnu\w*/", "/usr/lib/@MULTIARCH@/", trigger)))


def activated(packages: Sequence[Unpacked], explicit: set[str]) -> set[str]:
    """The triggers that installing `packages` activates, with those that scripts activated."""
    found = set(explicit)
    interests = [interest for package in packages for interest in read_triggers(package)[0]]
    paths = sorted({interest.trigger for interest in interests if interest.trigger.startswith("/")})
    names = {interest.trigger for interest in interests} - set(paths)
    for package in packages:
        found.update(read_triggers(package)[1])
    shipped = sorted({path for package in packages for path in package.paths})
    for trigger in paths:
        # A file trigger is activated by any change at or below its path.
        for prefix in (trigger, f"{trigger}/"):
            at = bisect_left(shipped, prefix)
            if at < len(shipped) and (shipped[at] == trigger or shipped[at].startswith(f"{trigger}/")):
                found.add(trigger)
    return found & (names | set(paths))


def _interests(packages: Sequence[Unpacked]) -> list[tuple[Unpacked, Interest]]:
    return [(package, interest) for package in packages for interest in read_triggers(package)[0]]


def unhandled(packages: Sequence[Unpacked], first_boot: frozenset[str]) -> list[AssembleError]:
    """An error for each interest that is activated and not known here; triggers from scripts are assumed activated."""
    names = {interest.trigger for _, interest in _interests(packages) if not interest.trigger.startswith("/")}
    active = activated(packages, names)
    return [
        AssembleError(
            "nobody has vouched for what this package does when it is triggered",
            where=Place(package=package.name),
            why=f"it is interested in {interest.trigger}, which other packages activate",
            hint="have the package configured at first boot",
        )
        for package, interest in _interests(packages)
        if interest.trigger in active
        and package.name not in first_boot
        and _effect(package.name, interest.trigger) is None
        and "postinst" in package.control
    ]


def run(machine: Machine, packages: Sequence[Unpacked], active: set[str]) -> None:
    """Carry out what activated triggers do, each effect once."""
    done: set[Effect] = set()
    for package, interest in _interests(packages):
        effect = _effect(package.name, interest.trigger)
        if effect is not None and interest.trigger in active and effect not in done:
            done.add(effect)
            machine.package = package.name
            effect(machine)
