"""The build: from a recipe and its lock to the files in the output folder, layer by layer."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assembler.formats.iso import write_iso
from assembler.initrd.compose import read_scripts
from assembler.layers import cloudinit, livecd, rootfs
from assembler.layers.keys import digest, key
from assembler.layers.manifest import Manifest
from assembler.layers.outputs import Outputs, outputs
from assembler.lock.model import Lock, LockedPackage
from assembler.progress import SILENT, Reporter
from assembler.recipe.load import LoadedRecipe
from assembler.store.objects import Store
from assembler.tools.toolbox import Toolbox
from assembler.tools.unpack import unpacked


def scripts_folder() -> Path:
    """The folder ``initramfs/``: inside an installed package, or at the top of a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "initramfs"
    return installed if installed.is_dir() else package.parent / "initramfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What every layer of one build needs."""

    loaded: LoadedRecipe
    lock: Lock
    lock_text: bytes
    """The lock's file, which goes onto the ISO."""
    store: Store
    fetch: Callable[[Iterable[LockedPackage]], None]
    """Gets packages into the store."""
    jobs: int = 2
    reporter: Reporter = SILENT

    @property
    def epoch(self) -> int:
        """SOURCE_DATE_EPOCH in seconds."""
        return self.lock.source_date_epoch

    @property
    def files(self) -> dict[str, bytes]:
        """The bytes of the files that the recipe names, by the key that names them."""
        return {name: file.data for name, file in self.loaded.files.items()}

    def folder_of(self, role: str) -> Path:
        """A folder in the store with the packages of `role`, fetched and laid out."""
        packages = self.lock.role(role)
        self.fetch(packages)
        return unpacked(self.store, packages)

    def toolbox(self) -> Toolbox:
        """The locked tools."""
        folder = self.folder_of("tools")
        return Toolbox(folder, self.lock.build_architecture, self.store.root / "logs")


def build(inputs: Inputs, out: Path) -> Manifest:
    """Build the live ISO, the seed, kernel and initrd of a recipe into `out`; returns what manifest.json says.

    Nothing in `out` changes unless everything succeeds. Raises AssembleError of many kinds, and OSError when a disk is
    full.
    """
    seed = seed_files(inputs)
    parts = live_parts(inputs)
    with outputs(out) as made:
        _write_seed(made, seed, inputs)
        _write_iso(made, parts, inputs)
        made.copy(parts.kernel, "vmlinuz")
        made.copy(parts.initrd, "initrd.img")
        for name in ("cloud-init-seed.iso", "initrd.img", "node.iso", "vmlinuz"):
            made.record(name)
        manifest = _manifest(made, parts, inputs)
        made.path("manifest.json").write_bytes(manifest.json())
    return manifest


def compose_rootfs(inputs: Inputs) -> rootfs.Rootfs:
    """The root file system layer as a tree."""
    packages = inputs.lock.role("rootfs")
    inputs.fetch(packages)
    return rootfs.compose(
        inputs.loaded.recipe.rootfs,
        packages,
        files=inputs.files,
        architecture=inputs.lock.architecture,
        epoch=inputs.epoch,
        store=inputs.store,
        jobs=inputs.jobs,
        reporter=inputs.reporter,
    )


def live_parts(inputs: Inputs) -> livecd.Parts:
    """Kernel, initrd and squashfs, from the store when nothing that goes into them has changed."""
    recipe, lock = inputs.loaded.recipe, inputs.lock
    scripts = read_scripts(scripts_folder())
    wanted = key(
        rootfs=recipe.rootfs,
        files=inputs.files,
        kernel=recipe.kernel,
        livecd=recipe.livecd,
        packages=_digests(lock.role("rootfs")),
        programs=_digests(lock.role("initrd")),
        tools=_digests(lock.role("tools")),
        scripts=scripts,
        epoch=lock.source_date_epoch,
        architecture=lock.architecture,
    )

    def make(folder: Path) -> None:
        programs = lock.role("initrd")
        inputs.fetch(programs)
        livecd.write_parts(
            folder,
            compose_rootfs(inputs),
            programs,
            scripts,
            recipe=recipe.livecd,
            kernel_package=recipe.kernel.package,
            epoch=lock.source_date_epoch,
            store=inputs.store,
            toolbox=inputs.toolbox(),
            jobs=inputs.jobs,
            reporter=inputs.reporter,
        )

    return livecd.read_parts(inputs.store.derived("live-1", wanted, make))


def seed_files(inputs: Inputs) -> Mapping[str, bytes]:
    """The files of the NoCloud seed by name, checked."""
    return cloudinit.from_recipe(inputs.loaded)


def _digests(packages: Sequence[LockedPackage]) -> list[str]:
    return [package.sha256 for package in packages]


def _write_seed(made: Outputs, seed: Mapping[str, bytes], inputs: Inputs) -> None:
    write_iso(
        made.path("cloud-init-seed.iso"),
        {f"/{name}": data for name, data in seed.items()},
        label=cloudinit.LABEL,
        epoch=inputs.epoch,
        joliet=True,
        identity=digest(seed=dict(seed)),
    )


def _write_iso(made: Outputs, parts: livecd.Parts, inputs: Inputs) -> None:
    recipe = inputs.loaded.recipe
    livecd.write_live_iso(
        made.path("node.iso"),
        parts,
        name=recipe.name,
        recipe=recipe.livecd,
        architecture=inputs.lock.architecture,
        epoch=inputs.epoch,
        toolbox=inputs.toolbox(),
        loaders=inputs.folder_of("boot"),
        extra={f"/live/{recipe.name}.lock.toml": inputs.lock_text},
        reporter=inputs.reporter,
    )


def _manifest(made: Outputs, parts: livecd.Parts, inputs: Inputs) -> Manifest:
    lock = inputs.lock
    return Manifest(
        name=inputs.loaded.recipe.name,
        architecture=lock.architecture,
        source_date_epoch=lock.source_date_epoch,
        recipe_sha256=lock.recipe_sha256,
        lock_sha256=hashlib.sha256(inputs.lock_text).hexdigest(),
        kernel_release=parts.release,
        artifacts=tuple(made.artifacts),
        contents=parts.digests,
        packages=tuple(
            {
                "name": package.name,
                "version": package.version,
                "architecture": package.architecture,
                "source": package.source,
                "sha256": package.sha256,
            }
            for package in lock.role("rootfs")
        ),
    )
