"""The kernel layer with `kernel.source = "vanilla"`: compiled from source, with nothing as a module.

The root file system has no kernel package then, and does not change with the kernel. What names the kernel in a running
system, ``/usr/lib/modules/RELEASE`` and ``/boot/config-RELEASE``, comes with the initrd.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Literal

from assembler.architecture import named
from assembler.errors import Place
from assembler.image.keys import digest
from assembler.image.names import FACTS, KERNEL, KERNEL_CONFIG, SYSTEM_MAP
from assembler.kernel import config, headers, host_tools, locked_tools
from assembler.kernel.depmod import indexed
from assembler.kernel.external import Against
from assembler.kernel.source import SourceError, from_file, from_package, release_of
from assembler.kernel.toolchain import Toolchain, ToolchainError
from assembler.kernel.vanilla import BUILTIN, OBJECTS, RELEASE, Wish, build
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import PARTS, Counts, Epoch, Ignored, counted, packages, step_of, value, versions
from assembler.layers.keeping import keeping
from assembler.layers.kernel import KernelLayer
from assembler.layers.step import of_packages
from assembler.lockfile.model import LockedFile, LockedPackage, LockedToolbox
from assembler.store.scratch import scratch
from assembler.tree.content import whole
from assembler.tree.staging import Tree

_KIND = "vanilla-1"
"""A kernel in the store, found again by what went into it. The assembler's code is not part of that, as compiling takes
so long: this changes whenever kernel/vanilla.py makes another kernel of the same."""


def _of_fragments(fragments: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    return {f"kernel.fragments[{number}]": digest(data=data) for number, (_, data) in enumerate(fragments)}


def _of_toolchain(toolchain: LockedToolbox | None) -> Mapping[str, str]:
    return of_packages("toolchain", toolchain.packages) if toolchain else {}


def _of_tarballs(files: Sequence[LockedFile]) -> dict[str, str]:
    return {f"source {file.name}": file.sha256 for file in files}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    """What a kernel is compiled from. Its inputs are also what a compiled one is found by in the store."""

    architecture: Annotated[str, value("architecture")]
    epoch: Epoch
    base: Annotated[Literal["defconfig", "tinyconfig"], value("kernel.base")]
    fragments: Annotated[tuple[tuple[str, bytes], ...], Counts(_of_fragments)]
    """(name, bytes) each."""
    modular: Annotated[bool, Ignored("a fragment asks for it then, and for no other kernel")]
    packages: Annotated[tuple[LockedPackage, ...], packages("source")]
    tarballs: Annotated[tuple[LockedFile, ...], Counts(_of_tarballs)]
    programs: Annotated[Mapping[str, str], versions("program")]
    """Of the host; empty with a locked toolchain."""
    toolchain: Annotated[LockedToolbox | None, Counts(_of_toolchain)]
    """That of the lock; None for the host's."""
    host: Annotated[
        Toolchain | ToolchainError | None, Ignored("its versions are `programs`; the rest is where they are")
    ]
    """That of the host; None with a locked one."""
    version: Annotated[str, Ignored("the source has one: this is what it is compared with")]

    def compiled(self, means: Means) -> Path:
        """A directory in the store with what was compiled."""
        return means.store.derived(_KIND, digest(inputs=counted(self)[0]), partial(self._compile_into, means))

    def _compile_into(self, means: Means, directory: Path) -> None:
        if isinstance(self.host, ToolchainError):
            raise self.host
        if not self.host and not self.toolchain:
            raise ToolchainError(
                "the lock has no compiler for the kernel",
                where=Place(key="toolchain"),
                why="an older version of the assembler made it, or another recipe",
                hint="run `assemble lock`",
            )
        tree = self._source(means)
        version = release_of(tree)
        if self.version and version != self.version:
            raise _other_version(version, self.version)
        with self._opened(means, version) as toolchain:
            wish = Wish(
                tree=tree,
                architecture=named(self.architecture),
                base=self.base,
                fragments=self.fragments,
                epoch=self.epoch,
                toolchain=toolchain,
                modular=self.modular,
            )
            build(wish, directory, means.store, kind=_KIND, jobs=means.jobs, reporter=means.reporter)

    @contextmanager
    def _opened(self, means: Means, release: str) -> Iterator[Toolchain]:
        if isinstance(self.host, Toolchain):
            yield self.host
        elif self.toolchain:
            toolbox = means.toolbox(self.toolchain)
            with locked_tools.opened(toolbox, means.store, named(self.architecture), release) as toolchain:
                yield toolchain

    def _source(self, means: Means) -> Path:
        """The source, laid out."""
        # The lock's word is not enough for what runs here; a tarball is what the recipe itself says.
        if self.packages:
            means.prove(self.packages)
        means.fetch(self.packages)
        means.fetch_files(self.tarballs)
        if self.tarballs:
            return from_file(means.store, self.tarballs[0].sha256, self.tarballs[0].url, means.reporter)
        return from_package(means.store, self.packages[0].sha256, self.packages[0].name, means.reporter)

    @contextmanager
    def against(self, means: Means) -> Iterator[tuple[Against, Toolchain]]:
        """What modules from outside are compiled against, and with.

        Raises ModulesError for a kernel that takes no modules.
        """
        directory = self.compiled(means)
        release = (directory / RELEASE).read_text("ascii").strip()
        with scratch(means.store.executable) as own, self._opened(means, release) as toolchain:
            yield headers.of_objects(directory / OBJECTS, self._source(means), release, own), toolchain

    @property
    def told(self) -> dict[str, str]:
        """What it is compiled with, versions by name."""
        return (
            {package.name: package.version for package in self.toolchain.packages}
            if self.toolchain
            else dict(self.programs)
        )

    def tree(self, means: Means) -> Tree:
        """What names the kernel in a running system, with depmod's indexes."""
        directory = self.compiled(means)
        release = (directory / RELEASE).read_text("ascii").strip()
        made = Tree(mtime=self.epoch)
        top = f"/usr/lib/modules/{release}"
        made.mkdir(top, parents=True)
        made.mkdir("/boot")
        made.symlink("usr/lib", "/lib")
        for name in BUILTIN:
            made.write(f"{top}/{name}", whole(directory / name))
        made.write(f"/boot/config-{release}", whole(directory / KERNEL_CONFIG))
        indexed(made, release, keeping(means.store))
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vanilla:
    """The kernel layer's files of a kernel that is compiled when the store does not have it."""

    kernel: Annotated[_Compiled, PARTS]
    version: Annotated[str, value("kernel.version")]
    """That the recipe wants; empty for any."""

    def make(self, means: Means, directory: Path) -> None:
        source = self.kernel.compiled(means)
        release = (source / RELEASE).read_text("ascii").strip()
        # It may have been compiled for a recipe that did not say. What the configuration adds comes after the version.
        if self.version and not re.match(rf"{re.escape(self.version)}(?![0-9.])", release):
            raise _other_version(release, self.version)
        for name in (KERNEL, KERNEL_CONFIG, SYSTEM_MAP):
            shutil.copyfile(source / name, directory / name)
        facts = {"release": release, "toolchain": self.kernel.told}
        (directory / FACTS).write_text(json.dumps(facts), "ascii")


def layer(context: BuildContext) -> KernelLayer:
    """The recipe's kernel, compiled when the store does not have it.

    Raises Problems for fragments that cannot be read or contradict one another. What is made raises ToolchainError for
    programs that this machine lacks, Problems for settings that do not take, and what else compiling raises.
    """
    recipe, means, named = context.recipe.kernel, context.means, context.loaded.files
    files = [named[f"kernel.fragments[{number}]"] for number in range(len(recipe.fragments))]
    fragments = tuple((str(file.path), file.data) for file in files)
    modular = bool(recipe.modules)
    config.merge(fragments, modular=modular)
    own = recipe.toolchain == "host"
    tools = _tools(context) if own else None
    found = tools.tools if isinstance(tools, Toolchain) else context.lock.host_tools
    source, tarballs = _sources(context)
    kernel = _Compiled(
        architecture=context.lock.architecture,
        epoch=context.epoch,
        base=recipe.base,
        fragments=fragments,
        modular=modular,
        packages=source,
        tarballs=tarballs,
        programs={tool.name: tool.version for tool in found} if own else {},
        toolchain=None if own else context.lock.toolchain,
        host=tools,
        version=recipe.version,
    )
    declared = _Vanilla(kernel=kernel, version=recipe.version)
    step = step_of(declared, means, layer="kernel", name="image", outputs=(KERNEL, KERNEL_CONFIG, SYSTEM_MAP))
    return KernelLayer(step, cache(partial(kernel.tree, means)), apart=True, against=partial(kernel.against, means))


def _other_version(version: str, wanted: str) -> SourceError:
    return SourceError(
        f"the source is that of Linux {version}",
        where=Place(key="kernel.version"),
        why=f"the recipe wants {wanted}",
        hint="change kernel.version, or name another source",
    )


def _sources(context: BuildContext) -> tuple[tuple[LockedPackage, ...], tuple[LockedFile, ...]]:
    """The locked source, a package or a tarball: the one that the recipe names, as what is in it is run."""
    recipe = context.recipe.kernel
    packages, tarballs = tuple(context.lock.role("kernel-source")), tuple(context.lock.files_for("kernel"))
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


def _tools(context: BuildContext) -> Toolchain | ToolchainError:
    """The tools of this machine, or what keeps it from compiling, which matters when it comes to that.

    Tools that are not those of the lock are told of.
    """
    lock = context.lock
    try:
        found = host_tools.find(named(lock.architecture), named(lock.build_architecture), context.search)
    except ToolchainError as error:
        return error
    for difference in host_tools.differences(lock.host_tools, found.tools):
        context.reporter.warn(f"the kernel's bytes may be others than when it was locked: {difference}")
    return found
