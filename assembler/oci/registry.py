"""Reading images from OCI registries: manifests by name, everything else by digest.

Follows the OCI distribution specification 1.1 (pull), the image specification 1.1, Docker's manifests of schema 2, and
Docker's token authentication. Everything goes through the transport: its retries, its checks, its routes and logins.
"""

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from assembler.architecture import ARCHITECTURES
from assembler.errors import AssembleError
from assembler.oci.reference import DIGEST, Reference
from assembler.store.addresses import printable
from assembler.store.download import LARGEST
from assembler.store.transport import Transport

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
LARGEST_MANIFEST = 4 << 20
"""Bytes; the specification asks registries to take as much."""
LARGEST_CONFIG = 8 << 20
LARGEST_IMAGE = 64 << 30
"""Bytes of all that a manifest names."""
LONGEST_TOKEN = 64 << 10
_LONGEST_WORD = 255
"""Characters of a media type (RFC 6838 4.2), and of what else a registry says in a word."""
_SHOWN = 20
"""Platforms that an error names."""


class RegistryError(AssembleError):
    """A registry has something else than an image for us."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Something that a manifest names."""

    digest: str
    """SHA-256 in hex."""
    size: int
    """Bytes."""
    media_type: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image for one platform."""

    data: bytes
    media_type: str
    config: Blob
    layers: tuple[Blob, ...]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of its bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All that it names, each once: base layers may repeat."""
        return tuple(dict.fromkeys((self.config, *self.layers)))


@dataclass(frozen=True, slots=True)
class Found:
    """What a name stood for."""

    index: bytes
    """What the registry has under it: a list of manifests by platform, or the manifest itself."""
    manifest: Manifest


class Repository:
    """One repository of a registry; lets itself in as the registry asks for, and again when a token has run out."""

    def __init__(self, reference: Reference, transport: Transport) -> None:
        self._reference = reference
        self._transport = transport
        self._mutex = threading.Lock()
        self._authorization = ""

    # --- the transport's Authenticator ---------------------------------------------------------------------------

    def authorization(self, url: str) -> str:  # noqa: ARG002  the protocol's
        """The token, once there is one."""
        return self._authorization

    def challenged(self, url: str, challenge: str, refused: str) -> bool:
        """Get the token that `challenge` asks for (Docker's token authentication), or take the login (RFC 7617)."""
        with self._mutex:
            if self._authorization != refused:  # another thread was quicker
                return True
            scheme, _, rest = challenge.partition(" ")
            login = self._transport.login(url)
            if scheme.lower() == "basic":
                authorization = login.header if login else ""
            elif scheme.lower() == "bearer":
                authorization = self._token(dict(re.findall(r'(\w+)="([^"]*)"', rest)), url)
            else:
                return False
            better, self._authorization = authorization not in {"", refused}, authorization
            return better

    def _token(self, challenge: Mapping[str, str], url: str) -> str:
        login = self._transport.login(url)
        if login and login.token:  # a site's own token, for its own mirror
            return login.header
        realm = challenge.get("realm", "")
        if login and not self._transport.token_server(url, realm):
            raise RegistryError(
                f"{self._reference.registry} wants its login sent elsewhere",
                why=f"it names {printable(realm) or 'nothing'} as its token server",
                hint="a login goes to the host that it is for, over https; if this is right, name the token server in"
                " the configuration, under [token_server]",
            )
        query = {key: challenge[key] for key in ("service", "scope") if key in challenge}
        query.setdefault("scope", f"repository:{self._reference.repository}:pull")
        answer = self._transport.get(
            f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}",
            limit=1 << 20,
            name=f"a token for {self._reference.registry}",
            authenticator=_Once(login.header) if login else None,
            referrer=url,
        )
        try:
            values = json.loads(answer)
            token = values.get("token") or values.get("access_token")
        except (ValueError, AttributeError, RecursionError):
            token = None
        if not isinstance(token, str) or len(token) > LONGEST_TOKEN or not re.fullmatch(r"[!-~]+", token):
            raise RegistryError(f"{self._reference.registry} gives no token", hint="is there a proxy in between?")
        return f"Bearer {token}"

    # --- what callers use ----------------------------------------------------------------------------------------

    def find(self, platform: str) -> Found:
        """The image of the reference for `platform` (``linux/amd64``, ``linux/arm/v7``).

        Raises TransportError when it cannot be had, and RegistryError when it is none, or none for this platform.
        """
        name = str(self._reference)
        wanted = self._reference.digest or self._reference.tag
        data, kind, document = self._document(wanted, name)
        top = data
        if kind in INDEXES:
            chosen = _choose(document, platform, name)
            data, kind, document = self._document(chosen, name)
        if kind not in MANIFESTS:
            raise RegistryError(f"{name} is no image", why=f"its type is {_word(kind) if kind else 'not said'}")
        manifest = parse_manifest(data, name)
        if data == top:  # nothing has said so far which platform this is for
            self._check_platform(manifest, platform, name)
        return Found(top, manifest)

    def index(self) -> bytes:
        """What the digest of the reference, which has one, stands for. Raises as :meth:`find`."""
        return self._document(self._reference.digest, str(self._reference))[0]

    def blob_url(self, digest: str) -> str:
        """Address of a blob, SHA-256 in hex."""
        return f"{self._reference.base}/blobs/sha256:{digest}"

    def manifest_url(self, reference: str) -> str:
        """Address of a manifest by tag or ``sha256:...``."""
        return f"{self._reference.base}/manifests/{reference}"

    def _document(self, wanted: str, name: str) -> tuple[bytes, str, Mapping[str, Any]]:
        data = self._transport.get(
            self.manifest_url(wanted),
            limit=LARGEST_MANIFEST,
            name=name,
            hint="check its name and tag; the registry may have dropped it",
            accept=", ".join((*INDEXES, *MANIFESTS)),
            authenticator=self,
        )
        if wanted.startswith("sha256:") and hashlib.sha256(data).hexdigest() != wanted.removeprefix("sha256:"):
            raise RegistryError(f"the registry sent another manifest of {name}", why=f"it is not {wanted}")
        document = _json(data, name)
        kind = document.get("mediaType")
        if not isinstance(kind, str):  # OCI leaves it to the header of the answer, but the content tells too
            kind = INDEXES[0] if "manifests" in document else MANIFESTS[0] if "layers" in document else ""
        return data, kind, document

    def _check_platform(self, manifest: Manifest, platform: str, name: str) -> None:
        if manifest.config.size > LARGEST_CONFIG:
            raise RegistryError(f"the configuration of {name} is absurdly large", why=f"{manifest.config.size} bytes")
        url = self.blob_url(manifest.config.digest)
        data = self._transport.get(url, limit=LARGEST_CONFIG, name=f"the configuration of {name}", authenticator=self)
        if hashlib.sha256(data).hexdigest() != manifest.config.digest:
            raise RegistryError(f"the registry sent another configuration of {name}", why="its digest is not right")
        config = _json(data, name)
        has = "/".join(_word(config.get(key)) for key in ("os", "architecture"))
        if has != "/".join(platform.split("/")[:2]):
            raise RegistryError(f"{name} is for {has}", why=f"the image is built for {platform}")


class _Once:
    """A login for one request."""

    def __init__(self, header: str) -> None:
        self._header = header

    def authorization(self, url: str) -> str:  # noqa: ARG002  the protocol's
        return self._header

    def challenged(self, url: str, challenge: str, refused: str) -> bool:  # noqa: ARG002  the protocol's
        return False


def parse_manifest(data: bytes, name: str) -> Manifest:
    """The manifest of an image for one platform; `name` is for errors. Raises RegistryError for what is none."""
    document = _json(data, name)
    layers = document.get("layers")
    if not isinstance(layers, list):
        raise RegistryError(f"the manifest of {name} is damaged", why="it has no layers")
    media_type = document.get("mediaType", MANIFESTS[0])
    if media_type not in MANIFESTS:
        raise RegistryError(f"the manifest of {name} is damaged", why=f"its type is {_word(media_type)}")
    manifest = Manifest(
        data, media_type, _blob(document.get("config"), name), tuple(_blob(item, name) for item in layers)
    )
    if sum(blob.size for blob in manifest.blobs) > LARGEST_IMAGE:
        raise RegistryError(f"{name} is too large", why=f"its parts have more than {LARGEST_IMAGE >> 30} GiB")
    return manifest


def manifest_in(index: bytes, platform: str, name: str) -> str:
    """SHA-256 (hex) of the manifest for `platform` in a list, which errors call `name`. Raises RegistryError."""
    return _choose(_json(index, name), platform, name).removeprefix("sha256:")


def _word(value: Any) -> str:
    """A word that a registry says, for comparing and for errors."""
    if isinstance(value, str) and re.fullmatch(rf"[ -~]{{1,{_LONGEST_WORD}}}", value):
        return value
    return "nothing that we understand"


def _json(data: bytes, name: str) -> Mapping[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"what the registry has as {name} is not JSON", why=str(error)[:_LONGEST_WORD]) from error
    if not isinstance(document, dict):
        raise RegistryError(f"what the registry has as {name} is no image")
    return document


def _blob(descriptor: Any, name: str) -> Blob:
    if isinstance(descriptor, dict):
        digest, size, kind = (descriptor.get(key) for key in ("digest", "size", "mediaType"))
        if (
            isinstance(digest, str)
            and DIGEST.fullmatch(digest)
            and isinstance(size, int)
            and not isinstance(size, bool)
            and 0 <= size <= LARGEST
            and isinstance(kind, str)
            and re.fullmatch(rf"[!-~]{{1,{_LONGEST_WORD}}}", kind)
        ):
            return Blob(digest.removeprefix("sha256:"), size, kind)
    raise RegistryError(f"the manifest of {name} is damaged", why="a descriptor has no SHA-256, size or type")


def _choose(index: Mapping[str, Any], platform: str, name: str) -> str:
    """The digest (``sha256:...``) of the manifest for `platform` in an index."""
    manifests = index.get("manifests")
    entries = [item for item in manifests if isinstance(item, dict)] if isinstance(manifests, list) else []
    has: dict[str, str] = {}
    for item in entries:
        for_ = item.get("platform")
        if isinstance(for_, dict):
            parts = [_word(for_[key]) for key in ("os", "architecture", "variant") if for_.get(key)]
            has.setdefault("/".join(parts), _blob(item, name).digest)
    own = (each.oci_variants for each in ARCHITECTURES.values() if each.platform == platform)
    for candidate in (platform, *(f"{platform}/{variant}" for variants in own for variant in variants)):
        if candidate in has:
            return f"sha256:{has[candidate]}"
    known = sorted(key for key in has if not key.startswith(("unknown", "nothing")))
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    raise RegistryError(
        f"{name} is not there for {platform}",
        why=f"it is for {', '.join(known[:_SHOWN]) or 'nothing that we know'}{more}",
    )
