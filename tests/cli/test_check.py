"""``assemble check`` on real packages: those that the tests' tools come from."""

import dataclasses
import json
from pathlib import Path

import pytest

from assembler.cli.main import call
from assembler.lockfile.toml import write_lock
from assembler.recipe.load import load
from tests.support.toolboxes import locked

RECIPE = """
name = "checked"
[kernel]
source = "vanilla"
package = "linux-source-6.12"
[rootfs]
packages = ["mount"]
"""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line that checks a recipe whose lock is that of the tests."""
    monkeypatch.chdir(tmp_path)
    store, lock = locked({"rootfs"})
    Path("r.toml").write_text(RECIPE)
    digest = load(Path("r.toml")).inputs_sha256
    write_lock(tmp_path / "checked.lock.toml", dataclasses.replace(lock, recipe_sha256=digest))
    return ["check", "r.toml", "--offline", "--store", str(store.root)]


def test_check(check: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status = call(check)
    out, err = capsys.readouterr()
    assert "base-passwd" in out
    rows = {tuple(line.split()[:3]) for line in out.splitlines()}
    assert ("base-passwd", "postinst", "rule") in rows
    assert ("systemd", "triggered", "rule") in rows
    unhandled = [row for row in rows if "unhandled" in row]
    assert status == bool(unhandled)
    assert err.count("[[rule]]") == len(unhandled)


def test_as_events(check: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    call([*check, "--json"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (result,) = (event for event in events if event["event"] == "result")
    assert "libc6" in result["packages"]
    by_key = {(script["package"], script["script"]): script for script in result["scripts"]}
    assert by_key["dash", "postinst"]["handling"] == "rule"
    assert by_key["dash", "postinst"]["reason"]
    for script in result["scripts"]:
        assert ("stanza" in script, "residual" in script) == (script["handling"] == "unhandled",) * 2


def test_no_lock(check: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("checked.lock.toml").unlink()
    assert call(check) == 1
    assert "assemble lock" in capsys.readouterr().err


def test_two_other_checks_at_once(check: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*check, "--against-dpkg", "--random"]) == 2
    assert "name one of them" in capsys.readouterr().err
