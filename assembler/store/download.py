"""What the transport fetches, how it is let in, and the errors of what cannot be fetched."""

from dataclasses import dataclass, field
from typing import Protocol

from assembler.errors import AssembleError

LARGEST = 16 << 30
"""Bytes that are read of something whose size nobody knows."""
UNKNOWN = -1
"""A size that nobody knows."""


class TransportError(AssembleError):
    """Something cannot be fetched."""


class NotFoundError(TransportError):
    """Every server that was asked says that it has no such thing."""


class OfflineError(TransportError):
    """Something is wanted from the network, which the user has ruled out."""


class Authenticator(Protocol):
    """How to be let in where each request carries an authorization: an OCI registry's tokens. Must be thread-safe."""

    def authorization(self, url: str) -> str:
        """The Authorization header for a request; empty for none."""

    def challenged(self, url: str, challenge: str, refused: str) -> bool:
        """A server answered 401 with this WWW-Authenticate to the header `refused`; whether there is a better one."""


@dataclass(frozen=True, slots=True)
class Download:
    """An object that the store shall hold."""

    digest: str
    """SHA-256 in hex; empty with :meth:`Transport.learn` when nobody knows."""
    size: int
    """Bytes; never is more than this read. `UNKNOWN` with :meth:`Transport.learn`."""
    urls: tuple[str, ...]
    """Where it may be, in order of preference."""
    name: str
    """What to call it in progress and errors."""
    hint: str = ""
    """What the user can do when no server has it."""
    trusted_by: str = ""
    """Who says what its digest and size are, for errors: ``the lock``."""
    mismatch_hint: str = ""
    """What the user can do when a server has something else in its place."""
    authenticator: Authenticator | None = field(default=None, repr=False, compare=False)
    """How to be let in; None: as the user's routes or netrc say."""
