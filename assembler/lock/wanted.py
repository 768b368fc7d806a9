"""Which packages are asked for, and what for. What they depend on comes with them, unless a role says otherwise."""

from dataclasses import dataclass

from assembler.architecture import named
from assembler.boot.loaders import LIVE
from assembler.kubernetes.parts import packages
from assembler.lockfile.wanted import WantedFile
from assembler.recipe.model import Recipe

INITRD = ("busybox-static", "e2fsprogs", "util-linux")
"""Of these, and of what they link to, a few files go into the initrd: see initrd/compose.py."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for in one role."""

    role: str
    """Of lockfile/model.py's `ROLES`, or its `TOOLS`."""
    packages: tuple[str, ...]
    architecture: str
    essential: bool = False
    """Whether all essential packages belong to it."""
    recommends: bool = False
    """Whether recommended packages belong to it."""
    dependencies: bool = True
    """Whether what the packages depend on belongs to it."""


def wanted(recipe: Recipe) -> tuple[Wanted, ...]:
    """What `recipe` needs, role by role."""
    target, kernel = recipe.arch, recipe.kernel
    compiled = kernel.source == "vanilla"
    source = Wanted(role="kernel-source", packages=(kernel.package,), architecture=target, dependencies=False)
    chosen = dict.fromkeys((*recipe.rootfs.packages, *(() if compiled else (kernel.package,))))
    if recipe.kubernetes is not None:
        # The Kubernetes layer decides where these come from, whatever the recipes below it had in their lists.
        taken, dropped = packages(recipe.kubernetes)
        chosen = dict.fromkeys(name for name in (*chosen, *sorted(taken)) if name not in dropped)
    rootfs = Wanted(
        role="rootfs",
        packages=tuple(chosen),
        architecture=target,
        essential=True,
        recommends=recipe.rootfs.recommends,
    )
    return (
        rootfs,
        *((source,) if compiled and not kernel.url else ()),
        Wanted(role="initrd", packages=INITRD, architecture=target),
        # Files are taken out of them and nothing in them is run, so what they depend on stays away.
        Wanted(role="boot", packages=LIVE.packages(named(target)), architecture=target, dependencies=False),
    )


def kernel_files(recipe: Recipe) -> list[WantedFile]:
    """The tarball of the kernel that `recipe` has compiled, if it names one."""
    kernel = recipe.kernel
    if not kernel.url:
        return []
    return [
        WantedFile(
            name="linux",
            version=kernel.version,
            url=kernel.url,
            sha256=kernel.sha256,
            role="kernel",
            key="kernel.sha256",
        )
    ]
