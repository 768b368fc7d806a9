"""What a status or a broken connection means, in words of the user."""

import http.client
import socket
import ssl

import pytest
import requests
import urllib3

from assembler.store.failures import Failure, Timeouts, WrongError, explain, refused

TIMEOUTS = Timeouts(connect=7, stall=2.5)


@pytest.mark.parametrize(
    ("status", "reason", "final", "missing"),
    [
        (404, "it is not there (HTTP status 404 No)", True, True),
        (410, "it is not there (HTTP status 410 No)", True, True),
        (401, "access is denied (HTTP status 401 No)", True, False),
        (403, "access is denied (HTTP status 403 No)", True, False),
        (407, "the proxy wants a password (HTTP status 407 No)", True, False),
        (416, "it has fewer bytes than were fetched before (HTTP status 416 No)", True, False),
        (408, "HTTP status 408 No", False, False),
        (425, "HTTP status 425 No", False, False),
        (429, "HTTP status 429 No", False, False),
        (500, "HTTP status 500 No", False, False),
        (503, "HTTP status 503 No", False, False),
        (499, "unexpected HTTP status 499 No", True, False),
        (405, "unexpected HTTP status 405 No", True, False),
        (304, "unexpected HTTP status 304 No", True, False),
    ],
)
def test_statuses(status: int, reason: str, final: bool, missing: bool) -> None:  # noqa: FBT001  a table
    found = refused(status, "No", {})
    assert (found.reason, found.final, found.missing, found.unreachable) == (reason, final, missing, False)
    assert found.wait == 0
    assert isinstance(found, WrongError) is (status == 416)
    hints = {
        401: "put the name and password for this server into ~/.netrc",
        403: "put the name and password for this server into ~/.netrc",
        407: "put it into http_proxy and https_proxy",
    }
    assert found.hint == hints.get(status, "")


def test_a_servers_own_words_are_cut() -> None:
    assert refused(500, "x" * 101, {}).reason == f"HTTP status 500 {'x' * 100}"
    assert refused(500, "", {}).reason == "HTTP status 500"


DATE = "Mon, 01 Jan 2024 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 120 "}, 120),
        ({"Retry-After": "121"}, None),
        ({"Retry-After": "9" * 5000}, None),
        ({"Retry-After": "-1"}, 0),
        ({"Retry-After": "\u0667"}, 0),
        ({"Retry-After": ""}, 0),
        ({"Retry-After": "Mon, 01 Jan 2024 00:02:00 GMT", "Date": DATE}, 120),
        ({"Retry-After": "Mon, 01 Jan 2024 00:02:01 GMT", "Date": DATE}, None),
        ({"Retry-After": "Sun, 31 Dec 2023 23:59:00 GMT", "Date": DATE}, 0),
        ({"Retry-After": "Mon, 01 Jan 2024 00:02:00 GMT"}, 0),
    ],
)
def test_when_a_server_wants_to_be_asked_again(headers: dict[str, str], wait: float | None) -> None:
    found = refused(429, "Slow", headers)
    if wait is None:
        assert found.final
        assert found.reason.startswith("it asks to come back in ")
        assert found.reason.endswith(" s (HTTP status 429 Slow)")
    else:
        assert (found.wait, found.final, found.reason) == (wait, False, "HTTP status 429 Slow")


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "no")
    error.verify_message = "self-signed certificate"
    return error


def broken() -> ssl.SSLError:
    error = ssl.SSLError(1, "odd")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


PROXY, CONNECTION = requests.exceptions.ProxyError, requests.exceptions.ConnectionError
CERTIFICATES, DNS = "REQUESTS_CA_BUNDLE", "check the network and its DNS, or choose another mirror"


@pytest.mark.parametrize(
    ("error", "reason", "hint", "final", "unreachable"),
    [
        (
            caused(CONNECTION("x"), untrusted()),
            "its TLS certificate is not trusted: self-signed certificate",
            f"name the bundle of your certificate authority in {CERTIFICATES}",
            True,
            False,
        ),
        (
            CONNECTION(broken()),
            "TLS failed: WRONG_VERSION_NUMBER",
            "is this an https server, or is a proxy in between?",
            True,
            False,
        ),
        (
            PROXY("x"),
            "the proxy cannot be reached or does not answer as one",
            "check http_proxy, https_proxy and no_proxy",
            False,
            True,
        ),
        (CONNECTION(socket.gaierror(-2, "x")), "its name cannot be resolved", DNS, False, True),
        (requests.ConnectTimeout("x"), "no connection within 7 s", "", False, True),
        (requests.ReadTimeout("x"), "it stalled: no byte for 2.5 s", "", False, False),
        (TimeoutError("x"), "it stalled: no byte for 2.5 s", "", False, False),
        (ValueError("x"), "the address is not valid", "", True, False),
        (http.client.IncompleteRead(b""), "the connection ended too early", "", False, False),
        (OSError("no such bundle"), "no such bundle", f"check {CERTIFICATES}", True, False),
        (ConnectionResetError(104, "reset"), "the connection broke: reset", "", False, False),
        (ConnectionResetError(), "the connection broke", "", False, False),
        (
            caused(urllib3.exceptions.NewConnectionError(None, "x"), ConnectionRefusedError(111, "refused")),  # type: ignore[arg-type]
            "no connection: refused",
            "",
            False,
            True,
        ),
        (
            urllib3.exceptions.NewConnectionError(None, "x"),  # type: ignore[arg-type]
            "no connection: unknown reason",
            "",
            False,
            True,
        ),
    ],
)
def test_errors(error: BaseException, reason: str, hint: str, final: bool, unreachable: bool) -> None:  # noqa: FBT001
    found = explain(error, TIMEOUTS)
    assert (found.reason, found.hint, found.final, found.unreachable, found.missing) == (
        reason,
        hint,
        final,
        unreachable,
        False,
    )


def test_errors_that_have_one_another_as_their_cause() -> None:
    one, other = ConnectionError("one"), ConnectionError("other")
    one.__context__, other.__context__ = other, one
    assert explain(one, TIMEOUTS).reason == "the connection broke"
    assert str(Failure("x")) == Failure("x").reason == "x"
