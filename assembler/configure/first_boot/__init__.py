"""Packages that stay unpacked in the image and are configured by dpkg itself when it boots for the first time.

The image gets the state that ``dpkg --unpack`` leaves, and a unit that configures them before any ordinary service
starts. What depends on such a package waits with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

from assembler.configure.order import dependents, needs_of, orderable, stages
from assembler.debian import dpkg_database
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place, Problems
from assembler.recipe.document import did_you_mean
from assembler.tree.staging import Kind, Tree

DIRECTORY = "/usr/lib/assembler"
"""Where the program and its list are in the image."""
UNIT = "configure-packages.service"
_UNITS = "/usr/lib/systemd/system"
_BOOTING = ("systemd", "systemd-sysv", "udev")
"""Needed, with all that they need, to get to where the packages are configured."""


class FirstBootError(AssembleError):
    """A package that cannot be left to the first boot."""


def waiting(packages: Sequence[Unpacked], wanted: Sequence[str]) -> dict[str, str]:
    """The packages that wait for the first boot, when a recipe wants that of `wanted`, and why, by name.

    What depends on one waits too. Raises Problems for packages that are not there or are needed for booting.
    """
    if not wanted:
        return {}
    known = orderable(packages)
    names = {package.name for package in packages}
    booting = set(stages(known)[0]) | needs_of(known, [name for name in _BOOTING if name in names])
    errors: list[AssembleError] = []
    found: dict[str, str] = {}
    for index, name in enumerate(wanted):
        where = Place(key=f"rootfs.first_boot[{index}]", package=name)
        if name not in names:
            hint = did_you_mean(name, names) or "name a package that rootfs.packages brings into the image"
            errors.append(FirstBootError("the image has no such package", where=where, hint=hint))
            continue
        found[name] = "rootfs.first_boot says so"
        later = {name: "it", **{key: f"{key}, which needs it," for key in dependents(known, [name])}}
        for other, shown in later.items():
            if other in booting or other.startswith("linux-image-"):
                errors.append(
                    FirstBootError(
                        "this package cannot wait for the first boot",
                        where=where,
                        why=f"{shown} has to be configured for the image to get that far",
                        hint="write rules for its scripts instead: assemble check shows what is needed",
                    )
                )
                break
            found.setdefault(other, f"it needs {name}")
    if errors:
        raise Problems(errors)
    return found


def set_back(tree: Tree, package: Unpacked) -> None:
    """Name conffiles of `package` in `tree` as ``dpkg --unpack`` leaves them; ``--configure`` puts them in place."""
    for path, flag in dpkg_database.conffiles(package):
        inode = tree.get(path)
        if not flag and inode is not None and inode.kind is not Kind.DIR:
            tree.rename(path, f"{path}.dpkg-new")


def prepare(tree: Tree, packages: Sequence[Unpacked], names: Mapping[str, str], preinst: Iterable[str]) -> None:
    """Make `tree`, where `packages` are unpacked, configure those in `names` on its first boot.

    `preinst` are those of them whose preinst has not been carried out.
    """
    if not tree.is_dir(_UNITS):
        raise FirstBootError(
            "packages are to be configured on the first boot of an image without systemd",
            where=Place(key="rootfs.first_boot"),
            hint="add systemd-sysv to rootfs.packages, or leave rootfs.first_boot out",
        )
    late = set(preinst)
    lines = []
    for package in packages:
        if package.name not in names:
            continue
        lines.append(dpkg_database.info_name(package) + (" preinst" if package.name in late else "") + "\n")
    program = resources.files(__name__) / "configure-packages"
    tree.mkdir(DIRECTORY, parents=True)
    tree.write(f"{DIRECTORY}/packages", "".join(lines).encode())
    tree.write(f"{DIRECTORY}/configure-packages", program.read_bytes(), 0o755)
    tree.write(f"{_UNITS}/{UNIT}", (resources.files(__name__) / UNIT).read_bytes())
    tree.symlink(f"../{UNIT}", f"{_UNITS}/sysinit.target.wants/{UNIT}", parents=True)
