"""Which steps a recipe takes: the table of contents of an image."""

from assembler.layers import bill, cloudinit, images, kubernetes, livecd, rootfs, vanilla
from assembler.layers.context import BuildContext
from assembler.layers.kernel import distro_layer
from assembler.layers.rootfs import TreeLayer
from assembler.layers.step import Step


def systems(context: BuildContext) -> tuple[TreeLayer, ...]:
    """The root file systems, each with the next layer upon it."""
    root = rootfs.layer(context)
    system = kubernetes.layer(context, root)
    return (root,) if system is root else (root, system)


def plan(context: BuildContext) -> tuple[Step, ...]:
    """The steps of all layers, each after what it needs. Nothing is made yet.

    Raises Problems for a cloud-init seed that cloud-init would not take.
    """
    image = vanilla.layer(context) if context.recipe.kernel.source == "vanilla" else distro_layer(context)
    trees = systems(context)
    system = trees[-1]
    initramfs = livecd.initrd_step(context, image)
    squashfs = livecd.squashfs_step(context, system)
    sbom = bill.bill_step(context, system)
    iso = livecd.iso_step(context, image, system, initramfs, squashfs, sbom)
    files = [step for tree in trees for step in (tree.step, *images.steps(context, tree))]
    return (image.step, *files, sbom, initramfs, squashfs, iso, cloudinit.layer(context))
