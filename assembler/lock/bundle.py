"""A lock and exactly its objects in one file, for a machine without a network.

It is a tar archive (POSIX.1-2017, pax: ustar) of regular files, which tar(1) can look into:

    assembler-bundle-1/lock.toml            the lock, as it is always written
    assembler-bundle-1/objects/SHA256       what the lock itself names, sorted
    assembler-bundle-1/blobs/SHA256         what the manifests of its container images name, sorted

Everything else about a member is constant, and nothing follows the two blocks of zeros at its end: a lock has one
bundle. Sizes from 8 GiB on are numbers to the base of 256, as GNU tar writes them.

Who reads one takes nothing for granted: a header is compared, whole, with the one that would have been written, so
there are no links, no other names, no extended headers and no holes. An object has to be one that the lock names, of
the size that it says, and comes into the store when its bytes have the digest.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import BinaryIO

from assembler.errors import AssembleError, Place
from assembler.lock.objects import NamedObject, directly_named, named_by_manifests
from assembler.lockfile.model import Lock
from assembler.lockfile.toml import MAX_LOCK, format_lock, parse_lock
from assembler.lockfile.values import SHA256
from assembler.oci.registry import LARGEST_MANIFEST, Manifest, parse_manifest
from assembler.progress import SILENT, Reporter, Step
from assembler.store.download import UNKNOWN
from assembler.store.objects import CHUNK, Store

_TOP = "assembler-bundle-1/"
_LOCK = f"{_TOP}lock.toml"
_SECTIONS = (f"{_TOP}objects/", f"{_TOP}blobs/")
_BLOCK = 512
_END = bytes(2 * _BLOCK)
_OCTAL_END = 8**11
_NAME = re.compile(rf"({'|'.join(_SECTIONS)})({SHA256})")
_AGAIN = "copy it here again; if it is from somebody else, ask for another"
MOST = 100
"""Objects that are named of those that are superfluous."""


class BundleError(AssembleError):
    """A bundle that is damaged or none, or has something else than its lock names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of a bundle."""

    lock: Lock
    """That of the bundle."""
    added: int
    """Objects that the store did not have."""
    present: int
    """Those that it had."""
    size: int
    """Bytes of both."""
    missing: tuple[str, ...]
    """What the lock names and neither the bundle nor the store has, by name."""
    superfluous: tuple[str, ...]
    """Digests of what the bundle has and the lock does not name, `MOST` at most; nobody has looked at it."""
    more: int
    """How many more of these there are."""


def manifests(lock: Lock, store: Store) -> dict[str, Manifest]:
    """The manifests of the images of `lock` that `store` has, by digest.

    Raises RegistryError, or BundleError for what is too large for one.
    """
    found = {}
    for image in lock.images:
        if not store.has(image.manifest):
            continue
        path = store.get(image.manifest)
        if path.stat().st_size > LARGEST_MANIFEST:
            raise BundleError(f"the manifest of {image.name} is too large", why=f"more than {LARGEST_MANIFEST} bytes")
        found[image.manifest] = parse_manifest(path.read_bytes(), image.name)
    return found


def missing(lock: Lock, store: Store) -> tuple[NamedObject, ...]:
    """What `lock` names and `store` does not have. What a missing manifest names is not known."""
    named = [*directly_named(lock).values(), *named_by_manifests(lock, manifests(lock, store)).values()]
    return tuple(each for each in named if not store.has(each.digest))


# --- writing ---------------------------------------------------------------------------------------------------------


def write(lock: Lock, store: Store, out: BinaryIO, *, reporter: Reporter = SILENT) -> int:
    """Write the bundle of `lock`, whose objects `store` has, to `out`; returns the number of objects.

    Raises StoreError when one is missing, and BundleError when one is damaged.
    """
    sections = (directly_named(lock), named_by_manifests(lock, manifests(lock, store)))
    objects = [(section, each) for section, named in zip(_SECTIONS, sections, strict=True) for each in named.values()]
    sizes = {each.digest: store.get(each.digest, what=each.name).stat().st_size for _, each in objects}
    text = format_lock(lock).encode()
    out.write(_header(_LOCK, len(text)) + text + _padding(len(text)))
    with reporter.step("export", total=sum(sizes.values()), unit="B") as step:
        for section, each in objects:
            step.note(each.name)
            size = sizes[each.digest]
            out.write(_header(section + each.digest, size))
            with store.get(each.digest, what=each.name).open("rb") as stream:
                if not _copied(stream, out, each, size, step):
                    raise _damaged(each, store)
            out.write(_padding(size))
    out.write(_END)
    return len(objects)


def _copied(stream: BinaryIO, out: BinaryIO, each: NamedObject, size: int, step: Step) -> bool:
    """Copy an object; whether it was what it should be."""
    state, left = hashlib.sha256(), size
    while left and (chunk := stream.read(min(CHUNK, left))):
        state.update(chunk)
        out.write(chunk)
        left -= len(chunk)
        step.advance(len(chunk))
    return state.hexdigest() == each.digest and not left and each.size in {UNKNOWN, size}


def _damaged(each: NamedObject, store: Store) -> BundleError:
    return BundleError(
        f"{each.name} is damaged in the store, or not what the lock says of it",
        where=Place(file=str(store.path(each.digest))),
        hint="assemble store verify --repair removes what is damaged, so that it is fetched again",
    )


def _header(name: str, size: int) -> bytes:
    """The header of a regular file (ustar)."""
    number = b"%011o\0" % size if size < _OCTAL_END else b"\x80" + size.to_bytes(11, "big")
    fields = b"".join(
        (
            name.encode().ljust(100, b"\0"),
            b"0000444\0" + b"0000000\0" * 2,
            number,
            b"%011o\0" % 0,
            b" " * 8,
            b"0".ljust(101, b"\0"),
            b"ustar\00000".ljust(_BLOCK - 257, b"\0"),
        )
    )
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def _size(field: bytes) -> int:
    """The size in a header; -1 when there is none."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    return int(field[:11], 8) if re.fullmatch(rb"[0-7]{11}", field[:11]) else -1


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


# --- reading ---------------------------------------------------------------------------------------------------------


def read(
    stream: BinaryIO, file: str, store: Store, *, wanted: Lock | None = None, reporter: Reporter = SILENT, size: int = 0
) -> Imported:
    """Bring what a bundle has of a lock's objects into `store`: of the lock `wanted`, by default of its own.

    `file` names the bundle in errors; `size` is the number of its bytes, for progress. What was whole before an error
    is in the store. Raises BundleError, StoreError, or what is raised of a lock or manifest that is none.
    """
    with reporter.step("import", total=size, unit="B") as step:
        return _Reader(stream, file, store, step).all(wanted)


class _Reader:
    def __init__(self, stream: BinaryIO, file: str, store: Store, step: Step) -> None:
        self._stream, self._file, self._store, self._step = stream, file, store, step
        self._added = self._present = self._size = 0
        self._superfluous: list[str] = []
        self._more = 0

    def all(self, wanted: Lock | None) -> Imported:
        """Everything, one member after the other."""
        own = self._lock()
        lock = wanted or own
        member = self._member()
        named: dict[str, NamedObject] = {}
        for number, section in enumerate(_SECTIONS):
            here = named_by_manifests(lock, manifests(lock, self._store)) if number else directly_named(lock)
            self._require_room(here)
            last = ""
            while member and member[0] == section:
                _, digest, size = member
                if digest <= last:
                    raise self._none(f"{digest} is there twice, or not where it belongs")
                self._object(here.get(digest), digest, size)
                last, member = digest, self._member()
            named |= here
        if member:
            raise self._none(f"{member[1]} is not where it belongs")
        return Imported(
            lock=own,
            added=self._added,
            present=self._present,
            size=self._size,
            missing=tuple(each.name for each in named.values() if not self._store.has(each.digest)),
            superfluous=tuple(self._superfluous),
            more=self._more,
        )

    def _lock(self) -> Lock:
        name, size = self._raw_member()
        if name != _LOCK:
            raise self._none("it does not begin with a lock")
        if size > MAX_LOCK:
            raise self._none(f"its lock has more than {MAX_LOCK} bytes")
        data = b"".join(self._content(size))
        try:
            return parse_lock(data.decode(), f"{self._file} (lock.toml)")
        except UnicodeDecodeError as error:
            raise self._none("its lock is not text in UTF-8") from error

    def _member(self) -> tuple[str, str, int] | None:
        """Section, digest and size of the next object; None at the end."""
        name, size = self._raw_member()
        if not name:
            return None
        match = _NAME.fullmatch(name)
        if not match:
            raise self._none("it has something else than a lock and objects")
        return match[1], match[2], size

    def _raw_member(self) -> tuple[str, int]:
        """Name and size of the next member; no name at the end."""
        header = self._read(_BLOCK)
        if header == bytes(_BLOCK):
            if self._read(_BLOCK) != bytes(_BLOCK) or self._stream.read(1):
                raise self._none("something follows its end")
            return "", 0
        name, size = header[:100].rstrip(b"\0").decode("ascii", "replace"), _size(header[124:136])
        if size < 0 or header != _header(name, size):
            raise self._none("the header of a member is not as it would have been written")
        return name, size

    def _object(self, named: NamedObject | None, digest: str, size: int) -> None:
        if named is None:
            if len(self._superfluous) < MOST:
                self._superfluous.append(digest)
            else:
                self._more += 1
            for _ in self._content(size):
                pass
            return
        self._step.note(named.name)
        if size != named.size and (named.size != UNKNOWN or size > named.limit):
            raise self._other(named, f"it has {size} bytes there, and {max(named.size, 0) or named.limit} at most")
        here = self._store.sound(digest)
        state = hashlib.sha256()
        with self._store.temporary() as path:
            with nullcontext() if here else path.open("wb") as out:
                for chunk in self._content(size):
                    state.update(chunk)
                    if out:
                        with self._store.writing():
                            out.write(chunk)
            if state.hexdigest() != digest:
                raise self._other(named, f"their SHA-256 is {state.hexdigest()}, not {digest}")
            if not here:
                self._store.adopt(path, digest)
        self._size += size
        self._present += here
        self._added += not here

    def _content(self, size: int) -> Iterator[bytes]:
        """The bytes of a member, with what fills up its last block."""
        left = size
        while left:
            chunk = self._read(min(CHUNK, left))
            left -= len(chunk)
            yield chunk
        if any(self._read(-size % _BLOCK)):
            raise self._none("a member is not filled up with zeros")

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise BundleError("the bundle is cut off", where=Place(file=self._file), hint=_AGAIN)
        self._step.advance(size)
        return data

    def _require_room(self, named: Mapping[str, NamedObject]) -> None:
        """Raise BundleError when the disk has no room for what is missing."""
        size = sum(max(each.size, 0) for each in named.values() if not self._store.has(each.digest))
        free = shutil.disk_usage(self._store.root).free
        if size > free:
            raise BundleError(
                "the disk of the store has no room for what the lock names",
                where=Place(file=str(self._store.root)),
                why=f"it takes {size} bytes, and {free} are free",
                hint="assemble store prune makes room, or choose another directory with --store",
            )

    def _none(self, why: str) -> BundleError:
        return BundleError("this is no bundle, or a damaged one", where=Place(file=self._file), why=why, hint=_AGAIN)

    def _other(self, named: NamedObject, why: str) -> BundleError:
        what = f"the bundle has other bytes than the lock names as {named.name}"
        return BundleError(what, where=Place(file=self._file), why=why, hint=_AGAIN)
