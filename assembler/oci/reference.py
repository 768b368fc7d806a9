"""Names of container images, as people and nodes write them, and what they stand for."""

import re
from dataclasses import dataclass

from assembler.errors import AssembleError
from assembler.lockfile.values import SHA256

_DOCKER = "docker.io"
DIGEST = re.compile(rf"sha256:{SHA256}")
_REGISTRY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_REPOSITORY = re.compile(
    r"(?=.{1,255}$)[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""As the OCI distribution specification 1.1 has them; nothing of a name means anything else in an address."""
_SHOWN = 200
"""Characters of what is no name that its error shows."""


class ImageNameError(AssembleError):
    """Not the name of an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image in a registry, by tag or digest; made by :func:`parse`."""

    registry: str
    """Host, perhaps with a port."""
    repository: str
    tag: str
    """Empty when there is a digest only."""
    digest: str
    """``sha256:...``; empty for none."""

    def __str__(self) -> str:
        """The full name as containerd has it: a digest makes the tag superfluous."""
        return f"{self.registry}/{self.repository}" + (f"@{self.digest}" if self.digest else f":{self.tag}")

    @property
    def base(self) -> str:
        """Address of the repository in the registry's API, without a slash at the end."""
        host = "registry-1.docker.io" if self.registry == _DOCKER else self.registry
        return f"https://{host}/v2/{self.repository}"


def parse(text: str) -> Reference:
    """The image that `text` names, Docker's short names included (``alpine`` is docker.io/library/alpine:latest)."""
    name, _, digest = text.partition("@")
    first, slash, rest = name.partition("/")
    if not slash or not (set(first) & {".", ":"} or first == "localhost"):
        first, rest = _DOCKER, name if slash else f"library/{name}"
    repository, colon, tag = rest.partition(":")
    if (
        not _REGISTRY.fullmatch(first)
        or not _REPOSITORY.fullmatch(repository)
        or (colon and not _TAG.fullmatch(tag))
        or (digest and not DIGEST.fullmatch(digest))
    ):
        raise ImageNameError(f"{text[:_SHOWN]} is not the name of an image", hint="as registry.example/name:tag")
    return Reference(registry=first, repository=repository, tag=tag or ("" if digest else "latest"), digest=digest)
