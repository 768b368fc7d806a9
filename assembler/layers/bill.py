"""SBOMs of the image, as outputs and on the ISO: see image/sbom.py."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from assembler.image import libraries, sbom
from assembler.image.keys import digest
from assembler.image.licences import licences
from assembler.image.names import CYCLONEDX, SPDX
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import Counts, Epoch, Libraries, step_of, value
from assembler.layers.rootfs import TreeLayer
from assembler.layers.step import Step, of_packages
from assembler.lockfile.model import IN_IMAGE, Lock, LockedArchive, LockedToolbox


def _components(lock: Lock) -> dict[str, str]:
    """What of a lock is in its image."""
    return {
        **of_packages("package", lock.packages),
        **{f"archive {archive.id}": digest(value=archive) for archive in lock.archives},
        **{f"file {file.name}": digest(value=file) for file in lock.files},
        **{f"image {image.name}": digest(value=image) for image in lock.images},
    }


def _of_image(lock: Lock) -> Lock:
    """The lock without what is not in its image, and of its archives which they are: that is all that the step sees."""
    packages = [(package, tuple(role for role in package.roles if role in IN_IMAGE)) for package in lock.packages]
    used = {package.archive for package, roles in packages if roles}
    archives = [
        LockedArchive(
            id=archive.id,
            root=archive.root,
            suite=archive.suite,
            components=(),
            inrelease_sha256="",
            date="",
            valid_until="",
            signed_by=archive.signed_by,
            indices=(),
        )
        for archive in lock.archives
        if archive.id in used
    ]
    tools = LockedToolbox(architecture="", archives=(), packages=())
    return Lock(
        assembler="",
        recipe_sha256="",
        source_date_epoch=0,
        architecture="",
        archives=tuple(archives),
        packages=tuple(replace(package, roles=roles) for package, roles in packages if roles),
        tools=tools,
        files=lock.files,
        images=lock.images,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sboms:
    """Both SBOMs for the packages, upstream files and container images of a lock, with licences out of `system`."""

    system: TreeLayer
    name: Annotated[str, value("name")]
    epoch: Epoch
    components: Annotated[Lock, Counts(_components)]
    libraries: Libraries

    def make(self, means: Means, directory: Path) -> None:
        with means.reporter.step("sbom"):
            tree = self.system.compose()
            known = licences(tree, tree.read, [package.name for package in self.components.role("rootfs")])
            parts = list(sbom.parts(self.components, known))
            (directory / CYCLONEDX).write_bytes(sbom.cyclonedx(self.name, self.epoch, parts))
            (directory / SPDX).write_bytes(sbom.spdx_document(self.name, self.epoch, parts))


def bill_step(context: BuildContext, system: TreeLayer) -> Step:
    """Both SBOMs."""
    declared = _Sboms(
        system=system,
        name=context.recipe.name,
        epoch=context.epoch,
        components=_of_image(context.lock),
        libraries=context.writers(*libraries.SBOM),
    )
    return step_of(declared, context.means, layer="rootfs", name="sbom", outputs=(CYCLONEDX, SPDX), discreet=True)
