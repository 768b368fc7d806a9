"""The only place that opens sockets: fetching bytes over HTTP, whole or not at all.

A download is named by its SHA-256 and size, so it does not matter which server sends it: what arrives is hashed while
it streams, and only what matches enters the store. Everything else about a server is treated as weather: it may be
slow, broken, lying or gone, and then the next one is asked.

Proxies, netrc and certificate authorities are those of requests: ``http_proxy``, ``~/.netrc``, ``REQUESTS_CA_BUNDLE``.
A site's own mirrors and the logins for them are :class:`~assembler.store.routes.Routes`: an address is rewritten here,
at the last moment, so that locks and errors in recipes name what the publisher calls it.

A login, of routes, netrc or the address itself, is for an address that the user or the recipe has named. One that a
*server* has chosen, by redirecting or as its token server, gets none, unless it is the same server; it is never http
after https; and it lies no further inside than the server that chose it (:mod:`assembler.store.zones`), unless the
user's routes name it.
"""

import hashlib
import http.client
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from socket import gaierror
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self, TypeVar
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from assembler.errors import AssembleError
from assembler.progress import SILENT, Reporter, Step
from assembler.store.objects import CHUNK, Store
from assembler.store.routes import NO_ROUTES, Login, Routes
from assembler.store.token_servers import may_have_login
from assembler.store.zones import Zone, resolve, zone_of

if TYPE_CHECKING:
    import requests

    from assembler.store.watch import Resolve, Session, Watch

T = TypeVar("T")

CONNECT_TIMEOUT = 10.0
"""Seconds until a connection stands."""
STALL_TIMEOUT = 30.0
"""Seconds in which at least `SLOWEST` bytes a second must arrive."""
SLOWEST = 512
"""Bytes a second; a server that sends less is stalled."""
MOST_READS = 10_000
"""Pieces that an answer may come in without each having `SMALLEST` bytes on average: each costs the same time here."""
SMALLEST = 64
REDIRECTS = 10
"""Requests until a server that sends us elsewhere is taken to go in circles."""
LONGEST_WAIT = 120.0
"""Seconds that Retry-After may ask for."""
LONGEST = 1800.0
"""Seconds until something that is read into memory must have arrived."""
READ = 1 << 16
"""Bytes taken from a socket at a time."""
LARGEST = 16 << 30
"""Bytes that are read of something whose size nobody knows."""
UNKNOWN = -1
"""A size that nobody knows."""

_TROUBLE = "the server, or the way to it, has trouble: try again later, or choose another"
_HTML = (b"<!doctype html", b"<html")
_AUTHORITY = re.compile(r"(?:[^\s\x00-\x20\x7f\\/?#@:\[\]%]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
"""Host and port of an address; readers of addresses disagree about what is stranger (RFC 3986 3.2)."""
_LONGEST_REASON = 100
"""Characters of a server's own words that are shown."""


class TransportError(AssembleError):
    """Something cannot be fetched."""


class MissingError(TransportError):
    """Every server that was asked says that it has no such thing."""


class OfflineError(TransportError):
    """Something is wanted from the network, which the user has ruled out."""


class Access(Protocol):
    """How to be let in where each request carries a proof: an OCI registry's tokens. Must be thread-safe."""

    def authorization(self, url: str) -> str:
        """The Authorization header for a request; empty for none."""

    def challenged(self, url: str, challenge: str, refused: str) -> bool:
        """A server answered 401 with this WWW-Authenticate to the header `refused`; whether there is a better one."""


@dataclass(frozen=True, slots=True)
class Want:
    """An object that the store shall hold."""

    digest: str
    """SHA-256 in hex; empty with :meth:`Transport.learn` when nobody knows."""
    size: int
    """Bytes; never is more than this read. `UNKNOWN` with :meth:`Transport.learn`."""
    urls: tuple[str, ...]
    """Where it may be, in order of preference."""
    name: str
    """What to call it in progress and errors."""
    hint: str = ""
    """What the user can do when no server has it."""
    vouched: str = ""
    """Who says what its digest and size are, for errors: ``the lock``."""
    doubt: str = ""
    """What the user can do when a server has something else in its place."""
    access: Access | None = field(default=None, repr=False, compare=False)
    """How to be let in; None: as the user's routes or netrc say."""


class _Failure(Exception):
    """One attempt at one address came to nothing.

    `final`: asking the same address again is of no use. `unreachable`: the whole server is not there. `missing`: the
    server says that it has no such file. `wait`: seconds that the server asked for.
    """

    def __init__(
        self,
        reason: str,
        *,
        hint: str = "",
        final: bool = False,
        unreachable: bool = False,
        missing: bool = False,
        wait: float = 0.0,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.final = final
        self.unreachable = unreachable
        self.missing = missing
        self.wait = wait


class _WrongError(_Failure):
    """What the server has cannot be what is wanted."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason, hint=hint, final=True)


class _StoppedError(Exception):
    """Another download failed, so this one is given up; its partial file stays."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer whose body is being read."""

    response: "requests.Response"
    watch: "Watch"


def printable(url: str) -> str:
    """`url` without user name, password and query, which may be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is not valid"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


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
        self._connect_timeout = connect_timeout
        self._stall_timeout = stall_timeout
        self._mutex = threading.Lock()
        self._idle: list[Session] = []
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
            entry = get_netrc_auth(f"https://{_bracketed(host)}/")
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
        access: Access | None = None,
        referrer: str = "",
    ) -> bytes:
        """What `url` holds, at most `limit` bytes, within `LONGEST`; nothing about it is verified.

        `name` is for errors, `hint` for that of a file that is not there; `accept` is the header of that name.
        `referrer` is the address, after rewriting, whose server has chosen `url`; empty when that is the user's or the
        recipe's choice. Raises :class:`TransportError`, and of these :class:`MissingError` when it is not there.
        """
        name = name or printable(url).rpartition("/")[2] or "a file"
        if self.offline:
            raise OfflineError(f"{name} must be fetched", why="the network is ruled out", hint="leave out --offline")

        # An address that the user puts in place of the server's may be anywhere, but gets no login either.
        rewritten = self._routes.rewrite(url) != url

        def attempt(url: str) -> bytes:
            began = time.monotonic()
            with self._answer(url, accept=accept, access=access, referrer=referrer, anywhere=rewritten) as answer:
                data = bytearray()
                for chunk in self._body(answer):
                    data += chunk
                    if time.monotonic() - began > LONGEST:
                        raise _Failure(f"it stalled: {len(data)} bytes in {LONGEST:.0f} s")
                    if len(data) > limit:
                        raise _Failure(f"it is larger than {limit} bytes", final=True)
                length = _length(answer.response)
                if length is not None and len(data) < length:
                    raise _Failure(f"it ended after {len(data)} of {length} bytes")
                return bytes(data)

        return self._persist((url,), name, hint, threading.Event(), attempt)

    def download(self, store: Store, wants: Iterable[Want]) -> None:
        """See to it that `store` holds everything in `wants`; what it has is not asked for again unless it is damaged.

        Interrupted downloads continue where they stopped, in this process or a later one. When two processes want the
        same object, one fetches it and the other waits. The first that cannot be had ends all; raises
        :class:`TransportError`, or :class:`OfflineError` naming all that is missing or damaged.
        """
        missing = {want.digest: want for want in wants if not store.sound(want.digest)}
        damaged = [want for want in missing.values() if store.has(want.digest)]
        if self.offline and missing:
            raise OfflineError(
                f"{len(missing)} of the files that this build needs are not in the store"
                + (", or are damaged there" if damaged else ""),
                why="the network is ruled out",
                hint="build once without --offline",
                details=[
                    f"{want.name} ({want.size} bytes, sha256 {want.digest})"
                    + (f" is damaged: {store.path(want.digest)}" if want in damaged else "")
                    for want in missing.values()
                ],
            )
        for want in damaged:
            self._reporter.warn(f"{want.name} is damaged in the store, and is fetched again: {store.path(want.digest)}")
        self._download_all(store, list(missing.values()))

    def learn(self, store: Store, wants: Sequence[Want]) -> list[Want]:
        """As :meth:`download`, of things whose digest or size nobody knows; returns `wants` with both filled in.

        What has no digest is fetched anew, whole, and what arrives is believed.
        """
        known = {want: _measured(store, want) for want in wants if store.sound(want.digest)}
        missing = [want for want in dict.fromkeys(wants) if want not in known]
        if self.offline and missing:
            raise OfflineError(
                "files must be fetched to lock them",
                why="the network is ruled out",
                hint="leave out --offline",
                details=[want.name for want in missing],
            )
        known |= zip(missing, self._download_all(store, missing), strict=True)
        return [known[want] for want in wants]

    def _download_all(self, store: Store, wants: Sequence[Want]) -> list[Want]:
        if not wants:
            return []
        with store.writing():
            store.downloads()
        total = sum(want.size for want in wants if want.size != UNKNOWN)
        stop = threading.Event()
        with (
            self._reporter.step("download", total=total, unit="B") as step,
            ThreadPoolExecutor(min(self._jobs, len(wants)), "download") as pool,
        ):
            futures = [pool.submit(self._download_one, store, want, step, stop) for want in wants]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [future.result() for future in futures]

    # --- one object ----------------------------------------------------------------------------------------------

    def _download_one(self, store: Store, want: Want, step: Step, stop: threading.Event) -> Want:
        if stop.is_set():
            raise _StoppedError
        with store.locked(f"download-{_partial_name(want)}", what=want.name):
            if store.sound(want.digest):
                step.advance(max(want.size, 0))
                return _measured(store, want)
            step.note(want.name)
            incoming = _Incoming(store, want, step, stop)

            def attempt(url: str) -> str:
                return incoming.complete(url, self) or incoming.complete(url, self)

            digest = self._persist(want.urls, want.name, want.hint, stop, attempt)
            return _measured(store, replace(want, digest=digest))

    def _persist(
        self, urls: Sequence[str], name: str, hint: str, stop: threading.Event, attempt: Callable[[str], T]
    ) -> T:
        """What `attempt` returns for the first of `urls` that serves; all are asked before the first pause."""
        failures: dict[str, _Failure] = {}
        alive = list(dict.fromkeys(self._routes.rewrite(url) for url in urls))
        # What could not be reached a moment ago is asked once, not waited for again.
        hopeless = all(_host(url) in self._unreachable for url in alive)
        for turn in range(1 if hopeless else self._attempts):
            if turn:
                last = failures[alive[0]]
                pause = max(self._backoff * 2 ** (turn - 1), *(failures[url].wait for url in alive), 0.0)
                self._reporter.info(f"{name}: {_host(alive[0])}: {last.reason}; asking again in {pause:g} s")
                if stop.wait(pause):
                    raise _StoppedError
            for url in sorted(alive, key=lambda url: _host(url) in self._unreachable):
                try:
                    return attempt(url)
                except _Failure as failure:
                    failures[url] = failure
                    if failure.unreachable:
                        with self._mutex:
                            self._unreachable.add(_host(url))
            alive = [url for url in alive if not failures[url].final]
            # A server that is not there is asked again only when nobody else is left.
            alive = [url for url in alive if not failures[url].unreachable] or alive
            if not alive:
                break
        raise _gave_up(name, hint, failures)

    # --- one request ---------------------------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator["Session"]:
        from assembler.store.watch import Session  # noqa: PLC0415  takes 0.1 s, which a build without downloads saves

        with self._mutex:
            session = self._idle.pop() if self._idle else Session(resolve=self._resolve, zone=self._zone)
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
        access: Access | None = None,
        referrer: str = "",
        anywhere: bool = False,
    ) -> Iterator["_Answer"]:
        """The answer to a GET of `url` from byte `start` on: status 200, or 206 when `start` is not 0.

        `referrer` as for :meth:`get`; `anywhere`: it does not say how far inside `url` may be.
        """
        from assembler.store.watch import Watch  # noqa: PLC0415  see _session

        headers = {"Accept-Encoding": "identity", "User-Agent": "assembler"}
        if start:
            headers["Range"] = f"bytes={start}-"
        if accept:
            headers["Accept"] = accept
        limit = self._connect_timeout + self._stall_timeout
        with self._session() as session, Watch(session.abort, limit) as watch:
            asked, login = _without_login(url)
            limit = Zone.LINK
            if referrer:
                _require_safe(referrer, asked)
                login = None
                limit = limit if anywhere else self._zones.get(_origin(referrer), Zone.WORLD)
            elif access is None:
                login = self.login(asked) or login
            for _ in range(REDIRECTS):
                session.limit = Zone.LINK if self._routes.may_redirect(asked) else limit
                with self._ask(session, watch, asked, headers, access or login) as response:
                    limit = min(limit, self._reached(asked, session.reached))
                    target = _location(response)
                    if target is None:
                        if response.status_code != 200 and not (start and response.status_code == 206):
                            raise _refused(response.status_code, response.reason, response.headers)
                        yield _Answer(response, watch)
                        return
                    before, asked = asked, _redirected(asked, target)
                    # What lets us in at one server is nothing for another, nor when that one sends us back.
                    if not _same_server(before, asked):
                        access = login = None
                    elif login is not None and self._routes.login(asked) != self._routes.login(before):
                        login = None
            raise _Failure("it redirects in circles", final=True)

    def _reached(self, url: str, zone: Zone) -> Zone:
        """Remember that the server of `url` was seen in `zone`; returns the least that was seen."""
        with self._mutex:
            self._zones[_origin(url)] = zone = min(zone, self._zones.get(_origin(url), zone))
        return zone

    def _ask(
        self, session: "Session", watch: "Watch", url: str, headers: Mapping[str, str], access: Access | Login | None
    ) -> "requests.Response":
        """The answer to one request, of which the body is not read yet."""
        import requests  # noqa: PLC0415  see _session

        from assembler.store.watch import InwardError  # noqa: PLC0415  see _session

        def ask(proof: str) -> requests.Response:
            def prove(request: requests.PreparedRequest) -> requests.PreparedRequest:
                if proof:
                    request.headers["Authorization"] = proof
                return request

            try:
                with watch.waiting():
                    response = session.get(
                        url,
                        headers=headers,
                        # A function in any case: otherwise requests looks into netrc for itself.
                        auth=prove,
                        stream=True,
                        timeout=(self._connect_timeout, self._stall_timeout),
                    )
            except InwardError as error:
                raise _Failure(
                    f"it leads to {_host(url)}, which is further inside the network than itself",
                    hint='if that is right, name it in the configuration: redirects = ["https://host/"]',
                    final=True,
                ) from error
            except (requests.RequestException, OSError, ValueError) as error:
                raise _expired(watch) or self._explain(error) from error
            if failure := _expired(watch):
                response.close()
                raise failure
            return response

        if access is None or isinstance(access, Login):
            return ask(access.header if access else "")
        proof = access.authorization(url)
        response = ask(proof)
        if response.status_code == requests.codes.unauthorized:
            self._reached(url, session.reached)
            challenge = response.headers.get("WWW-Authenticate", "")
            response.close()
            if access.challenged(url, challenge, proof):
                return ask(access.authorization(url))
        return response

    def _body(self, answer: "_Answer") -> Iterator[bytes]:
        """The bytes of an answer as they arrive, unless they arrive too slowly or are a web page."""
        import requests  # noqa: PLC0415  see _session
        import urllib3  # noqa: PLC0415  see _session

        began, received, first = time.monotonic(), 0, True
        pieces, total = 0, 0
        while True:
            try:
                with answer.watch.waiting():
                    chunk = answer.response.raw.read1(READ, decode_content=False)
            except (urllib3.exceptions.HTTPError, requests.RequestException, OSError, ValueError) as error:
                raise _expired(answer.watch) or self._explain(error) from error
            if failure := _expired(answer.watch):
                raise failure
            if not chunk:
                return
            if first and chunk[:64].lstrip().lower().startswith(_HTML):
                raise _Failure(
                    "it is a web page",
                    hint="a proxy or the login page of a network may have answered in the server's place",
                    final=True,
                )
            first = False
            yield chunk
            pieces, total = pieces + 1, total + len(chunk)
            if pieces > MOST_READS and total < SMALLEST * pieces:
                raise _Failure(f"it comes in crumbs: {total} bytes in {pieces} pieces", final=True)
            received += len(chunk)
            now = time.monotonic()
            if now - began > self._stall_timeout:
                if received < SLOWEST * (now - began):
                    raise _Failure(f"it stalled: {received} bytes in {now - began:.0f} s")
                began, received = now, 0

    def _explain(self, error: BaseException) -> _Failure:
        """A failure to connect or read, in words of its reader."""
        import requests  # noqa: PLC0415  see _session
        import urllib3  # noqa: PLC0415  see _session

        chain = list(_causes(error))

        def has(*kinds: type[BaseException]) -> bool:
            return any(isinstance(item, kinds) for item in chain)

        for item in chain:
            if isinstance(item, ssl.SSLCertVerificationError):
                return _Failure(
                    f"its TLS certificate is not trusted: {item.verify_message}",
                    hint="name the bundle of your certificate authority in REQUESTS_CA_BUNDLE",
                    final=True,
                )
            if isinstance(item, ssl.SSLError):
                return _Failure(
                    f"TLS failed: {item.reason or item}", hint="is this an https server, or is a proxy in between?",
                    final=True,
                )  # fmt: skip
        if has(requests.exceptions.ProxyError):
            return _Failure(
                "the proxy cannot be reached or does not answer as one",
                hint="check http_proxy, https_proxy and no_proxy",
                unreachable=True,
            )
        if has(gaierror, urllib3.exceptions.NameResolutionError):
            return _Failure(
                "its name cannot be resolved", hint="check the network and its DNS, or choose another mirror",
                unreachable=True,
            )  # fmt: skip
        cause = next((item.strerror for item in chain if isinstance(item, OSError) and item.strerror), "")
        if has(urllib3.exceptions.NewConnectionError):
            return _Failure(f"no connection: {cause or 'unknown reason'}", unreachable=True)
        if has(requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError):
            return _Failure(f"no connection within {self._connect_timeout:g} s", unreachable=True)
        if has(requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
            return _Failure(f"it stalled: no byte for {self._stall_timeout:g} s")
        if isinstance(error, ValueError):  # requests, urllib3 and the idna codec agree on that
            return _Failure("the address is not valid", final=True)
        if has(urllib3.exceptions.IncompleteRead, http.client.IncompleteRead):
            return _Failure("the connection ended too early")
        if type(error) is OSError:  # requests says in this way that a bundle of certificates is not there
            return _Failure(str(error), hint="check REQUESTS_CA_BUNDLE", final=True)
        return _Failure(f"the connection broke{': ' + cause if cause else ''}")


class _Incoming:
    """An object on its way into the store, in a partial file that outlives this process."""

    def __init__(self, store: Store, want: Want, step: Step, stop: threading.Event) -> None:
        self._store = store
        self._want = want
        self._step = step
        self._stop = stop
        self._path: Path = store.root / "downloads" / _partial_name(want)
        self._limit = LARGEST if want.size == UNKNOWN else want.size
        self._size = want.size
        self._have = 0
        self._state = hashlib.sha256()
        self._counted = 0

    def complete(self, url: str, transport: Transport) -> str:
        """Fetch what is missing from `url` and move the object into the store; returns its digest.

        Empty when what was there before was wrong and is gone now, so that the same address deserves another try.
        """
        with self._store.writing(), open(self._path, "a+b", opener=self._store.opener) as out:
            self._size = self._want.size
            self._resume(out)
            resumed = self._have > 0
            try:
                if self._have < self._limit and not self._is_complete():
                    with transport._answer(url, self._have, access=self._want.access) as answer:  # noqa: SLF001  two halves of one thing
                        if resumed and not _continues(answer.response, self._have):
                            self._restart(out)
                            resumed = False
                        self._receive(out, answer, transport)
                self._check()
            except _WrongError:
                self._restart(out)
                if resumed:
                    return ""
                raise
        digest = self._state.hexdigest()
        self._store.adopt(self._path, digest)
        return digest

    def _is_complete(self) -> bool:
        """Whether what is here is all, as its digest tells when nobody knows the size."""
        return self._want.size == UNKNOWN and self._state.hexdigest() == self._want.digest

    def _resume(self, out: BinaryIO) -> None:
        self._have, self._state = 0, hashlib.sha256()
        out.seek(0)
        if not self._want.digest:  # the rest could be of another file, and nothing would tell
            self._restart(out)
        while self._have <= self._limit and (chunk := out.read(CHUNK)):
            self._account(chunk)
        if self._have > self._limit:
            self._restart(out)

    def _restart(self, out: BinaryIO) -> None:
        self._have, self._state = out.truncate(0), hashlib.sha256()

    def _account(self, chunk: bytes) -> None:
        self._state.update(chunk)
        self._have += len(chunk)
        if self._counted < self._have <= self._limit:
            self._step.advance(self._have - self._counted)
            self._counted = self._have

    def _check(self) -> None:
        if self._have < self._size:
            raise _Failure(f"it ended after {self._have} of {self._size} bytes")
        if self._want.digest and self._state.hexdigest() != self._want.digest:
            named = f" than {self._want.vouched} names" if self._want.vouched else ""
            found = self._state.hexdigest()
            raise _WrongError(
                f"it sent other bytes{named}: their SHA-256 is {found}, not {self._want.digest}", self._want.doubt
            )

    def _receive(self, out: BinaryIO, answer: "_Answer", transport: Transport) -> None:
        length = _length(answer.response)
        size = None if length is None else self._have + length
        if self._want.size == UNKNOWN and size is not None:
            self._size = size
        for chunk in transport._body(answer):  # noqa: SLF001  as above
            if self._stop.is_set():
                raise _StoppedError
            if self._have + len(chunk) > self._limit or size not in {None, self._size}:
                named = f", which {self._want.vouched} names" if self._want.vouched else ""
                raise _WrongError(f"it has {size or 'more'} bytes instead of {self._limit}{named}", self._want.doubt)
            out.write(chunk)
            self._account(chunk)


def _partial_name(want: Want) -> str:
    """Where an object waits for its completion: its digest, or one of where it comes from."""
    return want.digest or hashlib.sha256(want.urls[0].encode()).hexdigest()


def _measured(store: Store, want: Want) -> Want:
    """`want`, which is in the store, with its size."""
    return replace(want, size=store.path(want.digest).stat().st_size)


def _expired(watch: "Watch") -> _Failure | None:
    """What to say when the watch has broken the connection."""
    return _Failure(f"it stalled: no answer within {watch.seconds:g} s") if watch.expired else None


def _origin(url: str) -> tuple[str, str]:
    """Scheme, and host with port."""
    parts = urlsplit(printable(url))
    return parts.scheme, parts.netloc


def _without_login(url: str) -> tuple[str, Login | None]:
    """An address that the user or the recipe has given, without what may be before its host, and that as a login."""
    try:
        parts = urlsplit(url)
        before, at, authority = parts.netloc.rpartition("@")
        _require_plain(authority, parts.port)
    except ValueError as error:
        raise _Failure("the address is not valid", final=True) from error
    if parts.scheme not in {"http", "https"}:
        raise _Failure("only http and https are supported", final=True)
    user, _, password = before.partition(":")
    login = Login(user=unquote(user), password=unquote(password)) if at else None
    return urlunsplit((parts.scheme, authority, parts.path, parts.query, "")), login


def _require_plain(authority: str, port: int | None) -> None:
    """Raise ValueError for a host and port that not everybody reads in the same way."""
    if not _AUTHORITY.fullmatch(authority) or port == 0:
        raise ValueError(authority)


def _redirected(url: str, target: str) -> str:
    """The address that `url` redirects to with the header Location."""
    try:
        found = urljoin(url, target)
        parts = urlsplit(found)
        if parts.scheme in {"http", "https"}:
            _require_plain(parts.netloc, parts.port)
    except ValueError as error:
        raise _Failure("it redirects to an address that is not valid", final=True) from error
    if parts.scheme not in {"http", "https"}:
        raise _Failure("it redirects to an address that is neither http nor https", final=True)
    _require_safe(url, found)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, parts.query, ""))


def _require_safe(url: str, target: str) -> None:
    """Raise when `url`, which nobody else could have answered, leads to an address where anybody could."""
    if urlsplit(target).scheme == "http" and urlsplit(url).scheme == "https":
        raise _Failure("it redirects from https to http, where anybody could answer", final=True)


def _location(response: "requests.Response") -> str | None:
    """Where an answer redirects to; None when it does not."""
    if not response.is_redirect:
        return None
    # http.client takes the bytes for Latin-1, RFC 3986 allows ASCII.
    return response.headers["Location"].encode("latin-1").decode("utf-8", "replace")


def _same_server(url: str, other: str) -> bool:
    """Whether both addresses are of one server; with https in place of http, at their usual ports, it still is."""
    one, two = urlsplit(url), urlsplit(other)
    upgraded = (one.scheme, one.port or 80, two.scheme, two.port or 443) == ("http", 80, "https", 443)
    return one.hostname == two.hostname and (
        upgraded or (one.scheme, one.port or _PORTS[one.scheme]) == (two.scheme, two.port or _PORTS[two.scheme])
    )


_PORTS = {"http": 80, "https": 443}


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _host(url: str) -> str:
    return urlsplit(printable(url)).netloc


def _length(response: "requests.Response") -> int | None:
    """Content-Length of the bytes as they are on the wire; None when the server does not say."""
    text = response.headers.get("Content-Length", "")
    return int(text) if len(text) < 20 and text.isascii() and text.isdigit() else None


def _continues(response: "requests.Response", start: int) -> bool:
    """Whether the answer carries on at byte `start` (RFC 9110 14.4)."""
    return response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and all that is underneath it; urllib3 keeps causes in `reason` and in arguments, too."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        item = queue.pop(0)
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            yield item
            queue += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]


def _refused(status: int, phrase: str, headers: Mapping[str, str]) -> _Failure:
    """What an HTTP status means for a download."""
    text = f"HTTP status {status} {(phrase or '')[:_LONGEST_REASON]}".rstrip()
    if status in {404, 410}:
        return _Failure(f"it is not there ({text})", final=True, missing=True)
    if status in {401, 403}:
        return _Failure(
            f"access is denied ({text})", hint="put the name and password for this server into ~/.netrc", final=True
        )
    if status == 407:
        return _Failure(
            f"the proxy wants a password ({text})", hint="put it into http_proxy and https_proxy", final=True
        )
    if status == 416:
        return _WrongError(f"it has fewer bytes than were fetched before ({text})")
    if status in {408, 425, 429} or status >= 500:
        wait = _retry_after(headers)
        if wait > LONGEST_WAIT:
            return _Failure(f"it asks to come back in {wait:.0f} s ({text})", final=True)
        return _Failure(text, wait=wait)
    return _Failure(f"unexpected {text}", final=True)


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds of Retry-After (RFC 9110 10.2.3): a number, or a date, which is compared with the server's own clock."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - parsedate_to_datetime(headers["Date"])).total_seconds())
    except (LookupError, ValueError, TypeError, OverflowError):
        return 0.0


def _gave_up(name: str, hint: str, failures: Mapping[str, _Failure]) -> TransportError:
    """The error for something that no address had; its cause is the failure that says most."""
    if not failures:
        return TransportError(f"{name} cannot be fetched", why="no server is known that may have it", hint=hint)
    url, telling = min(failures.items(), key=lambda item: (item[1].unreachable, item[1].missing, not item[1].final))
    missing = all(failure.missing for failure in failures.values())
    kind = MissingError if missing else TransportError
    return kind(
        f"{name} cannot be fetched",
        why=f"{printable(url)}: {telling.reason}",
        hint=hint if telling.missing else telling.hint or _TROUBLE,
        details=[f"{printable(url)}: {failure.reason}" for url, failure in failures.items()],
    )
