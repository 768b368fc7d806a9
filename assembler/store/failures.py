"""Why one attempt at one address came to nothing, in words of the user: what a status or a broken connection means."""

import http.client
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from socket import gaierror

LONGEST_WAIT = 120.0
"""Seconds that Retry-After may ask for."""
_LONGEST_REASON = 100
"""Characters of a server's own words that are shown."""


class Failure(Exception):
    """One attempt at one address came to nothing.

    `final`: asking the same address again is of no use. `unreachable`: the whole server is not there. `missing`: the
    server says that it has no such file. `wait`: seconds that the server asked for.
    """

    def __init__(
        self,
        reason: str,
        *,
        hint: str = "",
        final: bool = False,
        unreachable: bool = False,
        missing: bool = False,
        wait: float = 0.0,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.final = final
        self.unreachable = unreachable
        self.missing = missing
        self.wait = wait


class WrongError(Failure):
    """What the server has cannot be what is wanted."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason, hint=hint, final=True)


class StoppedError(Exception):
    """Another download failed, so this one is given up; its partial file stays."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that a server has."""

    connect: float
    """Until a connection stands."""
    stall: float
    """In which at least `SLOWEST` bytes a second must arrive."""


def explain(error: BaseException, timeouts: Timeouts) -> Failure:
    """A failure to connect or read, in words of its reader."""
    import requests  # noqa: PLC0415  as in transport.py
    import urllib3  # noqa: PLC0415  as in transport.py

    chain = list(_causes(error))

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(item, kinds) for item in chain)

    for item in chain:
        if isinstance(item, ssl.SSLCertVerificationError):
            return Failure(
                f"its TLS certificate is not trusted: {item.verify_message}",
                hint="name the bundle of your certificate authority in REQUESTS_CA_BUNDLE",
                final=True,
            )
        if isinstance(item, ssl.SSLError):
            return Failure(
                f"TLS failed: {item.reason or item}", hint="is this an https server, or is a proxy in between?",
                final=True,
            )  # fmt: skip
    if has(requests.exceptions.ProxyError):
        return Failure(
            "the proxy cannot be reached or does not answer as one",
            hint="check http_proxy, https_proxy and no_proxy",
            unreachable=True,
        )
    if has(gaierror, urllib3.exceptions.NameResolutionError):
        return Failure(
            "its name cannot be resolved", hint="check the network and its DNS, or choose another mirror",
            unreachable=True,
        )  # fmt: skip
    cause = next((item.strerror for item in chain if isinstance(item, OSError) and item.strerror), "")
    if has(urllib3.exceptions.NewConnectionError):
        return Failure(f"no connection: {cause or 'unknown reason'}", unreachable=True)
    if has(requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError):
        return Failure(f"no connection within {timeouts.connect:g} s", unreachable=True)
    if has(requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
        return Failure(f"it stalled: no byte for {timeouts.stall:g} s")
    if isinstance(error, ValueError):  # requests, urllib3 and the idna codec agree on that
        return Failure("the address is not valid", final=True)
    if has(urllib3.exceptions.IncompleteRead, http.client.IncompleteRead):
        return Failure("the connection ended too early")
    if type(error) is OSError:  # requests says in this way that a bundle of certificates is not there
        return Failure(str(error), hint="check REQUESTS_CA_BUNDLE", final=True)
    return Failure(f"the connection broke{': ' + cause if cause else ''}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and all that is underneath it; urllib3 keeps causes in `reason` and in arguments, too."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        item = queue.pop(0)
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            yield item
            queue += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]


def refused(status: int, phrase: str, headers: Mapping[str, str]) -> Failure:
    """What an HTTP status means for a download."""
    text = f"HTTP status {status} {(phrase or '')[:_LONGEST_REASON]}".rstrip()
    if status in {404, 410}:
        return Failure(f"it is not there ({text})", final=True, missing=True)
    if status in {401, 403}:
        return Failure(
            f"access is denied ({text})", hint="put the name and password for this server into ~/.netrc", final=True
        )
    if status == 407:
        return Failure(
            f"the proxy wants a password ({text})", hint="put it into http_proxy and https_proxy", final=True
        )
    if status == 416:
        return WrongError(f"it has fewer bytes than were fetched before ({text})")
    if status in {408, 425, 429} or status >= 500:
        wait = _retry_after(headers)
        if wait > LONGEST_WAIT:
            return Failure(f"it asks to come back in {wait:.0f} s ({text})", final=True)
        return Failure(text, wait=wait)
    return Failure(f"unexpected {text}", final=True)


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds of Retry-After (RFC 9110 10.2.3): a number, or a date, which is compared with the server's own clock."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - parsedate_to_datetime(headers["Date"])).total_seconds())
    except (LookupError, ValueError, TypeError, OverflowError):
        return 0.0
