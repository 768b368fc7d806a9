"""The kernel layer: a kernel image, and the directory of its modules, apart from any root file system.

`kernel.source = "distro"` takes both out of Debian packages: those of the root file system that come from the kernel's
source. They stay in the root file system as well, so that dpkg there knows of them. For `"vanilla"` see vanilla.py.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated

from assembler.architecture import ARCHITECTURES
from assembler.debian.requests import Request
from assembler.debian.unpack import unpack
from assembler.errors import AssembleError, Place
from assembler.image.names import FACTS, KERNEL, KERNEL_CONFIG
from assembler.kernel.depmod import indexed
from assembler.kernel.external import Against
from assembler.kernel.toolchain import Toolchain
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import Epoch, Ignored, packages, step_of
from assembler.layers.keeping import keeping
from assembler.layers.rootfs import open_packages
from assembler.layers.step import Step
from assembler.lockfile.model import LockedPackage
from assembler.tree.content import Content, chunks
from assembler.tree.staging import Tree

_PREFIXES = tuple(dict.fromkeys(f"{each.kernel_file}-" for each in ARCHITECTURES.values()))


@dataclass(frozen=True, slots=True)
class KernelLayer:
    """A kernel for the layers after it."""

    step: Step
    """Its result has `KERNEL` and `KERNEL_CONFIG`, and a fact: the ``release``, as ``uname -r`` will say."""
    tree: Callable[[], Tree]
    """A tree with ``/usr/lib/modules/RELEASE``, depmod's indexes in it."""
    apart: bool = False
    """Whether the root file system lacks what is in that tree, so that the initrd has to bring it."""
    against: Callable[[], AbstractContextManager[tuple[Against, Toolchain]]] | None = None
    """What modules from outside are compiled against, and with, while the context lasts; None where both are packages
    of the archives."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel image in a tree."""

    release: str
    """As ``uname -r`` will say; its modules are in ``/usr/lib/modules/RELEASE``."""
    image: Content
    config: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class _Distro:
    """Debian's kernel out of its packages."""

    package: Annotated[str, Ignored("what it brings is among the packages; errors name it")]
    packages: Annotated[tuple[LockedPackage, ...], packages("package")]
    epoch: Epoch

    def tree(self, means: Means) -> Tree:
        """The packages unpacked, with depmod's indexes."""
        means.fetch(self.packages)
        made = Tree(mtime=self.epoch)
        made.mkdir("/usr/lib", parents=True)
        made.symlink("usr/lib", "/lib")
        unpack(made, open_packages(means.store, self.packages), latest=self.epoch)
        indexed(made, distro_kernel(made, self.package).release, keeping(means.store))
        return made

    def make(self, means: Means, directory: Path) -> None:
        kernel = distro_kernel(self.tree(means), self.package)
        for name, content in ((KERNEL, kernel.image), (KERNEL_CONFIG, kernel.config)):
            with (directory / name).open("wb") as out:
                out.writelines(chunks(content))
        (directory / FACTS).write_text(json.dumps({"release": kernel.release}), "ascii")


def distro_layer(context: BuildContext) -> KernelLayer:
    """The recipe's kernel with `source = "distro"`, out of the locked packages of the root file system.

    What is made raises AssembleError when they hold no kernel, or several.
    """
    package = Request.of(context.recipe.kernel.package).name
    declared = _Distro(
        package=package, packages=kernel_packages(package, context.lock.role("rootfs")), epoch=context.epoch
    )
    step = step_of(declared, context.means, layer="kernel", name="image", outputs=(KERNEL, KERNEL_CONFIG))
    return KernelLayer(step, cache(partial(declared.tree, context.means)))


def kernel_packages(package: str, locked: Sequence[LockedPackage]) -> tuple[LockedPackage, ...]:
    """Those of `locked` in which the kernel may be: `package`, which may be a metapackage, and what comes of the same
    source, and everything that is called like a kernel.
    """
    sources = {each.source for each in locked if each.name == package.partition(":")[0]}
    return tuple(each for each in locked if each.source in sources or each.name.startswith("linux-image-"))


def distro_kernel(tree: Tree, package: str) -> Kernel:
    """The one kernel in ``/boot`` of a tree.

    `package` is what the recipe asked for; it is named in the errors, which say that there is no kernel, or more than
    one (AssembleError).
    """
    images = {name.partition("-")[2]: name for name in tree.names("/boot") if name.startswith(_PREFIXES)}
    releases = list(images)
    where = Place(key="kernel.package", package=package)
    if not releases:
        raise AssembleError(
            "the package brought no kernel",
            where=where,
            why="there is no /boot/vmlinuz-* in it",
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
    config = tree.get(f"/boot/config-{release}", follow=True)
    return Kernel(
        release,
        tree.at(f"/boot/{images[release]}", follow=True).content,
        config.content if config else b"",
    )
