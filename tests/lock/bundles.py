"""A small lock with real objects, for tests of bundles: an archive, packages, a file, a container image, tools."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import replace

from assembler.lock.bundle import write
from assembler.lockfile.model import Lock, LockedArchive, LockedFile, LockedImage, LockedIndex, LockedToolbox
from assembler.oci.registry import INDEXES, MANIFESTS
from assembler.store.objects import Store
from tests.lockfile.test_toml import ARCHIVE, LOCK, TOOL

TOP = "assembler-bundle-1/"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def described(data: bytes, kind: str = "x/y") -> dict[str, object]:
    return {"mediaType": kind, "digest": f"sha256:{sha256(data)}", "size": len(data)}


CONFIG, LAYER = b'{"os": "linux"}', b"a layer" * 100
MANIFEST = json.dumps({"mediaType": MANIFESTS[0], "config": described(CONFIG), "layers": [described(LAYER)]}).encode()
LIST = json.dumps({"mediaType": INDEXES[0], "manifests": [described(MANIFEST, MANIFESTS[0])]}).encode()
SIGNED, PACKAGES = b"-----BEGIN PGP SIGNED MESSAGE-----\n", b"Package: hello\n"
RELEASE, SIGNATURE = b"Origin: x\n", b"-----BEGIN PGP SIGNATURE-----\n"
HELLO, SHARED, PIGZ, COMPILER = (b"!<arch>\ndebian-binary   " + name for name in (b"hello", b"shared", b"pigz", b"gcc"))
KUBELET = b"\x7fELF kubelet" * 1000
DIRECT = {sha256(each): each for each in (SIGNED, PACKAGES, RELEASE, SIGNATURE, HELLO, SHARED, PIGZ, COMPILER, KUBELET)}
DIRECT |= {sha256(each): each for each in (MANIFEST, LIST)}
BLOBS = {sha256(each): each for each in (CONFIG, LAYER)}


def _archive(signed: bytes, signature: bytes = b"") -> LockedArchive:
    index = LockedIndex(path="main/binary-amd64/Packages", size=len(PACKAGES), sha256=sha256(PACKAGES))
    beside = sha256(signature) if signature else ""
    return replace(ARCHIVE, inrelease_sha256=sha256(signed), signature_sha256=beside, indices=(index,))


def _box(*packages: bytes) -> LockedToolbox:
    named = [
        replace(TOOL, name=f"tool{number}", path=f"pool/{sha256(data)}.deb", size=len(data), sha256=sha256(data))
        for number, data in enumerate(packages)
    ]
    archive = _archive(RELEASE, SIGNATURE)
    return LockedToolbox(architecture="amd64", archives=(archive,), packages=tuple(named))


SMALL: Lock = replace(
    LOCK,
    archives=(_archive(SIGNED),),
    packages=tuple(
        replace(
            LOCK.packages[0], name=name, path=f"pool/{name}.deb", size=len(data), sha256=sha256(data), archive="trixie"
        )
        for name, data in (("hello", HELLO), ("shared", SHARED))
    ),
    files=(
        LockedFile(
            name="kubelet",
            version="1.36.1",
            url="https://example.org/kubelet",
            size=len(KUBELET),
            sha256=sha256(KUBELET),
            learned="recipe",
            witness="",
            role="kubernetes",
        ),
    ),
    images=(
        LockedImage(
            name="example.org/x:1",
            platform="linux/amd64",
            index=sha256(LIST),
            manifest=sha256(MANIFEST),
            size=len(MANIFEST),
            learned="first-use",
        ),
    ),
    tools=_box(PIGZ, SHARED),
    toolchain=_box(COMPILER),
    host_tools=(),
    build=None,
)


def filled(store: Store) -> Store:
    """`store` with all objects of `SMALL`."""
    for data in (*DIRECT.values(), *BLOBS.values()):
        store.add(data)
    return store


def bundle(store: Store, lock: Lock = SMALL) -> bytes:
    """The bundle of `lock`, whose objects `store` has."""
    out = io.BytesIO()
    write(lock, store, out)
    return out.getvalue()


def header(name: str, size: int, *, kind: bytes = b"0", target: str = "", mode: bytes = b"0000444\0") -> bytes:
    """A header (ustar) as a stranger might write it."""
    fields = name.encode().ljust(100, b"\0") + mode + b"0000000\0" * 2 + b"%011o\0" % size + b"%011o\0" % 0
    fields += b" " * 8 + kind + target.encode().ljust(100, b"\0") + b"ustar\00000"
    fields = fields.ljust(512, b"\0")
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def member(name: str, data: bytes, **fields: object) -> bytes:
    return header(name, len(data), **fields) + data + bytes(-len(data) % 512)  # type: ignore[arg-type]


def assembled(lock: bytes, objects: Mapping[str, bytes], blobs: Mapping[str, bytes]) -> bytes:
    """A bundle of what a stranger likes, in the right order."""
    out = member(f"{TOP}lock.toml", lock)
    for section, each in (("objects", objects), ("blobs", blobs)):
        out += b"".join(member(f"{TOP}{section}/{digest}", data) for digest, data in sorted(each.items()))
    return out + bytes(1024)
