"""The transport against servers that misbehave in every way that servers are known to."""

import hashlib
import multiprocessing
import resource
import socket
import threading
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Self

import pytest

from assembler.progress import SILENT
from assembler.store.download import Download, OfflineError, TransportError
from assembler.store.objects import Store, StoreError
from assembler.store.transport import Transport
from tests.support.http_server import Handler, Server
from tests.support.reporters import Recorder

DATA = hashlib.shake_256(b"a package").digest(300_000)
DIGEST = hashlib.sha256(DATA).hexdigest()


def package(*urls: str, data: bytes = DATA, hint: str = "") -> Download:
    return Download(hashlib.sha256(data).hexdigest(), len(data), urls, "hello_1_all.deb", hint)


def held(store: Store) -> bytes:
    return store.path(DIGEST).read_bytes()


def partial(store: Store) -> Path:
    directory = store.root / "downloads"
    directory.mkdir(exist_ok=True)
    return directory / DIGEST


class Counter:
    """A reporter that adds up what its steps count."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0
        self.lines: list[str] = []

    def step(self, name: str, *, total: int = 0, unit: str = "steps") -> "Counter":
        assert (name, unit) == ("download", "B")
        self.total += total
        return self

    def advance(self, amount: int = 1) -> None:
        self.done += amount

    def note(self, text: str) -> None: ...

    def info(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def test_downloads_many_at_a_time_and_keeps_them(server: Server, store: Store, transport: Transport) -> None:
    bodies = [DATA[: 1000 * n] for n in range(20)]
    packages = [package(server.serve(f"/{n}", body), data=body) for n, body in enumerate(bodies)]
    transport.download(store, [*packages, *packages])
    assert all(store.path(item.digest).read_bytes() == body for item, body in zip(packages, bodies, strict=True))
    asked = len(server.seen)
    transport.download(store, packages)
    assert asked == len(server.seen) == 19, "each was fetched once, and the empty one not at all"
    assert list((store.root / "downloads").iterdir()) == []


def test_several_downloads_run_at_the_same_time(server: Server, store: Store, transport: Transport) -> None:
    together = threading.Barrier(4, timeout=60)
    bodies = [DATA[:n] for n in range(1, 5)]

    def answer(body: bytes) -> str:
        def reply(handler: Handler) -> None:
            together.wait()
            handler.file(body)

        server.answers[f"/{len(body)}"] = reply
        return server.url(f"/{len(body)}")

    transport.download(store, [package(answer(body), data=body) for body in bodies])
    assert not together.broken


def test_truncated_downloads_continue_where_they_stopped(server: Server, store: Store, transport: Transport) -> None:
    server.answers["/x"] = lambda handler: handler.truncated(DATA, 110_000)
    transport.download(store, [package(server.url("/x"))])
    assert held(store) == DATA
    assert [wanted for _, wanted in server.seen] == ["", "bytes=110000-", "bytes=220000-"]


def test_a_later_process_continues_a_partial_file(server: Server, store: Store, transport: Transport) -> None:
    partial(store).write_bytes(DATA[:123_456])
    transport.download(store, [package(server.serve("/x", DATA))])
    assert held(store) == DATA
    assert server.seen == [("/x", "bytes=123456-")]


def test_a_complete_partial_file_needs_no_server(store: Store, transport: Transport) -> None:
    partial(store).write_bytes(DATA)
    transport.download(store, [package("http://127.0.0.1:9/x")])
    assert held(store) == DATA


@pytest.mark.parametrize("wrong", [b"x" * 1000, b"x" * len(DATA), b"x" * (len(DATA) + 1)])
def test_a_wrong_partial_file_is_discarded_once(
    server: Server, store: Store, transport: Transport, wrong: bytes
) -> None:
    partial(store).write_bytes(wrong)
    transport.download(store, [package(server.serve("/x", DATA))])
    assert held(store) == DATA
    assert server.seen[-1] == ("/x", "")


def test_a_server_may_ignore_range(server: Server, store: Store, transport: Transport) -> None:
    partial(store).write_bytes(DATA[:1000])
    server.answers["/x"] = lambda handler: handler.reply(200, DATA)
    transport.download(store, [package(server.url("/x"))])
    assert held(store) == DATA


def test_a_server_may_answer_another_range(server: Server, store: Store, transport: Transport) -> None:
    partial(store).write_bytes(DATA[:1000])

    def liar(handler: Handler) -> None:
        span = {"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}
        handler.reply(206, DATA, span)

    server.answers["/x"] = liar
    transport.download(store, [package(server.url("/x"))])
    assert held(store) == DATA


def test_errors_of_the_server_are_retried(server: Server, store: Store) -> None:
    server.answers["/x"] = lambda handler: handler.reply(500, b"") if len(server.seen) < 3 else handler.file(DATA)
    reporter = Counter()
    with Transport(backoff=0.1, reporter=reporter) as transport:
        began = time.monotonic()
        transport.download(store, [package(server.url("/x"))])
    assert time.monotonic() - began >= 0.3, "0.1 s and then 0.2 s"
    assert held(store) == DATA
    assert [line.rpartition("; ")[2] for line in reporter.lines] == ["asking again in 0.1 s", "asking again in 0.2 s"]


def test_retry_after_is_honoured(server: Server, store: Store, transport: Transport) -> None:
    answers = iter([(429, {"Retry-After": "1"}), (503, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"})])

    def busy(handler: Handler) -> None:
        status, headers = next(answers, (200, {}))
        handler.reply(status, DATA if status == 200 else b"", headers)

    server.answers["/x"] = busy
    began = time.monotonic()
    transport.download(store, [package(server.url("/x"))])
    assert time.monotonic() - began >= 1
    assert held(store) == DATA


def test_an_endless_retry_after_is_not_waited_for(server: Server, store: Store, transport: Transport) -> None:
    server.answers["/x"] = lambda handler: handler.reply(503, b"", {"Retry-After": "86400"})
    with pytest.raises(TransportError, match="come back in 86400 s"):
        transport.download(store, [package(server.url("/x"))])


def test_a_stalled_server_is_left_for_the_next(server: Server, store: Store, hasty: Transport) -> None:
    server.answers["/slow"] = lambda handler: handler.stalled(DATA, 5000)
    hasty.download(store, [package(server.url("/slow"), server.serve("/x", DATA))])
    assert held(store) == DATA
    assert server.seen == [("/slow", ""), ("/x", "bytes=5000-")]


def test_a_dripping_server_is_stalled(server: Server, store: Store, hasty: Transport) -> None:
    server.answers["/drip"] = lambda handler: handler.dripping(DATA)
    began = time.monotonic()
    with pytest.raises(TransportError, match=r"it stalled: [0-9]+ bytes in"):
        hasty.download(store, [package(server.url("/drip"))])
    assert time.monotonic() - began < 60


def test_wrong_bytes_send_us_to_the_next_server(server: Server, store: Store, transport: Transport) -> None:
    wrong = server.serve("/wrong", b"x" * len(DATA))
    transport.download(store, [package(wrong, server.serve("/x", DATA))])
    assert held(store) == DATA


def test_wrong_bytes_everywhere_are_an_error_and_leave_nothing(
    server: Server, store: Store, transport: Transport
) -> None:
    with pytest.raises(TransportError, match=r"hello_1_all.deb cannot be fetched: .*it sent other bytes"):
        transport.download(store, [package(server.serve("/wrong", b"x" * len(DATA)))])
    assert not store.has(DIGEST)
    assert partial(store).stat().st_size == 0
    assert len(server.seen) == 1, "wrong bytes do not get better"


@pytest.mark.parametrize("promise", [True, False])
def test_never_reads_more_than_was_promised(
    server: Server,
    store: Store,
    transport: Transport,
    promise: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    server.answers["/bomb"] = lambda handler: handler.endless(DATA, promised=1 << 40 if promise else None)
    with pytest.raises(TransportError, match="bytes instead of 300000"):
        transport.download(store, [package(server.url("/bomb"))])
    assert partial(store).stat().st_size == 0


def test_a_web_page_is_not_a_package(server: Server, store: Store, transport: Transport) -> None:
    page = b"<!DOCTYPE html><title>Please log in</title>"
    with pytest.raises(TransportError, match="it is a web page") as caught:
        transport.download(store, [package(server.serve("/x", page))])
    assert "login page" in caught.value.hint
    with pytest.raises(TransportError, match="it is a web page"):
        transport.get(server.url("/x"))


def test_missing_everywhere_gives_the_hint_of_the_caller(server: Server, store: Store, transport: Transport) -> None:
    with pytest.raises(TransportError, match=r"it is not there .HTTP status 404") as caught:
        transport.download(store, [package(server.url("/a"), server.url("/b"), hint="run assemble lock")])
    assert caught.value.hint == "run assemble lock"
    assert len(caught.value.details) == 2
    assert len(server.seen) == 2, "each was asked once"


def test_no_address_at_all(store: Store, transport: Transport) -> None:
    with pytest.raises(TransportError, match="no server is known"):
        transport.download(store, [package()])


def test_unknown_names_and_refused_connections(server: Server, store: Store, transport: Transport) -> None:
    with pytest.raises(TransportError, match=r"http://nobody\.invalid/x: its name cannot be resolved") as caught:
        transport.get("http://user:secret@nobody.invalid/x?token=secret")
    assert "secret" not in str(caught.value) + repr(caught.value.details)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/x"
        with pytest.raises(TransportError, match="no connection: Connection refused"):
            transport.get(dead)
        began = time.monotonic()
        transport.download(store, [package(dead, server.serve("/x", DATA))])
        with Transport(backoff=60) as patient:
            patient._unreachable.add(dead.removeprefix("http://").removesuffix("/x"))
            with pytest.raises(TransportError, match="no connection"):
                patient.get(dead)
        assert time.monotonic() - began < 30
    assert held(store) == DATA


def test_a_server_that_was_not_there_is_asked_once() -> None:
    """And waited for no more in this process."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        reporter = Recorder()
        with Transport(backoff=0.01, attempts=3, reporter=reporter) as transport:
            for asked in (2, 2, 2):
                with pytest.raises(TransportError):
                    transport.get(f"http://{host}/x")
                assert len(reporter.messages) == asked
        assert reporter.messages[0] == f"x: {host}: no connection: Connection refused; asking again in 0.01 s"


def test_as_much_as_was_allowed_and_no_more(server: Server, transport: Transport) -> None:
    url = server.serve("/x", b"12345")
    assert transport.get(url, limit=5) == b"12345"
    with pytest.raises(TransportError, match="it is larger than 4 bytes"):
        transport.get(url, limit=4)
    assert len(server.seen) == 2, "asking again is of no use"


def test_a_server_that_breaks_http_is_asked_again(server: Server, store: Store, transport: Transport) -> None:
    def nonsense(handler: Handler) -> None:
        if len(server.seen) == 3:
            handler.file(DATA)
            return
        handler.close_connection = True
        if len(server.seen) == 1:
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(b"zz\r\n")
        else:
            handler.wfile.write(b"not http at all\r\n\r\n")

    server.answers["/x"] = nonsense
    transport.download(store, [package(server.url("/x"))])
    assert held(store) == DATA


def test_offline_names_all_that_is_missing(server: Server, store: Store) -> None:
    store.add(DATA)
    other = package(server.url("/y"), data=b"other")
    with Transport(offline=True) as transport:
        transport.download(store, [package(server.url("/x"))])
        with pytest.raises(OfflineError, match="1 of the files") as caught:
            transport.download(store, [package(server.url("/x")), other])
        with pytest.raises(OfflineError, match="InRelease must be fetched"):
            transport.get(server.url("/x"), name="InRelease")
    assert caught.value.details == (f"hello_1_all.deb (5 bytes, sha256 {other.digest})",)
    assert server.seen == []


def test_get_is_bounded_and_whole(server: Server, transport: Transport) -> None:
    url = server.serve("/x", DATA)
    assert transport.get(url, limit=len(DATA)) == DATA
    with pytest.raises(TransportError, match="larger than 299999 bytes"):
        transport.get(url, limit=len(DATA) - 1)
    server.answers["/cut"] = lambda handler: handler.truncated(DATA, 10)
    with pytest.raises(TransportError, match="ended"):
        transport.get(server.url("/cut"))


def test_content_encodings_are_left_alone(server: Server, store: Store, transport: Transport) -> None:
    server.answers["/x"] = lambda handler: handler.reply(200, DATA, {"Content-Encoding": "gzip"})
    transport.download(store, [package(server.url("/x"))])
    assert held(store) == DATA


def test_progress_counts_every_byte_once(server: Server, store: Store) -> None:
    reporter = Counter()
    server.answers["/cut"] = lambda handler: handler.truncated(DATA, 100_000)
    server.answers["/whole"] = lambda handler: handler.reply(200, DATA)
    with Transport(reporter=reporter, backoff=0.01) as transport:
        transport.download(store, [package(server.url("/cut"), server.url("/whole"))])
    assert reporter.done == reporter.total == len(DATA)


def test_a_full_disk_is_said_to_be_full(server: Server, store: Store, transport: Transport) -> None:
    with pytest.raises(StoreError, match="the disk of the store is full: No space left") as caught, store.writing():
        Path("/dev/full").write_bytes(b"x")
    assert "--store" in caught.value.hint
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(StoreError, match="the store cannot be written: File too large"):
            transport.download(store, [package(server.serve("/x", DATA))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    transport.download(store, [package(server.serve("/x", DATA))])
    assert server.seen[-1] == ("/x", "bytes=100000-")
    assert held(store) == DATA


def test_the_first_failure_ends_the_others(server: Server, store: Store) -> None:
    server.answers["/slow"] = lambda handler: handler.stalled(bytes(1000), 100)
    packages = [package(server.url("/slow"), data=bytes([n]) * 1000) for n in range(3)]
    with Transport(stall_timeout=0.5, backoff=30) as transport:
        began = time.monotonic()
        with pytest.raises(TransportError, match="404"):
            transport.download(store, [*packages, package(server.url("/gone"))])
        assert time.monotonic() - began < 25


def _fetch(root: Path, url: str, barrier: Barrier) -> None:
    barrier.wait()
    with Transport(reporter=SILENT) as transport:
        transport.download(Store(root), [package(url)])


def test_two_processes_fetch_one_object_once(server: Server, store: Store) -> None:
    def slowly(handler: Handler) -> None:
        time.sleep(0.3)
        handler.file(DATA)

    server.answers["/x"] = slowly
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2, timeout=60)
    other = context.Process(target=_fetch, args=(store.root, server.url("/x"), barrier))
    other.start()
    _fetch(store.root, server.url("/x"), barrier)
    other.join(60)
    assert other.exitcode == 0
    assert held(store) == DATA
    assert len(server.seen) == 1


@pytest.mark.parametrize("damaged", [bytes([DATA[0] ^ 1]) + DATA[1:], DATA[:-1], b"", DATA + b"x"])
def test_a_damaged_object_is_named_and_fetched_again_or_refused_offline(
    server: Server, store: Store, damaged: bytes
) -> None:
    store.add(DATA)
    other = store.add(b"other")
    store.path(DIGEST).chmod(0o644)
    store.path(DIGEST).write_bytes(damaged)
    packages = [package(server.serve("/x", DATA)), package(server.url("/y"), data=b"other")]
    reporter, again = Recorder(), Store(store.root)
    with Transport(offline=True) as transport, pytest.raises(OfflineError, match=r"1 of .* damaged") as caught:
        transport.download(again, packages)
    (detail,) = caught.value.details
    assert detail.startswith("hello_1_all.deb (300000 bytes")
    assert detail.endswith(f"is damaged: {store.path(DIGEST)}")
    with Transport(reporter=reporter) as transport:
        transport.download(again, packages)
    assert reporter.warnings == [f"hello_1_all.deb is damaged in the store, and is fetched again: {store.path(DIGEST)}"]
    assert held(store) == DATA
    assert store.path(DIGEST).stat().st_mode & 0o777 == 0o444
    assert store.path(other).read_bytes() == b"other"
    assert [path for path, _ in server.seen] == ["/x"]
