"""The kernel layer with `kernel.source = "vanilla"`: compiled from source, with nothing as a module.

The root file system has no kernel package then, and does not change with the kernel. What names the kernel in a running
system, ``/usr/lib/modules/RELEASE`` and ``/boot/config-RELEASE``, comes with the initrd.
"""

import json
import shutil
from functools import cache
from pathlib import Path

from assembler.architecture import named
from assembler.errors import Place
from assembler.image.keys import digest
from assembler.image.names import FACTS, KERNEL, KERNEL_CONFIG, SYSTEM_MAP
from assembler.kernel import config, toolchain
from assembler.kernel.source import SourceError, from_file, from_package, release_of
from assembler.kernel.toolchain import Toolchain, ToolchainError
from assembler.kernel.vanilla import BUILTIN, RELEASE, Wish, build
from assembler.layers.inputs import Inputs
from assembler.layers.kernel import KernelLayer
from assembler.layers.module_indexes import cached_depmod
from assembler.layers.step import Step, of_packages, of_table, of_values
from assembler.lockfile.model import LockedFile, LockedPackage
from assembler.tree.content import whole
from assembler.tree.staging import Tree

_KIND = "vanilla-1"
"""A kernel in the store, found again by what went into it. The assembler's code is not part of that, as compiling takes
so long: this changes whenever kernel/vanilla.py makes another kernel of the same."""


def layer(inputs: Inputs) -> KernelLayer:
    """The recipe's kernel, compiled when the store does not have it.

    Raises Problems for fragments that cannot be read or contradict one another. What is made raises ToolchainError for
    programs that this machine lacks, Problems for settings that do not take, and what else compiling raises.
    """
    recipe, epoch, store, reporter = inputs.recipe.kernel, inputs.epoch, inputs.store, inputs.reporter
    given = inputs.loaded.files
    files = [given[f"kernel.fragments[{number}]"] for number in range(len(recipe.fragments))]
    fragments = [(str(file.path), file.data) for file in files]
    config.merge(fragments)
    tools = _tools(inputs)
    versions = inputs.lock.toolchain if isinstance(tools, ToolchainError) else tools.tools
    packages, tarballs = _sources(inputs)
    identity = {
        **of_values(architecture=inputs.lock.architecture, epoch=epoch),
        **of_table("kernel", recipe, ("base",)),
        **{f"kernel.fragments[{number}]": digest(data=file.data) for number, file in enumerate(files)},
        **of_packages("source", packages),
        **{f"source {file.name}": file.sha256 for file in tarballs},
        **{f"program {tool.name}": tool.version for tool in versions},
    }

    def compile_into(directory: Path) -> None:
        if isinstance(tools, ToolchainError):
            raise tools
        # The lock's word is not enough for what runs here; a tarball is what the recipe itself says.
        if packages:
            inputs.prove(packages)
        inputs.fetch(packages)
        inputs.fetch_files(tarballs)
        if tarballs:
            tree = from_file(store, tarballs[0].sha256, tarballs[0].url, reporter)
        else:
            tree = from_package(store, packages[0].sha256, packages[0].name, reporter)
        version = release_of(tree)
        if recipe.version and version != recipe.version:
            raise SourceError(
                f"the source is that of Linux {version}",
                where=Place(key="kernel.version"),
                why=f"the recipe wants {recipe.version}",
                hint="change kernel.version, or name another source",
            )
        wish = Wish(
            tree=tree,
            architecture=named(inputs.lock.architecture),
            base=recipe.base,
            fragments=fragments,
            epoch=epoch,
            toolchain=tools,
        )
        build(wish, directory, store, kind=_KIND, jobs=inputs.jobs, reporter=reporter)

    def compiled() -> Path:
        return store.derived(_KIND, digest(inputs=identity), compile_into)

    @cache
    def tree() -> Tree:
        directory = compiled()
        release = (directory / RELEASE).read_text("ascii").strip()
        made = Tree(mtime=epoch)
        top = f"/usr/lib/modules/{release}"
        made.mkdir(top, parents=True)
        made.mkdir("/boot")
        made.symlink("usr/lib", "/lib")
        for name in BUILTIN:
            made.write(f"{top}/{name}", whole(directory / name))
        made.write(f"/boot/config-{release}", whole(directory / KERNEL_CONFIG))
        cached_depmod(store)(made, release)
        return made

    def make(directory: Path) -> None:
        source = compiled()
        for name in (KERNEL, KERNEL_CONFIG, SYSTEM_MAP):
            shutil.copyfile(source / name, directory / name)
        facts = {
            "release": (source / RELEASE).read_text("ascii").strip(),
            "toolchain": {tool.name: tool.version for tool in versions},
        }
        (directory / FACTS).write_text(json.dumps(facts), "ascii")

    outputs = (KERNEL, KERNEL_CONFIG, SYSTEM_MAP)
    return KernelLayer(
        Step(layer="kernel", name="image", inputs=identity, make=make, outputs=outputs), tree, apart=True
    )


def _sources(inputs: Inputs) -> tuple[tuple[LockedPackage, ...], tuple[LockedFile, ...]]:
    """The locked source, a package or a tarball: the one that the recipe names, as what is in it is run."""
    recipe = inputs.recipe.kernel
    packages, tarballs = tuple(inputs.lock.role("kernel-source")), tuple(inputs.lock.files_for("kernel"))
    if recipe.url:
        right = not packages and [file.sha256 for file in tarballs] == [recipe.sha256]
    else:
        right = not tarballs and [package.name for package in packages] == [recipe.package.partition(":")[0]]
    if not right:
        named = [package.name for package in packages] + [f"{file.name} {file.sha256[:12]}" for file in tarballs]
        raise SourceError(
            "the lock has another kernel's source than the recipe names",
            where=Place(key="kernel.sha256" if recipe.url else "kernel.package"),
            why=", ".join(named) or "none",
            hint="lock again; what the source says is run when it is compiled",
        )
    return packages, tarballs


def _tools(inputs: Inputs) -> Toolchain | ToolchainError:
    """The tools of this machine, or what keeps it from compiling, which matters when it comes to that.

    Tools that are not those of the lock are told of.
    """
    lock = inputs.lock
    try:
        found = toolchain.find(named(lock.architecture), named(lock.build_architecture), inputs.search)
    except ToolchainError as error:
        return error
    for difference in toolchain.differences(lock.toolchain, found.tools):
        inputs.reporter.warn(f"the kernel's bytes may be others than when it was locked: {difference}")
    return found
