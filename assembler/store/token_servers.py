"""Which token servers of registries may get the login that was given for the registry. Plain values.

A registry that wants a token names the server that gives it (Docker's token authentication, ``realm``); nothing but
the user's login says to that server who is asking. So a registry's word alone decides nothing.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

KNOWN: Mapping[str, str] = {
    "registry-1.docker.io": "auth.docker.io",
    "registry.gitlab.com": "gitlab.com",
    "docker.elastic.co": "docker-auth.elastic.co",
}
"""Token servers by registry where they are another host, as their operators document it."""


def may_have_login(registry: str, realm: str, allowed: Mapping[str, str]) -> bool:
    """Whether the login for the address `registry` may go to the token server at `realm`.

    That is so for the same host over https, the same server (scheme, host and port) over http, a known pair over
    https, and what the user allows: beginnings of addresses of token servers, by those of their registries. Never over
    http when the registry is reached over https.
    """
    try:
        here, there = urlsplit(registry), urlsplit(realm)
        same_host = bool(here.hostname) and here.hostname == there.hostname
        port = there.port
        same_server = same_host and (here.scheme, here.port) == (there.scheme, port)
    except ValueError:
        return False
    if there.scheme != "https" and (there.scheme != "http" or here.scheme != "http"):
        return False
    if same_server or (same_host and there.scheme == "https"):
        return True
    if here.scheme == there.scheme == "https" and there.hostname == KNOWN.get(here.hostname or "") and port is None:
        return True
    return any(registry.startswith(prefix) and realm.startswith(server) for prefix, server in allowed.items())
