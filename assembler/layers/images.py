"""A root file system as files that others take: a tar archive, compressed, and a disk image with ext4."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard

from assembler.formats import qcow2
from assembler.formats.ext4 import fitting_size, write_ext4
from assembler.layers.inputs import Inputs
from assembler.layers.rootfs import TreeLayer
from assembler.layers.step import Step, facts, of_packages, of_values
from assembler.recipe.shapes import in_bytes
from assembler.tree import tar

GZIP_LEVEL = 1
ZSTD_LEVEL = 3
"""See docs/bench.md for what others cost."""


def steps(inputs: Inputs, root: TreeLayer) -> tuple[Step, ...]:
    """One step for each of the recipe's `artifacts.formats`; the file is called as `root` is."""
    makers: dict[str, Callable[[Inputs, TreeLayer, Path], None]] = {
        "tar.gz": _tar_gz,
        "tar.zst": _tar_zst,
        "qcow2": _qcow2,
    }
    return tuple(_step(inputs, root, suffix, makers[suffix]) for suffix in inputs.recipe.artifacts.formats)


def _step(inputs: Inputs, root: TreeLayer, suffix: str, make: Callable[[Inputs, TreeLayer, Path], None]) -> Step:
    name = f"{root.name}.{suffix}"
    needed = {
        root.step.label: root.step.key,
        **of_values(epoch=inputs.epoch),
        **({"artifacts.disk_size": inputs.recipe.artifacts.disk_size} if suffix == "qcow2" else {}),
        **(of_packages("tool", inputs.lock.tools.packages) if suffix != "tar.zst" else {}),
    }

    def run(directory: Path) -> None:
        make(inputs, root, directory / name)

    return Step(layer=root.step.layer, name=suffix, inputs=needed, make=run, outputs=(name,), kept=False)


def _tar_gz(inputs: Inputs, root: TreeLayer, out: Path) -> None:
    # Not Python's zlib, which is the host's: another one compresses otherwise. pigz's bytes do not depend on the number
    # of its threads as long as there are several.
    options = ["--no-name", "--no-time", f"-{GZIP_LEVEL}", "--processes", str(max(2, inputs.jobs)), "--stdout"]
    with out.open("wb") as stream, inputs.reporter.step(out.name, unit="B") as step:

        def archive() -> Iterator[bytes]:
            for chunk in tar.write(root.compose(), latest=inputs.epoch):
                yield chunk
                step.advance(len(chunk))

        inputs.toolbox().run("pigz", options, stdin=archive(), stdout=stream, reporter=inputs.reporter)


def _tar_zst(inputs: Inputs, root: TreeLayer, out: Path) -> None:
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
    with (
        out.open("wb") as stream,
        inputs.reporter.step(out.name, unit="B") as step,
        compressor.stream_writer(stream, closefd=False) as compressed,
    ):
        for chunk in tar.write(root.compose(), latest=inputs.epoch):
            compressed.write(chunk)
            step.advance(len(chunk))


def _qcow2(inputs: Inputs, root: TreeLayer, out: Path) -> None:
    tree = root.compose()
    wanted = inputs.recipe.artifacts.disk_size
    with tempfile.TemporaryDirectory(prefix=".ext4-", dir=out.parent) as directory:
        raw = Path(directory) / "disk.raw"
        write_ext4(
            tree,
            raw,
            inputs.toolbox(),
            size=in_bytes(wanted) if wanted else fitting_size(tree),
            label=root.name,
            identity=facts(root.step.result(inputs.store))["tree_sha256"],
            epoch=inputs.epoch,
            reporter=inputs.reporter,
        )
        qcow2.compress(raw, out, jobs=inputs.jobs, reporter=inputs.reporter)
