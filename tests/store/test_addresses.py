"""Addresses: what is shown of one, and where a redirect may lead."""

import pytest

from assembler.store.addresses import bracketed, host_of, origin_of, printable, redirected, require_safe, without_login
from assembler.store.failures import Failure
from assembler.store.routes import Login


def test_what_may_be_secret_is_not_shown() -> None:
    url = "https://user:pass@h.example:8443/a/b?token=x#y"
    assert printable(url) == "https://h.example:8443/a/b"
    assert printable("http://[::1") == "an address that is not valid"
    assert origin_of(url) == ("https", "h.example:8443")
    assert host_of(url) == "h.example:8443"
    assert (bracketed("::1"), bracketed("h.example")) == ("[::1]", "h.example")


@pytest.mark.parametrize(
    ("url", "plain", "login"),
    [
        ("https://h/a?b#c", "https://h/a?b", None),
        ("https://u%40x:p%3A:q@h:1/a", "https://h:1/a", Login(user="u@x", password="p::q")),
        ("http://u@h", "http://h", Login(user="u", password="")),
        ("http://@h", "http://h", Login(user="", password="")),
        ("http://a@b@h/", "http://h/", Login(user="a@b", password="")),
    ],
)
def test_a_login_in_an_address(url: str, plain: str, login: Login | None) -> None:
    assert without_login(url) == (plain, login)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://h/", "only http and https are supported"),
        ("file:///etc/passwd", "the address is not valid"),
        ("http:///x", "the address is not valid"),
        ("http://h:0/", "the address is not valid"),
        ("http://h:65536/", "the address is not valid"),
        ("http://h\\e/", "the address is not valid"),
        ("http://[::1/", "the address is not valid"),
    ],
)
def test_addresses_that_are_none(url: str, reason: str) -> None:
    with pytest.raises(Failure) as caught:
        without_login(url)
    assert (caught.value.reason, caught.value.final) == (reason, True)
    assert without_login("http://h:65535/") == ("http://h:65535/", None)
    assert without_login("http://h:1/") == ("http://h:1/", None)


INVALID = "it redirects to an address that is not valid"
OTHER = "it redirects to an address that is neither http nor https"
UNSAFE = "it redirects from https to http, where anybody could answer"


@pytest.mark.parametrize(
    ("url", "target", "found"),
    [
        ("https://h/a/b?c", "d?e#f", "https://h/a/d?e"),
        ("https://h/a", "//other.example/x", "https://other.example/x"),
        ("http://h/a", "https://h/b", "https://h/b"),
        ("http://h/a", "http://h/b", "http://h/b"),
    ],
)
def test_redirects(url: str, target: str, found: str) -> None:
    assert redirected(url, target) == found


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://h/", UNSAFE),
        ("ftp://h/", OTHER),
        ("file:///etc/passwd", OTHER),
        ("https://user@h/", INVALID),
        ("https://h:0/", INVALID),
        ("https://h:x/", INVALID),
        ("https://[::1/", INVALID),
    ],
)
def test_redirects_that_are_not_followed(target: str, reason: str) -> None:
    with pytest.raises(Failure) as caught:
        redirected("https://h/", target)
    assert (caught.value.reason, caught.value.final) == (reason, True)


def test_what_anybody_could_answer() -> None:
    require_safe("http://h/", "http://h/")
    require_safe("https://h/", "https://h/")
    require_safe("http://h/", "https://h/")
    with pytest.raises(Failure, match=UNSAFE):
        require_safe("https://h/", "http://h/")
