"""ext4 file systems, by the toolbox's mke2fs from a tar stream: owners, modes and capabilities arrive, without root.

The same bytes come out for the same arguments and the same mke2fs, which the lock sees to. Options as in mke2fs(8),
version 1.47.
"""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from assembler.errors import AssembleError, Place
from assembler.progress import SILENT, Reporter, Step
from assembler.tools.confinement import Limits
from assembler.tools.toolbox import Toolbox, ToolError
from assembler.tree import tar
from assembler.tree.content import size_of
from assembler.tree.staging import Inode, Kind, Tree

BLOCK = 4096
"""Bytes of a block."""
_UNIT = 16 << 20
"""Bytes that a size chosen here is a multiple of."""
_BYTES_PER_INODE = 16384
_PASSING_INODES = 100_000
"""Further inodes of a file system for a machine."""
_ATTRIBUTES = frozenset({"security.capability"})
"""Extended attributes that mke2fs takes out of a tar archive."""
_FULL = "Could not allocate"
"""How mke2fs says that the file system is too small for what goes into it."""


def fitting_size(tree: Tree) -> int:
    """Bytes of a file system with room for `tree`, and about a quarter of it free."""
    needed = 0
    for inode in _inodes(tree):
        size = {Kind.FILE: size_of(inode.content), Kind.DIR: BLOCK}.get(inode.kind, 0)
        needed += -(-size // BLOCK) * BLOCK + 256
    # The journal, and tables of inodes and blocks.
    return -(-(needed * 5 // 4 + (96 << 20)) // _UNIT) * _UNIT


def write_ext4(
    tree: Tree,
    out: Path,
    toolbox: Toolbox,
    *,
    size: int,
    label: str,
    identity: str,
    epoch: int,
    reporter: Reporter = SILENT,
) -> None:
    """Write a file system of `size` bytes with `tree` in it to `out`, replacing it; a raw image with holes.

    `label` is the volume's, at most 16 characters. Its UUID and the seed of its directories' hashes derive from
    `identity`, any text, by custom a digest of the content. Every time in it that `tree` does not give is `epoch`
    (seconds), and no time is later. The reporter sees a step "ext4" that counts bytes of the tree's archive.

    Raises AssembleError when the tree does not fit or has extended attributes that mke2fs would drop, and ToolError.
    """
    paths = len(_inodes(tree))
    options = ["-L", label, "-N", str(max(size // _BYTES_PER_INODE, paths + paths // 2 + 1024))]
    options += _extended("lazy_itable_init=0,lazy_journal_init=0", identity)
    _make(tree, out, toolbox, options, size=size, epoch=epoch, reporter=reporter)


def write_passing(tree: Tree, out: Path, toolbox: Toolbox, *, size: int, epoch: int, reporter: Reporter) -> None:
    """As :func:`write_ext4`, for a machine that uses it once: what it needs after a crash, or to be seen as damaged, is
    left out. Every inode's change time is zero.
    """
    features = "^has_journal,^resize_inode,^metadata_csum,^64bit,^huge_file,uninit_bg"
    options = ["-O", features, "-I", "256", "-m", "0", "-N", str(_PASSING_INODES + len(_inodes(tree)))]
    options += _extended("lazy_itable_init=1", "passing")
    _make(tree, out, toolbox, options, size=size, epoch=epoch, reporter=reporter)


def _extended(options: str, identity: str) -> list[str]:
    """Extended options, of which mke2fs takes the last ones only, and what derives from `identity`."""
    return ["-U", _uuid(identity), "-E", f"hash_seed={_uuid(identity + ' folders')},{options},root_owner=0:0"]


def _make(
    tree: Tree,
    out: Path,
    toolbox: Toolbox,
    options: Sequence[str],
    *,
    size: int,
    epoch: int,
    reporter: Reporter,
) -> None:
    for path, inode in tree.walk():
        if not _ATTRIBUTES.issuperset(inode.xattrs):
            raise AssembleError(
                "ext4 would lose an extended attribute",
                where=Place(path=path),
                why=f"mke2fs takes none but {', '.join(sorted(_ATTRIBUTES))}: {', '.join(sorted(inode.xattrs))}",
            )
    # It may write to this file alone, which therefore has to be there.
    out.unlink(missing_ok=True)
    out.touch()
    try:
        with reporter.step("ext4", unit="B") as step:
            toolbox.run(
                "mke2fs",
                ["-q", "-F", "-t", "ext4", "-b", str(BLOCK), *options, "-d", "-", out.absolute(), f"{size // 1024}k"],
                writes=[out],
                limits=Limits(file=size),
                stdin=_counted(tar.write(tree, latest=epoch), step),
                environment={
                    "MKE2FS_CONFIG": str(toolbox.root / "etc/mke2fs.conf"),
                    "SOURCE_DATE_EPOCH": str(epoch),
                },
                reporter=reporter,
            )
    except ToolError as error:
        if any(_FULL in line for line in error.details):
            raise AssembleError(
                f"the files do not fit into a disk of {size >> 20} MiB",
                hint=f"it takes about {fitting_size(tree) >> 20} MiB",
            ) from error
        raise


def _inodes(tree: Tree) -> list[Inode]:
    return list({id(inode): inode for _, inode in tree.walk()}.values())


def _uuid(text: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def _counted(chunks: Iterable[bytes], step: Step) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        step.advance(len(chunk))
