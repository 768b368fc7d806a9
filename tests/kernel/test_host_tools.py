"""What a kernel is compiled with: what is missing is told at once, what is there tells its version."""

from contextlib import suppress
from pathlib import Path

import pytest

from assembler.architecture import AMD64, ARM64
from assembler.kernel import host_tools
from assembler.kernel.host_tools import differences, find
from assembler.kernel.toolchain import ToolchainError
from assembler.lockfile.model import LockedTool
from assembler.tools.confinement import HOST
from tests.support.compilers import Machine


def without(machine: Machine, directory: Path, *names: str) -> str:
    """A PATH on which everything is that the machine has, but for `names`."""
    directory.mkdir()
    for path in sorted(Path(machine.search).iterdir()):
        if path.name not in names:
            (directory / path.name).symlink_to(path)
    return str(directory)


def test_versions_are_found(machine: Machine) -> None:
    found = find(AMD64, AMD64, machine.search, roots=machine.roots)
    versions = {tool.name: tool.version for tool in found.tools}
    assert set(versions) >= {"gcc", "ld", "make", "flex", "bison", "bc", "pahole", "perl", "python3", "xz", "zstd"}
    assert all(version[0].isdigit() and "." in version for version in versions.values())
    assert [tool.name for tool in found.tools] == sorted(versions)
    assert found.prefix == ""


def test_everything_that_is_missing_is_told_at_once(machine: Machine, tmp_path: Path) -> None:
    search = without(machine, tmp_path / "bin", "flex", "pahole", "bc", "ccache")
    with pytest.raises(ToolchainError, match="lacks what a kernel is compiled with") as caught:
        find(AMD64, AMD64, search, roots=machine.roots)
    assert caught.value.why == "no bc (package bc), no flex (package flex), no pahole (package dwarves)"
    assert "apt-get install bc flex dwarves" in caught.value.hint


def test_a_compiler_that_is_missing(machine: Machine, tmp_path: Path) -> None:
    search = without(machine, tmp_path / "bin", "gcc")
    with pytest.raises(ToolchainError) as caught:
        find(AMD64, AMD64, search, roots=machine.roots)
    assert caught.value.why == "no gcc (package gcc)"


def test_headers_that_are_missing(machine: Machine, tmp_path: Path) -> None:
    search = without(machine, tmp_path / "bin", "gcc")
    # The real compiler, kept from the directories that the headers are in.
    wrapper = tmp_path / "bin" / "gcc"
    wrapper.write_text(f'#!/bin/sh\nexec {machine.search}/gcc -nostdinc "$@"\n')
    wrapper.chmod(0o755)
    with pytest.raises(ToolchainError) as caught:
        find(AMD64, AMD64, search, roots=(*machine.roots, tmp_path))
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


def test_programs_that_make_could_not_reach_are_passed_over(machine: Machine, tmp_path: Path) -> None:
    """As those of a version manager in somebody's home: what comes after them is taken, and they hide nothing."""
    shims = tmp_path / "shims"
    shims.mkdir()
    for name in ("python3", "ccache"):
        (shims / name).write_text("#!/bin/sh\nexit 1\n")
        (shims / name).chmod(0o755)
    found = find(AMD64, AMD64, f"{shims}:{machine.search}", roots=machine.roots)
    assert str(shims) not in found.search.split(":")
    assert found.ccache != str(shims / "ccache")
    with pytest.raises(ToolchainError) as caught:
        find(AMD64, AMD64, str(shims))
    assert f"python3: {shims}/python3 is not taken" in caught.value.details
    assert "below /usr, " in caught.value.details[-1]


TOLD = {
    "gcc": "gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright 2022",
    "ld": "GNU ld (GNU Binutils for Debian) 2.40",
    "pahole": "v1.24",
    "perl": "\nThis is perl 5, version 36, subversion 0 (v5.36.0)",
    "python3": "Python 3.11.2+~rc1",
    "zstd": "*** zstd command line interface 64-bits v1.5.4, by Yann Collet ***",
    "xz": "xz (XZ Utils)\nliblzma 5.4.1",
}
"""What programs say of their version; all others say 1.0."""


def fake(directory: Path, told: dict[str, str]) -> str:
    """A PATH with programs that tell these versions, of which one does so in its errors."""
    directory.mkdir()
    for name in (
        "gcc",
        "ld",
        "bash",
        "bc",
        "bison",
        "cpio",
        "flex",
        "gzip",
        "make",
        "pahole",
        "perl",
        "python3",
        "xz",
        "zstd",
    ):
        where = " >&2" if name == "bc" else ""
        (directory / name).write_text(f"#!/bin/sh\nprintf '%s\\n' '{told.get(name, f'{name} 1.0')}'{where}\n")
        (directory / name).chmod(0o755)
    return f"{directory}:/usr/bin:/bin"


def test_versions_as_programs_tell_them(tmp_path: Path) -> None:
    search = fake(tmp_path / "bin", TOLD)
    found = find(AMD64, AMD64, search, roots=(*HOST, tmp_path))
    versions = {tool.name: tool.version for tool in found.tools}
    assert {name: version for name, version in versions.items() if version != "1.0"} == {
        "gcc": "12.2.0-14+deb12u1",
        "ld": "2.40",
        "pahole": "1.24",
        "perl": "5.36.0",
        "python3": "3.11.2+~rc1",
        "zstd": "1.5.4",
        "xz": "5.4.1",
    }
    assert len(versions) == 14
    assert found.search == search


@pytest.mark.parametrize(("told", "version"), [("gcc (GCC) 13.2.1 20231011", "13.2.1"), ("gcc (x) (y 1) 9.5", "9.5")])
def test_versions_of_other_compilers(tmp_path: Path, told: str, version: str) -> None:
    found = find(AMD64, AMD64, fake(tmp_path / "bin", {"gcc": told}), roots=(*HOST, tmp_path))
    assert {tool.version for tool in found.tools} == {"1.0", version}


def test_a_program_without_a_version(tmp_path: Path) -> None:
    search = fake(tmp_path / "bin", {"flex": "x" * 90})
    with pytest.raises(ToolchainError) as caught:
        find(AMD64, AMD64, search, roots=(*HOST, tmp_path))
    assert caught.value.what == "flex does not tell its version"
    assert caught.value.where.file == str(tmp_path / "bin/flex")
    assert (caught.value.why, caught.value.hint) == ("x" * 80, "reinstall it")


def test_what_is_said_of_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError) as caught:
        find(AMD64, AMD64, str(tmp_path))
    names = [("gcc", "gcc"), ("ld", "binutils"), ("bash", "bash"), ("bc", "bc"), ("bison", "bison"), ("cpio", "cpio"),
             ("flex", "flex"), ("gzip", "gzip"), ("make", "make"), ("pahole", "dwarves"), ("perl", "perl"),
             ("python3", "python3"), ("xz", "xz-utils"), ("zstd", "zstd")]  # fmt: skip
    assert caught.value.what == "this machine lacks what a kernel is compiled with"
    assert caught.value.why == ", ".join(f"no {name} (package {package})" for name, package in names)
    packages = " ".join(package for _, package in names)
    assert caught.value.hint == (
        f'on Debian: apt-get install {packages}; or take the locked one, kernel.toolchain = "locked"'
    )
    assert caught.value.details == ()
    with pytest.raises(ToolchainError) as caught:
        find(ARM64, AMD64, str(tmp_path))
    assert "no gcc (package gcc)" in caught.value.why, "for the programs that are run while compiling"


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_tools, "_SECONDS", 0.2)
    assert host_tools._run(["/bin/sleep", "4711.25"], "/bin", HOST) is None
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            assert b"4711.25" not in path.read_bytes()
