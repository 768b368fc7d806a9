"""What the archives of a lock offer, for proofs that choose packages of their own."""

import gzip
import lzma

from assembler.debian.index import Universe
from assembler.lockfile.model import Lock
from assembler.releases import RELEASES
from assembler.store.objects import Store

_DECOMPRESS = {"xz": lzma.decompress, "gz": gzip.decompress}


def universe(lock: Lock, store: Store) -> Universe:
    """All packages of the lock's archives, whose indices are in `store`."""
    return Universe.from_indices(
        [
            (archive.id, _DECOMPRESS[index.path.rpartition(".")[2]](store.path(index.sha256).read_bytes()))
            for archive in lock.archives
            for index in archive.indices
        ],
        lock.architecture,
    )


def sources(release: str) -> str:
    """The archives of a release, as recipes name them."""
    # testing's are past their Valid-Until on days when nothing is done for them; proofs are not about that.
    return RELEASES[release].sources.replace("Types: deb\n", "Types: deb\nCheck-Valid-Until: no\n")
