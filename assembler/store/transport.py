"""The only place that opens sockets: fetching bytes over HTTP, whole or not at all.

A download is named by its SHA-256 and size, so it does not matter which server sends it: what arrives is hashed while
it streams, and only what matches enters the store. Everything else about a server is untrusted: it may be slow,
broken, lying or gone, and then the next one is asked.

Proxies, netrc and certificate authorities are those of requests: ``http_proxy``, ``~/.netrc``, ``REQUESTS_CA_BUNDLE``.
A site's own mirrors and the logins for them are :class:`~assembler.store.routes.Routes`: an address is rewritten here,
at the last moment, so that locks and errors in recipes name what the publisher calls it.

A login, of routes, netrc or the address itself, is for an address that the user or the recipe has named. One that a
*server* has chosen, by redirecting or as its token server, gets none, unless it is the same server; it is never http
after https; and it lies no further inside than the server that chose it (:mod:`assembler.store.zones`), unless the
user's routes name it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

from assembler.progress import SILENT, Reporter, Step
from assembler.store.addresses import (
    bracketed,
    host_of,
    origin_of,
    printable,
    redirected,
    require_safe,
    same_server,
    without_login,
)
from assembler.store.answer import Answer, body, content_length, expired, redirect_target
from assembler.store.download import UNKNOWN, Authenticator, Download, NotFoundError, OfflineError, TransportError
from assembler.store.failures import Failure, StoppedError, Timeouts, explain, refused
from assembler.store.incoming import Incoming, partial_name
from assembler.store.objects import Store
from assembler.store.routes import NO_ROUTES, Login, Routes
from assembler.store.token_servers import may_have_login
from assembler.store.zones import Zone, resolve, zone_of

if TYPE_CHECKING:
    import requests

    from assembler.store.watch import HttpSession, Resolve, Watch

_LOG = logging.getLogger(__name__)


T = TypeVar("T")

CONNECT_TIMEOUT = 10.0
"""Seconds until a connection stands."""
STALL_TIMEOUT = 30.0
"""Seconds in which at least `SLOWEST` bytes a second must arrive."""
REDIRECTS = 10
"""Requests until a server that sends us elsewhere is taken to go in circles."""
LONGEST = 1800.0
"""Seconds until something that is read into memory must have arrived."""

_TROUBLE = "the server, or the way to it, has trouble: try again later, or choose another"


class Transport:
    """Fetches over HTTP and HTTPS. Safe for threads; close it, or use it in a ``with`` statement.

    `jobs` downloads run at a time; each address is asked up to `attempts` times, after pauses of `backoff` seconds,
    twice that, four times that, and so on, or what the server asks for. `offline` refuses everything. `routes` says
    which server to ask in a publisher's place; `resolve` and `zone` what a name means and where an address is.
    """

    def __init__(
        self,
        *,
        offline: bool = False,
        reporter: Reporter = SILENT,
        jobs: int = 4,
        attempts: int = 4,
        backoff: float = 1.0,
        connect_timeout: float = CONNECT_TIMEOUT,
        stall_timeout: float = STALL_TIMEOUT,
        routes: Routes = NO_ROUTES,
        resolve: "Resolve" = resolve,
        zone: Callable[[str], Zone] = zone_of,
    ) -> None:
        self.offline = offline
        self._routes = routes
        self._resolve = resolve
        self._zone = zone
        self._zones: dict[tuple[str, str], Zone] = {}
        """How far inside servers have been seen to be, by origin; the least counts."""
        self._reporter = reporter
        self._jobs = jobs
        self._attempts = attempts
        self._backoff = backoff
        self._timeouts = Timeouts(connect_timeout, stall_timeout)
        self._mutex = threading.Lock()
        self._idle: list[HttpSession] = []
        self._unreachable: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept for reuse."""
        with self._mutex:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()

    # --- what callers use ----------------------------------------------------------------------------------------

    def login(self, url: str) -> Login | None:
        """What the user's routes or netrc say about being let in at `url`, an address after rewriting.

        Raises TransportError when netrc is not text.
        """
        from requests.utils import get_netrc_auth  # noqa: PLC0415  see _session

        found = self._routes.login(url)
        host = urlsplit(url).hostname
        if found is not None or not host:
            return found
        try:
            entry = get_netrc_auth(f"https://{bracketed(host)}/")
        except UnicodeError as error:
            raise TransportError("the file netrc is not text", why="it is not UTF-8", hint="mend it, or move it away"
                                 ) from error  # fmt: skip
        return Login(user=entry[0], password=entry[1]) if entry else None

    def token_server(self, url: str, realm: str) -> bool:
        """Whether the login for `url`, an address after rewriting, may go to the token server at `realm`."""
        return may_have_login(url, self._routes.rewrite(realm), self._routes.token_servers)

    def get(
        self,
        url: str,
        *,
        limit: int = 8 << 20,
        name: str = "",
        hint: str = "",
        accept: str = "",
        authenticator: Authenticator | None = None,
        referrer: str = "",
    ) -> bytes:
        """What `url` holds, at most `limit` bytes, within `LONGEST`; nothing about it is verified.

        `name` is for errors, `hint` for that of a file that is not there; `accept` is the header of that name.
        `referrer` is the address, after rewriting, whose server has chosen `url`; empty when that is the user's or the
        recipe's choice. Raises :class:`TransportError`, and of these :class:`NotFoundError` when it is not there.
        """
        name = name or printable(url).rpartition("/")[2] or "a file"
        if self.offline:
            raise OfflineError(f"{name} must be fetched", why="the network is ruled out", hint="leave out --offline")

        # An address that the user puts in place of the server's may be anywhere, but gets no login either.
        rewritten = self._routes.rewrite(url) != url

        def attempt(url: str) -> bytes:
            began = time.monotonic()
            with self._answer(
                url, accept=accept, authenticator=authenticator, referrer=referrer, anywhere=rewritten
            ) as answer:
                data = bytearray()
                for chunk in body(answer):
                    data += chunk
                    if time.monotonic() - began > LONGEST:
                        raise Failure(f"it stalled: {len(data)} bytes in {LONGEST:.0f} s")
                    if len(data) > limit:
                        raise Failure(f"it is larger than {limit} bytes", final=True)
                length = content_length(answer.response)
                if length is not None and len(data) < length:
                    raise Failure(f"it ended after {len(data)} of {length} bytes")
                return bytes(data)

        return self._persist((url,), name, hint, threading.Event(), attempt)

    def download(self, store: Store, downloads: Iterable[Download]) -> None:
        """See to it that `store` holds all `downloads`; what it has is not asked for again unless it is damaged.

        Interrupted downloads continue where they stopped, in this process or a later one. When two processes want the
        same object, one fetches it and the other waits. The first that cannot be had ends all; raises
        :class:`TransportError`, or :class:`OfflineError` naming all that is missing or damaged.
        """
        wanted = list(downloads)
        missing = {item.digest: item for item in wanted if not store.sound(item.digest)}
        for item in wanted:
            _LOG.debug("%s: %s", item.name, "to be fetched" if item.digest in missing else "in the store")
        damaged = [item for item in missing.values() if store.has(item.digest)]
        if self.offline and missing:
            raise OfflineError(
                f"{len(missing)} of the files that this build needs are not in the store"
                + (", or are damaged there" if damaged else ""),
                why="the network is ruled out",
                hint="build once without --offline",
                details=[
                    f"{item.name} ({item.size} bytes, sha256 {item.digest})"
                    + (f" is damaged: {store.path(item.digest)}" if item in damaged else "")
                    for item in missing.values()
                ],
            )
        for item in damaged:
            self._reporter.warn(f"{item.name} is damaged in the store, and is fetched again: {store.path(item.digest)}")
        self._download_all(store, list(missing.values()))

    def learn(self, store: Store, downloads: Sequence[Download]) -> list[Download]:
        """As :meth:`download`, of things whose digest or size nobody knows; returns `downloads` with both filled in.

        What has no digest is fetched anew, whole, and what arrives is believed.
        """
        known = {item: _measured(store, item) for item in downloads if store.sound(item.digest)}
        missing = [item for item in dict.fromkeys(downloads) if item not in known]
        if self.offline and missing:
            raise OfflineError(
                "files must be fetched to lock them",
                why="the network is ruled out",
                hint="leave out --offline",
                details=[item.name for item in missing],
            )
        known |= zip(missing, self._download_all(store, missing), strict=True)
        return [known[item] for item in downloads]

    def _download_all(self, store: Store, downloads: Sequence[Download]) -> list[Download]:
        if not downloads:
            return []
        with store.writing():
            store.downloads()
        total = sum(item.size for item in downloads if item.size != UNKNOWN)
        stop = threading.Event()
        with (
            self._reporter.step("download", total=total, unit="B") as step,
            ThreadPoolExecutor(min(self._jobs, len(downloads)), "download") as pool,
        ):
            futures = [pool.submit(self._download_one, store, item, step, stop) for item in downloads]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [future.result() for future in futures]

    # --- one object ----------------------------------------------------------------------------------------------

    def _download_one(self, store: Store, item: Download, step: Step, stop: threading.Event) -> Download:
        if stop.is_set():
            raise StoppedError
        with store.locked(f"download-{partial_name(item)}", what=item.name):
            if store.sound(item.digest):
                step.advance(max(item.size, 0))
                return _measured(store, item)
            step.note(item.name)
            incoming = Incoming(store, item, step, stop)

            def attempt(url: str) -> str:
                ask = partial(self._answer, url, authenticator=item.authenticator)
                return incoming.complete(ask) or incoming.complete(ask)

            digest = self._persist(item.urls, item.name, item.hint, stop, attempt)
            return _measured(store, replace(item, digest=digest))

    def _persist(
        self, urls: Sequence[str], name: str, hint: str, stop: threading.Event, attempt: Callable[[str], T]
    ) -> T:
        """What `attempt` returns for the first of `urls` that serves; all are asked before the first pause."""
        failures: dict[str, Failure] = {}
        alive = list(dict.fromkeys(self._routes.rewrite(url) for url in urls))
        # What could not be reached a moment ago is asked once, not waited for again.
        hopeless = all(host_of(url) in self._unreachable for url in alive)
        for turn in range(1 if hopeless else self._attempts):
            if turn:
                last = failures[alive[0]]
                pause = max(self._backoff * 2 ** (turn - 1), *(failures[url].wait for url in alive), 0.0)
                self._reporter.info(f"{name}: {host_of(alive[0])}: {last.reason}; asking again in {pause:g} s")
                if stop.wait(pause):
                    raise StoppedError
            for url in sorted(alive, key=lambda url: host_of(url) in self._unreachable):
                try:
                    found = attempt(url)
                except Failure as failure:
                    _LOG.debug("%s: not from %s: %s", name, printable(url), failure.reason)
                    failures[url] = failure
                    if failure.unreachable:
                        with self._mutex:
                            self._unreachable.add(host_of(url))
                else:
                    _LOG.debug("%s: from %s", name, printable(url))
                    return found
            alive = [url for url in alive if not failures[url].final]
            # A server that is not there is asked again only when nobody else is left.
            alive = [url for url in alive if not failures[url].unreachable] or alive
            if not alive:
                break
        raise _gave_up(name, hint, failures)

    # --- one request ---------------------------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator["HttpSession"]:
        from assembler.store.watch import HttpSession  # noqa: PLC0415  takes 0.1 s, saved where nothing is fetched

        with self._mutex:
            session = self._idle.pop() if self._idle else HttpSession(resolve=self._resolve, zone=self._zone)
        try:
            yield session
        finally:
            with self._mutex:
                self._idle.append(session)

    @contextmanager
    def _answer(
        self,
        url: str,
        start: int = 0,
        *,
        accept: str = "",
        authenticator: Authenticator | None = None,
        referrer: str = "",
        anywhere: bool = False,
    ) -> Iterator["Answer"]:
        """The answer to a GET of `url` from byte `start` on: status 200, or 206 when `start` is not 0.

        `referrer` as for :meth:`get`; `anywhere`: it does not say how far inside `url` may be.
        """
        from assembler.store.watch import Watch  # noqa: PLC0415  see _session

        headers = {"Accept-Encoding": "identity", "User-Agent": "assembler"}
        if start:
            headers["Range"] = f"bytes={start}-"
        if accept:
            headers["Accept"] = accept
        limit = self._timeouts.connect + self._timeouts.stall
        with self._session() as session, Watch(session.abort, limit) as watch:
            asked, login = without_login(url)
            limit = Zone.LINK
            if referrer:
                require_safe(referrer, asked)
                login = None
                limit = limit if anywhere else self._zones.get(origin_of(referrer), Zone.WORLD)
            elif authenticator is None:
                login = self.login(asked) or login
            for _ in range(REDIRECTS):
                session.limit = Zone.LINK if self._routes.may_redirect(asked) else limit
                with self._ask(session, watch, asked, headers, authenticator or login) as response:
                    limit = min(limit, self._reached(asked, session.reached))
                    target = redirect_target(response)
                    if target is None:
                        if response.status_code != 200 and not (start and response.status_code == 206):
                            raise refused(response.status_code, response.reason, response.headers)
                        yield Answer(response, watch, self._timeouts)
                        return
                    before, asked = asked, redirected(asked, target)
                    # What lets us in at one server is nothing for another, nor when that one sends us back.
                    if not same_server(before, asked):
                        authenticator = login = None
                    elif login is not None and self._routes.login(asked) != self._routes.login(before):
                        login = None
            raise Failure("it redirects in a cycle", final=True)

    def _reached(self, url: str, zone: Zone) -> Zone:
        """Remember that the server of `url` was seen in `zone`; returns the least that was seen."""
        with self._mutex:
            self._zones[origin_of(url)] = zone = min(zone, self._zones.get(origin_of(url), zone))
        return zone

    def _ask(
        self,
        session: "HttpSession",
        watch: "Watch",
        url: str,
        headers: Mapping[str, str],
        authenticator: Authenticator | Login | None,
    ) -> "requests.Response":
        """The answer to one request, of which the body is not read yet."""
        import requests  # noqa: PLC0415  see _session

        from assembler.store.watch import InwardError  # noqa: PLC0415  see _session

        def ask(authorization: str) -> requests.Response:
            def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
                if authorization:
                    request.headers["Authorization"] = authorization
                return request

            _LOG.debug("GET %s %s", printable(url), {**headers, **({"Authorization": "…"} if authorization else {})})
            try:
                with watch.waiting():
                    response = session.get(
                        url,
                        headers=headers,
                        # A function in any case: otherwise requests looks into netrc for itself.
                        auth=authorize,
                        stream=True,
                        timeout=(self._timeouts.connect, self._timeouts.stall),
                    )
            except InwardError as error:
                raise Failure(
                    f"it leads to {host_of(url)}, which is further inside the network than itself",
                    hint='if that is right, name it in the configuration: redirects = ["https://host/"]',
                    final=True,
                ) from error
            except (requests.RequestException, OSError, ValueError) as error:
                raise expired(watch) or explain(error, self._timeouts) from error
            if failure := expired(watch):
                response.close()
                raise failure
            _LOG.debug("%s: %s %s", printable(url), response.status_code, _shown(response.headers))
            return response

        if authenticator is None or isinstance(authenticator, Login):
            return ask(authenticator.header if authenticator else "")
        authorization = authenticator.authorization(url)
        response = ask(authorization)
        if response.status_code == requests.codes.unauthorized:
            self._reached(url, session.reached)
            challenge = response.headers.get("WWW-Authenticate", "")
            response.close()
            if authenticator.challenged(url, challenge, authorization):
                return ask(authenticator.authorization(url))
        return response


_TOLD = ("Content-Length", "Content-Type", "Content-Range", "ETag", "Last-Modified", "Retry-After", "Server", "Via")
"""Headers of answers that are logged; others may have secrets."""


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    """What may be told of the headers of an answer."""
    shown = {name: headers[name] for name in _TOLD if name in headers}
    return shown | ({"Location": printable(headers["Location"])} if "Location" in headers else {})


def _measured(store: Store, item: Download) -> Download:
    """`item`, which is in the store, with its size."""
    return replace(item, size=store.path(item.digest).stat().st_size)


def _gave_up(name: str, hint: str, failures: Mapping[str, Failure]) -> TransportError:
    """The error for something that no address had; its cause is the failure that says most."""
    if not failures:
        return TransportError(f"{name} cannot be fetched", why="no server is known that may have it", hint=hint)
    url, telling = min(failures.items(), key=lambda item: (item[1].unreachable, item[1].missing, not item[1].final))
    missing = all(failure.missing for failure in failures.values())
    kind = NotFoundError if missing else TransportError
    return kind(
        f"{name} cannot be fetched",
        why=f"{printable(url)}: {telling.reason}",
        hint=hint if telling.missing else telling.hint or _TROUBLE,
        details=[f"{printable(url)}: {failure.reason}" for url, failure in failures.items()],
    )
