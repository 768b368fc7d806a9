"""HTTP sessions in which nothing blocks forever, and which reach no further inside than they are allowed to.

A time-out of a socket bounds the wait for the next byte. A server that sends one now and then, or headers, interim
answers or trailers without an end, never meets it; so whoever calls into a session here says when to give up.

Names are resolved once for each connection, and it goes to the very address whose zone was looked at, so a name that
means something else a moment later changes nothing. What a proxy resolves is not seen here.
"""

import http.client
import io
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NameResolutionError, NewConnectionError

from assembler.store.zones import Zone, resolve, zone_of, zone_of_host

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a host, with a port; raises socket.gaierror."""


class InwardError(Exception):
    """A server is further inside than this session may reach."""


class HttpSession(requests.Session):
    """A session for one thread at a time, whose connections another can break, and which follows no redirects.

    `resolve` and `zone` say what a name means and where an address is.
    """

    def __init__(self, *, resolve: Resolve = resolve, zone: Callable[[str], Zone] = zone_of) -> None:
        super().__init__()
        self.limit = Zone.LINK
        """How far inside the next requests may reach; others raise InwardError, with nothing sent."""
        self.reached = Zone.WORLD
        """How far inside the server of the last request is; a name behind a proxy is taken to be of the world."""
        self.resolve = resolve
        self.zone = zone
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._streams: weakref.WeakSet[_Breakable] = weakref.WeakSet()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(self))

    def reach(self, zone: Zone) -> None:
        """Note that a request goes to a server in `zone`; raises InwardError when that is too far."""
        if zone > self.limit:
            raise InwardError
        self.reached = zone

    def opened(self, made: "socket.socket | _Breakable") -> None:
        """Note a socket, or what is read of one, that :meth:`abort` shall break."""
        if isinstance(made, _Breakable):
            self._streams.add(made)
        else:
            self._sockets.add(made)

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[Any]:
        """Follow none: whoever asks does. The base class reads the body of each, however long that is, in any case."""
        return iter(())

    def abort(self) -> None:
        """End whatever waits for a server: it comes to an error, or to what looks like the end of an answer."""
        # Before the sockets: what arrives on one that is shut down is still read, for as long as it arrives.
        for stream in list(self._streams):
            stream.broken = True
        for each in list(self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Breakable(io.RawIOBase):
    """What a socket receives, until it is broken."""

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__()
        self.broken = False
        """Whether reading is an error from now on."""
        self._raw = raw

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        if self.broken:
            raise TimeoutError
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Adapter(HTTPAdapter):
    """Tells its session of every socket that is opened and of every server that is asked."""

    def __init__(self, session: HttpSession) -> None:
        self._session = session
        super().__init__()

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,  # noqa: FBT001  the base class's
        proxies: Mapping[str, str] | None = None,
        cert: Any = None,
    ) -> Any:
        proxy = select_proxy(request.url or "", proxies)
        if proxy:
            self._session.reach(zone_of_host(urlsplit(request.url or "").hostname or ""))
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        if not hasattr(pool.ConnectionCls, "told"):
            pool.ConnectionCls = _telling(pool.ConnectionCls, self._session, direct=not proxy)
        return pool


def _telling(kind: Any, session: HttpSession, *, direct: bool) -> Any:
    """A kind of connection that tells of its sockets: as opened, for the answer of a proxy, and with TLS on top.

    One that is `direct` goes no further inside than its session may, neither when it is opened nor when it is reused.
    """

    class Response(http.client.HTTPResponse):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            raw = _Breakable(self.fp.detach())
            self.fp = io.BufferedReader(raw)
            session.opened(raw)

    class Telling(kind):  # type: ignore[misc]  # whichever it is
        host: str
        response_class = Response
        told = True
        zone = Zone.WORLD

        def _new_conn(self) -> socket.socket:
            made: socket.socket = self._connected() if direct else super()._new_conn()
            session.opened(made)
            return made

        def _connected(self) -> socket.socket:
            """A connection to the first address that may be reached and answers; errors as urllib3 has them."""
            # With the full stop at its end, if it has one: then the resolver appends nothing.
            name: str = getattr(self, "_dns_host", self.host)
            try:
                addresses = session.resolve(name.strip("[]"), self.port)
            except socket.gaierror as error:
                raise NameResolutionError(self.host, self, error) from error
            except UnicodeError as error:
                raise LocationParseError(f"{name}: not a name") from error
            allowed = [address for address in addresses if session.zone(address) <= session.limit]
            if not allowed:
                raise InwardError
            failure: ConnectTimeoutError = NewConnectionError(self, "no address")
            for address in allowed:
                self.host = address
                try:
                    made: socket.socket = super()._new_conn()
                except ConnectTimeoutError as error:  # a connection that is refused is one, too
                    failure = error
                else:
                    self.zone = session.zone(address)
                    session.reach(self.zone)
                    return made
                finally:
                    self.host = name
            raise failure

        def connect(self) -> None:
            super().connect()
            session.opened(self.sock)

        def request(self, *args: Any, **kwargs: Any) -> None:
            if direct and self.sock is not None:  # it was opened for another request, perhaps
                session.reach(self.zone)
            super().request(*args, **kwargs)

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
