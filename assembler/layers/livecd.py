"""The live ISO layer: GRUB -> kernel -> our initrd -> squashfs below an overlay on the state disk -> systemd."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assembler.boot.live import live_boot
from assembler.debian.unpack import unpack
from assembler.formats.iso import write_iso
from assembler.formats.squashfs import write_squashfs
from assembler.initrd import compose as initrd
from assembler.layers.kernel import distro_kernel
from assembler.layers.keys import digest
from assembler.layers.rootfs import Rootfs, open_packages
from assembler.lock.model import LockedPackage
from assembler.progress import SILENT, Reporter
from assembler.recipe.model import Livecd
from assembler.store.objects import Store, sha256_of
from assembler.tools.toolbox import Toolbox
from assembler.tree import tar
from assembler.tree.content import chunks
from assembler.tree.staging import Tree

SQUASHFS = "live/filesystem.squashfs"
"""Where the root file system lies on the ISO."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What goes onto the ISO besides boot loaders; files below `folder`, which is in the store."""

    folder: Path
    release: str
    """Of the kernel."""
    digests: Mapping[str, str]
    """SHA-256 by path on the ISO."""

    @property
    def kernel(self) -> Path:
        """The kernel image."""
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The compressed initramfs."""
        return self.folder / "initrd.img"

    @property
    def squashfs(self) -> Path:
        """The root file system."""
        return self.folder / "filesystem.squashfs"


def write_parts(
    folder: Path,
    rootfs: Rootfs,
    programs: Sequence[LockedPackage],
    scripts: Mapping[str, bytes],
    *,
    recipe: Livecd,
    kernel_package: str,
    epoch: int,
    store: Store,
    toolbox: Toolbox,
    jobs: int = 2,
    reporter: Reporter = SILENT,
) -> None:
    """Make `folder` and write kernel, initrd, squashfs and ``parts.json`` into it.

    `programs` are the packages of the `initrd` role and `scripts` the files of initramfs/; `epoch` is in seconds.
    """
    folder.mkdir()
    tree = rootfs.tree
    kernel = distro_kernel(tree, kernel_package)
    with (folder / "vmlinuz").open("wb") as out:
        out.writelines(chunks(kernel.image))
    with reporter.step("initrd"):
        programs_tree = Tree(mtime=epoch)
        unpack(programs_tree, open_packages(store, programs, jobs=jobs), latest=epoch)
        configuration = initrd.Settings(label=recipe.label, state=recipe.state, state_label=recipe.state_label)
        image = initrd.compose(tree, programs_tree, kernel.release, scripts, configuration)
        initrd.write(image, folder / "initrd.img", epoch)
    write_squashfs(
        tar.write(tree, latest=epoch),
        folder / "filesystem.squashfs",
        toolbox,
        compression=recipe.compression,
        level=recipe.compression_level,
        epoch=epoch,
        processors=jobs,
        reporter=reporter,
    )
    listing = {
        "release": kernel.release,
        "digests": {
            "boot/vmlinuz": sha256_of(folder / "vmlinuz"),
            "boot/initrd.img": sha256_of(folder / "initrd.img"),
            SQUASHFS: sha256_of(folder / "filesystem.squashfs"),
        },
    }
    (folder / "parts.json").write_text(json.dumps(listing), "ascii")


def read_parts(folder: Path) -> Parts:
    """What :func:`write_parts` left in `folder`."""
    listing = json.loads((folder / "parts.json").read_bytes())
    return Parts(folder, listing["release"], listing["digests"])


def write_live_iso(
    out: Path,
    parts: Parts,
    *,
    name: str,
    recipe: Livecd,
    architecture: str,
    epoch: int,
    toolbox: Toolbox,
    loaders: Path,
    extra: Mapping[str, bytes],
    reporter: Reporter = SILENT,
) -> None:
    """Write the hybrid ISO. `loaders` is the folder of the `boot` role's packages; `extra` are further files on it."""
    identity = digest(parts=dict(parts.digests), recipe=recipe, name=name, extra=dict(extra))
    boot = live_boot(
        toolbox,
        loaders,
        architecture=architecture,
        title=name,
        identity=identity,
        epoch=epoch,
        state=recipe.state,
        cmdline=recipe.cmdline,
        timeout=recipe.timeout,
    )
    write_iso(
        out,
        {
            **boot.files,
            **extra,
            "/boot/vmlinuz": parts.kernel,
            "/boot/initrd.img": parts.initrd,
            f"/{SQUASHFS}": parts.squashfs,
        },
        label=recipe.label,
        epoch=epoch,
        boot=boot.images,
        identity=identity,
        reporter=reporter,
    )
