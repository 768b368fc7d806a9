"""Getting locked packages into the store."""

from collections.abc import Collection, Iterable
from datetime import datetime

from assembler.debian import local
from assembler.debian.mirrors import MISMATCH_HINT, Mirrors, join
from assembler.errors import Place
from assembler.lockfile.model import LockedArchive, LockedPackage
from assembler.store.addresses import printable
from assembler.store.download import Download, TransportError
from assembler.store.objects import Store
from assembler.store.transport import Transport

_MOST_NAMED = 10
"""Files that an error names."""


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
    archive, then in the snapshot of the archive as the lock saw it; those that the recipe brings itself, where it says.
    Raises TransportError, or StoreError when the disk is full.
    """
    known = {archive.id: archive for archive in archives}
    downloads = [
        _download(package, known[package.archive], mirrors) if package.archive else _own(package, mirrors)
        for package in packages
    ]
    lost = {(item.name, item.digest) for item in downloads if not item.urls and not store.sound(item.digest)}
    if lost:
        raise missing(lost)
    local.download(downloads, store=store, transport=transport, mirrors=mirrors)


def missing(files: Collection[tuple[str, str]], where: Place | None = None) -> TransportError:
    """That .debs of the recipe's own are not there, each as the recipe calls it and with its SHA-256."""
    listed = sorted(files)
    more = len(listed) - _MOST_NAMED
    one = len(listed) == 1
    return TransportError(
        f"{listed[0][0]} is not here" if one else f"{len(listed)} packages of the recipe's own are not here",
        where=where,
        why=f"the recipe brings {'it' if one else 'them'} itself, so no archive is asked; the store has no copy",
        hint="put the files where the recipe names them, or beside an image that is built again; "
        "or bring them with a bundle, by assemble store import",
        details=[
            *(f"{name} (sha256 {sha256})" for name, sha256 in listed[:_MOST_NAMED]),
            *([f"and {more} more"] if more > 0 else []),
        ],
    )


def _own(package: LockedPackage, mirrors: Mirrors) -> Download:
    here = mirrors.local.debs.get(package.sha256) if mirrors.local else None
    urls = (package.url,) if package.url else (here.absolute().as_uri(),) if here else ()
    return Download(
        digest=package.sha256,
        size=package.size,
        urls=urls,
        name=package.path,
        hint=f"the recipe takes it from {printable(package.url)}" if package.url else "",
        trusted_by="the lock",
        mismatch_hint="it is another file now: run `assemble lock`",
    )


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
