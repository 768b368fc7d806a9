"""Which objects of a store a lock names: all that a build from it can need, and all that proving it takes."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from assembler.debian.release import LARGEST_RELEASE
from assembler.lockfile.model import Lock, LockedArchive
from assembler.oci.registry import LARGEST_MANIFEST, Manifest
from assembler.store.download import UNKNOWN


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object that a lock names."""

    digest: str
    """SHA-256 in hex."""
    size: int
    """Bytes; `UNKNOWN` when the lock does not say, which it does of small things alone."""
    limit: int
    """Bytes that it has at most."""
    name: str
    """For people: the file name of a package."""


def archives_of(lock: Lock) -> tuple[LockedArchive, ...]:
    """All archives of `lock`, those of its tools included."""
    return tuple(dict.fromkeys((*lock.archives, *(each for box in lock.toolboxes for each in box.archives))))


def directly_named(lock: Lock) -> dict[str, NamedObject]:
    """What `lock` itself names, by digest and sorted by it: what is signed, indices, packages, files, manifests.

    Tools, the machine's packages and the compilers for a kernel are among them.
    """
    return _by_digest(_directly(lock))


def named_by_manifests(lock: Lock, manifests: Mapping[str, Manifest]) -> dict[str, NamedObject]:
    """What the manifests of the images of `lock` name, by digest and sorted by it, without what the lock itself does.

    `manifests`: by digest.
    """
    blobs = (
        NamedObject(blob.digest, blob.size, blob.size, f"{image.name} ({blob.digest[:12]})")
        for image in lock.images
        if image.manifest in manifests
        for blob in manifests[image.manifest].blobs
    )
    known = directly_named(lock)
    return {digest: each for digest, each in _by_digest(blobs).items() if digest not in known}


def identity(lock: Lock) -> str:
    """A digest (hex) of what `lock` names, whatever else it says: recording outputs in a lock does not change it."""
    return hashlib.sha256("\n".join(directly_named(lock)).encode()).hexdigest()


def _directly(lock: Lock) -> Iterator[NamedObject]:
    for archive in archives_of(lock):
        for digest in archive.signed:
            yield NamedObject(digest, UNKNOWN, LARGEST_RELEASE, f"Release of {archive.suite} of {archive.date}")
        for index in archive.indices:
            yield NamedObject(index.sha256, index.size, index.size, f"{archive.suite} {index.path}")
    for package in (*lock.packages, *(each for box in lock.toolboxes for each in box.packages)):
        yield NamedObject(package.sha256, package.size, package.size, package.path.rpartition("/")[2])
    for file in lock.files:
        yield NamedObject(file.sha256, file.size, file.size, file.name)
    for image in lock.images:
        yield NamedObject(image.manifest, image.size, image.size, image.name)
    # Where the name stood for the manifest itself, its size is known.
    for image in lock.images:
        yield NamedObject(image.index, UNKNOWN, LARGEST_MANIFEST, f"{image.name} (all platforms)")


def _by_digest(found: Iterator[NamedObject]) -> dict[str, NamedObject]:
    """The first of each digest."""
    known: dict[str, NamedObject] = {}
    for each in found:
        known.setdefault(each.digest, each)
    return dict(sorted(known.items()))
