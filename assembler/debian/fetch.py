"""Getting locked packages into the store."""

from collections.abc import Iterable
from datetime import datetime

from assembler.debian.mirrors import MISMATCH_HINT, Mirrors, join
from assembler.lockfile.model import LockedArchive, LockedPackage
from assembler.store.download import Download
from assembler.store.objects import Store
from assembler.store.transport import Transport


def fetch_packages(
    packages: Iterable[LockedPackage],
    archives: Iterable[LockedArchive],
    *,
    store: Store,
    transport: Transport,
    mirrors: Mirrors,
) -> None:
    """See to it that the .deb of each of `packages` is in `store`, under its SHA-256.

    `archives` are those of the lock that the packages are from. Each package is looked for on the mirrors of its
    archive, then in the snapshot of the archive as the lock saw it. Raises TransportError, or StoreError when the disk
    is full.
    """
    known = {archive.id: archive for archive in archives}
    transport.download(store, [_download(package, known[package.archive], mirrors) for package in packages])


def _download(package: LockedPackage, archive: LockedArchive, mirrors: Mirrors) -> Download:
    bases = (*mirrors.bases(archive.root), *mirrors.snapshot(archive.root, datetime.fromisoformat(archive.date)))
    return Download(
        digest=package.sha256,
        size=package.size,
        urls=tuple(join(base, package.path) for base in bases),
        name=package.path.rpartition("/")[2],
        hint="the archive may have dropped this version: run `assemble lock --upgrade` to take what it has now",
        trusted_by="the lock",
        mismatch_hint=MISMATCH_HINT,
    )
