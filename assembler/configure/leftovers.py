"""What scripts and dpkg leave when they run, and no image has: the machine's own identity, caches, logs, locks, copies.

Computed trees never have it, see the modules that say so: identity/ for what the node makes itself, caches.py for what
systemd makes when it boots.
"""

import re
from fnmatch import translate

from assembler.configure.identity import MADE_ON_NODE
from assembler.tree.changes import Changes, Entry

VOLATILE = ("/run/*", "/dev/*", "/proc/*", "/sys/*", "/boot/initrd.img-*")
"""What is hidden or made anew when the node boots; the image has an initramfs of its own."""
CACHES = (
    "*/__pycache__", "*/__pycache__/*", "/etc/ld.so.cache", "/var/cache/ldconfig/aux-cache", "/usr/lib/udev/hwdb.bin",
    "/var/lib/systemd/catalog", "/var/lib/systemd/catalog/database",
)  # fmt: skip
LOGS = ("/var/log/alternatives.log", "/var/log/dpkg.log")
LOCKS = (
    "/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/triggers/Lock", "/etc/.pwd.lock",
)  # fmt: skip
BACKUPS = (
    "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-",
    "/var/lib/dpkg/status-old", "/var/lib/dpkg/diversions-old", "/var/lib/dpkg/statoverride-old",
    "/var/cache/debconf/*-old", "/var/lib/sgml-base/supercatalog.old", "/var/lib/ucf/hashfile.*",
    "/var/lib/ucf/registry.*",
)  # fmt: skip
"""The state before the last change."""

_CERTIFICATE = "ssl-cert-snakeoil.pem"
_ANY = re.compile("|".join(map(translate, (*MADE_ON_NODE, *VOLATILE, *CACHES, *LOGS, *LOCKS, *BACKUPS))))


def left_over(path: str) -> bool:
    """Whether no image has what scripts make at `path`."""
    return _ANY.match(path) is not None


def without(changes: Changes) -> Changes:
    """`changes` but for what no image has."""
    put: dict[str, Entry] = {
        path: entry
        for path, entry in changes.put.items()
        # Links by the hash of a certificate go with it.
        if not left_over(path) and not entry.target.endswith(_CERTIFICATE)
    }
    links: dict[str, str] = {}
    stand_ins: dict[str, str] = {}
    for path, first in changes.links.items():
        if left_over(path):
            continue
        now = first if first in put else stand_ins.get(first, "")
        if now:
            links[path] = now
        else:
            # The name under which it was to be made is left out.
            put[path] = changes.put[first]
            stand_ins[first] = path
    return Changes(removed=tuple(path for path in changes.removed if not left_over(path)), put=put, links=links)
