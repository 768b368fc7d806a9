"""Which steps a recipe takes: the table of contents of an image."""

from assembler.layers import cloudinit, images, kernel, livecd, rootfs
from assembler.layers.inputs import Inputs
from assembler.layers.step import Step


def plan(inputs: Inputs) -> tuple[Step, ...]:
    """The steps of all layers, each after what it needs. Nothing is made yet.

    Raises Problems for a cloud-init seed that cloud-init would not take.
    """
    image = kernel.layer(inputs)
    root = rootfs.layer(inputs)
    initramfs = livecd.initrd_step(inputs, image)
    squashfs = livecd.squashfs_step(inputs, root)
    iso = livecd.iso_step(inputs, image, initramfs, squashfs)
    seed = cloudinit.layer(inputs)
    return (image.step, root.step, *images.steps(inputs, root), initramfs, squashfs, iso, seed)
