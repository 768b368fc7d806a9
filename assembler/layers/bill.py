"""Bills of materials of the image, as outputs and on the ISO: see image/sbom.py."""

from pathlib import Path

from assembler.image import sbom
from assembler.image.keys import digest
from assembler.image.licences import licences
from assembler.image.names import CYCLONEDX, SPDX
from assembler.layers.inputs import Inputs
from assembler.layers.rootfs import TreeLayer
from assembler.layers.step import Step, of_packages, of_values


def bill_step(inputs: Inputs, system: TreeLayer) -> Step:
    """Both bills for the packages, upstream files and container images of the lock, with licences out of `system`."""
    name, lock, epoch = inputs.recipe.name, inputs.lock, inputs.epoch

    def make(directory: Path) -> None:
        with inputs.reporter.step("sbom"):
            tree = system.compose()
            known = licences(tree, tree.read, [package.name for package in lock.role("rootfs")])
            parts = list(sbom.parts(lock, known))
            (directory / CYCLONEDX).write_bytes(sbom.cyclonedx(name, epoch, parts))
            (directory / SPDX).write_bytes(sbom.spdx_document(name, epoch, parts))

    needed = {
        system.step.label: system.step.key,
        **of_values(name=name, epoch=epoch),
        **of_packages("package", lock.packages),
        **{f"file {file.name}": digest(value=file) for file in lock.files},
        **{f"image {image.name}": digest(value=image) for image in lock.images},
    }
    return Step(layer="rootfs", name="sbom", inputs=needed, make=make, outputs=(CYCLONEDX, SPDX), discreet=True)
