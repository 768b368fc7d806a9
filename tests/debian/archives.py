"""Small signed archives for tests, served by a server of tests/support/http_server.py."""

import hashlib
import lzma
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from pysequoia import SignatureMode, Tsk, sign

from assembler.debian.mirrors import Mirrors
from assembler.debian.sources import Archive, archives, parse_sources
from tests.support.http_server import Server

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@cache
def secret(name: str) -> Tsk:
    """A key that signs; the same for the same name."""
    return Tsk.generate(name)


def certificate(name: str = "archive") -> str:
    """The armored certificate of that key."""
    return str(secret(name).extract_certificate())


def fingerprint(name: str = "archive") -> str:
    return str(secret(name).extract_certificate().fingerprint).upper()


def source(extra: str = "", *, suite: str = "trixie", key: str = "archive", uris: str = "") -> str:
    """A stanza for a suite whose archive `key` signs."""
    armored = "\n".join(f" {line or '.'}" for line in certificate(key).splitlines())
    lines = ["Types: deb", f"Suites: {suite}", "Components: main", f"Signed-By:\n{armored}"]
    return "\n".join([*lines, *([f"URIs: {uris}"] if uris else []), *([extra] if extra else [])]) + "\n"


def archive(extra: str = "", *, suite: str = "trixie", key: str = "archive") -> Archive:
    (found,) = archives(parse_sources(source(extra, suite=suite, key=key)))
    return found


def date(moment: datetime) -> str:
    return f"{moment:%a, %d %b %Y %H:%M:%S} UTC"


def stanza(name: str, deb: bytes = b"", **fields: str) -> str:
    """A stanza of a Packages index for the .deb `deb`."""
    values = {"Package": name, "Version": "1.0", "Architecture": "amd64", "Maintainer": "Nobody <n@example.org>"}
    values |= {key.replace("_", "-"): value for key, value in fields.items()}
    values |= {
        "Filename": f"pool/main/{name[0]}/{name}/{name}_{values['Version']}_{values['Architecture']}.deb",
        "Size": str(len(deb)),
        "SHA256": hashlib.sha256(deb).hexdigest(),
    } | {key: value for key, value in fields.items() if key in {"Filename", "Size", "SHA256"}}
    return "".join(f"{key}: {value}\n" for key, value in values.items()) + "\n"


def release(files: Mapping[str, bytes], **fields: str) -> str:
    """The text of a Release that lists `files`; a field with an empty value is left out."""
    values = {
        "Origin": "Debian",
        "Suite": "stable",
        "Codename": "trixie",
        "Date": date(NOW - timedelta(days=1)),
        "Valid-Until": date(NOW + timedelta(days=6)),
        "Acquire-By-Hash": "yes",
        "Architectures": "amd64",
        "Components": "main",
    }
    values |= {key.replace("_", "-"): value for key, value in fields.items()}
    listed = "".join(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}\n" for path, data in files.items())
    return "".join(f"{key}: {value}\n" for key, value in values.items() if value) + f"SHA256:\n{listed}"


def signed(text: str, key: str = "archive") -> bytes:
    return bytes(sign(secret(key).signer(), text.encode(), mode=SignatureMode.CLEAR))


def index(stanzas: Sequence[str], component: str = "main", architecture: str = "amd64") -> dict[str, bytes]:
    """A Packages index, as itself and compressed, by path."""
    text = "".join(stanzas).encode()
    path = f"{component}/binary-{architecture}/Packages"
    return {path: text, f"{path}.xz": lzma.compress(text)}


def laid_out(
    files: Mapping[str, bytes], inrelease: bytes, *, suite: str = "trixie", by_hash: bool = True
) -> dict[str, bytes]:
    """The files of a suite by path below the archive; its indices are only there under their digests when `by_hash`."""
    base = f"/dists/{suite}"
    found = {f"{base}/InRelease": inrelease}
    for path, data in files.items():
        hashed = f"{path.rpartition('/')[0]}/by-hash/SHA256/{hashlib.sha256(data).hexdigest()}"
        found[f"{base}/{hashed if by_hash else path}"] = data
    return found


def publish(
    server: Server,
    files: Mapping[str, bytes],
    inrelease: bytes,
    *,
    suite: str = "trixie",
    root: str = "/debian",
    by_hash: bool = True,
) -> None:
    """Serve a suite; see `laid_out`."""
    for path, data in laid_out(files, inrelease, suite=suite, by_hash=by_hash).items():
        server.serve(f"{root}{path}", data)


def mirrors(*bases: str) -> Mirrors:
    return Mirrors({"debian": bases, "debian-security": tuple(f"{base}-security" for base in bases)})
