"""Getting all that a lock names into the store, whether or not a build needs it."""

from dataclasses import replace
from datetime import datetime

from assembler.debian.fetch import fetch_packages
from assembler.debian.mirrors import Mirrors, join
from assembler.debian.sources import release_directory
from assembler.lock.files import fetch_files
from assembler.lock.objects import archives_of
from assembler.lockfile.model import Lock, LockedArchive
from assembler.oci.locking import fetch_images
from assembler.oci.reference import parse
from assembler.oci.registry import Repository
from assembler.store.download import UNKNOWN, Download
from assembler.store.objects import Store
from assembler.store.transport import Transport

_HINT = "the archive has moved on, and no snapshot of it was found: run `assemble lock --upgrade`"


def fetch_all(lock: Lock, *, store: Store, transport: Transport, mirrors: Mirrors) -> None:
    """See to it that `store` has all objects that `lock` names, and all that the manifests of its images do.

    Raises TransportError, OfflineError naming what is missing, RegistryError or StoreError.
    """
    transport.learn(store, [each for archive in archives_of(lock) for each in _signed(archive, mirrors)])
    transport.download(store, [each for archive in archives_of(lock) for each in _indices(archive, mirrors)])
    fetch_packages(lock.packages, lock.archives, store=store, transport=transport, mirrors=mirrors)
    for box in lock.toolboxes:
        fetch_packages(box.packages, box.archives, store=store, transport=transport, mirrors=mirrors)
    fetch_files(lock.files, store=store, transport=transport)
    for image in lock.images:
        if not store.sound(image.index):
            store.add(Repository(replace(parse(image.name), digest=f"sha256:{image.index}"), transport).index())
    fetch_images(lock.images, store=store, transport=transport)


def _directories(archive: LockedArchive, mirrors: Mirrors) -> list[str]:
    """Where the Release of `archive` may be."""
    bases = (*mirrors.bases(archive.root), *mirrors.snapshot(archive.root, datetime.fromisoformat(archive.date)))
    return [join(base, release_directory(archive.suite)) for base in bases]


def _signed(archive: LockedArchive, mirrors: Mirrors) -> list[Download]:
    names = ("Release", "Release.gpg") if archive.signature_sha256 else ("InRelease",)
    return [
        Download(
            digest,
            UNKNOWN,
            tuple(f"{directory}/{name}" for directory in _directories(archive, mirrors)),
            f"{name} of {archive.suite} of {archive.date}",
            _HINT,
            trusted_by="the lock",
        )
        for digest, name in zip(archive.signed, names, strict=True)
    ]


def _indices(archive: LockedArchive, mirrors: Mirrors) -> list[Download]:
    return [
        Download(
            index.sha256,
            index.size,
            tuple(
                join(directory, path)
                for directory in _directories(archive, mirrors)
                for path in (f"{index.path.rpartition('/')[0]}/by-hash/SHA256/{index.sha256}", index.path)
            ),
            f"{archive.suite} {index.path}",
            _HINT,
            trusted_by="the lock",
        )
        for index in archive.indices
    ]
