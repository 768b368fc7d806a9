"""InRelease files: fetched, verified, checked, and followed to the indices that they list.

The format is that of https://wiki.debian.org/DebianRepository/Format. Trust goes down one chain: a certificate signs
InRelease, which lists each index with size and SHA-256, which lists each package with size and SHA-256.
"""

import hashlib
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from assembler.debian import keyring
from assembler.debian.deb822 import Deb822Error, Paragraph, paragraphs
from assembler.debian.mirrors import MISMATCH_HINT, Mirrors, join
from assembler.debian.sources import Archive
from assembler.errors import AssembleError, Place
from assembler.lockfile.model import LockedArchive, LockedIndex
from assembler.progress import SILENT, Reporter
from assembler.store.download import Download, OfflineError, TransportError
from assembler.store.objects import Store
from assembler.store.transport import Transport

if TYPE_CHECKING:
    from pysequoia import Cert

FUTURE = timedelta(minutes=5)
"""How far the clock of the host may be behind that of the archive."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""No archive is older than the clocks that its dates are told by."""
LARGEST_RELEASE = 8 << 20
"""Bytes of an InRelease; Debian's largest has 200 kB."""
LARGEST_INDEX = 1 << 29
"""Bytes of an index, also when it is decompressed; Debian's largest has 60 MB."""

_NO_SUITE = "check the suite in debian.sources, or choose another mirror with ASSEMBLE_MIRROR"
_COMPRESSIONS = (".xz", ".gz", "")
_LISTED = re.compile(r"([0-9a-f]{64})\s+([0-9]{1,18})\s+(\S+)")
_MEMORY = 256 << 20  # for an xz dictionary; xz -9 needs 65 MB


class ReleaseError(AssembleError):
    """A Release is not what was asked for, not of its time, or does not list what is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A Release whose signature is good."""

    data: bytes
    """The whole InRelease, as it was fetched."""
    signed_by: tuple[str, ...]
    """Fingerprints of the certificates with a good signature."""
    suite: str
    codename: str
    date: datetime
    valid_until: datetime | None
    architectures: tuple[str, ...]
    components: tuple[str, ...]
    by_hash: bool
    """Whether indices are there under their digests, too."""
    index_for_all: bool
    """Whether packages of architecture ``all`` are only in an index of their own."""
    files: Mapping[str, tuple[str, int]]
    """SHA-256 and size in bytes of each file below the suite's directory."""


def fetch_release(
    archive: Archive,
    *,
    mirrors: Mirrors,
    transport: Transport,
    now: datetime,
    previous: LockedArchive | None = None,
    reporter: Reporter = SILENT,
) -> Release:
    """The Release of `archive` from the first mirror that has one which passes every check.

    :param previous: the archive as an earlier lock saw it; nothing older is accepted.
    :raises TransportError: when no mirror could be asked.
    :raises AssembleError: SignatureError or ReleaseError, of the first mirror whose Release was refused.
    """
    certificates = keyring.trusted(archive)
    failures: list[AssembleError] = []
    for base in mirrors.bases(archive.root):
        url = join(base, "dists", archive.suite, "InRelease")
        try:
            data = transport.get(url, limit=LARGEST_RELEASE, name=f"InRelease of {archive.suite}", hint=_NO_SUITE)
            release = read_release(data, certificates, now=now, name=f"InRelease of {archive.suite}")
            check_release(release, archive, now=now, previous=previous)
        except OfflineError:
            raise
        except TransportError as error:
            failures.append(error)
        except AssembleError as error:
            error.details = (*error.details, f"fetched from {url}")
            reporter.warn(f"{error} ({url})")
            failures.append(error)
        else:
            return release
    raise min(failures, key=lambda error: isinstance(error, TransportError))


def locked_release(
    archive: Archive, locked: LockedArchive, *, store: Store, mirrors: Mirrors, transport: Transport, now: datetime
) -> Release:
    """The Release of `archive` as a lock saw it: from the store, the mirrors if it is still theirs, or a snapshot.

    Its signature is verified again, and that it is of this suite: an archive's keys sign others, too. Its dates were
    checked when it was locked. Raises TransportError when nobody has it, SignatureError, and ReleaseError when it is
    not what the lock says of it.
    """
    name = f"InRelease of {archive.suite} of {locked.date}"
    if not store.sound(locked.inrelease_sha256):
        _find_release(archive, locked, name=name, store=store, mirrors=mirrors, transport=transport)
    data = store.get(locked.inrelease_sha256, what=name).read_bytes()
    release = read_release(data, keyring.trusted(archive), now=now, name=name)
    if archive.suite not in {release.suite, release.codename}:
        raise ReleaseError(
            f"the {name} is that of another suite",
            why=f"it calls itself {release.suite} and {release.codename}",
            hint="the lock has been tampered with: restore it, or delete it and run `assemble lock`",
        )
    if release.date != datetime.fromisoformat(locked.date) or release.signed_by != locked.signed_by:
        raise ReleaseError(
            f"the {name} is not what the lock says of it",
            why=f"it is dated {release.date:%Y-%m-%d %H:%M:%S} UTC, and signed by {', '.join(release.signed_by)}",
            hint="the lock has been tampered with: restore it, or delete it and run `assemble lock`",
        )
    return release


def _find_release(
    archive: Archive, locked: LockedArchive, *, name: str, store: Store, mirrors: Mirrors, transport: Transport
) -> None:
    failure: TransportError | None = None
    for base in (*mirrors.bases(archive.root), *mirrors.snapshot(archive.root, datetime.fromisoformat(locked.date))):
        try:
            data = transport.get(
                join(base, "dists", archive.suite, "InRelease"), limit=LARGEST_RELEASE, name=f"the {name}"
            )
        except OfflineError:
            raise
        except TransportError as error:
            failure = failure or error
        else:
            if hashlib.sha256(data).hexdigest() == locked.inrelease_sha256:
                store.add(data)
                return
    raise TransportError(
        f"nobody has the {name} any more",
        where=Place(file="debian.sources", line=archive.source.line, key=archive.id),
        why=str(failure) if failure else "the archive has moved on, and no snapshot of it was found",
        hint="run `assemble lock --upgrade` to take what the archives have now",
    )


def read_release(data: bytes, certificates: Sequence["Cert"], *, now: datetime, name: str) -> Release:
    """What the signed part of an InRelease says. Raises SignatureError, or ReleaseError when it says it badly."""
    signed = keyring.verify(data, certificates, now=now, name=name)
    try:
        (paragraph,) = paragraphs(signed.text.decode())
        return _parse(paragraph, data, signed.fingerprints)
    except ValueError as error:  # not UTF-8, not one paragraph, or a Deb822Error
        raise ReleaseError(f"{name} cannot be read", why=str(error)) from error


def _parse(paragraph: Paragraph, data: bytes, signed_by: tuple[str, ...]) -> Release:
    def text(name: str) -> str:
        field = paragraph.get(name)
        return " ".join(field.words) if field else ""

    def when(name: str) -> datetime | None:
        if name not in paragraph:
            return None
        try:
            moment = parsedate_to_datetime(text(name))
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, TypeError, OverflowError):  # beyond the years 1 to 9999, also as a time in UTC
            moment = None
        if moment is None or moment < BEGINNING:
            raise Deb822Error(f"{paragraph[name].name} is not a date: {text(name)[:80]}", paragraph[name].line)
        return moment

    date = when("date")
    if date is None or "sha256" not in paragraph:
        raise Deb822Error("Date or SHA256 is missing", 1)
    files: dict[str, tuple[str, int]] = {}
    field = paragraph["sha256"]
    for offset, line in enumerate(field.lines[1:], 1):
        match = _LISTED.fullmatch(line)
        if not match:
            raise Deb822Error(f"not a digest, a size and a path: {line}", field.line + offset)
        files[match[3]] = match[1], int(match[2])
    architectures = tuple(text("architectures").split())
    return Release(
        data=data,
        signed_by=signed_by,
        suite=text("suite"),
        codename=text("codename"),
        date=date,
        valid_until=when("valid-until"),
        architectures=architectures,
        components=tuple(text("components").split()),
        by_hash=text("acquire-by-hash") == "yes",
        index_for_all="all" in architectures and "Packages" not in text("no-support-for-architecture-all").split(),
        files=files,
    )


def check_release(release: Release, archive: Archive, *, now: datetime, previous: LockedArchive | None = None) -> None:
    """Raise ReleaseError unless `release` is of the suite that `archive` asks for, and of the right time."""

    def wrong(what: str, *, why: str = "", hint: str = "") -> ReleaseError:
        where = Place(file="debian.sources", line=archive.source.line, key=archive.id)
        return ReleaseError(what, where=where, why=why, hint=hint)

    if archive.suite not in {release.suite, release.codename}:
        raise wrong(
            f"the mirror sent another suite in place of {archive.suite}",
            why=f"it calls itself {release.suite} and {release.codename}",
            hint=MISMATCH_HINT,
        )
    if release.date > now + FUTURE:
        raise wrong(
            f"the Release of {archive.suite} is from the future",
            why=f"it is dated {release.date:%Y-%m-%d %H:%M} UTC, and the clock here says {now:%Y-%m-%d %H:%M} UTC",
            hint="set the clock of this machine",
        )
    if release.valid_until and release.valid_until < now and archive.source.check_valid_until:
        raise wrong(
            f"the Release of {archive.suite} has expired",
            why=f"it was valid until {release.valid_until:%Y-%m-%d %H:%M} UTC",
            hint="the mirror is no longer updated: choose another with ASSEMBLE_MIRROR; for a snapshot of the archive, "
            "put `Check-Valid-Until: no` into its stanza of debian.sources",
        )
    if previous and release.date < datetime.fromisoformat(previous.date):
        raise wrong(
            f"the Release of {archive.suite} is older than the one in the lock",
            why=f"it is dated {release.date:%Y-%m-%d %H:%M} UTC, the lock has seen {previous.date}",
            hint="the mirror is behind: choose another with ASSEMBLE_MIRROR; to go back on purpose, delete the lock",
        )


def choose_indices(release: Release, archive: Archive, architecture: str) -> tuple[LockedIndex, ...]:
    """The Packages indices of `archive` for `architecture`, in the order of its components.

    Raises ReleaseError when the Release has no such component or architecture.
    """
    source = archive.source
    if source.architectures and architecture not in source.architectures:
        return ()
    where = Place(file="debian.sources", line=source.line, key=archive.id)
    if architecture not in release.architectures:
        raise ReleaseError(
            f"{archive.suite} has no packages for {architecture}",
            where=where,
            why=f"it has {' '.join(release.architectures)}",
            hint="name the architectures to take from there in its Architectures field",
        )
    found = []
    for component in source.components:
        for kind in (architecture, "all") if release.index_for_all else (architecture,):
            stem = f"{component}/binary-{kind}/Packages"
            path = next((stem + suffix for suffix in _COMPRESSIONS if stem + suffix in release.files), "")
            if path:
                digest, size = release.files[path]
                if size > LARGEST_INDEX:
                    raise _too_large(path, size)
                found.append(LockedIndex(path=path, size=size, sha256=digest))
            elif kind == architecture:
                # The security archive lists its components as updates/main, though its paths say main.
                known = [name.removeprefix("updates/") for name in release.components]
                near = get_close_matches(component, known, 1)
                raise ReleaseError(
                    f"{archive.suite} has no component {component}",
                    where=where,
                    why=f"it has {' '.join(known)}",
                    hint=f"did you mean {near[0]}?" if near and near[0] != component else "",
                )
    return tuple(found)


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
            suite = join(base, "dists", archive.suite)
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
    transport.download(store, downloads)


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
