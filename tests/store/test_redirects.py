"""Where servers can send us, and what they get to see of the user's logins.

A server of the world is one at 127.0.0.2 here: the transport is told so, and what names mean.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from assembler.store.download import UNKNOWN, Download, TransportError
from assembler.store.objects import Store
from assembler.store.routes import NO_ROUTES, Login, Routes
from assembler.store.transport import Transport
from assembler.store.zones import Zone, zone_of
from tests.support.http_server import Handler, Server, running

WORLD = "127.0.0.2"
LINK = "127.0.0.4"
PLACES = {WORLD: Zone.WORLD, "127.0.0.3": Zone.SITE, LINK: Zone.LINK}
NETRC = "machine 127.0.0.1 login robot password hunter2\ndefault login any password thing\n"
ROBOT, ANY = Login(user="robot", password="hunter2").header, Login(user="any", password="thing").header


def zone(address: str) -> Zone:
    return PLACES.get(address, zone_of(address))


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No proxy of the host's; returns where netrc is, with nothing in it."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").touch(0o600)
    return tmp_path / "netrc"


@pytest.fixture
def world() -> Iterator[Server]:
    with running(WORLD) as it:
        yield it


@pytest.fixture
def site() -> Iterator[Server]:
    with running("127.0.0.3") as it:
        yield it


def shows(server: Server, path: str = "/x") -> tuple[str, list[str | None]]:
    """An address, and the Authorization headers that it has been shown."""
    seen: list[str | None] = []

    def answer(handler: Handler) -> None:
        seen.append(handler.headers["Authorization"])
        handler.reply(200, b"found")

    server.answers[path] = answer
    return server.url(path), seen


def leads(server: Server, target: str, path: str = "/away") -> tuple[str, list[str | None]]:
    """As `shows`, of one that redirects."""
    seen: list[str | None] = []

    def answer(handler: Handler) -> None:
        seen.append(handler.headers["Authorization"])
        handler.reply(302, b"", {"Location": target})

    server.answers[path] = answer
    return server.url(path), seen


def names(**known: Sequence[str]) -> Callable[[str, int], Sequence[str]]:
    """What these names (with _ for the dot) mean; others are addresses."""
    return lambda host, _: known.get(host.replace(".", "_"), [host])


def to(routes: Routes = NO_ROUTES, resolve: Callable[[str, int], Sequence[str]] | None = None) -> Transport:
    return Transport(attempts=1, backoff=0.01, zone=zone, routes=routes, resolve=resolve or names())


def named(url: str, name: str) -> str:
    """`url` with a name in its address's place."""
    return f"http://{name}:{url.rpartition(':')[2]}"


# --- logins --------------------------------------------------------------------------------------------------------


def test_netrc_is_for_what_the_user_names_and_not_for_what_a_server_does(
    server: Server, site: Server, direct: Path
) -> None:
    direct.write_text(NETRC)
    inside, shown = shows(server)
    with to() as transport:
        assert transport.get(inside) == b"found"
        assert shown == [ROBOT]
        away, first = leads(server, inside)
        assert transport.get(away) == b"found"
        assert (first, shown.pop()) == ([ROBOT], ROBOT), "the same server"
        away, first = leads(site, inside)
        transport_of_site = Transport(attempts=1, zone=lambda _: Zone.HOST)
        assert transport_of_site.get(away) == b"found"
        assert first == [ANY]
        assert shown.pop() is None


def test_a_login_of_the_configuration_does_not_follow_a_redirect(server: Server, site: Server) -> None:
    inside, shown = shows(server, "/private/x")
    away, first = leads(site, inside)
    routes = Routes(logins={server.url("/private/"): Login(token="tok3n"), site.url("/"): Login(token="other")})
    with Transport(attempts=1, zone=lambda _: Zone.HOST, routes=routes) as transport:
        assert transport.get(away) == b"found"
        assert (first, shown) == (["Bearer other"], [None])
        away, first = leads(server, inside)
        assert transport.get(away) == b"found"
        assert (first, shown[1:]) == ([None], [None]), "nor into a part of the same server that it is not for"
        assert transport.get(inside) == b"found"
        assert shown[2:] == ["Bearer tok3n"]
        logins = {server.url("/public/"): Login(token="wide"), **routes.logins}
    with Transport(attempts=1, routes=Routes(logins=logins)) as transport:
        away, first = leads(server, inside, "/public/away")
        assert transport.get(away) == b"found"
        assert (first, shown[3:]) == (["Bearer wide"], [None]), "nor out of one that it is for"


def test_a_server_that_sends_us_back_is_shown_nothing_either(server: Server, site: Server, direct: Path) -> None:
    direct.write_text(NETRC)
    last, shown = shows(server)
    middle, between = leads(site, last)
    away, first = leads(server, middle)
    with Transport(attempts=1, zone=lambda _: Zone.HOST) as transport:
        assert transport.get(away) == b"found"
    assert (first, between, shown) == ([ROBOT], [None], [None])


def test_a_login_in_the_users_address_is_for_its_server(server: Server, site: Server) -> None:
    inside, shown = shows(server)
    with Transport(attempts=1, zone=lambda _: Zone.HOST) as transport:
        assert transport.get(inside.replace("//", "//me:sec%40ret@")) == b"found"
        assert shown.pop() == Login(user="me", password="sec@ret").header
        away, first = leads(site, inside)
        assert transport.get(away.replace("//", "//me:secret@")) == b"found"
    assert (first, shown) == ([Login(user="me", password="secret").header], [None])


@pytest.mark.parametrize(
    "target",
    [
        "http://robot:hunter2@{host}:{port}/x",
        "http://{host}:{port}\\@127.0.0.1/x",
        "http://127.0.0.1\\@{host}:{port}/x",
        "//evil%2f@{host}:{port}/x",
        "http://{host}%00:{port}/x",
        "http://{host} :{port}/x",
        "http://{host}:{port}5/x",
        "http://{host}:0/x",
        "http://{host}:/x",
        "http://[{host}]:{port}/x",
        "http://[::1",
        "gopher://{host}/",
        "file:///etc/passwd",
        "unix:///run/socket",
    ],
)
def test_addresses_that_could_be_read_in_more_than_one_way_are_refused(
    server: Server, direct: Path, target: str
) -> None:
    direct.write_text(NETRC)
    _, shown = shows(server)
    host, port = server.server_address[:2]
    away, _ = leads(server, target.format(host=host, port=port))
    with to() as transport, pytest.raises(TransportError, match="it redirects to an address that is"):
        transport.get(away)
    assert shown == []


def test_logins_of_any_bytes(server: Server, direct: Path) -> None:
    inside, shown = shows(server)
    password = b"\xff\xfe".decode("utf-8", "surrogateescape")  # as os.environ has it
    with to(Routes(logins={server.url("/"): Login(user="me", password=password)})) as transport:
        assert transport.get(inside) == b"found"
    assert shown == ["Basic bWU6//4="]
    direct.write_bytes(b"machine 127.0.0.1 login me password \xff\n")
    with to() as transport, suppress(TransportError):  # which encoding is tried next is the locale's affair
        transport.get(inside)


def test_a_blob_and_a_file_that_is_learned_go_the_same_way(
    server: Server, site: Server, store: Store, direct: Path
) -> None:
    direct.write_text(NETRC)
    inside, shown = shows(server)
    away, _ = leads(site, inside)
    item = Download("", UNKNOWN, (away,), "kubelet")
    with Transport(attempts=1, zone=lambda _: Zone.HOST) as transport:
        (found,) = transport.learn(store, [item])
    assert store.get(found.digest).read_bytes() == b"found"
    assert shown == [None]
    with to() as transport, pytest.raises(TransportError, match="further inside"):
        transport.learn(store, [item])
    assert shown == [None]


# --- inside and outside --------------------------------------------------------------------------------------------


def test_a_server_outside_leads_to_none_inside(server: Server, site: Server, world: Server) -> None:
    for target in (server, site):
        inside, shown = shows(target)
        away, _ = leads(world, inside)
        with to() as transport, pytest.raises(TransportError, match="which is further inside the network") as caught:
            transport.get(away)
        assert shown == []
        assert "redirects = [" in caught.value.hint


def test_a_server_inside_leads_to_others_there_and_outside(server: Server, site: Server, world: Server) -> None:
    target, shown = shows(site)
    with to() as transport:
        assert transport.get(target) == b"found", "what the user names may be anywhere"
        again, _ = leads(site, target, "/again")
        assert transport.get(leads(site, again)[0]) == b"found"
        assert transport.get(leads(server, again)[0]) == b"found"
        outside, _ = leads(world, target)
        with pytest.raises(TransportError, match="further inside"):
            transport.get(leads(site, outside)[0])
        with pytest.raises(TransportError, match="further inside"):
            transport.get(leads(site, server.url("/x"))[0])
    assert len(shown) == 3


@pytest.mark.parametrize("start", ["127.0.0.1", "127.0.0.3", WORLD])
def test_the_metadata_of_a_cloud_is_nobodys_to_lead_to(start: str) -> None:
    with running(start) as server, running(LINK) as metadata:
        inside, shown = shows(metadata)
        away, _ = leads(server, inside)
        with to() as transport, pytest.raises(TransportError, match="further inside"):
            transport.get(away)
    assert shown == []


def test_what_a_name_means_counts_and_not_how_it_looks(server: Server, world: Server) -> None:
    inside, shown = shows(server)
    away, _ = leads(world, named(inside, "good.example"))
    with to(resolve=names(good_example=["127.0.0.1"])) as transport, pytest.raises(TransportError, match="inside"):
        transport.get(away)
    assert shown == []


def test_a_name_that_means_something_else_a_moment_later(server: Server, world: Server) -> None:
    """DNS rebinding: the server is asked by the name under which it was found outside."""
    inside, shown = shows(server)
    answers = iter([[WORLD], ["127.0.0.1"], [WORLD]])
    away, _ = leads(world, named(inside, "good.example"))
    with (
        to(resolve=lambda *_: next(answers)) as transport,
        pytest.raises(TransportError, match=r"good\.example:[0-9]+, which is further inside"),
    ):
        transport.get(named(away, "good.example"))
    assert shown == []
    assert next(answers) == [WORLD], "no second look, for which the answer could be another"


def test_of_several_addresses_only_those_outside_are_tried(server: Server, world: Server) -> None:
    inside, shown = shows(server)
    outside, asked = shows(world)
    both = names(both_example=["127.0.0.1", WORLD])
    with to(resolve=both) as transport:
        assert transport.get(leads(world, named(outside, "both.example"))[0]) == b"found"
        with pytest.raises(TransportError, match="no connection"):
            transport.get(leads(world, named(inside, "both.example"))[0])
    assert (len(asked), shown) == (1, [])


def test_a_connection_that_is_open_already_is_looked_at_too(server: Server, world: Server) -> None:
    inside, shown = shows(server)
    away, _ = leads(world, inside)
    with to() as transport:
        for _ in range(2):
            assert transport.get(inside) == b"found"
        with pytest.raises(TransportError, match="further inside"):
            transport.get(away)
        assert transport.get(inside) == b"found"
    assert len(shown) == 3


def test_the_user_may_allow_it(server: Server, world: Server, direct: Path) -> None:
    direct.write_text(NETRC)
    inside, shown = shows(server)
    away, _ = leads(world, inside)
    with to(Routes(redirects=(server.url("/"),))) as transport:
        assert transport.get(away) == b"found"
    assert shown == [None]
    with to(Routes(redirects=(server.url("/other/"),))) as transport, pytest.raises(TransportError, match="inside"):
        transport.get(away)


def test_what_the_user_rewrites_is_the_users_choice(server: Server, direct: Path) -> None:
    """A publisher's mirror inside."""
    _, shown = shows(server)
    routes = Routes(rewrites={"https://dl.example/": server.url("/")})
    with to(routes) as transport:
        assert transport.get("https://dl.example/x") == b"found"
        assert transport.get("https://dl.example/x", referrer="http://elsewhere.example/") == b"found"
    direct.write_text(NETRC)
    with to(routes) as transport:
        assert transport.get("https://dl.example/x", referrer="http://elsewhere.example/") == b"found"
        assert transport.get("https://dl.example/x") == b"found"
    assert shown == [None, None, None, ROBOT]


def test_an_address_that_a_server_has_chosen(server: Server, world: Server, direct: Path) -> None:
    """As a registry chooses its token server."""
    direct.write_text(NETRC)
    inside, shown = shows(server)
    outside, asked = shows(world)
    with to() as transport:
        with pytest.raises(TransportError, match="further inside"):
            transport.get(inside, referrer="http://never.seen.example/")
        assert transport.get(outside, referrer=inside) == b"found"
        with pytest.raises(TransportError, match="further inside"):
            transport.get(inside, referrer=outside)
        with pytest.raises(TransportError, match="from https to http"):
            transport.get(outside, referrer=outside.replace("http:", "https:"))
    assert (shown, asked) == ([], [None])


# --- behind a proxy ------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A proxy on this machine for all addresses but those of 127.0.0.3."""
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.setenv("no_proxy", "127.0.0.3")
    return server


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest", "http://10.1/x", "http://localhost:1/x", "http://0x7f000001/x"]
)
def test_behind_a_proxy_what_is_written_counts(proxy: Server, target: str) -> None:
    proxy.answers["http://mirror.example/away"] = lambda handler: handler.reply(302, b"", {"Location": target})
    proxy.answers["http://mirror.example/on"] = lambda handler: handler.reply(
        302, b"", {"Location": "http://other.example/x"}
    )
    proxy.answers["http://other.example/x"] = lambda handler: handler.reply(200, b"found")
    proxy.answers[target] = lambda handler: handler.reply(200, b"inside")
    with to() as transport:
        assert transport.get("http://mirror.example/on") == b"found"
        assert transport.get(target) == b"inside", "the user's choice"
        with pytest.raises(TransportError, match="further inside"):
            transport.get("http://mirror.example/away")


def test_behind_a_proxy_servers_that_are_asked_directly_are_looked_at(proxy: Server, site: Server) -> None:
    inside, shown = shows(site)
    proxy.answers["http://mirror.example/x"] = lambda handler: handler.reply(302, b"", {"Location": inside})
    with to() as transport, pytest.raises(TransportError, match="further inside"):
        transport.get("http://mirror.example/x")
    assert shown == []
