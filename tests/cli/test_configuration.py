"""The user's configuration: routes to other servers, and logins that nobody else gets to see."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.cli.configuration import ConfigurationError, read_routes, read_tool_source
from assembler.errors import AssembleError, Problems
from assembler.lock.files import lock_files
from assembler.lockfile.toml import format_lock
from assembler.lockfile.wanted import WantedFile
from assembler.store.download import TransportError
from assembler.store.objects import Store
from assembler.store.routes import NO_ROUTES, Login, Routes
from assembler.store.transport import Transport
from assembler.tools.source import built_in
from tests.debian.archives import source
from tests.lockfile.test_toml import LOCK
from tests.support.http_server import Handler, Server

TEXT = """
redirects = ["https://storage.internal/", "http://10.0.0.9/blobs/"]

[rewrite]
"https://dl.k8s.io/" = "https://mirror.internal/k8s/"
"https://dl.k8s.io/release/" = "https://other.internal/"

[login."https://mirror.internal/"]
user = "robot"
password_env = "MIRROR_PASSWORD"

[login."https://mirror.internal/k8s/"]
token_env = "MIRROR_TOKEN"

[token_server]
"https://mirror.internal/" = "https://login.internal/"
"""
ENVIRON = {"MIRROR_PASSWORD": "hunter2", "MIRROR_TOKEN": "t0ken", "LINES": "hunter2\nX-Evil: 1"}


def read(tmp_path: Path, text: str) -> Routes:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return read_routes(path, ENVIRON, required=True)


def test_where_tools_come_from(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(TEXT)
    assert read_tool_source(path, required=True) == read_tool_source(None, required=False) == built_in()
    path.write_text(f"[tools]\nsources = '''\n{source()}'''")
    assert read_tool_source(path, required=True).sources == source()


@pytest.mark.parametrize(
    "text", ["[tools]", "tools = []", "tools = false", "tools.sources = ''", "tools.source = 'x'", "tools.sources = 1"]
)
def test_tools_from_nowhere_are_not_those_of_the_assembler(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(AssembleError) as caught:
        read_tool_source(path, required=True)
    assert re.match(re.escape(str(path)) + r":1:[127] tools", str(caught.value))


def test_a_wrong_source_of_tools_is_the_configurations_fault(tmp_path: Path) -> None:
    path, stanza = tmp_path / "config.toml", "Types: deb\nSuites: a\nComponents: main\n"
    path.write_text(f"tools.sources = '''\n{stanza}\n{stanza}Check-Valid-Until: no\n'''")
    with pytest.raises(AssembleError, match="a is there twice") as caught:
        read_tool_source(path, required=True)
    where = caught.value.where
    assert (where.file, where.key) == (str(path), "tools.sources")
    assert path.read_text().split("\n")[where.line - 1] == stanza.split("\n", maxsplit=1)[0]
    assert where.line == 6


def test_everything_wrong_has_its_line(tmp_path: Path) -> None:
    text = (
        'redirects = 1\n\n[rewrite]\n"https://a/" = "https://b/"\n"x" = "y"\n[login."https://a/"]\nuser = "u"\n\n'
        '[token_server]\n  "https://a/" = "http://b/"\n[rewrites]\n'
    )
    with pytest.raises(Problems) as caught:
        read(tmp_path, text)
    file = tmp_path / "config.toml"
    assert [str(error).removeprefix(str(file)).partition(": ")[0] for error in caught.value.errors] == [
        ":1:1 redirects", ":5:1 rewrite.x", ':6:8 login."https://a/"', ':10:3 token_server."https://a/"',
        ":11:2 rewrites",
    ]  # fmt: skip
    for text, place in (("a = [\n  x]", ":2:3"), ("a = ", ":1:5"), ("a = 1\na = 2", ":2:6")):
        with pytest.raises(ConfigurationError, match=re.escape(f"{file}{place}: the configuration is not TOML")):
            read(tmp_path, text)
    file.write_bytes(b"a = 1\nb = '\xff'")
    with pytest.raises(ConfigurationError, match=re.escape(f"{file}:2:6: byte 0xff is not UTF-8")):
        read_routes(file, {}, required=True)


def test_the_longest_prefix_counts(tmp_path: Path) -> None:
    routes = read(tmp_path, TEXT)
    assert routes.rewrite("https://dl.k8s.io/a/b") == "https://mirror.internal/k8s/a/b"
    assert routes.rewrite("https://dl.k8s.io/release/x") == "https://other.internal/x"
    assert routes.rewrite("https://dl.k8s.io.example/x") == "https://dl.k8s.io.example/x"
    assert routes.login("https://mirror.internal/x") == Login(user="robot", password="hunter2")
    assert routes.login("https://mirror.internal/k8s/x") == Login(token="t0ken")
    assert routes.login("https://mirror.internal.example/") is None
    assert "hunter2" not in repr(routes)
    assert "t0ken" not in repr(routes)
    assert routes.token_servers == {"https://mirror.internal/": "https://login.internal/"}
    assert routes.may_redirect("https://storage.internal/x")
    assert routes.may_redirect("http://10.0.0.9/blobs/x")
    assert not routes.may_redirect("http://10.0.0.9/other")
    assert not routes.may_redirect("https://storage.internal.example/")


def test_no_file(tmp_path: Path) -> None:
    assert read_routes(tmp_path / "none", {}, required=False) == NO_ROUTES
    with pytest.raises(ConfigurationError, match="there is no such configuration file"):
        read_routes(tmp_path / "none", {}, required=True)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_routes(tmp_path, {}, required=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rewrites]", "rewrites: unknown key (did you mean"),
        ("x", "is not TOML"),
        ("rewrite = 1", "rewrite: must be a table"),
        ('[rewrite]\n"https://a/" = 1', "not the beginning of an address"),
        ('[rewrite]\n"https://a" = "https://b/"', "not the beginning of an address"),
        ('[rewrite]\n"https://a/" = "https://user:secret@b/"', "not the beginning of an address"),
        ('[rewrite]\n"https://a/" = "ftp://b/"', "not the beginning of an address"),
        ('[login."https://a/"]\npassword = "hunter2"', "secrets are never in here"),
        ('[login."https://a/"]\nuser = "x"', "says no login"),
        ('[login."https://a/"]\nuser = 1', "must be a table of strings"),
        ('login."https://a/" = 1', "must be a table of strings"),
        ("login = 1", "login: must be a table"),
        ('[login."https://a/"]\nuser = "x"\npassword_env = "NOT_SET"', "NOT_SET is not set"),
        ('[login."https://a/"]\nuser = "x"\ntoken_env = "MIRROR_TOKEN"', "says no login"),
        ('[rewrite]\n"https://[/" = "https://b/"', "not the beginning of an address"),
        ('[rewrite]\n"https:///" = "https://b/"', "not the beginning of an address"),
        ('[login."https://a/"]\ntoken_env = "NOT_SET"', "NOT_SET is not set"),
        ('[login."https://a/"]\ntoken_env = "LINES"', "LINES holds no token"),
        ('[login."https://a"]\ntoken_env = "MIRROR_TOKEN"', "not the beginning"),
        ('[token_server]\n"https://a/" = "http://b/"', "a login for https would be sent over http"),
        ('[token_server]\n"https://a/" = "https://b"', "not the beginning of an address"),
        ("token_server = 1", "token_server: must be a table"),
        ('redirects = "https://a/"', "redirects: must be a list of beginnings of addresses"),
        ('redirects = ["https://a"]', "redirects: must be a list of beginnings of addresses"),
        ('redirects = ["*"]', "redirects: must be a list of beginnings of addresses"),
        ("redirects = [1]", "redirects: must be a list of beginnings of addresses"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AssembleError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "secret@" not in str(caught.value)


def test_a_mirror_with_a_login_leaves_no_trace(tmp_path: Path, server: Server, store: Store) -> None:
    """Neither in the lock nor in errors; the publisher's address is what stays."""
    sent = []

    def answer(handler: Handler) -> None:
        sent.append(handler.headers["Authorization"])
        if handler.path == "/k8s/kubelet":
            handler.file(b"program")
        else:
            handler.reply(403, b"no")

    server.answers["/k8s/kubelet"] = server.answers["/k8s/kubeadm"] = answer
    base = server.url("/k8s/")
    routes = read(
        tmp_path,
        f'[rewrite]\n"https://dl.k8s.io/" = "{base}"\n'
        f'[login."{base}"]\nuser = "robot"\npassword_env = "MIRROR_PASSWORD"\n',
    )
    with Transport(routes=routes, attempts=1) as transport:
        files = lock_files(
            [WantedFile(name="kubelet", url="https://dl.k8s.io/kubelet", role="kubernetes")],
            store=store,
            transport=transport,
        )
        with pytest.raises(TransportError) as caught:
            transport.get("https://dl.k8s.io/kubeadm")
    assert sent == [Login(user="robot", password="hunter2").header] * 2
    lock = format_lock(replace(LOCK, files=files))
    for text in (lock, str(caught.value), "".join(caught.value.details), repr(routes), repr(transport)):
        assert "hunter2" not in text
        assert sent[0] not in text
    assert "https://dl.k8s.io/kubelet" in lock
    assert "127.0.0.1" not in lock


def test_netrc_of_a_mirror(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []

    def answer(handler: Handler) -> None:
        sent.append(handler.headers["Authorization"])
        handler.file(b"x")

    server.answers["/x"] = answer
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login robot password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Transport(routes=Routes(rewrites={"https://dl.k8s.io/": server.url("/")})) as transport:
        assert transport.get("https://dl.k8s.io/x") == b"x"
    assert sent == [Login(user="robot", password="hunter2").header]
