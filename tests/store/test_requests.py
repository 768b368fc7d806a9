"""One request: where it goes, who is let in, and whom we believe."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from assembler.store.download import TransportError
from assembler.store.transport import Transport
from tests.support.http_server import Handler, Server


def test_forbidden(server: Server, transport: Transport) -> None:
    server.answers["/x"] = lambda handler: handler.reply(403, b"")
    with pytest.raises(TransportError, match="access is denied") as caught:
        transport.get(server.url("/x"))
    assert "netrc" in caught.value.hint


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/passwd", "nonsense", "http://", "http://[::1/x"])
def test_addresses_that_are_none(transport: Transport, url: str) -> None:
    with pytest.raises(TransportError):
        transport.get(url)


def test_redirects(server: Server, transport: Transport) -> None:
    server.answers["/a"] = lambda handler: handler.reply(302, b"", {"Location": "/b"})
    server.serve("/b", b"hello")
    assert transport.get(server.url("/a")) == b"hello"
    server.answers["/b"] = lambda handler: handler.reply(302, b"", {"Location": "/a"})
    with pytest.raises(TransportError, match="it redirects in a cycle"):
        transport.get(server.url("/a"))


class Token:
    """Lets in whoever shows it."""

    def authorization(self, url: str) -> str:  # noqa: ARG002  the protocol's
        return "Bearer secret"

    def challenged(self, url: str, challenge: str, refused: str) -> bool:  # noqa: ARG002  as above
        return False


def test_what_lets_us_in_at_one_server_is_not_shown_to_another(server: Server, transport: Transport) -> None:
    shown = {}

    def answer(handler: Handler, target: str = "") -> None:
        shown[handler.path] = handler.headers["Authorization"]
        handler.reply(302 if target else 200, b"", {"Location": target} if target else {})

    server.answers["/a"] = lambda handler: answer(handler, "/b")
    server.answers["/b"] = lambda handler: answer(handler, server.url("/c").replace("127.0.0.1", "localhost"))
    server.answers["/c"] = answer
    assert transport.get(server.url("/a"), authenticator=Token()) == b""
    assert shown == {"/a": "Bearer secret", "/b": "Bearer secret", "/c": None}


def test_credentials_come_from_netrc_and_proxies_from_the_environment(
    server: Server, transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.answers["/x"] = lambda handler: handler.reply(200, handler.headers["Authorization"].encode())
    assert transport.get(server.url("/x")) == b"Basic bWU6c2VjcmV0"
    server.answers["http://mirror.invalid/y"] = lambda handler: handler.reply(200, b"through the proxy")
    monkeypatch.setenv("http_proxy", server.url(""))
    assert transport.get("http://mirror.invalid/y") == b"through the proxy"
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(TransportError, match="the proxy cannot be reached"):
        transport.get("http://mirror.invalid/y")


@pytest.fixture
def https(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An https server with a certificate of a private authority: its address and that certificate."""
    assert shutil.which("openssl"), "the tests need openssl (Debian: openssl)"
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip

    class QuietServer(HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that hang up are no news."""

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302 if self.path == "/away" else 200)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_: object) -> None: ...

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = QuietServer(("127.0.0.1", 0), Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"https://localhost:{server.server_address[1]}/", certificate
    server.shutdown()
    server.server_close()
    thread.join()


def test_private_certificate_authorities(
    https: tuple[str, Path], transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, certificate = https
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with pytest.raises(TransportError, match=r"its TLS certificate is not trusted: self.signed certificate") as caught:
        transport.get(url)
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert transport.get(url) == b"hello"
    with pytest.raises(TransportError, match="it redirects from https to http, where anybody could answer"):
        transport.get(f"{url}away")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(TransportError, match="REQUESTS_CA_BUNDLE"):
        transport.get(url)


def test_https_to_a_server_that_speaks_http(server: Server, transport: Transport) -> None:
    with pytest.raises(TransportError, match="TLS failed"):
        transport.get(server.url("/x").replace("http:", "https:"))
