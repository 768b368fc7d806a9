"""Make the assembler as one file, which runs where Python 3.11 to 3.14 is and nothing else: no index, no environment.

    scripts/single-file [--arch amd64|arm64] [--python 3.11] [DIRECTORY]

DIRECTORY (build/single-file) then has assemble-VERSION-amd64 and -arm64, each with the pinned packages for every of
these Pythons. It is a PEX, which unpacks itself into ~/.cache/pex the first time; the same checkout gives the same
bytes.
"""

import argparse
import email
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from email.message import Message
from importlib.metadata import PackageMetadata, distribution
from pathlib import Path

from packaging import tags

from assembler.cli.licences import licence

ROOT = Path(__file__).resolve().parent.parent
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
_GLIBC = range(36, 16, -1)
"""Minor versions of the C library whose wheels are taken: that of Debian 12, and older."""
_TEXTS = ("LICEN", "COPYING", "NOTICE", "AUTHORS")
"""How names of files with licences begin, in capitals."""


def main() -> None:
    """Make what is asked for."""
    parser = argparse.ArgumentParser("single-file", description="Make the assembler as one file.")
    parser.add_argument("--arch", action="append", choices=MACHINES, help="default: both")
    parser.add_argument("--python", action="append", choices=PYTHONS, help="default: all")
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / "build/single-file")
    wanted = parser.parse_args()
    directory = wanted.directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    for architecture in wanted.arch or MACHINES:
        with tempfile.TemporaryDirectory(dir=directory, prefix=".making-") as name:
            work = Path(name)
            made = pack(architecture, wanted.python or PYTHONS, work)
            target = directory / made.name
            made.replace(target)
        print(target)


def pack(architecture: str, pythons: Sequence[str], work: Path) -> Path:
    """The file for one architecture, made in the empty directory `work`. Raises CalledProcessError."""
    wheels = work / "wheels"
    wheels.mkdir()
    own = ["hatchling", "build", "--target", "wheel", "--directory", str(wheels)]
    _run(*own, cwd=ROOT, stdout=subprocess.DEVNULL)
    (project,) = wheels.iterdir()
    for version in pythons:
        download(wheels, architecture, version)
    beside = work / "beside"
    write_licences(wheels, beside)
    platforms = []
    for version in pythons:
        path = work / f"{version}.json"
        path.write_text(json.dumps(platform(architecture, version)))
        platforms += ["--complete-platform", str(path)]
    made = work / f"assemble-{project.name.split('-')[1]}-{architecture}"
    _run(
        "pex",
        "assembler",
        *("--pre-resolved-dists", str(wheels), *platforms, "--sources-directory", str(beside)),
        # In an environment of its own, so that the assembler can start itself, as an audit does.
        *(
            "--no-pre-install-wheels",
            "--venv",
            "--script",
            "assemble",
            "--python-shebang",
            "/usr/bin/env -S python3 -I",
        ),
        *("--disable-cache", "--output-file", str(made)),
        cwd=work,
    )
    return made


def download(wheels: Path, architecture: str, version: str) -> None:
    """Get the wheels of requirements.txt for a Python `version` into `wheels`, each with a digest that is pinned."""
    _run(
        *("pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
        *(word for each in _manylinux(architecture) for word in ("--platform", each)),
        *("--implementation", "cp", "--python-version", version, "--abi", f"cp{version.replace('.', '')}"),
        *("--abi", "abi3", "--abi", "none", "--dest", str(wheels)),
        *("--requirement", str(ROOT / "requirements.txt")),
        cwd=wheels,
    )


def platform(architecture: str, version: str) -> dict[str, object]:
    """A Python `version` on Linux as pex takes it (``--complete-platform``)."""
    pair = (int(version.split(".", maxsplit=1)[0]), int(version.split(".")[1]))
    interpreter = f"cp{pair[0]}{pair[1]}"
    names = _manylinux(architecture)
    found = [*tags.cpython_tags(pair, [interpreter], names), *tags.compatible_tags(pair, interpreter, names)]
    markers = {
        "implementation_name": "cpython",
        "implementation_version": f"{version}.0",
        "os_name": "posix",
        "platform_machine": MACHINES[architecture],
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }
    return {"marker_environment": markers, "compatible_tags": [str(tag) for tag in found]}


def write_licences(wheels: Path, directory: Path) -> None:
    """Write into `directory` NOTICE, and LICENCES with the licence texts of everything in `wheels` and of the whole."""
    texts = directory / "LICENCES"
    texts.mkdir(parents=True)
    shutil.copy(ROOT / "NOTICE", directory)
    shutil.copy(ROOT / "licences/GPL-3.0.txt", texts)
    listed: dict[str, str] = {}
    for wheel in sorted(wheels.iterdir()):
        with zipfile.ZipFile(wheel) as archive:
            metadata = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
            about = email.message_from_bytes(archive.read(metadata))
            found = {name: archive.read(name) for name in archive.namelist() if _is_licence(name)}
        listed |= _write(texts, about, found)
    # It unpacks the file, from inside of it.
    pex = distribution("pex")
    own = [file for file in pex.files or () if _is_licence(str(file))]
    listed |= _write(texts, pex.metadata, {str(file): Path(str(file.locate())).read_bytes() for file in own})
    (texts / "packages.txt").write_text("".join(f"{name}: {terms}\n" for name, terms in sorted(listed.items())))


def _is_licence(name: str) -> bool:
    """Whether a file of a distribution, with its path, is a text of its licence or of one that it has inside."""
    directory, _, file = name.rpartition("/")
    known = "licenses" in directory.split("/") or file.upper().startswith(_TEXTS)
    return bool(file) and ".dist-info" in directory and known


def _write(texts: Path, about: PackageMetadata | Message, found: Mapping[str, bytes]) -> dict[str, str]:
    """Write what was `found` of a distribution into a directory of its own; its name and version, and its licence."""
    name = f"{about['Name']}-{about['Version']}"
    for path, data in found.items():
        above, _, inside = path.partition(".dist-info/")
        # Of one that it has inside: under that one's name.
        target = texts / name / (above.rpartition("/")[2] if "/" in above else "") / inside.removeprefix("licenses/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return {name: licence(about)}


def _manylinux(architecture: str) -> list[str]:
    machine = MACHINES[architecture]
    return [*(f"manylinux_2_{minor}_{machine}" for minor in _GLIBC), f"manylinux2014_{machine}"]


def _run(module: str, *arguments: str, cwd: Path, stdout: int | None = None) -> None:
    # What the environment tells pex is for others.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PEX_")}
    subprocess.run(
        [sys.executable, "-P", "-m", module, *arguments], cwd=cwd, env=environment, stdout=stdout, check=True
    )


if __name__ == "__main__":
    main()
