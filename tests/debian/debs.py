"""Makes small packages for tests, byte by byte, so that they can be as wrong as a test needs."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import zstandard

from assembler.debian.deb import Deb, read, unpack
from assembler.errors import Place
from assembler.tree.tar import Limits

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".xz": lzma.compress,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
}


def ar(members: Mapping[str, bytes]) -> bytes:
    """A common-format ar archive."""
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def item(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """A tar member; `fields` are TarInfo attributes (``type``, ``mode``, ``linkname`` ...)."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def directory(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return item(name, type=tarfile.DIRTYPE, mode=mode)


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return item(name, type=tarfile.SYMTYPE, linkname=target)


def hard(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return item(name, type=tarfile.LNKTYPE, linkname=target)


def tar(items: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as writer:
        for info, data in items:
            writer.addfile(info, io.BytesIO(data))
    return out.getvalue()


def control(text: str, **files: bytes) -> bytes:
    return tar([item("./control", text.encode())] + [item(f"./{name}", data) for name, data in files.items()])


def paragraph(name: str, **fields: str) -> str:
    base = {"Package": name, "Version": "1", "Architecture": "all", **fields}
    return "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in base.items())


def deb(
    name: str,
    *items: tuple[tarfile.TarInfo, bytes],
    compression: str = ".xz",
    files: Mapping[str, bytes] | None = None,
    **fields: str,
) -> bytes:
    """A whole .deb that ships `items`. Compressions that dpkg takes for data.tar alone are for that alone."""
    pack = COMPRESSORS[compression]
    outer = compression if compression in {"", ".xz", ".gz", ".zst"} else ".gz"
    return ar(
        {
            "debian-binary": b"2.0\n",
            f"control.tar{outer}": COMPRESSORS[outer](control(paragraph(name, **fields), **(files or {}))),
            f"data.tar{compression}": pack(tar([directory("./"), *items])),
        }
    )


def opened(path: Path, data: bytes, limits: Limits | None = None) -> Deb:
    """Unpack the .deb `data` below `path` and read it."""
    path.mkdir(parents=True, exist_ok=True)
    package = path / "x.deb"
    package.write_bytes(data)
    number = len(list(path.iterdir()))
    unpack(package, path / str(number), Place(package="x"), limits)
    return read(path / str(number))
