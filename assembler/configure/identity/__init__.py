"""What differs from one machine to the next and is therefore in no image: SSH host keys and the iSCSI initiator name.

Debian's scripts make it when a package is installed; here a unit of the assembler's own makes it when the machine first
starts. Debian's sshd-keygen.service is no substitute: its ConditionFirstBoot needs an image without a machine-id, on
which systemd would enable units by their presets. The machine-id itself is left empty, and systemd fills it.
"""

from collections.abc import Collection
from importlib import resources

from assembler.programs.systemd import Systemctl
from assembler.tree.staging import Tree

PACKAGES = frozenset({"openssh-server", "open-iscsi"})
"""Whose scripts make an identity when dpkg runs them."""
PROGRAM = "/usr/lib/assembler/first-boot"
UNIT = "first-boot.service"
_UNITS = "/usr/lib/systemd/system"


def prepare(tree: Tree, packages: Collection[str]) -> bool:
    """Make `tree`, where `packages` are configured, give itself an identity when it boots; returns whether it will.

    Nothing is done for an image with none of `PACKAGES`, and for one without systemd, which starts none of them either.
    """
    if not PACKAGES.intersection(packages) or not tree.is_dir(_UNITS):
        return False
    own = resources.files(__name__)
    tree.write(PROGRAM, (own / "first-boot").read_bytes(), 0o755, parents=True)
    tree.write(f"{_UNITS}/{UNIT}", (own / UNIT).read_bytes())
    Systemctl(tree).enable(UNIT)
    return True
