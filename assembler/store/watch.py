"""HTTP sessions in which nothing blocks forever.

A time-out of a socket bounds the wait for the next byte. A server that sends one now and then, or headers, interim
answers or trailers without an end, never meets it; so whoever calls into a session here says when to give up.
"""

import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter


class Session(requests.Session):
    """A session whose connections another thread can break, and which follows no redirects."""

    def __init__(self) -> None:
        super().__init__()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(self._sockets.add))

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[Any]:
        """Follow none: whoever asks does. The base class reads the body of each, however long that is, in any case."""
        return iter(())

    def abort(self) -> None:
        """End whatever waits for a server: it comes to an error, or to what looks like the end of an answer."""
        for each in list(self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """Tells of every socket that is opened."""

    def __init__(self, opened: Callable[[socket.socket], None]) -> None:
        self._opened = opened
        super().__init__()

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,  # noqa: FBT001  the base class's
        proxies: Mapping[str, str] | None = None,
        cert: Any = None,
    ) -> Any:
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        if not hasattr(pool.ConnectionCls, "told"):
            pool.ConnectionCls = _telling(pool.ConnectionCls, self._opened)
        return pool


def _telling(kind: Any, opened: Callable[[socket.socket], None]) -> Any:
    """A kind of connection that tells of its sockets: as opened, for the answer of a proxy, and with TLS on top."""

    class Telling(kind):  # type: ignore[misc]  # whichever it is
        told = True

        def _new_conn(self) -> socket.socket:
            made: socket.socket = super()._new_conn()
            opened(made)
            return made

        def connect(self) -> None:
            super().connect()
            opened(self.sock)

    return Telling


class Watch:
    """Calls `abort` when something takes longer than `seconds`, at the latest after twice that; a context manager."""

    def __init__(self, abort: Callable[[], None], seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        """Whether it did."""
        self._abort = abort
        self._since: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Something that may take `seconds`."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def _look(self) -> None:
        pause = self.seconds
        while not self._over.wait(pause):
            since = self._since
            left = self.seconds if since is None else since + self.seconds - time.monotonic()
            if left <= 0:
                self.expired = True
                self._abort()
            pause = max(left, self.seconds / 8)
