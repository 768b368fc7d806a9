"""The live ISO layer: boot loader -> kernel -> our initrd -> squashfs below an overlay on the state disk -> systemd.

Three steps. The initrd needs the kernel and its modules, the squashfs needs the root file system and nothing of the
kernel, and the ISO needs both and the kernel's image.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from assembler.architecture import named
from assembler.boot.loader import Live
from assembler.boot.loaders import LIVE
from assembler.carried import INITRAMFS
from assembler.debian.sources import archives, parse_sources
from assembler.debian.unpack import unpack
from assembler.errors import AssembleError, Place
from assembler.formats.iso import write_iso
from assembler.formats.squashfs import write_squashfs
from assembler.image import contents, provenance
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
    SQUASHFS,
    listing_path,
    lock_path,
)
from assembler.initrd import compose as initrd
from assembler.layers.boot import live_boot
from assembler.layers.inputs import Inputs
from assembler.layers.kernel import KernelLayer
from assembler.layers.kubernetes import images_on_medium
from assembler.layers.rootfs import LISTING, TreeLayer, open_packages
from assembler.layers.step import Step, facts, of_packages, of_table, of_values
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


def initrd_step(inputs: Inputs, kernel: KernelLayer) -> Step:
    """The initramfs: the packages of the `initrd` role, the files of initramfs/, and modules of `kernel`."""
    recipe, epoch, store = inputs.recipe.livecd, inputs.epoch, inputs.store
    scripts = initrd.read_scripts(INITRAMFS)

    def make(directory: Path) -> None:
        release = facts(kernel.step.result(store))["release"]
        programs = inputs.fetched("initrd")
        with inputs.reporter.step("initrd"):
            tree = Tree(mtime=epoch)
            unpack(tree, open_packages(store, programs, jobs=inputs.jobs), latest=epoch)
            settings = initrd.Settings(label=recipe.label, state=recipe.state, state_label=recipe.state_label)
            apart = kernel.tree() if kernel.apart else None
            image = initrd.compose(kernel.tree(), tree, release, scripts, settings, over=apart)
            initrd.write(image, directory / INITRD, epoch)
            (directory / LISTING).write_text("".join(tree_digest.listing(image)), "ascii")

    needed = {
        kernel.step.label: kernel.step.key,
        **of_values(epoch=epoch),
        **of_table("livecd", recipe, ("label", "state", "state_label")),
        **{f"initramfs/{name}": digest(data=data) for name, data in scripts.items()},
        **of_packages("package", inputs.lock.role("initrd")),
    }
    return Step(layer="livecd", name="initrd", inputs=needed, make=make, outputs=(INITRD,))


def squashfs_step(inputs: Inputs, root: TreeLayer) -> Step:
    """The root file system as a squashfs."""
    recipe, epoch = inputs.recipe.livecd, inputs.epoch

    def make(directory: Path) -> None:
        write_squashfs(
            tar.write(root.compose(), latest=epoch),
            directory / SQUASHFS,
            inputs.toolbox(),
            compression=recipe.compression,
            level=recipe.compression_level,
            epoch=epoch,
            processors=inputs.jobs,
            reporter=inputs.reporter,
        )

    needed = {
        root.step.label: root.step.key,
        **of_values(epoch=epoch),
        **of_table("livecd", recipe, ("compression", "compression_level")),
        **of_packages("tool", inputs.lock.tools.packages),
    }
    return Step(layer="livecd", name="squashfs", inputs=needed, make=make)


def iso_step(  # noqa: PLR0917  one a part
    inputs: Inputs, kernel: KernelLayer, root: TreeLayer, initramfs: Step, squashfs: Step, sbom: Step
) -> Step:
    """The hybrid ISO, with its lock, its recipe, bills of materials, and a list of all that is in it."""
    recipe, name, epoch = inputs.recipe.livecd, inputs.recipe.name, inputs.epoch
    architecture = inputs.lock.architecture
    extra = {
        lock_path(name): inputs.lock_text,
        **{f"{ISO_RECIPE}/{path}": data for path, data in portable(inputs.loaded).items()},
    }

    def make(directory: Path) -> None:
        image, ramfs, system = (step.result(inputs.store) for step in (kernel.step, initramfs, squashfs))
        # Without the slash, as identifiers come of it.
        parts = {
            ISO_KERNEL[1:]: (image, KERNEL),
            ISO_INITRD[1:]: (ramfs, INITRD),
            ISO_SQUASHFS[1:]: (system, SQUASHFS),
        }
        digests = {path: result.digests[file] for path, (result, file) in parts.items()}
        # Of contents, not of keys: another version of the assembler that makes the same parts makes the same ISO.
        images = {image.name: image.manifest for image in inputs.lock.images}
        identity = digest(parts=digests, recipe=recipe, name=name, extra=extra, images=images)
        on_medium = images_on_medium(inputs)
        sums = sums_of(system.path(SQUASHFS), on_medium)
        live = Live(
            architecture=named(architecture),
            title=name,
            identity=identity,
            kernel=ISO_KERNEL,
            initrd=ISO_INITRD,
            medium=hashlib.sha256(sums).hexdigest(),
            state=recipe.state,
            cmdline=recipe.cmdline,
            timeout=recipe.timeout,
            parts={f"/{path}": parts[path][0].path(parts[path][1]) for path in (ISO_KERNEL[1:], ISO_INITRD[1:])},
        )
        boot = live_boot(LIVE, inputs.toolbox(), inputs.directory_of("boot"), live, epoch=epoch)
        bills = sbom.result(inputs.store)
        subjects = {f"/{path}": value for path, value in digests.items()}
        files: dict[str, bytes | Path] = {
            **boot.files,
            **extra,
            **{f"{ISO_CONTENTS}/{file}": bills.path(file) for file in sbom.outputs},
            ISO_PROVENANCE: built_from(inputs, subjects),
            ISO_SUMS: sums,
            **on_medium,
            **{f"/{path}": result.path(file) for path, (result, file) in parts.items()},
        }
        trees = [
            TreeListing(path=path, name=label, text=result.path(LISTING).read_bytes())
            for path, label, result in (
                (ISO_SQUASHFS, "rootfs", root.step.result(inputs.store)),
                (ISO_INITRD, "initrd", ramfs),
            )
        ]
        about = {
            "name": name,
            "architecture": architecture,
            "source_date_epoch": epoch,
            "kernel_release": facts(image)["release"],
        }
        write_iso(
            directory / ISO,
            {**files, **contents.describe(files, trees, about=about)},
            label=recipe.label,
            epoch=epoch,
            boot=boot.images,
            identity=identity,
            private=PRIVATE,
            reporter=inputs.reporter,
        )
        check_size((directory / ISO).stat().st_size, recipe.medium_size)

    needed = {
        kernel.step.label: kernel.step.key,
        root.step.label: root.step.key,
        initramfs.label: initramfs.key,
        squashfs.label: squashfs.key,
        sbom.label: sbom.key,
        **of_values(name=name, architecture=architecture, epoch=epoch),
        **of_table("livecd", recipe, ("label", "state", "medium_size", "cmdline", "timeout")),
        **{f"file {path}": digest(data=data) for path, data in extra.items()},
        **{f"image {image.name}": image.manifest for image in inputs.lock.images},
        **of_packages("tool", inputs.lock.tools.packages),
        **of_packages("boot loader", inputs.lock.role("boot")),
    }
    return Step(layer="livecd", name="iso", inputs=needed, make=make, outputs=(ISO,), kept=False)


def built_from(inputs: Inputs, subjects: Mapping[str, str]) -> bytes:
    """The provenance of files: `subjects` are their SHA-256 by name."""
    taken = archives(parse_sources(inputs.recipe.debian.sources))
    return provenance.text(
        provenance.statement(
            subjects,
            inputs.lock,
            name=inputs.recipe.name,
            recipe_sha256=inputs.lock.recipe_sha256,
            lock_sha256=hashlib.sha256(inputs.lock_text).hexdigest(),
            unexpiring=[each.id for each in taken if not each.source.check_valid_until],
        )
    )


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
