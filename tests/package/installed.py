"""The assembler as people install it, each way in a directory of its own, for an ordinary user who has nothing else."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
USER = 65534 if os.geteuid() == 0 else None
"""Who runs what is installed; None for who tests, who is no root."""


@cache
def interpreter() -> Path:
    """A Python that the ordinary user may run, and that can make environments."""
    names = ["python3", *(f"python3.{minor}" for minor in range(11, 15)), "/usr/bin/python3"]
    found = [str(Path(sys.executable).resolve()), *filter(None, map(shutil.which, names))]
    code = "import sys, venv; sys.exit(sys.version_info < (3, 11) or sys.version_info >= (3, 15))"
    for path in found:
        try:
            as_user([path, "-I", "-c", code], Path("/"))
        except (OSError, AssertionError):
            continue
        return Path(path)
    raise AssertionError(f"no Python 3.11 to 3.14 that user {USER} may run among {found}: apt install python3-venv")


def as_user(command: list[str], home: Path, *, cwd: Path | None = None) -> str:
    """What a command of the ordinary user prints; nothing of this environment leads it to the checkout."""
    kept = {key: value for key, value in os.environ.items() if key.startswith("ASSEMBLE_") or key.endswith("_proxy")}
    done = subprocess.run(
        command,
        cwd=cwd or home,
        env=kept | {"HOME": str(home), "PATH": "/usr/bin:/bin", "TMPDIR": str(home), "NO_COLOR": "1"},
        user=USER,
        group=USER,
        extra_groups=None if USER is None else [],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def place() -> Iterator[Path]:
    """A directory that everybody gets into, as pytest's own are closed to others."""
    with TemporaryDirectory(prefix="assembler-installed-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def own(directory: Path) -> Path:
    """Give the directories at and below `directory` to the ordinary user; made when it is missing."""
    directory.mkdir(exist_ok=True)
    if USER is not None:
        for path in (directory, *(path for path in directory.rglob("*") if path.is_dir())):
            os.chown(path, USER, USER)
    return directory


def run(*command: str | Path, **variables: str) -> None:
    """Run a program of the development environment."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def module(name: str) -> tuple[str, ...]:
    """The command that starts a module of the development environment."""
    return (sys.executable, "-P", "-m", name)


def wheel(directory: Path, kind: str = "wheel", root: Path = ROOT) -> Path:
    """The distribution of the checkout (``wheel`` or ``sdist``), made in `directory`."""
    directory.mkdir()
    subprocess.run(
        [*module("hatchling"), "build", "--target", kind, "--directory", str(directory)],
        cwd=root,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    (made,) = directory.iterdir()
    return made


def requirements() -> Path:
    """A directory with the wheels of requirements.txt for `interpreter`, kept between runs: the index is asked once."""
    version = subprocess.check_output([interpreter(), "-I", "-c", "import sys; print(sys.version_info[:2])"], text=True)
    wanted = version + (ROOT / "requirements.txt").read_text("ascii")
    directory = ROOT / "build/tests/wheels"
    stamp = directory / ".requirements"
    if not stamp.is_file() or stamp.read_text("ascii") != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        run(
            *(*module("pip"), "--python", str(interpreter()), "download", "--no-deps", "--only-binary", ":all:"),
            *("--require-hashes", "--dest", str(directory), "--requirement", str(ROOT / "requirements.txt")),
        )
        stamp.write_text(wanted, "ascii")
    return directory


def with_pip(project: Path, wheels: Path, directory: Path) -> Path:
    """The command that ``pip install`` of `project` into a fresh environment gives."""
    run(interpreter(), "-I", "-m", "venv", "--without-pip", directory)
    python = directory / "bin/python"
    run(*module("pip"), "--python", python, "install", "--no-index", "--find-links", wheels, "--no-compile", project)
    own(directory)  # so that Python keeps what it compiles
    return directory / "bin/assemble"


def with_uv(project: Path, wheels: Path, directory: Path) -> Path:
    """The command that ``uv tool install`` of `project` gives."""
    run(
        *(Path(sys.executable).with_name("uv"), "tool", "install", "--no-config", "--python", interpreter()),
        *("--offline", "--no-index", "--find-links", wheels, "--link-mode", "hardlink", project),
        UV_TOOL_DIR=str(directory / "tools"),
        UV_TOOL_BIN_DIR=str(directory / "bin"),
        UV_CACHE_DIR=str(directory / "cache"),
    )
    own(directory)
    return directory / "bin/assemble"


def single_file(project: Path, wheels: Path, directory: Path) -> Path:  # noqa: ARG001  it makes its own
    """The single file, for this machine and Python alone."""
    code = "import platform; print('%s.%s' % platform.python_version_tuple()[:2], platform.machine())"
    version, machine = subprocess.check_output([interpreter(), "-I", "-c", code], text=True).split()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[machine]
    script = ROOT / "scripts/single-file"
    run(
        *(script, "--arch", architecture, "--python", version, directory),
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(wheels),
    )
    (made,) = directory.iterdir()
    assert zipfile.is_zipfile(made)
    return made
