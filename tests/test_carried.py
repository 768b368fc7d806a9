"""What comes along with the assembler is found in a checkout and where it is installed, and its code has one digest."""

import shutil
import subprocess
from pathlib import Path

import pytest

from assembler.carried import INITRAMFS, NOTICE, PACKAGE, RECIPES, code, place
from assembler.image.keys import code_digest
from assembler.initrd.compose import read_scripts

ROOT = Path(__file__).parents[1]
NO_CODE = {"py.typed", "debian/keys/README.md"}
"""Files of the package that decide no bytes."""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, as in a checkout."""
    shutil.copytree(PACKAGE, tmp_path / "assembler", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "assembler"


def digest(package: Path) -> str:
    return code_digest.__wrapped__(package)


def test_in_a_checkout_it_is_at_the_top() -> None:
    assert (RECIPES, INITRAMFS, NOTICE) == (ROOT / "recipes", ROOT / "initramfs", ROOT / "NOTICE")


def test_in_an_installed_package_it_is_inside(package: Path) -> None:
    assert place("recipes", package) == package.parent / "recipes"
    (package / "recipes").mkdir()
    (package.parent / "recipes").mkdir()
    assert place("recipes", package) == package / "recipes", "what a stranger has beside it is not ours"


def test_the_code_is_all_files_that_git_has() -> None:
    listed = subprocess.check_output(["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=PACKAGE, text=True)
    assert {name for name, _ in code()} == set(filter(None, listed.split("\0"))) - NO_CODE


def test_its_digest_is_the_same_wherever_it_is_installed(package: Path) -> None:
    assert digest(package) == code_digest()
    shutil.copytree(RECIPES, package / "recipes")
    shutil.copytree(INITRAMFS, package / "initramfs")
    shutil.copy(NOTICE, package)
    assert digest(package) == code_digest()


@pytest.mark.parametrize(
    "name",
    [
        *("__pycache__/errors.cpython-311.pyc", "errors.pyc", "layers/__pycache__/keys.py", "py.typed"),
        *("errors.py~", ".errors.py.swp", "#errors.py#", ".#errors.py", "errors.py.orig", "tools/least.toml~"),
        *("recipes/x.lock.toml", "recipes/own.toml", "recipes/x.py", "initramfs/lib/x.sh", ".mypy_cache/x.py"),
    ],
)
def test_what_is_left_behind_is_no_code(package: Path, name: str) -> None:
    before = digest(package)
    (package / name).parent.mkdir(parents=True, exist_ok=True)
    (package / name).write_bytes(b"x")
    assert digest(package) == before


@pytest.mark.parametrize(
    "name", ["errors.py", "new.py", "tools/least.toml", "configure/identity/first-boot", "audit/report.css"]
)
def test_every_file_of_code_counts(package: Path, name: str) -> None:
    before = digest(package)
    with (package / name).open("ab") as file:
        file.write(b"\n")
    assert digest(package) != before


def test_a_name_counts(package: Path) -> None:
    before = digest(package)
    (package / "errors.py").rename(package / "faults.py")
    assert digest(package) != before


def test_what_an_editor_leaves_beside_the_scripts_is_none(tmp_path: Path) -> None:
    directory = tmp_path / "initramfs"
    shutil.copytree(INITRAMFS, directory)
    for name in ("init~", ".init.swp", "lib/log.sh~", "lib/.log.sh.swp", "lib/.#log.sh", "notes"):
        (directory / name).write_bytes(b"x")
    assert read_scripts(directory) == read_scripts(INITRAMFS)
    assert "lib/log.sh" in read_scripts(directory)
