"""Answers that make no sense, or have no end: each ends in an error of a few words, after a while that is known."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from assembler.store.download import TransportError
from assembler.store.transport import Transport


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@contextmanager
def answering(data: bytes, more: bytes = b"", pause: float = 0) -> Iterator[str]:
    """A server that answers whatever it is asked with `data`, and then `more` again and again, with pauses of so many
    seconds; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with suppress(OSError), listening.accept()[0] as connection:
                    connection.recv(65536)
                    connection.sendall(data)
                    # Never without any pause: two threads that send and receive can keep others from ever running.
                    while more and not over.wait(pause or 0.001):
                        connection.sendall(more)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 302 F\r\nLocation: \xff\xfe\r\n",
        b"HTTP/1.1 302 F\r\nLocation: \x00\r\n",
        b"HTTP/1.1 302 F\r\nLocation: //\xe2\x84\x80.example/\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
        b"HTTP/1.1 503 \xff\r\nRetry-After: " + b"9" * 5000 + b"\r\n",
        b"HTTP/1.1 503 X\r\nRetry-After: Mon, 01 Jan 99999 00:00:00 +999999\r\nDate: x\r\n",
        b"HTTP/1.1 429 X\r\nRetry-After: Mon, 99 Jan 0001 00:00:00 -9999\r\nDate: Mon, 01 Jan 9999 00:00:00 +2359\r\n",
        b"HTTP/1.1 999 X\r\n",
        b"HTTP/1.1 -1 X\r\n",
        b"HTTP/1.1 401 X\r\nWWW-Authenticate: " + b'Bearer realm="' * 1000 + b"\r\n",
        b"HTTP/1.1 403 " + b"no " * 10000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n",
        b"HTTP/9.9 200 OK\r\n: \r\n \r\n",
        b"\xff" * 100,
        b"",
    ],
)
def test_heads_that_make_no_sense_are_errors_of_a_few_words(head: bytes) -> None:
    with answering(head + b"\r\nbody") as url, Transport(attempts=1, stall_timeout=2) as transport:
        try:
            said = transport.get(url).decode()
        except TransportError as error:
            said = str(error)
    assert len(said) < 600


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("pause", [0, 0.05])
@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"HTTP/1.1", b" "),
        (OK, b"X: y\r\n"),
        (OK + b"X: ", b"y"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"\r\n", b"y"),
        (CHUNKED, b"1\r\ny\r\n"),
        (CHUNKED + b"1;", b"y"),
        (CHUNKED + b"f" * 10_000 + b"\r\n", b"y"),
        (CHUNKED + b"0\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b"y"),
        (b"HTTP/1.1 404 No\r\n\r\n", b"y"),
    ],
)
def test_answers_without_an_end(first: bytes, more: bytes, pause: float) -> None:
    """At once as much as we take, or a byte now and then."""
    began = time.monotonic()
    with (
        answering(first, more if pause else more * 10_000, pause) as url,
        Transport(attempts=1, connect_timeout=0.2, stall_timeout=0.2) as transport,
        pytest.raises(TransportError) as caught,
    ):
        transport.get(url, limit=1 << 20)
    assert time.monotonic() - began < 30
    assert len(str(caught.value)) < 400


def test_crumbs_are_refused_before_they_cost_much() -> None:
    """A server may send a byte at a time as fast as we can read, each as a piece of its own."""
    with (
        answering(CHUNKED, b"1\r\ny\r\n" * 10_000) as url,
        Transport(attempts=1) as transport,
        pytest.raises(TransportError, match="it comes in crumbs: 10001 bytes in 10001 pieces"),
    ):
        transport.get(url)


def test_what_is_compressed_stays_so() -> None:
    """Nobody has asked for it, and what it grows to is nobody's limit."""
    bomb = gzip.compress(bytes(20 << 20))
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    with answering(head + bomb) as url, Transport(attempts=1) as transport:
        assert transport.get(url, limit=1 << 20) == bomb
