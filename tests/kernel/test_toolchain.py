"""What a kernel is compiled with: what is missing is told at once, what is there tells its version."""

import os
import shutil
from pathlib import Path

import pytest

from assembler.architecture import AMD64, ARM64
from assembler.kernel.toolchain import ToolchainError, differences, find
from assembler.lockfile.model import LockedTool
from assembler.tools.confinement import HOST


def without(directory: Path, *names: str) -> str:
    """A PATH on which everything is that is on ours, but for `names`."""
    directory.mkdir()
    for place in os.environ["PATH"].split(":"):
        for path in sorted(Path(place).glob("*")) if os.access(place, os.R_OK | os.X_OK) else ():
            below = any(path.resolve().is_relative_to(root) for root in HOST)
            if below and path.name not in names and not (directory / path.name).is_symlink():
                (directory / path.name).symlink_to(path)
    return str(directory)


def test_versions_are_found() -> None:
    found = find(AMD64, AMD64, os.environ["PATH"])
    versions = {tool.name: tool.version for tool in found.tools}
    assert set(versions) >= {"gcc", "ld", "make", "flex", "bison", "bc", "pahole", "perl", "python3", "xz", "zstd"}
    assert all(version[0].isdigit() and "." in version for version in versions.values())
    assert [tool.name for tool in found.tools] == sorted(versions)
    assert found.prefix == ""


def test_everything_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    search = without(tmp_path / "bin", "flex", "pahole", "bc", "ccache")
    with pytest.raises(ToolchainError, match="lacks what a kernel is compiled with") as caught:
        find(AMD64, AMD64, search)
    assert caught.value.why == "no bc (package bc), no flex (package flex), no pahole (package dwarves)"
    assert "apt-get install bc flex dwarves" in caught.value.hint


def test_a_compiler_that_is_missing(tmp_path: Path) -> None:
    search = without(tmp_path / "bin", "gcc")
    with pytest.raises(ToolchainError) as caught:
        find(AMD64, AMD64, search)
    assert caught.value.why == "no gcc (package gcc)"


def test_headers_that_are_missing(tmp_path: Path) -> None:
    search = without(tmp_path / "bin", "gcc")
    # The real compiler, kept from the directories that the headers are in.
    wrapper = tmp_path / "bin" / "gcc"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("gcc")} -nostdinc "$@"\n')
    wrapper.chmod(0o755)
    with pytest.raises(ToolchainError) as caught:
        find(AMD64, AMD64, search, roots=(*HOST, tmp_path))
    for header, package in (("stdio.h", "libc6-dev"), ("libelf.h", "libelf-dev"), ("openssl/evp.h", "libssl-dev")):
        assert f"no {header} (package {package})" in caught.value.why


def test_cross_compilers_have_their_own_packages() -> None:
    with pytest.raises(ToolchainError) as caught:
        find(ARM64, AMD64, "/nonexistent")
    assert "no aarch64-linux-gnu-gcc (package gcc-aarch64-linux-gnu)" in caught.value.why
    assert "no aarch64-linux-gnu-ld (package binutils-aarch64-linux-gnu)" in caught.value.why
    with pytest.raises(ToolchainError) as caught:
        find(AMD64, ARM64, "/nonexistent")
    assert "(package gcc-x86-64-linux-gnu)" in caught.value.why


def test_differences_from_a_lock() -> None:
    here = (LockedTool(name="gcc", version="14.2"), LockedTool(name="ld", version="2.44"))
    assert differences(here, here) == []
    locked = (LockedTool(name="gcc", version="12.2"), LockedTool(name="make", version="4.3"))
    assert differences(locked, here) == [
        "gcc is 14.2 here, 12.2 in the lock",
        "ld is 2.44 here, not there in the lock",
        "make is not used here, 4.3 in the lock",
    ]


def test_programs_that_make_could_not_reach_are_passed_over(tmp_path: Path) -> None:
    """As those of a version manager in somebody's home: what comes after them is taken, and they hide nothing."""
    shims = tmp_path / "shims"
    shims.mkdir()
    for name in ("python3", "ccache"):
        (shims / name).write_text("#!/bin/sh\nexit 1\n")
        (shims / name).chmod(0o755)
    found = find(AMD64, AMD64, f"{shims}:{os.environ['PATH']}")
    assert str(shims) not in found.search.split(":")
    assert found.ccache != str(shims / "ccache")
    with pytest.raises(ToolchainError) as caught:
        find(AMD64, AMD64, str(shims))
    assert f"python3: {shims}/python3 is not taken" in caught.value.details
    assert "below /usr, " in caught.value.details[-1]
