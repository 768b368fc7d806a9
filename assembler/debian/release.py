"""The Release of an archive: fetched, verified and checked. It is signed within (InRelease), or beside (Release.gpg).

The format is that of https://wiki.debian.org/DebianRepository/Format. Trust goes down one chain: a certificate signs
InRelease, which lists each index with size and SHA-256, which lists each package with size and SHA-256.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from assembler.debian import keyring, local
from assembler.debian.deb822 import Deb822Error, Paragraph, paragraphs
from assembler.debian.mirrors import BUILT_IN, MISMATCH_HINT, Mirrors, join
from assembler.debian.preferences import AUTOMATIC, BACKPORTS, NOT_AUTOMATIC
from assembler.debian.sources import Archive
from assembler.errors import AssembleError, Place
from assembler.lockfile.model import LockedArchive
from assembler.progress import SILENT, Reporter
from assembler.store.download import NotFoundError, OfflineError, TransportError
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

_NO_SUITE = "check the suite in debian.sources, or choose another mirror with ASSEMBLE_MIRROR"
_LISTED = re.compile(r"([0-9a-f]{64})\s+([0-9]{1,18})\s+(\S+)")


class ReleaseError(AssembleError):
    """A Release is not what was asked for, not of its time, or does not list what is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A Release whose signature is good."""

    data: bytes
    """The whole InRelease, or the Release, as it was fetched."""
    signature: bytes
    """The Release.gpg beside a Release; empty for an InRelease."""
    signed_by: tuple[str, ...]
    """Fingerprints of the certificates with a good signature."""
    suite: str
    codename: str
    version: str
    origin: str
    label: str
    priority: int
    """Of its packages, where nobody says otherwise: see preferences.py."""
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
        directory = join(base, archive.directory)
        url = f"{directory}/InRelease"
        try:
            data, signature = _get(transport, mirrors, directory, archive)
            if signature:
                url = f"{directory}/Release.gpg"
            name = f"{'Release' if signature else 'InRelease'} of {archive.suite}"
            release = read_release(data, certificates, now=now, name=name, signature=signature)
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
            if not _named(release, archive):
                reporter.warn(f"the Release of {archive.suite} {_calls_itself(release)} ({url})")
            return release
    failure = min(failures, key=lambda error: isinstance(error, TransportError))
    if failure.where == Place():
        failure.where = archive.place
    raise failure


def _get(
    transport: Transport, mirrors: Mirrors, directory: str, archive: Archive, name: str = ""
) -> tuple[bytes, bytes]:
    """The InRelease of a `directory`, and nothing; where there is none, its Release and Release.gpg.

    `name` is for errors.
    """
    hint = _NO_SUITE if archive.root in BUILT_IN else "check URIs and Suites in debian.sources"
    if directory.startswith(local.SCHEME):
        hint = "a directory of .debs without a signed Release is named by a path alone, without suites"

    def get(file: str) -> bytes:
        return local.get(
            f"{directory}/{file}",
            transport=transport,
            mirrors=mirrors,
            limit=LARGEST_RELEASE,
            name=name or f"{file} of {archive.suite}",
            hint=hint,
        )

    try:
        return get("InRelease"), b""
    except NotFoundError:
        try:
            release = get("Release")
        except NotFoundError:
            release = b""
        if not release:
            raise
    return release, get("Release.gpg")


def locked_release(
    archive: Archive, locked: LockedArchive, *, store: Store, mirrors: Mirrors, transport: Transport, now: datetime
) -> Release:
    """The Release of `archive` as a lock saw it: from the store, the mirrors if it is still theirs, or a snapshot.

    Its signature is verified again, and that it is of this suite: an archive's keys sign others, too. Its dates were
    checked when it was locked. Raises TransportError when nobody has it, SignatureError, and ReleaseError when it is
    not what the lock says of it.
    """
    name = f"InRelease of {archive.suite} of {locked.date}"
    if not all(map(store.sound, locked.signed)):
        _find_release(archive, locked, name=name, store=store, mirrors=mirrors, transport=transport)
    data, *signature = (store.get(digest, what=name).read_bytes() for digest in locked.signed)
    release = read_release(data, keyring.trusted(archive), now=now, name=name, signature=b"".join(signature))
    if not _named(release, archive) and _must_be_named(archive):
        raise ReleaseError(
            f"the {name} is that of another suite",
            why=f"it {_calls_itself(release)}",
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
            directory = join(base, archive.directory)
            found = [data for data in _get(transport, mirrors, directory, archive, f"the {name}") if data]
        except OfflineError:
            raise
        except TransportError as error:
            failure = failure or error
        else:
            if tuple(hashlib.sha256(data).hexdigest() for data in found) == locked.signed:
                for data in found:
                    store.add(data)
                return
    raise TransportError(
        f"nobody has the {name} any more",
        where=archive.place,
        why=str(failure) if failure else "the archive has moved on, and no snapshot of it was found",
        hint="run `assemble lock --upgrade` to take what the archives have now",
    )


def read_release(
    data: bytes, certificates: Sequence["Cert"], *, now: datetime, name: str, signature: bytes = b""
) -> Release:
    """What the signed part of an InRelease says, or a Release whose `signature` is beside it.

    Raises SignatureError, or ReleaseError when it says it badly.
    """
    signed = keyring.verify(data, certificates, now=now, name=name, signature=signature)
    try:
        (paragraph,) = paragraphs(signed.text.decode())
        return _parse(paragraph, data, signature, signed.fingerprints)
    except ValueError as error:  # not UTF-8, not one paragraph, or a Deb822Error
        raise ReleaseError(f"{name} cannot be read", why=str(error)) from error


def _parse(paragraph: Paragraph, data: bytes, signature: bytes, signed_by: tuple[str, ...]) -> Release:
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
        files[match[3].removeprefix("./")] = match[1], int(match[2])
    architectures = tuple(text("architectures").split())
    return Release(
        data=data,
        signature=signature,
        signed_by=signed_by,
        suite=text("suite"),
        codename=text("codename"),
        version=text("version"),
        origin=text("origin"),
        label=text("label"),
        priority=_priority(text("notautomatic"), text("butautomaticupgrades")),
        date=date,
        valid_until=when("valid-until"),
        architectures=architectures,
        components=tuple(text("components").split()),
        by_hash=text("acquire-by-hash") == "yes",
        index_for_all="all" in architectures and "Packages" not in text("no-support-for-architecture-all").split(),
        files=files,
    )


def _priority(not_automatic: str, but_automatic_upgrades: str) -> int:
    if not_automatic != "yes":
        return AUTOMATIC
    return BACKPORTS if but_automatic_upgrades == "yes" else NOT_AUTOMATIC


def _must_be_named(archive: Archive) -> bool:
    """Whether its Release has to call it as the recipe does. Debian's archives do, and their keys sign several suites,
    of which a mirror could send another one. apt warns of others.
    """
    return archive.root in BUILT_IN or not archive.source.key


def _named(release: Release, archive: Archive) -> bool:
    return archive.flat or archive.suite in {release.suite, release.codename}


def _calls_itself(release: Release) -> str:
    names = " and ".join(dict.fromkeys(filter(None, (release.suite, release.codename))))
    return f"calls itself {names}" if names else "says neither Suite nor Codename"


def check_release(release: Release, archive: Archive, *, now: datetime, previous: LockedArchive | None = None) -> None:
    """Raise ReleaseError unless `release` is of the suite that `archive` asks for, and of the right time."""

    def wrong(what: str, *, why: str = "", hint: str = "") -> ReleaseError:
        where = archive.place
        return ReleaseError(what, where=where, why=why, hint=hint)

    if not _named(release, archive) and _must_be_named(archive):
        raise wrong(
            f"the mirror sent another suite in place of {archive.suite}",
            why=f"it {_calls_itself(release)}",
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
