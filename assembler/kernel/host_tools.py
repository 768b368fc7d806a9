"""The programs of the host that a kernel is compiled with: which are missing, and which versions they have.

With ``kernel.toolchain = "host"`` they do not come from the lock, so the lock names their versions, the kernel's key
has them, and a build with others says so. Only what lies where hosts have their programs is taken: make is confined to
that.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from assembler.architecture import Architecture
from assembler.errors import Place
from assembler.kernel.toolchain import Toolchain, ToolchainError
from assembler.lockfile.model import LockedTool
from assembler.tools.confinement import HOST, HOST_FILES, Confinement, below, kill, start


@dataclass(frozen=True, slots=True)
class _Tool:
    """A program, and the Debian package that has it."""

    name: str
    package: str


_COMPILERS = (_Tool("gcc", "gcc"), _Tool("ld", "binutils"))
"""Those that exist once for each target."""
_TOOLS = (
    _Tool("bash", "bash"),
    _Tool("bc", "bc"),
    _Tool("bison", "bison"),
    _Tool("cpio", "cpio"),
    _Tool("flex", "flex"),
    _Tool("gzip", "gzip"),
    _Tool("make", "make"),
    _Tool("pahole", "dwarves"),
    _Tool("perl", "perl"),
    _Tool("python3", "python3"),
    _Tool("xz", "xz-utils"),
    _Tool("zstd", "zstd"),
)
_HEADERS: tuple[tuple[str, str], ...] = (
    ("stdio.h", "libc6-dev"),
    ("libelf.h", "libelf-dev"),
    ("openssl/evp.h", "libssl-dev"),
    ("zlib.h", "zlib1g-dev"),
)
"""Headers of the host's own programs (objtool, sign-file, resolve_btfids), and the packages that have them."""
_VERSION = re.compile(r"(?<![\d.])\d+(?:\.\d+)+[\w.+~-]*")
_SECONDS = 60


_READS = (*HOST_FILES, Path("/etc/ccache.conf"), Path("/etc/ssl/openssl.cnf"))


def find(architecture: Architecture, host: Architecture, search: str, *, roots: Sequence[Path] = HOST) -> Toolchain:
    """The tools for compiling a kernel for `architecture` on `host`, found in the `PATH` `search`.

    A program of the `PATH` counts when it lies below one of `roots`, links followed. Raises ToolchainError naming
    everything that is missing at once, with the Debian packages that have it.
    """
    prefix = "" if architecture == host else architecture.prefix
    targeted = [_Tool(f"{prefix}{tool.name}", _package(tool.package, architecture, prefix)) for tool in _COMPILERS]
    wanted = [*targeted, *([_Tool("gcc", "gcc")] if prefix else []), *_TOOLS]
    paths = {tool.name: _which(tool.name, search, roots) for tool in wanted}
    ccache = _which("ccache", search, roots)
    elsewhere = [
        f"{name}: {path} is not taken"
        for name in paths
        if not paths[name] and (path := shutil.which(name, path=search))
    ]
    missing = [(tool.name, tool.package) for tool in wanted if paths[tool.name] is None]
    # Directories with nothing that may be run would hide what later ones have.
    kept = {os.path.dirname(path) for path in (*paths.values(), ccache) if path}  # noqa: PTH120  as PATH has it
    search = os.pathsep.join(
        directory for directory in search.split(os.pathsep) if directory in kept or below(Path(directory), roots)
    )
    gcc = paths["gcc"]
    if gcc:
        missing += [(name, package) for name, package in _HEADERS if not _has_header(gcc, name, search, roots)]
    if missing:
        packages = " ".join(dict.fromkeys(package for _, package in missing))
        raise ToolchainError(
            "this machine lacks what a kernel is compiled with",
            why=", ".join(f"no {name} (package {package})" for name, package in missing),
            hint=f'on Debian: apt-get install {packages}; or take the locked one, kernel.toolchain = "locked"',
            details=[*elsewhere, f"only programs below {', '.join(map(str, roots))} are"] if elsewhere else [],
        )
    with ThreadPoolExecutor() as pool:
        versions = pool.map(lambda tool: _version(str(paths[tool.name]), tool, search, roots), wanted)
    tools = [LockedTool(name=tool.name, version=version) for tool, version in zip(wanted, versions, strict=True)]
    return Toolchain(
        prefix=prefix,
        tools=tuple(sorted(tools, key=lambda tool: tool.name)),
        ccache=ccache or "",
        search=search,
        runs=tuple(roots),
        reads=_READS,
    )


def differences(locked: Sequence[LockedTool], found: Sequence[LockedTool]) -> list[str]:
    """How the tools of this host differ from those that a lock names, one sentence fragment each."""
    here = {tool.name: tool.version for tool in found}
    there = {tool.name: tool.version for tool in locked}
    names = sorted(here.keys() | there.keys())
    return [
        f"{name} is {here.get(name, 'not used')} here, {there.get(name, 'not there')} in the lock"
        for name in names
        if here.get(name) != there.get(name)
    ]


def _which(name: str, search: str, roots: Sequence[Path]) -> str | None:
    """The first program `name` of a `PATH` that lies below one of `roots`."""
    found = (shutil.which(name, path=directory) for directory in search.split(os.pathsep) if directory)
    return next((path for path in found if path and below(Path(path), roots)), None)


def _package(package: str, architecture: Architecture, prefix: str) -> str:
    if not prefix:
        return package
    return f"{package}-{architecture.triplet.replace('_', '-')}"


def _has_header(gcc: str, name: str, search: str, roots: Sequence[Path]) -> bool:
    tried = _run([gcc, "-E", "-x", "c", "-"], search, roots, f"#include <{name}>\n")
    return tried is not None and tried[0] == 0


def _version(path: str, tool: _Tool, search: str, roots: Sequence[Path]) -> str:
    """The version that a tool tells, with its distributor's revision when it tells that."""
    told = _run([path, "--version"], search, roots)
    text = "" if told is None else (told[1].strip() or told[2].strip())
    first = text.splitlines()[0] if text else ""
    if tool.name.endswith("gcc"):
        # "gcc (Debian 12.2.0-14+deb12u1) 12.2.0": the whole line goes into the kernel.
        bracket = re.search(r"\((.+)\)", first)
        if bracket and (revision := _VERSION.search(bracket[1])):
            return revision[0]
    match = _VERSION.search(first) or _VERSION.search(text)
    if match is None:
        raise ToolchainError(
            f"{tool.name} does not tell its version", where=Place(file=path), why=first[:80], hint="reinstall it"
        )
    return match[0]


def _run(command: list[str], search: str, roots: Sequence[Path], stdin: str = "") -> tuple[int, str, str] | None:
    """Status, output and errors of a program, confined as make is; None when it cannot be started or hangs."""
    try:
        process = start(
            command,
            Confinement(runs=tuple(roots), reads=HOST_FILES),
            environment={"PATH": search, "LC_ALL": "C", "HOME": "/nonexistent"},
            cwd=Path("/"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError:
        return None
    with process:
        try:
            said, complaint = process.communicate(stdin.encode(), timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            kill(process)
            return None
        except BaseException:
            kill(process)
            raise
    return process.returncode, said.decode("utf-8", "replace"), complaint.decode("utf-8", "replace")
