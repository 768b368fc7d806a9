"""A stranger's directory as the working directory: nothing in it is run, whatever its files are called."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = (
    *("assembler", "click", "yaml", "requests", "urllib3", "pydantic", "rich", "zstandard", "pysequoia", "lz4"),
    *("sitecustomize", "usercustomize", "site", "os", "re", "json", "typing", "tomllib", "ctypes", "resource", "runpy"),
    *("encodings", "pip", "venv", "ensurepip", "sysconfig", "fcntl", "assemble", "tests"),
)
"""Modules of the assembler, of others, of Python, and of what sets it up."""


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A directory full of traps. Each leaves a mark."""
    directory = tmp_path / "stranger"
    directory.mkdir()
    for number, name in enumerate(NAMES):
        trap = f"open({str(tmp_path / 'mark')!r}, 'a').write({name!r} + '\\n')\nraise SystemExit(99)\n"
        if number % 2:
            (directory / f"{name}.py").write_text(trap)
        else:
            (directory / name).mkdir()
            (directory / name / "__init__.py").write_text(trap)
            (directory / name / "__main__.py").write_text(trap)
    for program in ("make", "gcc", "python3", "diffoscope", "qemu-system-x86_64", "git"):
        (directory / program).write_text(f"#!/bin/sh\necho {program} >> {tmp_path}/mark\nexit 99\n")
        (directory / program).chmod(0o755)
    (directory / "recipe.toml").write_text('name = "x"\n')
    (directory / "pyvenv.cfg").write_text(f"home = {directory}\n")
    (directory / "x.pth").write_text("import assembler\n")
    (directory / "setup.cfg").write_text("[easy_install]\n")
    (directory / ".env").write_text(f"PYTHONPATH={directory}\n")
    return directory


def entry(directory: Path) -> list[str]:
    """The command that an installed package has, as pip writes it."""
    script = directory / "bin" / "assemble"
    script.parent.mkdir()
    text = "import sys\nfrom assembler.cli.main import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
    script.write_text(f"#!{sys.executable}\n{text}")
    script.chmod(0o755)
    return [str(script)]


@pytest.mark.parametrize(
    ("way", "arguments"),
    [
        ("checkout", ["--help"]),
        ("checkout", ["schema"]),
        ("checkout", ["lock", "recipe.toml", "--check"]),
        ("entry", ["--help"]),
        ("module", ["--help"]),
    ],
)
def test_code_of_the_working_directory_is_not_run(
    stranger: Path, tmp_path: Path, way: str, arguments: list[str]
) -> None:
    commands = {
        "checkout": [str(ROOT / "scripts/assemble")],
        "entry": entry(tmp_path),
        "module": [sys.executable, "-P", "-m", "assembler"],
    }
    done = subprocess.run(
        [*commands[way], *arguments],
        cwd=stranger,
        env=os.environ | {"PATH": f"{os.environ['PATH']}::.", "HOME": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (tmp_path / "mark").exists(), (tmp_path / "mark").read_text()
    expected = 1 if "--check" in arguments else 0
    assert done.returncode == expected, done.stderr
    assert {"--help": "Usage: assemble", "schema": '"$schema"', "lock": ""}[arguments[0]] in done.stdout
    if expected:
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", [":/nonexistent", ".", "STRANGER"])
def test_a_search_path_that_leads_there_is_not_followed(stranger: Path, tmp_path: Path, path: str) -> None:
    """PYTHONPATH with an empty part means the working directory."""
    done = subprocess.run(
        [ROOT / "scripts/assemble", "--help"],
        cwd=stranger,
        env=os.environ | {"PYTHONPATH": path.replace("STRANGER", str(stranger))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (tmp_path / "mark").exists(), (tmp_path / "mark").read_text()
    assert (done.returncode, done.stderr) == (0, "")


def test_scripts_that_start_a_module_do_not_run_it_either(stranger: Path, tmp_path: Path) -> None:
    """And the module's exit status is theirs."""
    done = subprocess.run(
        [ROOT / "scripts/oracle", "--no-such-option"], cwd=stranger, capture_output=True, text=True, check=False
    )
    assert not (tmp_path / "mark").exists(), (tmp_path / "mark").read_text()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: oracle ")


def test_the_traps_work(stranger: Path, tmp_path: Path) -> None:
    """Python as it is by itself runs them."""
    done = subprocess.run([sys.executable, "-m", "assembler", "--help"], cwd=stranger, capture_output=True, check=False)
    assert done.returncode == 99
    assert (tmp_path / "mark").exists()


def test_no_python_of_ours_has_the_working_directory_on_its_path() -> None:
    """Every place where we start a module or a line of Python says so."""
    started = re.compile(r"""(?:python\d?|\$python|\$candidate|PYTHON\)?|executable|python)["']?,?\s+["']?-(\w)""")
    sources = [path for path in (ROOT / "scripts").iterdir() if path.is_file()]
    sources += [*(ROOT / "assembler").rglob("*.py"), *(ROOT / ".ci").iterdir(), ROOT / "README.md"]
    sources += (ROOT / "docs").glob("*.md")
    sources += [path for room in ("fuzz", "measurements", "proofs") for path in (ROOT / "tests" / room).rglob("*.*")]
    found = [
        (path.name, match[0], match[1])
        for path in sources
        for match in started.finditer(path.read_text("utf-8", "replace"))
    ]
    assert len(found) > 15
    assert [each for each in found if each[2] not in "IP"] == []
