"""``assemble check`` on real packages: those that the tests' tools come from."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from assembler import api
from assembler.audit.judge import Difference
from assembler.cli.main import call
from assembler.errors import AssembleError, Place
from assembler.lockfile.toml import parse_lock, write_lock
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
    assert ("base-passwd", "postinst", "computed") in rows
    assert ("systemd", "triggered", "computed") in rows
    unhandled = [row for row in rows if "unhandled" in row]
    assert status == bool(unhandled)
    assert err.count("[[rule]]") == len(unhandled)


def test_as_events(check: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    call([*check, "--json"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (result,) = (event for event in events if event["event"] == "result")
    assert "libc6" in result["packages"]
    by_key = {(script["package"], script["script"]): script for script in result["scripts"]}
    assert by_key["dash", "postinst"]["handling"] == "computed"
    for script in result["scripts"]:
        assert ("stanza" in script) is (script["handling"] == "unhandled")


def test_no_lock(check: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("checked.lock.toml").unlink()
    assert call(check) == 1
    assert "assemble lock" in capsys.readouterr().err


def test_a_machine_is_needed_to_hold_it_against_dpkg(check: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The lock has none, and offline none can be had; nothing is compared with nothing."""
    path = Path("checked.lock.toml")
    write_lock(path, dataclasses.replace(parse_lock(path.read_text(), str(path)), machine=None))
    assert call([*check, "--against-dpkg"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "the network is ruled out" in err


MEANT = Difference(path="/run/x", aspect="missing", text="dpkg has DIR", reason="volatile")
NOT = Difference(path="/etc/x\x1b", aspect="content", text="1 bytes the image, 2 by dpkg\n        @@ -1 +1 @@")


@pytest.mark.parametrize("found", [(MEANT,), (MEANT, NOT, MEANT)])
def test_what_differs_from_dpkg_is_told(
    found: tuple[Difference, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = api.AgainstDpkg(packages=("a", "b"), scripts=(), differences=found)
    monkeypatch.setattr(api, "check_against_dpkg", lambda *_, **__: result)
    status = call(["check", "r.toml", "--against-dpkg"])
    out, err = capsys.readouterr()
    assert status == (NOT in found)
    assert f"{found.count(MEANT):6} explained: volatile\n2 packages, 0 with scripts: \n" in out
    assert (r"/etc/x\x1b: content" in out) == (NOT in found)
    assert ("1 difference is not explained" in err) == (NOT in found)
    assert ("is what dpkg makes of its packages, but" in out) == (NOT not in found)
    assert call(["check", "r.toml", "--against-dpkg", "--json"]) == status
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (told,) = (event["differences"] for event in events if event["event"] == "result")
    assert [each["reason"] for each in told] == [each.reason for each in found]


@pytest.mark.parametrize("found", [(MEANT,), (MEANT, NOT)])
def test_private_keys_are_told_besides(
    found: tuple[Difference, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image is compared all the same, and the exit status says that it cannot be built."""
    key = AssembleError("a script made a private key", where=Place(path="/etc/key"))
    result = api.AgainstDpkg(packages=("a",), scripts=(), differences=found, keys=(key,))
    monkeypatch.setattr(api, "check_against_dpkg", lambda *_, **__: result)
    assert call(["check", "r.toml", "--against-dpkg"]) == 1
    out, err = capsys.readouterr()
    assert "explained: volatile" in out
    assert "is what dpkg makes" not in out
    assert "a script made a private key" in err
    assert "/etc/key" in err
    assert ("1 difference is not explained" in err) == (NOT in found)
    assert call(["check", "r.toml", "--against-dpkg", "--json"]) == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["keys"] for event in events if event["event"] == "result"] == [["/etc/key"]]


def test_two_other_checks_at_once(check: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for one, two in (("--against-dpkg", "--random"), ("--effects", "--random"), ("--against-dpkg", "--effects=dash")):
        assert call([*check, one, two]) == 2
        assert "name one of them" in capsys.readouterr().err


def test_what_scripts_do(check: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    call([*check, "--effects", "base-passwd"])
    out = capsys.readouterr().out
    assert "base-passwd preinst (computed)\n" in out
    assert re.search(r"^ +\d+  user +nobody  number 65534, ", out, re.MULTILINE)
    assert "dash" not in out
    call([*check, "--effects"])
    assert {"base-passwd preinst (computed)", "dash postinst (computed)"} <= set(capsys.readouterr().out.splitlines())
    call([*check, "--effects", "base-passwd", "--json"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (result,) = (event for event in events if event["event"] == "result")
    assert {script["package"] for script in result["scripts"]} == {"base-passwd"}
    assert any(effect["kind"] == "user" and effect["line"] for effect in result["scripts"][0]["effects"])
    assert call([*check, "--effects", "frob"]) == 1
    assert "there is no such package in the image\n  at: frob\n" in capsys.readouterr().err
