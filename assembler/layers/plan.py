"""Which steps a recipe takes: the table of contents of an image."""

from assembler.layers import bill, cloudinit, images, kubernetes, livecd, modules, rootfs, vanilla
from assembler.layers.context import BuildContext
from assembler.layers.kernel import KernelLayer, distro_layer
from assembler.layers.laid import ModulesLayer
from assembler.layers.rootfs import TreeLayer
from assembler.layers.step import Step


def kernel(context: BuildContext) -> tuple[KernelLayer, ModulesLayer | None]:
    """The kernel, and modules from outside it."""
    image = vanilla.layer(context) if context.recipe.kernel.source == "vanilla" else distro_layer(context)
    return image, modules.layer(context, image)


def systems(context: BuildContext, own: ModulesLayer | None) -> tuple[TreeLayer, ...]:
    """The root file systems, each with the next layer upon it; `own` are modules of the kernel."""
    root = rootfs.layer(context, own)
    system = kubernetes.layer(context, root)
    return (root,) if system is root else (root, system)


def plan(context: BuildContext) -> tuple[Step, ...]:
    """The steps of all layers, each after what it needs. Nothing is made yet.

    Raises Problems for a cloud-init seed that cloud-init would not take.
    """
    image, own = kernel(context)
    trees = systems(context, own)
    system = trees[-1]
    initramfs = livecd.initrd_step(context, image, trees[0], own)
    squashfs = livecd.squashfs_step(context, system)
    sbom = bill.bill_step(context, system)
    iso = livecd.iso_step(context, image, system, initramfs, squashfs, sbom)
    files = [step for tree in trees for step in (tree.step, *images.steps(context, tree))]
    return (image.step, *([own.step] if own else ()), *files, sbom, initramfs, squashfs, iso, cloudinit.layer(context))
