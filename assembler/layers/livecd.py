"""The live ISO layer: boot loader -> kernel -> our initrd -> squashfs below an overlay on the state disk -> systemd.

Three steps. The initrd needs the kernel and its modules, the squashfs needs the root file system and nothing of the
kernel, and the ISO needs both and the kernel's image.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from assembler.architecture import named
from assembler.boot.loader import Live
from assembler.boot.loaders import LIVE
from assembler.carried import INITRAMFS
from assembler.debian.unpack import unpack
from assembler.errors import AssembleError, Place
from assembler.formats.iso import write_iso
from assembler.formats.squashfs import write_squashfs
from assembler.image import contents, libraries, provenance
from assembler.image.contents import TreeListing
from assembler.image.keys import digest
from assembler.image.names import (
    INITRD,
    ISO,
    ISO_CONTENTS,
    ISO_IMAGES,
    ISO_INITRD,
    ISO_KERNEL,
    ISO_PROVENANCE,
    ISO_RECIPE,
    ISO_SQUASHFS,
    ISO_SUMS,
    KERNEL,
    KERNEL_CONFIG,
    SQUASHFS,
    listing_path,
    lock_path,
)
from assembler.initrd import compose as initrd
from assembler.initrd.additions import AddedFile, Additions, as_inputs
from assembler.initrd.microcode import microcode, takes
from assembler.layers.boot import live_boot
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import PARTS, Counts, Epoch, Libraries, data, packages, step_of, table, value
from assembler.layers.kernel import KernelLayer
from assembler.layers.kubernetes import images_on_medium
from assembler.layers.laid import Laid, ModulesLayer
from assembler.layers.rootfs import LISTING, TreeLayer, open_packages
from assembler.layers.step import Step, metadata, of_packages
from assembler.lock.wanted import archives_of
from assembler.lockfile.model import Lock, LockedPackage, LockedToolbox
from assembler.lockfile.toml import format_lock
from assembler.recipe.model import Livecd
from assembler.recipe.portable import portable
from assembler.recipe.shapes import in_bytes
from assembler.tree import digest as tree_digest
from assembler.tree import tar
from assembler.tree.staging import Tree

PRIVATE = (
    ISO_SQUASHFS,
    listing_path("rootfs"),
    f"{ISO_RECIPE}/",
    lock_path("*"),
)
"""What nobody but root may read where the ISO is mounted: what has private files in it, or digests of them, and how the
image was made. Whoever has the ISO itself can read all of it."""


def _of_settings(settings: initrd.Settings) -> dict[str, str]:
    return {f"livecd.{name}": digest(value=one) for name, one in dataclasses.asdict(settings).items()}


def _of_additions(additions: Additions) -> dict[str, str]:
    return {name: digest(value=one) for name, one in as_inputs(additions).items()}


def _of_root(root: TreeLayer | None) -> dict[str, str]:
    return {root.step.label: root.step.key} if root else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Initrd:
    """The initramfs: packages, the files of initramfs/, and modules of a kernel."""

    kernel: KernelLayer
    modules: Laid
    settings: Annotated[initrd.Settings, Counts(_of_settings)]
    scripts: Annotated[Mapping[str, bytes], data("initramfs/{}")]
    packages: Annotated[tuple[LockedPackage, ...], packages("package")]
    microcode: Annotated[tuple[LockedPackage, ...], packages("microcode")]
    """Packages of the root file system."""
    additions: Annotated[Additions, Counts(_of_additions)]
    root: Annotated[TreeLayer | None, Counts(_of_root)]
    """The root file system, where `additions` want something of it."""
    architecture: Annotated[str, value("architecture")]
    epoch: Epoch
    libraries: Libraries

    def make(self, means: Means, directory: Path) -> None:
        made = self.kernel.step.result(means.store)
        image = self.root.compose() if self.root else None
        means.fetch((*self.packages, *self.microcode))
        with means.reporter.step("initrd"):
            tree = Tree(mtime=self.epoch)
            unpack(tree, open_packages(means.store, self.packages, jobs=means.jobs), latest=self.epoch)
            own = self.kernel.tree()
            if self.modules:
                self.modules.lay(own)
            apart = own if self.kernel.apart else None
            ramfs = initrd.compose(
                own,
                tree,
                metadata(made)["release"],
                self.scripts,
                self.settings,
                over=apart,
                early=self._early(means, made.path(KERNEL_CONFIG).read_bytes()),
                additions=self.additions,
                image=image,
                warn=means.reporter.warn,
            )
            initrd.write(ramfs, directory / INITRD, self.epoch)
            (directory / LISTING).write_text("".join(tree_digest.listing(ramfs)), "ascii")

    def _early(self, means: Means, config: bytes) -> Mapping[str, bytes]:
        """The microcode, for a kernel with this configuration."""
        if not self.microcode:
            return {}
        names = [each.name for each in self.microcode]
        if not takes(config):
            means.reporter.warn(f"the kernel takes no microcode of {', '.join(names)}: it lacks CONFIG_MICROCODE")
        tree = Tree(mtime=self.epoch)
        tree.mkdir("/usr/lib", parents=True)
        tree.symlink("usr/lib", "/lib")
        unpack(tree, open_packages(means.store, self.microcode), latest=self.epoch)
        return microcode(tree, [each for each in named(self.architecture).microcode if each.package in names])


def initrd_step(
    context: BuildContext, kernel: KernelLayer, root: TreeLayer, modules: ModulesLayer | None = None
) -> Step:
    """The initramfs for a kernel, with `modules` when the root file system `root` does not have them."""
    recipe, architecture = context.recipe.livecd, context.lock.architecture
    additions = _additions(context)
    vendors = named(architecture).microcode if context.recipe.initrd.microcode == "auto" else ()
    declared = _Initrd(
        kernel=kernel,
        modules=modules if modules and modules.apart else None,
        settings=initrd.Settings(label=recipe.label, state=recipe.state, state_label=recipe.state_label),
        scripts=initrd.read_scripts(INITRAMFS),
        packages=context.lock.role("initrd"),
        microcode=tuple(each for each in context.lock.role("rootfs") if each.name in {one.package for one in vendors}),
        additions=additions,
        root=root if additions.want_image else None,
        architecture=architecture,
        epoch=context.epoch,
        libraries=context.writers(*libraries.ZSTD),
    )
    # Of the root file system it takes what everybody may read.
    return step_of(declared, context.means, layer="livecd", name="initrd", outputs=(INITRD,), discreet=True)


def _additions(context: BuildContext) -> Additions:
    recipe, sources = context.recipe.initrd, context.files("initrd")
    return Additions(
        modules=tuple(recipe.modules),
        firmware=tuple(recipe.firmware),
        from_image=tuple(recipe.from_image),
        files=tuple(
            AddedFile(
                path=file.path,
                content=sources.get(f"initrd.files[{index}].source", (file.content or "").encode()),
                link=file.link or "",
                mode=int(file.mode, 8),
            )
            for index, file in enumerate(recipe.files)
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Squashfs:
    """A root file system as a squashfs."""

    root: TreeLayer
    compression: Annotated[str, value("livecd.compression")]
    level: Annotated[int | None, value("livecd.compression_level")]
    epoch: Epoch
    tools: LockedToolbox

    def make(self, means: Means, directory: Path) -> None:
        write_squashfs(
            tar.write(self.root.compose(), latest=self.epoch),
            directory / SQUASHFS,
            means.toolbox(self.tools),
            compression=self.compression,
            level=self.level,
            epoch=self.epoch,
            processors=means.jobs,
            reporter=means.reporter,
        )


def squashfs_step(context: BuildContext, root: TreeLayer) -> Step:
    """The root file system as a squashfs."""
    declared = _Squashfs(
        root=root,
        compression=context.recipe.livecd.compression,
        level=context.recipe.livecd.compression_level,
        epoch=context.epoch,
        tools=context.lock.tools,
    )
    return step_of(declared, context.means, layer="livecd", name="squashfs")


def _of_lock(lock: Lock) -> dict[str, str]:
    return {
        "lock": digest(data=on_medium(lock)),
        **{f"image {image.name}": image.manifest for image in lock.images},
        **of_packages("tool", lock.tools.packages),
        **of_packages("boot loader", lock.role("boot")),
    }


@lru_cache(4)
def on_medium(lock: Lock) -> bytes:
    """The lock's file on the ISO: without what was recorded of builds, which would have to be known before it is."""
    return format_lock(dataclasses.replace(lock, build=None)).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What an image is built from, for its provenance."""

    name: Annotated[str, value("name")]
    lock: Annotated[Lock, Counts(_of_lock)]
    unexpiring: Annotated[tuple[str, ...], value("debian.sources without Valid-Until")]
    """Archives that are taken even after that."""
    libraries: Libraries
    """All that write outputs."""

    @classmethod
    def of(cls, context: BuildContext) -> "Origin":
        """What `context` builds from."""
        taken = archives_of(context.recipe)
        return cls(
            name=context.recipe.name,
            lock=dataclasses.replace(context.lock, build=None),
            unexpiring=tuple(each.id for each in taken if not each.source.check_valid_until),
            libraries=context.libraries,
        )

    def provenance(self, subjects: Mapping[str, str]) -> bytes:
        """The provenance of files: `subjects` are their SHA-256 by name."""
        return provenance.text(
            provenance.statement(
                subjects,
                self.lock,
                name=self.name,
                recipe_sha256=self.lock.recipe_sha256,
                lock_sha256=hashlib.sha256(on_medium(self.lock)).hexdigest(),
                unexpiring=self.unexpiring,
                libraries=self.libraries,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Iso:
    """The hybrid ISO, with its lock, its recipe, SBOMs, and a list of all that is in it."""

    kernel: KernelLayer
    root: TreeLayer
    initramfs: Step
    squashfs: Step
    sbom: Step
    recipe: Annotated[Livecd, table("livecd")]
    recipe_files: Annotated[Mapping[str, bytes], data(f"file {ISO_RECIPE}/{{}}")]
    """The recipe, as a directory of its own."""
    origin: Annotated[Origin, PARTS]

    def make(self, means: Means, directory: Path) -> None:
        lock, recipe, name = self.origin.lock, self.recipe, self.origin.name
        architecture, epoch = lock.architecture, lock.source_date_epoch
        image, ramfs, system = (step.result(means.store) for step in (self.kernel.step, self.initramfs, self.squashfs))
        extra = {
            lock_path(name): on_medium(lock),
            **{f"{ISO_RECIPE}/{path}": data for path, data in self.recipe_files.items()},
        }
        # Without the slash, as identifiers come of it.
        parts = {
            ISO_KERNEL[1:]: (image, KERNEL),
            ISO_INITRD[1:]: (ramfs, INITRD),
            ISO_SQUASHFS[1:]: (system, SQUASHFS),
        }
        digests = {path: result.digests[file] for path, (result, file) in parts.items()}
        # Of contents, not of keys: another version of the assembler that makes the same parts makes the same ISO.
        images = {image.name: image.manifest for image in lock.images}
        identity = digest(parts=digests, recipe=recipe, name=name, extra=extra, images=images)
        images_there = images_on_medium(lock.images, means)
        sums = sums_of(system.path(SQUASHFS), images_there)
        live = Live(
            architecture=named(architecture),
            title=name,
            identity=identity,
            kernel=ISO_KERNEL,
            initrd=ISO_INITRD,
            medium=hashlib.sha256(sums).hexdigest(),
            state=recipe.state,
            cmdline=" ".join(recipe.cmdline),
            timeout=recipe.timeout,
            parts={ISO_KERNEL: image.path(KERNEL), ISO_INITRD: ramfs.path(INITRD)},
        )
        boot = live_boot(LIVE, means.toolbox(lock.tools), means.directory_of(lock.role("boot")), live, epoch=epoch)
        bills = self.sbom.result(means.store)
        subjects = {f"/{path}": value for path, value in digests.items()}
        files: dict[str, bytes | Path] = {
            **boot.files,
            **extra,
            **{f"{ISO_CONTENTS}/{file}": bills.path(file) for file in self.sbom.outputs},
            ISO_PROVENANCE: self.origin.provenance(subjects),
            ISO_SUMS: sums,
            **images_there,
            **{f"/{path}": result.path(file) for path, (result, file) in parts.items()},
        }
        trees = [
            TreeListing(path=path, name=label, text=result.path(LISTING).read_bytes())
            for path, label, result in (
                (ISO_SQUASHFS, "rootfs", self.root.step.result(means.store)),
                (ISO_INITRD, "initrd", ramfs),
            )
        ]
        about = {
            "name": name,
            "architecture": architecture,
            "source_date_epoch": epoch,
            "kernel_release": metadata(image)["release"],
        }
        write_iso(
            directory / ISO,
            {**files, **contents.describe(files, trees, about=about)},
            label=recipe.label,
            epoch=epoch,
            boot=boot.images,
            identity=identity,
            private=PRIVATE,
            reporter=means.reporter,
        )
        check_size((directory / ISO).stat().st_size, recipe.medium_size)


def iso_step(  # noqa: PLR0917  one a part
    context: BuildContext, kernel: KernelLayer, root: TreeLayer, initramfs: Step, squashfs: Step, sbom: Step
) -> Step:
    """The hybrid ISO."""
    declared = _Iso(
        kernel=kernel,
        root=root,
        initramfs=initramfs,
        squashfs=squashfs,
        sbom=sbom,
        recipe=context.recipe.livecd,
        recipe_files=portable(context.loaded),
        origin=Origin.of(context),
    )
    return step_of(declared, context.means, layer="livecd", name="iso", outputs=(ISO,), cached=False)


def sums_of(squashfs: Path, images: Mapping[str, bytes | Path]) -> bytes:
    """The text of /live/SHA256SUMS: what the node takes from the medium, the container images' files by path among it.

    Without their blobs: these are named by their digests, which containerd compares when it takes them.
    """
    blobs = f"{ISO_IMAGES}/blobs/"
    listed = {path: data for path, data in images.items() if not path.startswith(blobs)}
    return contents.sums({ISO_SQUASHFS: squashfs, **listed})


def check_size(size: int, medium: str) -> None:
    """Raise AssembleError when an ISO of `size` bytes does not fit on a `medium` of this size (``700M``)."""
    if medium and size > in_bytes(medium):
        raise AssembleError(
            "the ISO is too large for its medium",
            where=Place(key="livecd.medium_size"),
            why=f"it has {size} bytes, and {medium} are {in_bytes(medium)}",
            hint="compress more (livecd.compression), or leave out packages or container images",
        )
