"""The kernel layer: the kernel that the rootfs layer's packages brought (`kernel.source = "distro"`)."""

from dataclasses import dataclass

from assembler.errors import AssembleError, Place
from assembler.tree.content import Content
from assembler.tree.staging import Tree

_PREFIX = "vmlinuz-"


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel image and what it calls itself."""

    release: str
    """As ``uname -r`` will say; its modules are in ``/usr/lib/modules/RELEASE``."""
    image: Content
    """The bzImage (or arm64's equivalent)."""


def distro_kernel(tree: Tree, package: str) -> Kernel:
    """The one kernel in ``/boot`` of a composed root file system.

    `package` is what the recipe asked for; it is named in the errors, which say that there is no kernel, or more than
    one (AssembleError).
    """
    releases = [name.removeprefix(_PREFIX) for name in tree.names("/boot") if name.startswith(_PREFIX)]
    where = Place(key="kernel.package", package=package)
    if not releases:
        raise AssembleError(
            "the package brought no kernel",
            where=where,
            why="there is no /boot/vmlinuz-* in the image",
            hint="name a linux-image-* package",
        )
    if len(releases) > 1:
        raise AssembleError(
            "the image has more than one kernel",
            where=where,
            why=", ".join(releases),
            hint="drop linux-image-* packages from rootfs.packages",
        )
    release = releases[0]
    if not tree.is_dir(f"/usr/lib/modules/{release}"):
        raise AssembleError("the kernel's modules are missing", where=where, why=f"no /usr/lib/modules/{release}")
    return Kernel(release, tree.at(f"/boot/{_PREFIX}{release}", follow=True).content)
