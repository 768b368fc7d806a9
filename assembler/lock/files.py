"""Locking files from their publishers: what their digest is, and who says so."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from assembler.errors import Place
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import Lock, LockedFile
from assembler.lockfile.wanted import WantedFile
from assembler.progress import SILENT, Reporter
from assembler.store.addresses import printable
from assembler.store.download import UNKNOWN, Download, NotFoundError
from assembler.store.objects import Store
from assembler.store.transport import Transport

_TRUSTED_BY = {
    "recipe": "the recipe",
    "known": "the assembler",
    "publisher": "its publisher's checksum file",
    "first-use": "the lock",
}
"""Who says a digest, by how it was learned."""


def lock_files(
    wanted: Sequence[WantedFile],
    *,
    store: Store,
    transport: Transport,
    previous: Lock | None = None,
    hold: bool = False,
    reporter: Reporter = SILENT,
) -> tuple[LockedFile, ...]:
    """Lock `wanted`, sorted by name; they are in the store afterwards, since nobody knows their size before.

    With `hold`, a digest that `previous` has for an address goes on being what is expected there.
    Raises TransportError when one cannot be had or is not what its digest says, and LockError when one that `previous`
    trusted on first use is another now.
    """
    old = {file.url: file for file in previous.files} if previous and hold else {}
    asked = [_held(file, old[file.url]) if file.url in old else _ask_publisher(file, transport) for file in wanted]
    downloads = [
        Download(
            digest=file.sha256,
            size=UNKNOWN,
            urls=(file.url,),
            name=file.name,
            hint=f"check {file.key}" if file.key else "",
            trusted_by=_TRUSTED_BY[file.learned],
            mismatch_hint=f"check {file.key}" if file.key else "",
        )
        for file, _ in asked
    ]
    files = []
    for (file, witness), found in zip(asked, transport.learn(store, downloads), strict=True):
        locked = LockedFile(
            name=file.name,
            version=file.version,
            url=file.url,
            size=found.size,
            sha256=found.digest,
            learned=file.learned,
            witness=witness,
            role=file.role,
        )
        _compare(locked, previous, file.key)
        if locked.learned == "first-use":
            reporter.warn(
                f"{printable(file.url)} has no published checksum: its SHA-256 {locked.sha256} is trusted on first use"
            )
        files.append(locked)
    return tuple(sorted(files, key=lambda file: file.name))


def fetch_files(files: Iterable[LockedFile], *, store: Store, transport: Transport) -> None:
    """See to it that locked `files` are in `store`, under their SHA-256. Raises TransportError or StoreError."""
    hint = "its publisher may have dropped or replaced it: run `assemble lock` to look again"
    transport.download(
        store,
        [
            Download(file.sha256, file.size, (file.url,), file.name, hint, trusted_by="the lock", mismatch_hint=hint)
            for file in files
        ],
    )


def _held(file: WantedFile, old: LockedFile) -> tuple[WantedFile, str]:
    """`file` with the digest that it had, unless the recipe or the assembler has something to say of it."""
    if file.sha256:
        return file, ""
    return replace(file, sha256=old.sha256, learned=old.learned), old.witness


def _ask_publisher(file: WantedFile, transport: Transport) -> tuple[WantedFile, str]:
    """`file` with the digest that its publisher's checksum file has, and that file's address, if there is one."""
    if file.sha256:
        return file, ""
    digest, witness = published(file.url, file.checksums, file.name, transport, key=file.key)
    return replace(file, sha256=digest, learned="publisher" if digest else "first-use"), witness


def published(url: str, checksums: Iterable[str], name: str, transport: Transport, *, key: str = "") -> tuple[str, str]:
    """The SHA-256 of the file at `url` by the first of its `checksums` files that is there, and that one's address.

    Both are empty when none is there. `name` and the recipe's `key` are for errors. Raises TransportError, and
    LockError when the checksum file does not name it.
    """
    for witness in checksums:
        try:
            text = transport.get(witness, limit=1 << 20, name=f"the checksums of {name}").decode("ascii", "replace")
        except NotFoundError:
            continue
        digest = checksum_in(text, printable(url).rpartition("/")[2])
        if not digest:
            raise LockError(
                f"the publisher's checksum file does not name {name}",
                where=Place(key=key),
                why=printable(witness),
                hint="give its SHA-256 in the recipe",
            )
        return digest, witness
    return "", ""


def checksum_in(text: str, name: str) -> str:
    """The SHA-256 of the file `name` in the text of a checksum file; empty when it has none.

    Takes what sha256sum(1) prints, in its own style and that of BSD, and a digest alone, as dl.k8s.io has them.
    """
    lines = [line.strip() for line in text.splitlines()]
    for line in lines:
        plain = re.fullmatch(r"([0-9A-Fa-f]{64}) [ *](.+)", line)
        tagged = re.fullmatch(r"SHA256 \((.+)\) = ([0-9A-Fa-f]{64})", line)
        pair = (plain[2], plain[1]) if plain else (tagged[1], tagged[2]) if tagged else ("", "")
        if pair[0].rpartition("/")[2] == name:
            return pair[1].lower()
    alone = [line for line in lines if line]
    return alone[0].lower() if len(alone) == 1 and re.fullmatch(r"[0-9A-Fa-f]{64}", alone[0]) else ""


def _compare(file: LockedFile, previous: Lock | None, key: str) -> None:
    known = previous.files if previous else ()
    old = next((old for old in known if old.url == file.url), None)
    if old and old.sha256 != file.sha256 and file.learned == old.learned == "first-use":
        raise LockError(
            f"{file.name} is another file than when it was locked first",
            where=Place(key=key),
            why=f"{printable(file.url)} had SHA-256 {old.sha256}, and has {file.sha256} now",
            hint="find out why; to accept it, give its SHA-256 in the recipe",
        )
