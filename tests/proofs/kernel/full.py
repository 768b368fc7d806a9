"""Compile the tests' tiny kernel where the disk becomes full in its midst: that is said, and nothing is half kept.

    python -P -m tests.proofs.kernel.full DIRECTORY

The directory is a small file system of its own; `scripts/kernel full` makes it.
"""

import os
import sys
from pathlib import Path

import pytest

from assembler.architecture import AMD64
from assembler.kernel.locked_tools import opened
from assembler.kernel.vanilla import build
from assembler.lock.compilers import packages
from assembler.store.objects import Store
from tests.support.command import arguments
from tests.support.reporters import Recorder
from tests.support.tiny_kernel import source_of_linux, wish
from tests.support.toolboxes import own_tools


def main() -> int:
    """Compile; returns the exit status, which is 0 when it ends as it has to."""
    parser = arguments("full", __doc__)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    store, reporter = Store(directory / "store"), Recorder()
    source, toolbox = source_of_linux(), own_tools(packages(AMD64, AMD64))
    before = _used(directory)
    with (
        pytest.raises(OSError, match="No space left on device") as caught,
        opened(toolbox, store, AMD64, "6.12") as toolchain,
    ):
        build(wish(source, toolchain), directory / "out", store, kind="full", reporter=reporter)
    print(f"{caught.value.strerror}, after {len(reporter.notes)} files")
    left = [path for path in directory.rglob("*") if path.is_file() and path.parent.name not in {"locks", "logs"}]
    cached = [path for path in left if path.is_relative_to(store.root / "ccache")]
    assert left == cached, left
    assert not (directory / "out").exists()
    print(f"left are {_used(directory) - before} bytes: of ccache and logs")
    return 0


def _used(directory: Path) -> int:
    found = os.statvfs(directory)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


if __name__ == "__main__":
    sys.exit(main())
