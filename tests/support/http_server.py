"""A real HTTP server on 127.0.0.1 whose manners a test decides, request by request."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """`answers[path]` is called with the handler, `otherwise` for other paths. `seen` lists (path, Range header)."""

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Handler)
        self.answers: dict[str, Callable[[Handler], None]] = {}
        self.otherwise: Callable[[Handler], None] = lambda handler: handler.reply(404, b"not here")
        self.seen: list[tuple[str, str]] = []
        self.stopping = threading.Event()

    def url(self, path: str) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}{path}"

    def serve(self, path: str, data: bytes) -> str:
        """Serve `data` as a well-behaved server would, ranges included; returns the address."""
        self.answers[path] = lambda handler: handler.file(data)
        return self.url(path)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up on misbehaving servers; that is no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Range", "")))
        self.server.answers.get(self.path, self.server.otherwise)(self)

    def reply(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def file(self, data: bytes) -> None:
        wanted = self.headers.get("Range", "")
        if not wanted:
            self.reply(200, data)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(data):
            self.reply(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        else:
            span = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.reply(206, data[start:], {"Content-Range": span})

    def truncated(self, data: bytes, after: int) -> None:
        """Promise all of `data`, send `after` bytes of what was asked for, hang up."""
        wanted = self.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[start : start + after])
        self.close_connection = True

    def stalled(self, data: bytes, after: int) -> None:
        """Send `after` bytes of `data`, then nothing until the server stops."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:after])
        self.wfile.flush()
        self.server.stopping.wait(30)
        self.close_connection = True

    def dripping(self, data: bytes) -> None:
        """Send `data` byte by byte, 20 a second."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.drip(data)

    def drip(self, data: bytes) -> None:
        """Of an answer that has begun, `data` byte by byte, and its end."""
        for byte in data:
            self.wfile.write(bytes([byte]))
            if self.server.stopping.wait(0.05):
                break
        self.close_connection = True

    def endless(self, data: bytes, *, promised: int | None = None) -> None:
        """Send `data` again and again; `promised` is a Content-Length."""
        self.send_response(200)
        if promised is not None:
            self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.close_connection = True
        while not self.server.stopping.is_set():
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


@contextmanager
def running(host: str = "127.0.0.1") -> Iterator[Server]:
    """A server with no answers yet, at an address of this machine, stopped afterwards."""
    server = Server(host)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
