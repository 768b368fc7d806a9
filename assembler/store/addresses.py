"""Addresses on the web: what may be shown of one, whether two are of one server, and where a redirect may lead.

Those of servers are untrusted: what readers of addresses disagree about is refused.
"""

import re
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from assembler.store.failures import Failure
from assembler.store.routes import Login

_AUTHORITY = re.compile(r"(?:[^\s\x00-\x20\x7f\\/?#@:\[\]%]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
"""Host and port of an address; readers of addresses disagree about what is stranger (RFC 3986 3.2)."""


def printable(url: str) -> str:
    """`url` without user name, password and query, which may be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is not valid"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def origin_of(url: str) -> tuple[str, str]:
    """Scheme, and host with port."""
    parts = urlsplit(printable(url))
    return parts.scheme, parts.netloc


def without_login(url: str) -> tuple[str, Login | None]:
    """An address that the user or the recipe has given, without what may be before its host, and that as a login."""
    try:
        parts = urlsplit(url)
        before, at, authority = parts.netloc.rpartition("@")
        _require_plain(authority, parts.port)
    except ValueError as error:
        raise Failure("the address is not valid", final=True) from error
    if parts.scheme not in {"http", "https"}:
        raise Failure("only http and https are supported", final=True)
    user, _, password = before.partition(":")
    login = Login(user=unquote(user), password=unquote(password)) if at else None
    return urlunsplit((parts.scheme, authority, parts.path, parts.query, "")), login


def _require_plain(authority: str, port: int | None) -> None:
    """Raise ValueError for a host and port that not everybody reads in the same way."""
    if not _AUTHORITY.fullmatch(authority) or port == 0:
        raise ValueError(authority)


def redirected(url: str, target: str) -> str:
    """The address that `url` redirects to with the header Location."""
    try:
        found = urljoin(url, target)
        parts = urlsplit(found)
        if parts.scheme in {"http", "https"}:
            _require_plain(parts.netloc, parts.port)
    except ValueError as error:
        raise Failure("it redirects to an address that is not valid", final=True) from error
    if parts.scheme not in {"http", "https"}:
        raise Failure("it redirects to an address that is neither http nor https", final=True)
    require_safe(url, found)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, parts.query, ""))


def require_safe(url: str, target: str) -> None:
    """Raise when `url`, which nobody else could have answered, leads to an address where anybody could."""
    if urlsplit(target).scheme == "http" and urlsplit(url).scheme == "https":
        raise Failure("it redirects from https to http, where anybody could answer", final=True)


def same_server(url: str, other: str) -> bool:
    """Whether both addresses are of one server; with https in place of http, at their usual ports, it still is."""
    one, two = urlsplit(url), urlsplit(other)
    upgraded = (one.scheme, one.port or 80, two.scheme, two.port or 443) == ("http", 80, "https", 443)
    return one.hostname == two.hostname and (
        upgraded or (one.scheme, one.port or _PORTS[one.scheme]) == (two.scheme, two.port or _PORTS[two.scheme])
    )


_PORTS = {"http": 80, "https": 443}


def bracketed(host: str) -> str:
    """`host` as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def host_of(url: str) -> str:
    """Host, with port."""
    return urlsplit(printable(url)).netloc
