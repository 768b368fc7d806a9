"""The user's store on the command line: whose it may be, what the user can say about it, and ``assemble store``."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from assembler.cli import environment
from assembler.cli.main import call
from assembler.errors import AssembleError
from assembler.lockfile.toml import format_lock
from assembler.store.objects import PATIENCE, Store
from tests.cli.mirrors import BUILD, LOCK, OUT, STORE, Liar
from tests.lock.bundles import SMALL

RECIPE = """
name = "stored"
[rootfs]
packages = ["mount"]
"""


@pytest.mark.parametrize("command", ["build", "check"])
def test_a_store_that_others_may_write_to_needs_the_users_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE)
    store = Store(tmp_path / "store")
    store.add(b"x")
    store.root.chmod(0o777)
    words = [command, str(recipe), "--offline", "--store", str(store.root)]
    assert call(words) == 1
    assert "others could have changed what is in the store" in capsys.readouterr().err
    assert call([*words, "--trust-store"]) == 1
    err = capsys.readouterr().err
    assert "others could have changed" not in err
    assert "lock" in err, "the next thing that is missing"
    assert store.root.stat().st_mode & 0o777 == 0o777, "it stays as its users have made it"


def test_the_time_limit_for_locks() -> None:
    assert environment.read(Path("x"), {}).lock_timeout == PATIENCE
    assert environment.read(Path("x"), {"ASSEMBLE_LOCK_TIMEOUT": ""}).lock_timeout == PATIENCE
    assert environment.read(Path("x"), {"ASSEMBLE_LOCK_TIMEOUT": "90"}).lock_timeout == 90
    for wrong in ("-1", "1e9", "1h", "nan", "٣", "9" * 5000):
        with pytest.raises(AssembleError, match="ASSEMBLE_LOCK_TIMEOUT is not a number of seconds"):
            environment.read(Path("x"), {"ASSEMBLE_LOCK_TIMEOUT": wrong})


# --- assemble store ------------------------------------------------------------------------------------------------


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """What a command says, on both streams, and it ends with this status."""
    capsys.readouterr()
    found = call(["store", *arguments])
    printed = capsys.readouterr()
    assert found == status, printed.err
    return printed.out + printed.err


def result(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    lines = said(capsys, *arguments, "--json").splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert events[-1].pop("event") == "result"
    return events[-1]


def grow_old() -> None:
    """Nothing has been used for 40 days."""
    moment = time.time() - 40 * 86400
    for path in (*STORE.glob("objects/*/*"), *STORE.glob("derived/*/*"), *STORE.glob("uses/*")):
        os.utime(path, (moment, moment))


def test_status_says_what_there_is(liar: Liar, capsys: pytest.CaptureFixture[str]) -> None:
    liar.right(BUILD)
    text = said(capsys, "status")
    assert re.search(r"store: \d+(\.\d)? [kM]?B\n", text)
    assert re.search(r"^  packages +\d+ +\d.* used 20\d\d-\d\d-\d\d to 20\d\d-\d\d-\d\d$", text, re.MULTILINE)
    found = result(capsys, "status")
    kinds = {kind["kind"]: kind for kind in found["kinds"]}
    assert {"packages", "unpacked packages", "results of steps"} <= kinds.keys()
    assert found["size"] == sum(kind["size"] for kind in kinds.values())
    assert found["root"] == str(STORE.absolute())
    assert found["builds"] == 0


def test_a_lock_goes_into_another_store_and_is_built_there_without_a_network(
    liar: Liar, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSEMBLE_MIRROR", liar.server.url("/debian"))
    lock = str(LOCK)
    said(capsys, "export", lock, "--out", "1.tar")  # nothing has been built: all is fetched
    liar.right(BUILD)
    said(capsys, "export", lock, "--out", "2.tar")
    assert Path("1.tar").read_bytes() == Path("2.tar").read_bytes()
    monkeypatch.setenv("ASSEMBLE_STORE", str(Path("other").absolute()))
    shutil.rmtree(OUT)
    liar.server.seen.clear()
    found = result(capsys, "import", "2.tar", "--write-lock", "written.toml")
    assert (found["present"], found["superfluous"]) == (0, 0)
    assert Path("written.toml").read_bytes() == LOCK.read_bytes()
    assert call([*BUILD, "--offline"]) == 0
    liar.right(BUILD)
    assert call(["lock", "r.toml", "--check", "--prove", "--offline"]) == 0
    assert liar.server.seen == []
    assert "there is something where the lock shall be" in said(
        capsys, "import", "2.tar", "--write-lock", "written.toml", status=1
    )


def test_offline_an_export_names_all_that_is_missing(liar: Liar, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "export", str(LOCK), "--out", "b.tar", "--offline", status=1)
    assert "of the objects that the lock names are not in the store" in text
    assert "hello_1.0_amd64.deb (sha256 " in text
    assert not Path("b.tar").exists()
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []
    assert liar.server.seen == []


def test_a_bundle_that_cannot_be_written(
    liar: Liar, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSEMBLE_MIRROR", liar.server.url("/debian"))
    text = said(capsys, "export", str(LOCK), "--out", "missing/b.tar", status=1)
    assert "the bundle cannot be written" in text
    assert "hint: " in text


def test_an_import_names_what_is_missing_and_what_is_superfluous(
    liar: Liar, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    liar.right(BUILD)
    monkeypatch.setenv("ASSEMBLE_MIRROR", liar.server.url("/debian"))
    said(capsys, "export", str(LOCK), "--out", "b.tar")
    monkeypatch.setenv("ASSEMBLE_STORE", str(Path("other").absolute()))
    Path("own.toml").write_text(format_lock(SMALL))
    text = said(capsys, "import", "b.tar", "--lock", "own.toml", status=1)
    assert "warning: the bundle has an object that the lock does not name, and it is left out" in text
    assert "neither in the bundle nor in the store" in text
    assert "kubelet" in text
    assert list(Path("other").glob("objects/*/*")) == []


def test_prune_says_what_goes_and_removes_it_when_that_is_confirmed(
    liar: Liar, capsys: pytest.CaptureFixture[str]
) -> None:
    liar.right(BUILD)
    grow_old()
    before = sorted(STORE.rglob("*"))
    assert "there is nothing to remove" in said(capsys, "prune", "--older-than", "41d", "--yes")
    text = said(capsys, "prune", "--older-than", "30d", "--dry-run")
    assert re.search(r"store: .*B to be removed, 0 B stay\n", text)
    assert re.search(r"^  packages +\d+", text, re.MULTILINE)
    text = said(capsys, "prune", "--older-than", "30d", status=1)
    assert "to be removed" in text
    assert "nothing was removed: nobody has confirmed it" in text.replace("\n  because", "")
    assert sorted(STORE.rglob("*")) == before
    found = result(capsys, "prune", "--older-than", "30d", "--yes")
    assert found["removed"] == found["planned"] > 0
    assert result(capsys, "status")["size"] == 0
    shutil.rmtree(OUT)
    liar.right(BUILD)


def test_prune_keeps_what_a_lock_names_and_what_was_made_of_it(liar: Liar, capsys: pytest.CaptureFixture[str]) -> None:
    liar.right(BUILD)
    stranger = Store(STORE.absolute()).add(b"of another lock")
    grow_old()
    size = result(capsys, "status")["size"]
    found = result(capsys, "prune", "--keep", str(LOCK), "--yes")
    assert found["removed"] == len(b"of another lock")
    assert result(capsys, "status")["size"] == size - found["removed"]
    assert not Store(STORE.absolute()).has(stranger)
    shutil.rmtree(OUT)
    liar.server.seen.clear()
    assert call([*BUILD, "--offline", "--debug"]) == 0
    assert "not in the store, made" not in capsys.readouterr().err
    said(capsys, "prune", "--keep-size", "0", "--yes")
    assert list(STORE.glob("objects/*/*")) == []


def test_prune_leaves_what_a_running_build_has_in_use(liar: Liar, capsys: pytest.CaptureFixture[str]) -> None:
    liar.right(BUILD)
    grow_old()
    digest = next(STORE.glob("objects/*/*")).name
    code = (
        "import sys; from pathlib import Path; from assembler.store.objects import Store\n"
        "store = Store(Path(sys.argv[1])); path = store.get(sys.argv[2]); print('ready', flush=True)\n"
        "sys.stdin.read(); print(len(path.read_bytes()))"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", code, str(STORE.absolute()), digest],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as build:
        assert build.stdout is not None
        assert build.stdout.readline() == "ready\n"
        assert "in use at present by 1" in said(capsys, "status")
        assert "in use at present by 1" in said(capsys, "prune", "--keep-size", "0", "--yes")
        assert [path.name for path in STORE.glob("objects/*/*")] == [digest]
        output, _ = build.communicate("")
        assert int(output) > 0
    assert build.returncode == 0


def test_verify_finds_damage_and_repair_has_it_fetched_again(liar: Liar, capsys: pytest.CaptureFixture[str]) -> None:
    liar.right(BUILD)
    assert "are as they should be" in said(capsys, "verify")
    path = max(STORE.glob("objects/*/*"), key=lambda path: path.stat().st_size)
    path.chmod(0o644)
    path.write_bytes(b"wrong")
    grow_old()
    text = said(capsys, "verify", status=1)
    assert f"{path.name}: its SHA-256 is" in text
    assert "hint: --repair removes it" in text
    found = result(capsys, "verify", "--repair")
    assert [(each["path"], each["removed"]) for each in found["damaged"]] == [(str(path.absolute()), True)]
    assert not path.exists()
    assert "are as they should be" in said(capsys, "verify")
    shutil.rmtree(OUT)
    liar.right(BUILD)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prune"], "--older-than, --keep-size, or what stays: --keep"),
        (["prune", "--older-than", "30"], "'30' is no age: as 12h, 30d or 8w"),
        (["prune", "--older-than", "-1d"], "is no age"),
        (["prune", "--keep-size", "much"], "'much' is no size: as 500M or 20G"),
        (["prune", "--keep", "missing.toml"], "does not exist"),
        (["export", __file__], "--out"),
        (["import"], "BUNDLE.tar"),
    ],
)
def test_wrong_usage(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in said(capsys, *arguments, "--store", "s", status=2)
    assert not Path("s").exists()
