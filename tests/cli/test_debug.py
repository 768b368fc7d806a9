"""What --debug shows, on standard error alone, and that no secret is among it."""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assembler.cli.main import call
from tests.cli.mirrors import BUILD, archive, serve, surroundings, write_recipe
from tests.debian.archives import source
from tests.support.http_server import Handler, Server, running
from tests.support.tool_source import take_tools_from

SECRET, PASSWORD = "correct-horse-battery", "let-me-in-please"
LOGIN = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A mirror that wants a login, and a recipe with a secret argument."""
    with running() as found:
        surroundings(monkeypatch, tmp_path, found)
        serve(found, "/debian", archive())
        for path, answer in list(found.answers.items()):
            found.answers[path] = guarded(answer)
        write_recipe(found.url("/debian"))
        recipe = Path("r.toml")
        recipe.write_text(recipe.read_text().replace("[rootfs]", "[rootfs]\nroot_password = '${PASSWORD}'"))
        recipe.write_text(f"{recipe.read_text()}[args]\nPASSWORD = 'none'\n")
        Path("secret").write_text(SECRET)
        take_tools_from(source(), tmp_path, monkeypatch)
        configuration = tmp_path / "config.toml"
        login = f"[login.'{found.url('/')}']\nuser = 'robot'\npassword_env = 'MIRROR_PASSWORD'\n"
        configuration.write_text(configuration.read_text() + login)
        monkeypatch.setenv("MIRROR_PASSWORD", PASSWORD)
        yield found


def guarded(answer: Callable[[Handler], None]) -> Callable[[Handler], None]:
    def reply(handler: Handler) -> None:
        if handler.headers.get("Authorization") == f"Basic {LOGIN}":
            answer(handler)
        else:
            handler.reply(401, b"", {"WWW-Authenticate": "Basic"})

    return reply


COMMAND = [*BUILD, "--arg-file", "PASSWORD=secret"]


def hides(text: str) -> None:
    for secret in (SECRET, PASSWORD, LOGIN):
        assert secret not in text


def test_what_is_asked_decided_and_reused(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*COMMAND, "--debug"]) == 0
    out, err = capsys.readouterr()
    assert "debug: " not in out
    hides(out + err)
    for line in (
        f"debug: store.transport: GET {server.url('/debian/dists/trixie/InRelease')} ",
        "'Authorization': '…'",
        f"debug: debian.mirrors: mirrors of debian, in this order: {server.url('/debian')}, ",
        "debug: lock.resolve: rootfs: hello 1.0 from ",
        "debug: layers.build: rootfs.tree, key ",
        ": to be made",
        f"debug: store.transport: hello_1.0_amd64.deb: from {server.url('/debian/pool/main/h/hello/')}",
    ):
        assert line in err, line
    assert call([*COMMAND, "--debug", "--json"]) == 0
    out, err = capsys.readouterr()
    hides(out + err)
    assert [json.loads(line)["event"] for line in out.splitlines()][-1] == "result"
    assert "debug: layers.build: rootfs.tar.zst, key " in err
    assert ": unchanged in the output directory" in err
    assert all(line.startswith("debug: ") for line in err.splitlines())
    assert call(["lock", "r.toml", "--prove", "--debug"]) == 0
    err = capsys.readouterr().err
    assert "debug: tools.trust: tools: followed up to signatures of trixie" in err
    assert "debug: tools.trust: tools: trusted" in err


@pytest.mark.usefixtures("server")
def test_silent_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(COMMAND) == 0
    assert "debug: " not in "".join(capsys.readouterr())
    assert logging.getLogger("assembler").level == logging.NOTSET


@pytest.mark.usefixtures("server")
def test_nothing_that_is_logged_has_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Not even before the command line hides what it knows."""
    with caplog.at_level(logging.DEBUG, "assembler"):
        assert call(COMMAND) == 0
    assert len(caplog.messages) > 50
    hides("\n".join(caplog.messages))


@pytest.mark.parametrize("options", [[], ["--debug"]])
def test_an_answer_that_refuses(server: Server, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    server.answers.clear()
    assert call([*COMMAND, *options]) == 1
    out, err = capsys.readouterr()
    hides(out + err)
    assert (": 404 {" in err) == bool(options)


def test_a_strangers_text_is_printable(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.otherwise = lambda handler: handler.reply(404, b"", {"Server": "\x1b]0;title\x07"})
    server.answers.clear()
    assert call([*COMMAND, "--debug"]) == 1
    err = capsys.readouterr().err
    assert "title" in err
    assert "\x1b" not in err
