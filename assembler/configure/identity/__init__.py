"""What differs from one machine to the next and is therefore in no image: keys, secrets, certificates, random names.

Debian's scripts make it when a package is installed; here units of the assembler's own make it when the machine first
starts. Debian's sshd-keygen.service is no substitute: its ConditionFirstBoot needs an image without a machine-id, on
which systemd would enable units by their presets. The machine-id itself is left empty, and systemd fills it.

The list is one for scripts that are computed and those that are executed. What is made there and is not in it is found
by what it is: a private key, which ends the build, or another secret (alike.py), which is told.
"""

import re
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from importlib import resources

from assembler.errors import AssembleError, Place
from assembler.programs.accounts import Accounts
from assembler.programs.of_the_node import CERTIFICATE, KEY
from assembler.programs.systemd import Systemctl
from assembler.tree.changes import Changes
from assembler.tree.content import read, size_of
from assembler.tree.staging import Kind, Tree

PACKAGES = frozenset({
    *("openssh-server", "open-iscsi", "dropbear-bin", "nvme-cli"),
    *("munge", "nsd", "phpmyadmin", "postsrsd", "rabbitmq-server", "varnish", "xrdp", "zfsutils-linux"),
})  # fmt: skip
"""Whose scripts, or whose own packages' scripts, make an identity when dpkg runs them."""
PROGRAM = "/usr/lib/assembler/first-boot"
UNIT = "first-boot.service"
CERTIFICATE_UNIT = "snakeoil-certificate.service"
MADE_ON_NODE = (
    "/etc/ssh/ssh_host_*",
    "/etc/dropbear/dropbear_*_host_key",
    "/etc/dropbear/dropbear_*_host_key.pub",
    "/etc/iscsi/initiatorname.iscsi",
    "/etc/nvme/hostnqn",
    "/etc/nvme/hostid",
    "/etc/hostid",
    "/etc/bind/rndc.key",
    "/etc/munge/munge.key",
    *("/etc/nsd/nsd_server.*", "/etc/nsd/nsd_control.*"),
    "/etc/postsrsd.secret",
    "/etc/varnish/secret",
    "/etc/xrdp/rsakeys.ini",
    "/var/lib/phpmyadmin/blowfish_secret.inc.php",
    "/var/lib/rabbitmq/.erlang.cookie",
    # systemd's own, which it makes itself.
    *("/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret"),
    CERTIFICATE,
    KEY,
)
"""Shell patterns of the paths, in which * matches slashes too."""
STAND_INS = {
    "ssl-cert": b"#!/bin/sh\ngetent group ssl-cert >/dev/null || exit 0\nexec make-ssl-cert generate-default-snakeoil\n"
}
"""By package that is configured, what makes what nodes make of it; scripts of others look whether that is there."""
_UNITS = "/usr/lib/systemd/system"
_RNDC = f"{_UNITS}/named.service.d/50-rndc-key.conf"
"""Has named make the key of rndc when it first starts."""
_PRIVATE_KEY = re.compile(rb"^-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY-----", re.MULTILINE)
"""RFC 7468, and what OpenSSH and OpenSSL write."""
_LARGEST_KEY = 1 << 20
"""Bytes of the largest file that is looked into."""


class SharedKeyError(AssembleError):
    """A private key that every node would have."""


def prepare(tree: Tree, packages: Collection[str]) -> bool:
    """Make `tree`, where `packages` are configured, give itself an identity when it boots; returns whether it will.

    Nothing is done for an image with none of `PACKAGES`, and for one without systemd, which starts none of them either.
    """
    if not tree.is_dir(_UNITS):
        return False
    own = resources.files(__name__)
    # Its group is made when its package is configured.
    ready = tree.is_file("/usr/sbin/make-ssl-cert") and "ssl-cert" in {group.name for group in Accounts(tree).groups()}
    if ready and not tree.exists(KEY):
        tree.write(f"{_UNITS}/{CERTIFICATE_UNIT}", (own / CERTIFICATE_UNIT).read_bytes())
        Systemctl(tree).enable(CERTIFICATE_UNIT)
    if tree.is_file(f"{_UNITS}/named.service") and not tree.exists("/etc/bind/rndc.key"):
        tree.write(_RNDC, (own / "rndc-key").read_bytes(), parents=True)
    if not PACKAGES.intersection(packages):
        return False
    tree.write(PROGRAM, (own / "first-boot").read_bytes(), 0o755, parents=True)
    tree.write(f"{_UNITS}/{UNIT}", (own / UNIT).read_bytes())
    Systemctl(tree).enable(UNIT)
    return True


def is_made_on_node(path: str) -> bool:
    """Whether each node makes what is at `path` itself."""
    return any(fnmatchcase(path, pattern) for pattern in MADE_ON_NODE)


def is_private_key(data: bytes) -> bool:
    """Whether a file has a private key in it, in PEM."""
    return _PRIVATE_KEY.search(data) is not None


def shared_keys(changes: Changes, shipped: Collection[str]) -> Iterator[SharedKeyError]:
    """An error for each private key that came into being, in PEM; `shipped` are the paths of packages."""
    for path, entry in changes.put.items():
        if entry.kind is not Kind.FILE or path in shipped or size_of(entry.content) > _LARGEST_KEY:
            continue
        if is_private_key(read(entry.content)):
            yield SharedKeyError(
                "a script made a private key, which every node of the image would have",
                where=Place(path=path),
                hint="leave its package to the node with rootfs.first_boot, or remove the key in a step of rootfs.run"
                " and have the node make it",
            )
