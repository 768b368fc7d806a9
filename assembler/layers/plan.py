"""Which steps a recipe takes: the table of contents of an image."""

from assembler.layers import bill, cloudinit, images, kubernetes, livecd, rootfs, vanilla
from assembler.layers.inputs import Inputs
from assembler.layers.kernel import distro_layer
from assembler.layers.step import Step


def plan(inputs: Inputs) -> tuple[Step, ...]:
    """The steps of all layers, each after what it needs. Nothing is made yet.

    Raises Problems for a cloud-init seed that cloud-init would not take.
    """
    image = vanilla.layer(inputs) if inputs.recipe.kernel.source == "vanilla" else distro_layer(inputs)
    root = rootfs.layer(inputs)
    initramfs = livecd.initrd_step(inputs, image)
    system = kubernetes.layer(inputs, root)
    squashfs = livecd.squashfs_step(inputs, system)
    sbom = bill.bill_step(inputs, system)
    iso = livecd.iso_step(inputs, image, system, initramfs, squashfs, sbom)
    trees = (root,) if system is root else (root, system)
    files = [step for tree in trees for step in (tree.step, *images.steps(inputs, tree))]
    return (image.step, *files, sbom, initramfs, squashfs, iso, cloudinit.layer(inputs))
