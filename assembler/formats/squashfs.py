"""SquashFS images, by the toolbox's mksquashfs from a tar stream: no file system tree and no privilege are needed.

The same bytes come out for any number of processors and any memory limit, as long as mksquashfs and its compression
library are the same, which the lock sees to. Options as in mksquashfs(1), version 4.6.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from assembler.errors import AssembleError, Place
from assembler.progress import SILENT, Reporter, Step
from assembler.tools.toolbox import Toolbox

BLOCK_SIZE = 1 << 20
"""Bytes that are compressed as one; the largest the format has."""
MEMORY = "256M"
"""What mksquashfs may use for its queues and caches."""
_SHOWN = 20
"""Lines of complaint that an error shows."""
_ROOT_ENTRY = "Empty tar filename"
"""How mksquashfs complains about the root directory's own entry, which the options stand in for."""
DEFAULT_LEVELS = {"zstd": 3, "gzip": 9}
"""For a root file system of 430 MB, zstd took 3 CPU seconds at level 3 (172 MB), 8 at 6 (165), 50 at 15 (162) and 170
at 19 (151)."""
LEVELS = {"zstd": range(1, 23), "gzip": range(1, 10), "xz": range(0), "lz4": range(0)}
"""The levels that each compression of the format has; none for an empty range."""


def write_squashfs(
    chunks: Iterable[bytes],
    out: Path,
    toolbox: Toolbox,
    *,
    compression: str = "zstd",
    level: int | None = None,
    epoch: int,
    processors: int | None = None,
    reporter: Reporter = SILENT,
) -> None:
    """Write the image of a tar archive to `out`, replacing it.

    `chunks` is the archive: pax, ordered, each path once, every parent named (as tree/tar.py writes it). Owners, modes,
    times, hard links, devices and extended attributes arrive as they are there; the root directory is 0755 root:root,
    with
    `epoch`, the image's own time too, in seconds. `level` None takes a sensible one. `processors` limits the threads.
    The reporter sees a step "squashfs" that counts bytes of the archive.

    Raises AssembleError for a compression or level that the format does not have and when mksquashfs left something of
    the archive out, ToolError when it fails.
    """
    args = [*_compressor(compression, level), *_OPTIONS, *_times(epoch)]
    if processors is not None:
        args += ["-processors", str(processors)]
    # It may write to this file alone, which therefore has to be there.
    out.unlink(missing_ok=True)
    out.touch()
    with reporter.step("squashfs", unit="B") as step:
        printed = toolbox.run(
            "mksquashfs",
            ["-", out.absolute(), *args],
            writes=[out],
            stdin=_counted(chunks, step),
            reporter=reporter,
        )
    # It ends with status 0 after skipping an attribute or a member that it does not know.
    ignored = [line for line in printed.splitlines() if "ignoring" in line.lower() and not line.startswith(_ROOT_ENTRY)]
    if ignored:
        raise AssembleError(
            "mksquashfs left something out of the image", where=Place(file=str(out)), details=ignored[:_SHOWN]
        )


_OPTIONS = (
    *("-tar", "-reproducible", "-noappend", "-no-progress", "-exit-on-error", "-b", str(BLOCK_SIZE), "-mem", MEMORY),
    # mksquashfs ignores the archive's entry for the root and would make one from the builder's own identity.
    *("-root-mode", "755", "-root-uid", "0", "-root-gid", "0", "-default-uid", "0", "-default-gid", "0"),
)


def _times(epoch: int) -> list[str]:
    return ["-mkfs-time", str(epoch), "-root-time", str(epoch)]


def _compressor(compression: str, level: int | None) -> list[str]:
    levels = LEVELS.get(compression)
    if levels is None:
        raise AssembleError(
            "squashfs has no such compression", why=compression, hint=f"use one of {', '.join(sorted(LEVELS))}"
        )
    if level is None:
        level = DEFAULT_LEVELS.get(compression)
    elif level not in levels:
        allowed = f"from {levels[0]} to {levels[-1]}" if levels else "none"
        raise AssembleError(f"{compression} has no level {level}", hint=f"its levels: {allowed}")
    options = ["-comp", compression]
    if level is not None:
        options += ["-Xcompression-level", str(level)]
    return options


def _counted(chunks: Iterable[bytes], step: Step) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        step.advance(len(chunk))
