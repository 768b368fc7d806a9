"""An answer over HTTP whose body is being read, unless it arrives too slowly or is a web page."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assembler.store.failures import Failure, Timeouts, explain

if TYPE_CHECKING:
    import requests

    from assembler.store.watch import Watch


SLOWEST = 512
"""Bytes a second; a server that sends less is stalled."""
MOST_READS = 10_000
"""Pieces that an answer may come in without each having `SMALLEST` bytes on average: each costs the same time here."""
SMALLEST = 64
READ = 1 << 16
"""Bytes taken from a socket at a time."""
_HTML = (b"<!doctype html", b"<html")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is being read."""

    response: "requests.Response"
    watch: "Watch"
    timeouts: Timeouts


def body(answer: Answer) -> Iterator[bytes]:
    """The bytes of an answer as they arrive, unless they arrive too slowly or are a web page."""
    import requests  # noqa: PLC0415  as in transport.py
    import urllib3  # noqa: PLC0415  as in transport.py

    began, received, first = time.monotonic(), 0, True
    pieces, total = 0, 0
    while True:
        try:
            with answer.watch.waiting():
                chunk = answer.response.raw.read1(READ, decode_content=False)
        except (urllib3.exceptions.HTTPError, requests.RequestException, OSError, ValueError) as error:
            raise expired(answer.watch) or explain(error, answer.timeouts) from error
        if failure := expired(answer.watch):
            raise failure
        if not chunk:
            return
        if first and chunk[:64].lstrip().lower().startswith(_HTML):
            raise Failure(
                "it is a web page",
                hint="a proxy or the login page of a network may have answered in the server's place",
                final=True,
            )
        first = False
        yield chunk
        pieces, total = pieces + 1, total + len(chunk)
        if pieces > MOST_READS and total < SMALLEST * pieces:
            raise Failure(f"it comes in crumbs: {total} bytes in {pieces} pieces", final=True)
        received += len(chunk)
        now = time.monotonic()
        if now - began > answer.timeouts.stall:
            if received < SLOWEST * (now - began):
                raise Failure(f"it stalled: {received} bytes in {now - began:.0f} s")
            began, received = now, 0


def expired(watch: "Watch") -> Failure | None:
    """What to say when the watch has broken the connection."""
    return Failure(f"it stalled: no answer within {watch.seconds:g} s") if watch.expired else None


def redirect_target(response: "requests.Response") -> str | None:
    """Where an answer redirects to; None when it does not."""
    if not response.is_redirect:
        return None
    # http.client takes the bytes for Latin-1, RFC 3986 allows ASCII.
    return response.headers["Location"].encode("latin-1").decode("utf-8", "replace")


def content_length(response: "requests.Response") -> int | None:
    """Content-Length of the bytes as they are on the wire; None when the server does not say."""
    text = response.headers.get("Content-Length", "")
    return int(text) if len(text) < 20 and text.isascii() and text.isdigit() else None


def continues_at(response: "requests.Response", start: int) -> bool:
    """Whether the answer carries on at byte `start` (RFC 9110 14.4)."""
    return response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
