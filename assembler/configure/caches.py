"""Caches that triggers make when dpkg runs and that are in no image: systemd's units make them when the machine boots.

Two of these units give up after 90 seconds, which an emulated machine may well need; then the cache would be missing
after all. (ldconfig.service has no such limit.)
"""

from assembler.tree.staging import Tree

MADE_AT_BOOT = {
    "systemd-hwdb-update.service": "/usr/lib/udev/hwdb.bin",
    "systemd-journal-catalog-update.service": "/var/lib/systemd/catalog/database",
}
"""These units, and the file for whose lack each runs."""
_UNITS = "/usr/lib/systemd/system"
_DROP_IN = b"""\
# The image has no such cache, so that this has to end well, however slow the machine is.
[Service]
TimeoutSec=infinity
"""


def prepare(tree: Tree) -> None:
    """Let the units in `tree` that make a cache which is missing there take the time they need."""
    for unit, path in MADE_AT_BOOT.items():
        if tree.is_file(f"{_UNITS}/{unit}") and not tree.exists(path):
            tree.write(f"{_UNITS}/{unit}.d/10-patience.conf", _DROP_IN, parents=True)
