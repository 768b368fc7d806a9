"""Giving up what takes too long."""

import threading
import time

import pytest
import urllib3

from assembler.store.watch import HttpSession, Watch
from tests.support.http_server import Server


def test_only_what_is_waited_for_is_given_up() -> None:
    broken = threading.Event()
    with Watch(broken.set, 0.2) as watch:
        time.sleep(0.5)
        with watch.waiting():
            pass
        assert not watch.expired
        with watch.waiting():
            assert broken.wait(30)
        assert watch.expired


def test_what_has_arrived_is_not_read_after_giving_up(server: Server) -> None:
    """A server that sends faster than we read would never let us come to an end."""
    url = server.serve("/x", bytes(60_000))
    with HttpSession() as session, session.get(url, stream=True) as response:
        assert response.raw.read1(10, decode_content=False)
        time.sleep(0.3)  # until all of it waits to be read
        session.abort()
        read = 0
        with pytest.raises(urllib3.exceptions.HTTPError):  # noqa: PT012  each read may be the one
            while chunk := response.raw.read1(1000, decode_content=False):
                read += len(chunk)
        assert read < 30_000, "what a buffer of ours held"
