"""A root file system as files that others take: a tar archive, compressed, and a disk image with ext4."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import zstandard

from assembler.formats import qcow2
from assembler.formats.ext4 import fitting_size, write_ext4
from assembler.image import libraries
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import Declared, Epoch, Libraries, step_of, value
from assembler.layers.rootfs import TreeLayer
from assembler.layers.step import Step, metadata
from assembler.lockfile.model import LockedToolbox
from assembler.recipe.shapes import in_bytes
from assembler.tree import tar

GZIP_LEVEL = 1
ZSTD_LEVEL = 3
"""See docs/bench.md for what others cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _TarGz:
    root: TreeLayer
    epoch: Epoch
    tools: LockedToolbox

    def make(self, means: Means, directory: Path) -> None:
        # Not Python's zlib, which is the host's: another one compresses otherwise. pigz's bytes do not depend on the
        # number of its threads as long as there are several.
        options = ["--no-name", "--no-time", f"-{GZIP_LEVEL}", "--processes", str(max(2, means.jobs)), "--stdout"]
        name = f"{self.root.name}.tar.gz"
        with (directory / name).open("wb") as stream, means.reporter.step(name, unit="B") as step:

            def archive() -> Iterator[bytes]:
                for chunk in tar.write(self.root.compose(), latest=self.epoch):
                    yield chunk
                    step.advance(len(chunk))

            toolbox = means.toolbox(self.tools)
            toolbox.run("pigz", options, stdin=archive(), stdout=stream, reporter=means.reporter)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TarZst:
    root: TreeLayer
    epoch: Epoch
    libraries: Libraries

    def make(self, means: Means, directory: Path) -> None:
        compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
        name = f"{self.root.name}.tar.zst"
        with (
            (directory / name).open("wb") as stream,
            means.reporter.step(name, unit="B") as step,
            compressor.stream_writer(stream, closefd=False) as compressed,
        ):
            for chunk in tar.write(self.root.compose(), latest=self.epoch):
                compressed.write(chunk)
                step.advance(len(chunk))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Qcow2:
    root: TreeLayer
    epoch: Epoch
    disk_size: Annotated[str, value("artifacts.disk_size")]
    tools: LockedToolbox
    libraries: Libraries

    def make(self, means: Means, directory: Path) -> None:
        tree = self.root.compose()
        with tempfile.TemporaryDirectory(prefix=".ext4-", dir=directory) as scratch:
            raw = Path(scratch) / "disk.raw"
            write_ext4(
                tree,
                raw,
                means.toolbox(self.tools),
                size=in_bytes(self.disk_size) if self.disk_size else fitting_size(tree),
                label=self.root.name,
                identity=metadata(self.root.step.result(means.store))["tree_sha256"],
                epoch=self.epoch,
                reporter=means.reporter,
            )
            qcow2.compress(raw, directory / f"{self.root.name}.qcow2", jobs=means.jobs, reporter=means.reporter)


def steps(context: BuildContext, root: TreeLayer) -> tuple[Step, ...]:
    """One step for each of the recipe's `artifacts.formats`; the file is called as `root` is."""
    epoch, tools, zstd = context.epoch, context.lock.tools, context.writers(*libraries.ZSTD)
    size = context.recipe.artifacts.disk_size
    declared: dict[str, Declared] = {
        "tar.gz": _TarGz(root=root, epoch=epoch, tools=tools),
        "tar.zst": _TarZst(root=root, epoch=epoch, libraries=zstd),
        "qcow2": _Qcow2(root=root, epoch=epoch, disk_size=size, tools=tools, libraries=zstd),
    }
    return tuple(
        step_of(
            declared[suffix],
            context.means,
            layer=root.step.layer,
            name=suffix,
            outputs=(f"{root.name}.{suffix}",),
            cached=False,
        )
        for suffix in context.recipe.artifacts.formats
    )
