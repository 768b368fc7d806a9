"""A mirror that lies, for the tests of what it can do, and of locks that nobody made; and the tools."""

from pathlib import Path

import pytest

from assembler.cli.main import call
from tests.cli.mirrors import BUILD, LOCK, OUT, Build, Liar, archive, serve, surroundings, tree, write_recipe
from tests.support.http_server import Server, running
from tests.support.toolboxes import toolbox

__all__ = ["honest", "liar", "toolbox"]


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """What is built without lies."""
    with running() as server, pytest.MonkeyPatch.context() as patch:
        surroundings(patch, tmp_path_factory.mktemp("honest"), server)
        serve(server, "/debian", archive())
        write_recipe(server.url("/debian"))
        assert call(["lock", "r.toml"]) == 0
        assert call(BUILD) == 0
        assert {"rootfs.tar.zst", "manifest.json", "provenance.json"} < set(tree(OUT))
        return Build(LOCK.read_bytes(), tree(OUT))


@pytest.fixture
def liar(
    server: Server,
    honest: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Liar:
    surroundings(monkeypatch, tmp_path, server)
    it = Liar(server, honest, monkeypatch, capsys)
    it.patience(30)
    return it
