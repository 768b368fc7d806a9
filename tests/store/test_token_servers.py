"""A registry's word alone sends no login anywhere else."""

import pytest

from assembler.store.token_servers import KNOWN, may_have_login

ALLOWED = {
    "https://registry.internal/": "https://login.internal/token/",
    "http://dev.internal/": "http://auth.internal/",
}


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("https://r.example/v2/a", "https://r.example/token"),
        ("https://r.example:5000/v2/a", "https://r.example:5001/token?x=y"),
        ("https://R.example/v2/a", "https://r.EXAMPLE/token"),
        ("http://r.example:5000/v2/a", "http://r.example:5000/token"),
        ("http://r.example:5000/v2/a", "https://r.example/token"),
        ("https://registry-1.docker.io/v2/a", "https://auth.docker.io/token"),
        ("https://registry.internal/v2/a", "https://login.internal/token/x"),
        ("http://dev.internal/v2/a", "http://auth.internal/token"),
    ],
)
def test_what_is_the_registrys_own(registry: str, realm: str) -> None:
    assert may_have_login(registry, realm, ALLOWED)


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("https://r.example/v2/a", "https://elsewhere.example/token"),
        ("https://r.example/v2/a", "https://r.example.elsewhere.example/token"),
        ("https://r.example/v2/a", "https://r.example@elsewhere.example/token"),
        ("https://r.example/v2/a", "http://r.example/token"),
        ("http://r.example:5000/v2/a", "http://r.example:5001/token"),
        ("http://r.example:5000/v2/a", "http://elsewhere.example:5000/token"),
        ("https://registry-1.docker.io/v2/a", "http://auth.docker.io/token"),
        ("https://registry-1.docker.io/v2/a", "https://auth.docker.io:8443/token"),
        ("http://registry-1.docker.io/v2/a", "https://auth.docker.io/token"),
        ("https://r.example/v2/a", "https://auth.docker.io/token"),
        ("https://registry.internal/v2/a", "https://login.internal/other"),
        ("https://registry.internal.example/v2/a", "https://login.internal/token/"),
        ("https://registry.internal/v2/a", "http://login.internal/token/"),
        ("https://registry.internal/v2/a", "file:///etc/passwd"),
        ("https://r.example/v2/a", "ftp://r.example/token"),
        ("https://r.example/v2/a", ""),
        ("https://r.example/v2/a", "//r.example/token"),
        ("https://r.example/v2/a", "https://[::1/"),
        ("https://r.example/v2/a", "https://r.example:99999/"),
        ("https://registry-1.docker.io/v2/a", "https://auth.docker.io:99999/"),
    ],
)
def test_what_is_not(registry: str, realm: str) -> None:
    assert not may_have_login(registry, realm, ALLOWED)


def test_known_pairs_are_hosts() -> None:
    assert all(host == host.lower() and "/" not in host for pair in KNOWN.items() for host in pair)
