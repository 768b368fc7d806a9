"""A site's own servers in publishers' place, and the logins for them. Plain values; the transport applies them."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What proves to a server who is asking: a user with a password, or a token."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    """Sent as it is (RFC 6750); then `user` and `password` are empty."""

    @property
    def header(self) -> str:
        """The value of an Authorization header (RFC 7617 for a password)."""
        if self.token:
            return f"Bearer {self.token}"
        # As the bytes that they were in the environment.
        text = f"{self.user}:{self.password}".encode("utf-8", "surrogateescape")
        return "Basic " + base64.b64encode(text).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Where to ask instead. Of several prefixes of an address, the longest counts."""

    rewrites: Mapping[str, str] = field(default_factory=dict)
    """What replaces an address's prefix: ``https://dl.k8s.io/`` by ``https://mirror.internal/k8s/``."""
    logins: Mapping[str, Login] = field(default_factory=dict)
    """By the prefix of addresses, after rewriting, that they are for."""
    token_servers: Mapping[str, str] = field(default_factory=dict)
    """Prefixes of addresses of token servers that get the login of a registry, by that of the registry; both after
    rewriting."""
    redirects: tuple[str, ...] = ()
    """Prefixes of addresses to which any server may redirect, even if they are further inside; without a login."""

    def rewrite(self, url: str) -> str:
        """Where to ask for `url`; once only, so that prefixes may be swapped."""
        prefix = _longest(url, self.rewrites)
        return url if prefix is None else self.rewrites[prefix] + url[len(prefix) :]

    def login(self, url: str) -> Login | None:
        """The login for an address after rewriting."""
        prefix = _longest(url, self.logins)
        return None if prefix is None else self.logins[prefix]

    def may_redirect(self, url: str) -> bool:
        """Whether the user lets any server redirect to `url`."""
        return _longest(url, self.redirects) is not None


def _longest(url: str, prefixes: Iterable[str]) -> str | None:
    return max((prefix for prefix in prefixes if url.startswith(prefix)), key=len, default=None)


NO_ROUTES = Routes()
"""Everything from where its publisher has it."""
