"""The same lock gives the same bytes: built again in another folder, with another home, store, time zone and umask, by
one thread, with nothing on PATH and no network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assembler.store.objects import sha256_of
from assembler.vm.node import Built, lock_of
from tests.boot.conftest import REPOSITORY

pytestmark = pytest.mark.boot

BUILD = "import os, sys; os.umask(0o077); from assembler.cli.main import main; sys.argv[0] = 'assemble'; main()"


def test_a_second_build_has_the_same_bytes(node: Built, tmp_path: Path) -> None:
    recipes = tmp_path / "elsewhere" / "r"
    shutil.copytree(REPOSITORY / "recipes", recipes)
    (recipes / f"{node.name}.lock.toml").write_text(lock_of(node))
    # Only what was downloaded, nothing that was made of it.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "assembler"
    shutil.copytree(cache / "objects", tmp_path / "cache/assembler/objects", copy_function=os.link)
    environment = {
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PATH": "/nonexistent",
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "12345",
        "PYTHONPATH": str(REPOSITORY),
    }
    command = [sys.executable, "-c", BUILD, str(recipes / "livecd.toml"), "--out", "o", "--offline", "--jobs", "1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    names = sorted(path.name for path in node.folder.iterdir() if not path.name.startswith("."))
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == names
    for name in names:
        assert sha256_of(tmp_path / "o" / name) == sha256_of(node.folder / name), name
