"""The same lock gives the same bytes: ``assemble reproduce`` builds twice, in other environments, and finds what is
not the same. No machine is started, but a whole image is built."""

import json
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assembler.audit.statements import AUDIT
from assembler.cli.main import call
from assembler.lockfile.toml import format_lock, read_lock
from assembler.store.objects import sha256_of
from assembler.vm.isofile import read_files
from assembler.vm.node import Built
from tests.boot.conftest import REPOSITORY

pytestmark = pytest.mark.boot

PLANTED = "/etc/planted"


@pytest.fixture
def recipe(node: Built, tmp_path: Path) -> Path:
    """The recipe and its lock in another directory."""
    directory = tmp_path / "elsewhere" / "recipes"
    shutil.copytree(REPOSITORY / "recipes", directory)
    lock = f"{node.name}.lock.toml"
    (directory / lock).write_bytes(read_files(node.iso, [f"/live/{lock}"])[f"/live/{lock}"])
    return directory / "livecd.toml"


def audit(recipe: Path, out: Path) -> tuple[int, dict[str, Any]]:
    status = call(["audit", str(recipe), "--offline", "--out", str(out)])
    document = json.loads((out / "audit.json").read_bytes())
    assert document["predicateType"] == AUDIT
    return status, document["predicate"]


def test_two_builds_have_the_same_bytes(node: Built, recipe: Path, tmp_path: Path) -> None:
    lock = recipe.with_name(f"{node.name}.lock.toml")
    assert call(["build", str(recipe), "--offline", "--record", "--out", str(tmp_path / "out")]) == 0
    status, found = audit(recipe, tmp_path / "audit")
    assert (status, found["result"], found["differences"], found["recorded"]) == (0, "identical", [], [])
    assert {"HOME", "TZ", "LC_ALL", "PATH", "PYTHONHASHSEED", "clock", "directory", "umask"} <= found["varied"].keys()
    assert lock.read_text().count("[accounts.users]") == 1
    # The medium has a lock with these numbers now, which are those that all accounts had anyway.
    assert sha256_of(tmp_path / "out/rootfs.tar.gz") == sha256_of(node.directory / "rootfs.tar.gz")
    names = sorted(path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith("."))
    assert sorted(path.name for path in (tmp_path / "audit/first").iterdir()) == names
    for name in names:
        assert sha256_of(tmp_path / "audit/first" / name) == sha256_of(tmp_path / "out" / name), name
    assert not (tmp_path / "audit/second").exists(), "it would only be the same once more"

    # Whoever builds with the lock is told when what comes out is something else than was recorded.
    recorded = read_lock(lock)
    assert recorded is not None
    assert recorded.build is not None
    command = ["build", str(recipe), "--offline", "--locked", "--out", str(tmp_path / "out")]
    assert call(command) == 0
    layers = [replace(one, sha256="0" * 64) if one.name == "rootfs.tree" else one for one in recorded.build.layers]
    lock.write_text(format_lock(replace(recorded, build=replace(recorded.build, layers=tuple(layers)))))
    assert call(command) == 1


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Within, the file at `path` is another one at each moment, and always a whole one."""
    stop = threading.Event()

    def write() -> None:
        while True:
            path.with_name("next").write_text(str(uuid.uuid4()))
            path.with_name("next").replace(path)
            if stop.wait(0.05):
                return

    writer = threading.Thread(target=write)
    writer.start()
    while not path.exists():
        time.sleep(0.01)
    try:
        yield
    finally:
        stop.set()
        writer.join()


def test_what_is_not_the_same_is_found_and_named(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recipe that takes a file which is another one each time."""
    recipe.with_name("planted.toml").write_text(
        f'extends = "livecd.toml"\n[artifacts]\nformats = []\n'
        f'[rootfs]\nfiles_add = [{{ path = "{PLANTED}", source = "planted" }}]\n'
    )
    out = tmp_path / "audit"
    with changing(recipe.with_name("planted")):
        status, found = audit(recipe.with_name("planted.toml"), out)
    assert (status, found["result"], found["recorded"]) == (1, "different", None)
    inside = {each["path"]: each for each in found["differences"]}[f"node.iso:/live/filesystem.squashfs!{PLANTED}"]
    assert inside["layer"] == "rootfs"
    assert 0 <= inside["offset"] < 36
    assert f"rootfs: node.iso:/live/filesystem.squashfs!{PLANTED}\n  bytes: from " in capsys.readouterr().out
    assert (out / "first/node.iso").exists()
    assert (out / "second/node.iso").exists()
