"""Token servers: who is shown a login, and what is taken for a token."""

from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.store.objects import Store
from assembler.store.routes import Login, Routes
from assembler.store.transport import Transport
from assembler.store.zones import Zone, zone_of
from tests.oci.registries import HOST
from tests.oci.served import front, one, to
from tests.support.http_server import Handler, Server


def challenging(server: Server, port: int, realm: str) -> list[tuple[str, str | None]]:
    """Let `server` be the registry, which names `realm`; returns what is asked of it with which authorization."""
    front(server, port)
    through = server.otherwise
    seen: list[tuple[str, str | None]] = []

    def answer(handler: Handler) -> None:
        seen.append((handler.path, handler.headers["Authorization"]))
        if handler.headers["Authorization"] == "Bearer granted":
            through(handler)
        else:
            handler.reply(401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",service="test"'})

    server.otherwise = answer
    return seen


def granting(server: Server, answer: bytes = b'{"token": "granted"}') -> list[str | None]:
    """Let `server` be a token server; returns the Authorization headers that it is shown."""
    seen: list[str | None] = []

    def grant(handler: Handler) -> None:
        seen.append(handler.headers["Authorization"])
        handler.reply(200, answer)

    server.otherwise = grant
    return seen


ROBOT = Login(user="robot", password="hunter2")


def test_a_login_goes_to_no_token_server_elsewhere(port: int, server: Server, elsewhere: Server, store: Store) -> None:
    challenging(server, port, elsewhere.url("/token"))
    shown = granting(elsewhere)
    with (
        to(server.server_address[1], ROBOT) as transport,
        pytest.raises(AssembleError, match=r"wants its login sent elsewhere: .*token_server") as caught,
    ):
        one("gzip:1", store, transport)
    assert shown == [], "not even without it"
    assert "hunter2" not in str(caught.value)
    with to(server.server_address[1]) as transport:
        one("gzip:1", store, transport)
    assert set(shown) == {None}, "whoever has no login may ask anywhere for what everybody gets"


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's netrc is."""
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path / "netrc"


def test_netrc_is_neither_for_a_token_server_elsewhere(
    port: int, server: Server, elsewhere: Server, store: Store, netrc: Path
) -> None:
    netrc.write_text("machine 127.0.0.2 login robot password hunter2\n")
    challenging(server, port, elsewhere.url("/token"))
    shown = granting(elsewhere)
    with to(server.server_address[1]) as transport:
        one("gzip:1", store, transport)
    assert set(shown) == {None}
    netrc.write_text("machine 127.0.0.1 login robot password hunter2\n")
    with to(server.server_address[1]) as transport, pytest.raises(AssembleError, match="sent elsewhere"):
        one("gzip:1", store, transport)


def test_the_user_may_name_the_token_server(port: int, server: Server, elsewhere: Server, store: Store) -> None:
    challenging(server, port, elsewhere.url("/token"))
    shown = granting(elsewhere)
    base = server.url("/")
    for allowed in ({base: elsewhere.url("/other/")}, {elsewhere.url("/"): elsewhere.url("/")}):
        routes = Routes(rewrites={f"https://{HOST}/": base}, logins={base: ROBOT}, token_servers=allowed)
        with Transport(routes=routes, attempts=1) as transport, pytest.raises(AssembleError, match="sent elsewhere"):
            one("gzip:1", store, transport)
    routes = Routes(
        rewrites={f"https://{HOST}/": base}, logins={base: ROBOT}, token_servers={base: elsewhere.url("/token")}
    )
    with Transport(routes=routes, attempts=1) as transport:
        one("gzip:1", store, transport)
    assert set(shown) == {ROBOT.header}


def test_a_token_server_that_redirects_takes_no_login_along(
    port: int, server: Server, elsewhere: Server, store: Store
) -> None:
    challenging(server, port, server.url("/token"))
    server.answers["/token?service=test&scope=repository%3Agzip%3Apull"] = lambda handler: handler.reply(
        302, b"", {"Location": elsewhere.url("/token")}
    )
    shown = granting(elsewhere)
    with to(server.server_address[1], ROBOT) as transport:
        one("gzip:1", store, transport)
    assert set(shown) == {None}


def test_a_registry_outside_has_us_ask_nobody_inside(
    port: int, server: Server, elsewhere: Server, store: Store
) -> None:
    challenging(elsewhere, port, server.url("/admin?delete=everything"))
    shown = granting(server)
    routes = Routes(rewrites={f"https://{HOST}/": elsewhere.url("/")})
    with (
        Transport(
            routes=routes,
            attempts=1,
            zone=lambda address: Zone.WORLD if address == "127.0.0.2" else zone_of(address),
        ) as transport,
        pytest.raises(AssembleError, match="further inside"),
    ):
        one("gzip:1", store, transport)
    assert shown == []


@pytest.mark.parametrize(
    "answer",
    [
        b"[" * 100_000,
        b"[]",
        b'"token"',
        b'{"token": {}}',
        b'{"token": ""}',
        b'{"token": "a b"}',
        b'{"token": "a\\r\\nX-Evil: 1"}',
        b'{"token": "' + b"x" * ((64 << 10) + 1) + b'"}',
        b'{"token": 9' + b"9" * 5000 + b"}",
        b"\xff\xfe\x00",
        b" " * (2 << 20),
    ],
)
def test_tokens_that_are_none(port: int, server: Server, elsewhere: Server, store: Store, answer: bytes) -> None:
    challenging(server, port, elsewhere.url("/token"))
    granting(elsewhere, answer)
    with (
        to(server.server_address[1]) as transport,
        pytest.raises(AssembleError, match=r"gives no token|is larger than 1048576 bytes"),
    ):
        one("gzip:1", store, transport)
