"""The Packages indices that a Release lists: chosen, fetched and read."""

import hashlib
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from urllib.parse import urlsplit

from assembler.debian import local
from assembler.debian.mirrors import BUILT_IN, MISMATCH_HINT, Mirrors, join
from assembler.debian.preferences import Listing
from assembler.debian.release import Release, ReleaseError
from assembler.debian.sources import Archive
from assembler.lockfile.model import LockedIndex
from assembler.store.download import Download
from assembler.store.objects import Store
from assembler.store.transport import Transport

LARGEST_INDEX = 1 << 29
"""Bytes of an index, also when it is decompressed; Debian's largest has 60 MB."""
_COMPRESSIONS = (".xz", ".gz", "")
_MEMORY = 256 << 20  # for an xz dictionary; xz -9 needs 65 MB


def choose_indices(release: Release, archive: Archive, architecture: str) -> tuple[LockedIndex, ...]:
    """The Packages indices of `archive` for `architecture`, in the order of its components.

    Raises ReleaseError when the Release has no such component or architecture.
    """
    source = archive.source
    if source.architectures and not {architecture, "all"} & {*source.architectures}:
        return ()
    where = archive.place
    if archive.flat:
        found = _index(release, "Packages")
        if found is None:
            raise ReleaseError(f"the Release of {archive.suite} lists no Packages", where=where)
        return (found,)
    kinds = tuple(_kinds(release, archive, architecture))
    if not kinds:
        raise ReleaseError(
            f"{archive.suite} has no packages for {architecture}",
            where=where,
            why=f"it has {' '.join(release.architectures)}",
            hint="name the architectures to take from there in its Architectures field",
        )
    result: list[LockedIndex] = []
    for component in source.components:
        there = [index for kind in kinds if (index := _index(release, f"{component}/binary-{kind}/Packages"))]
        if not there:
            # The security archive lists its components as updates/main, though its paths say main.
            known = [name.removeprefix("updates/") for name in release.components]
            near = get_close_matches(component, known, 1)
            raise ReleaseError(
                f"{archive.suite} has no component {component}",
                where=where,
                why=f"it has {' '.join(known)}",
                hint=f"did you mean {near[0]}?" if near and near[0] != component else "",
            )
        result += there
    return tuple(result)


def _kinds(release: Release, archive: Archive, architecture: str) -> Iterator[str]:
    """Of which architectures the indices are that have packages for `architecture`; those for all may be apart."""
    wanted, offered = archive.source.architectures, release.architectures
    if (not wanted or architecture in wanted) and (not offered or architecture in offered):
        yield architecture
    if (release.index_for_all or "all" in wanted) and (not wanted or "all" in wanted or architecture in wanted):
        yield "all"


def _index(release: Release, stem: str) -> LockedIndex | None:
    path = next((stem + suffix for suffix in _COMPRESSIONS if stem + suffix in release.files), "")
    if not path:
        return None
    digest, size = release.files[path]
    if size > LARGEST_INDEX:
        raise _too_large(path, size)
    return LockedIndex(path=path, size=size, sha256=digest)


def listing(release: Release, archive: Archive, index: LockedIndex) -> Listing:
    """What preferences may ask of an index of `archive`."""
    component, binary, _ = index.path.partition("/binary-")
    return Listing(
        id=archive.id,
        suite=release.suite,
        codename=release.codename,
        version=release.version,
        origin=release.origin,
        label=release.label,
        component=component if binary else "",
        site=None if archive.root in BUILT_IN else urlsplit(archive.root).hostname or "",
        priority=release.priority,
    )


def fetch_indices(
    wanted: Iterable[tuple[Archive, Release, LockedIndex]],
    *,
    store: Store,
    transport: Transport,
    mirrors: Mirrors,
    snapshots: bool = False,
) -> None:
    """Get indices into `store`, by their digests where the archive has them under these.

    `snapshots`: they may be old, so snapshots of the archives are asked too. Raises TransportError.
    """
    downloads = []
    for archive, release, index in wanted:
        directory = index.path.rpartition("/")[0]
        urls = []
        old = mirrors.snapshot(archive.root, release.date) if snapshots else ()
        for base in (*mirrors.bases(archive.root), *old):
            suite = join(base, archive.directory)
            if release.by_hash:
                urls.append(join(suite, directory, "by-hash/SHA256", index.sha256))
            urls.append(join(suite, index.path))
        hint = "the archive may just be changing; try again in a few minutes"
        downloads.append(
            Download(
                index.sha256,
                index.size,
                tuple(urls),
                f"{archive.suite} {index.path}",
                hint,
                trusted_by=f"the signed Release of {archive.suite}",
                mismatch_hint=f"{hint}; if it stays so, {MISMATCH_HINT}",
            )
        )
    local.download(downloads, store=store, transport=transport, mirrors=mirrors)


def read_index(store: Store, release: Release, index: LockedIndex) -> bytes:
    """The text of an index that is in `store`. Raises ReleaseError when it is damaged or too large."""
    stem = index.path.removesuffix(".xz").removesuffix(".gz")
    promised = release.files[stem][1] if stem in release.files else None
    if promised is not None and promised > LARGEST_INDEX:
        raise _too_large(index.path, promised)
    limit = LARGEST_INDEX if promised is None else promised
    data = store.get(index.sha256, what=index.path).read_bytes()
    if hashlib.sha256(data).hexdigest() != index.sha256:  # by somebody who can write to the store
        raise ReleaseError(f"{index.path} is damaged", hint="build again, and it is fetched again")
    try:
        text = _DECOMPRESS[index.path.removeprefix(stem)](data, limit)
    except (lzma.LZMAError, zlib.error) as error:
        raise ReleaseError(f"{index.path} cannot be decompressed", why=str(error)) from error
    if len(text) > limit or promised not in {None, len(text)}:
        raise ReleaseError(f"{index.path} does not decompress to the {limit} bytes that its Release promises")
    return text


def _too_large(path: str, size: int) -> ReleaseError:
    return ReleaseError(
        f"{path} is too large", why=f"its Release promises {size} bytes; at most {LARGEST_INDEX >> 20} MiB are read"
    )


def _unxz(data: bytes, limit: int) -> bytes:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY).decompress(data, limit + 1)


def _gunzip(data: bytes, limit: int) -> bytes:
    return zlib.decompressobj(31).decompress(data, limit + 1)


_DECOMPRESS: Mapping[str, Callable[[bytes, int], bytes]] = {
    ".xz": _unxz,
    ".gz": _gunzip,
    "": lambda data, _: data,
}
