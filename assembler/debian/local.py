"""Archives and packages in files of this machine, fetched as those of servers are: what arrives is hashed on its way.

An address of such a file begins with ``file:`` (RFC 8089). It is a recipe's, or made of what one says, never a
server's, and only what the recipe may read is read.
"""

import hashlib
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from assembler.debian.mirrors import Mirrors
from assembler.reading import MissingError, OutsideError, Reach, UnreadableError
from assembler.store.download import UNKNOWN, Download, NotFoundError, TransportError
from assembler.store.objects import CHUNK, Store
from assembler.store.transport import Transport

SCHEME = "file:"


def get(url: str, *, transport: Transport, mirrors: Mirrors, limit: int, name: str, hint: str = "") -> bytes:
    """What `url` holds, as :meth:`Transport.get` has it."""
    if not url.startswith(SCHEME):
        return transport.get(url, limit=limit, name=name, hint=hint)
    data = bytearray()
    with _opened(url, mirrors, name, hint) as stream:
        for chunk in _chunks(stream):
            data += chunk
            if len(data) > limit:
                raise TransportError(f"{name} is too large", why=f"{_path(url)} has more than {limit} bytes")
    return bytes(data)


def download(downloads: Iterable[Download], *, store: Store, transport: Transport, mirrors: Mirrors) -> None:
    """See to it that `store` holds all `downloads`, as :meth:`Transport.download` does.

    The size of what is in a file may be unknown.
    """
    remote = []
    for item in downloads:
        failure = _taken(item, store, mirrors)
        elsewhere = tuple(url for url in item.urls if not url.startswith(SCHEME))
        if failure and not elsewhere:
            raise failure
        if elsewhere or not store.sound(item.digest):
            remote.append(replace(item, urls=elsewhere))
    transport.download(store, remote)


def _taken(item: Download, store: Store, mirrors: Mirrors) -> TransportError | None:
    """Take `item` into `store` from the first file that has it; why that cannot be, where there are files."""
    failure: TransportError | None = None
    for url in item.urls:
        if not url.startswith(SCHEME) or store.sound(item.digest):
            continue
        try:
            with _opened(url, mirrors, item.name, item.hint) as stream, store.temporary() as temporary:
                if _copied(stream, temporary, store, item.size) == item.digest:
                    store.adopt(temporary, item.digest)
                    return None
        except TransportError as error:
            failure = failure or error
        else:
            what = f"{item.name} has other bytes than {item.trusted_by} names"
            failure = TransportError(what, why=f"it is {_path(url)}", hint=item.mismatch_hint)
    return failure


def _copied(stream: BinaryIO, target: Path, store: Store, most: int) -> str:
    """Copy `stream` up to `most` bytes and some more, which is too much; returns the SHA-256 of what was copied."""
    state, size = hashlib.sha256(), 0
    with store.writing(), target.open("wb") as out:
        for chunk in _chunks(stream):
            state.update(chunk)
            size += len(chunk)
            out.write(chunk)
            if size > most != UNKNOWN:
                break
    return state.hexdigest()


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    try:
        while chunk := stream.read(CHUNK):
            yield chunk
    except OSError as error:
        raise UnreadableError("cannot be read", error.strerror or str(error)) from error


@contextmanager
def _opened(url: str, mirrors: Mirrors, name: str, hint: str) -> Iterator[BinaryIO]:
    """The file at `url`. Raises TransportError, which calls it `name`."""
    path = _path(url)
    try:
        with _reach(mirrors, name).opened(path) as stream:
            yield stream
    except OutsideError as error:
        allowed = f"if it may be read: --allow-read {shlex.quote(str(path.parent))}"
        what = f"{name} is outside of the recipe's project"
        raise TransportError(what, why=f"it would be {path}", hint=allowed) from error
    except UnreadableError as error:
        kind = NotFoundError if isinstance(error, MissingError) else TransportError
        raise kind(f"{name} {error.what}", why=error.why, hint=hint) from error


def _reach(mirrors: Mirrors, name: str) -> Reach:
    if mirrors.local is None:
        raise TransportError(
            f"{name} is in a directory to which its recipe alone leads",
            hint="lock or build the recipe before, and it is in the store",
        )
    return mirrors.local.reach


def _path(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))
