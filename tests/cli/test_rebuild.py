"""What ``assemble rebuild`` says of a result, and its exit status; tests/boot has it build."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from assembler import api
from assembler.api import RebuildResult
from assembler.audit.compare import Change, Comparison
from assembler.cli.main import call
from assembler.lock.changes import changes
from tests.lockfile.test_toml import LOCK

FOUND = Comparison(
    changes=(Change(layer="iso", path="/a", package="", fields={}),), packages=(), lock=changes(LOCK, LOCK)
)


@pytest.fixture
def rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Comparison | None], None]:
    monkeypatch.chdir(tmp_path)
    Path("x.iso").touch()

    def to(found: Comparison | None) -> None:
        made = RebuildResult(before="1" * 64, after=("2" if found else "1") * 64, found=found, statement={"a": 1})

        def rebuild(
            image: Path, out: Path, workspace: api.Workspace, *, allow_compile: bool, args: dict[str, str]
        ) -> RebuildResult:
            assert (image, out, workspace.offline, allow_compile) == (Path("x.iso"), Path("rebuilt"), True, False)
            assert args == ({"DEBCONF_PASSWORD_1": "secret"} if Path("given").exists() else {})
            return made

        monkeypatch.setattr(api, "rebuild", rebuild)

    return to


def test_the_same(rebuilt: Callable[[Comparison | None], None], capsys: pytest.CaptureFixture[str]) -> None:
    rebuilt(None)
    assert call(["rebuild", "x.iso", "--offline"]) == 0
    assert capsys.readouterr().out == f"x.iso: built again, byte by byte the same: {'1' * 64}\n"
    assert call(["rebuild", "x.iso", "--offline", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"event": "result", "a": 1}


def test_a_password_that_the_image_does_not_have(rebuilt: Callable[[Comparison | None], None]) -> None:
    rebuilt(None)
    Path("given").write_text("secret\n")
    assert call(["rebuild", "x.iso", "--offline", "--arg-file", "DEBCONF_PASSWORD_1=given"]) == 0


def test_another(rebuilt: Callable[[Comparison | None], None], capsys: pytest.CaptureFixture[str]) -> None:
    rebuilt(FOUND)
    assert call(["rebuild", "x.iso", "--offline"]) == 1
    assert capsys.readouterr().out == f"iso: /a\nx.iso: built again, it differs: {'1' * 64} -> {'2' * 64}\n"
    assert call(["rebuild", "x.iso", "--offline", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"event": "result", "a": 1}


def test_a_directory_that_is_in_use(rebuilt: object, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ARG001  the directory
    Path("rebuilt").mkdir()
    Path("rebuilt/x").touch()
    with pytest.raises(api.AssembleError, match="the directory for what is built is not empty"):
        api.rebuild(Path("x.iso"), Path("rebuilt"), api.Workspace(store=Path("store").absolute()))
    assert call(["rebuild", "none.iso"]) == 2
    assert "none.iso" in capsys.readouterr().err
