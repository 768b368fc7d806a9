"""dpkg itself reads the database that is written, and finds nothing wrong with it."""

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

from assembler.debian.dpkg_database import conffile_digests, write
from assembler.debian.package import Unpacked
from assembler.tree.staging import Tree
from tests.debian.unpacked import package
from tests.support.host_commands import need
from tests.tree.disk import write_out


def dpkg(root: Path, *arguments: str, program: str = "dpkg") -> str:
    command = [need(program, "dpkg"), f"--root={root}", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert not run.stderr
    return run.stdout


def sums(path: str, text: str) -> str:
    """A member md5sums."""
    return f"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}  {path[1:]}\n"


def database(tmp_path: Path) -> Path:
    tree = Tree()
    conf = {"/etc/a.conf": "one\n", "/etc/a.d/b": "two\n", "/usr/bin/a": "#!\n", "/usr/share/with space": ""}
    packages = [
        package(tree, "zlib", multi_arch="same", files={"/usr/lib/z": "z\n"}, triggers="activate-noawait ldconfig\n",
                md5sums=sums("/usr/lib/z", "z\n")),
        package(
            tree, "a", files=conf, depends="zlib (>= 0.5), b | c", postinst="#!/bin/sh\n", prerm="#!/bin/sh\n",
            conffiles="/etc/a.conf\n/etc/a.d/b\nremove-on-upgrade /etc/gone\n",
            md5sums=sums("/usr/bin/a", "#!\n"),
            triggers="# comment\ninterest-noawait /usr/share/things\ninterest ldconfig\ninterest-await update-a\n",
        ),
        package(tree, "b", files={"/usr/share/b": "b\n"}, md5sums=sums("/usr/share/b", "b\n")),
    ]  # fmt: skip
    digests = conffile_digests(tree, packages)
    assert digests == {
        "/etc/a.conf": "5bbf5a52328e7439ae6e719dfe712200",
        "/etc/a.d/b": "c193497a1a06b2c72230e6146ff47080",
    }
    write(tree, packages, digests, "amd64", unpacked=frozenset({"b"}))
    return write_out(tree, tmp_path / "root")


def test_dpkg_reads_it(tmp_path: Path) -> None:
    root = database(tmp_path)
    query = "${binary:Package} ${db:Status-Status} ${Version}\\n"
    listing = dpkg(root, "-W", f"-f={query}", program="dpkg-query")
    assert listing.split("\n") == ["a installed 1.0", "b unpacked 1.0", "zlib:amd64 installed 1.0", ""]
    conffiles = dpkg(root, "-W", "-f=${Conffiles}", "a", program="dpkg-query").split("\n")
    assert conffiles == [
        " /etc/a.conf 5bbf5a52328e7439ae6e719dfe712200",
        " /etc/a.d/b c193497a1a06b2c72230e6146ff47080",
        " /etc/gone newconffile remove-on-upgrade",
    ]
    assert dpkg(root, "-S", "/usr/lib/z", program="dpkg-query") == "zlib:amd64: /usr/lib/z\n"
    assert dpkg(root, "-L", "a", program="dpkg-query").split("\n")[-2] == "/usr/share/with space"
    # dpkg makes these for their first entry.
    assert not {"diversions", "statoverride"} & {path.name for path in (root / "var/lib/dpkg").iterdir()}


def test_a_conffile_that_went_to_another_package_is_only_that_ones() -> None:
    tree = Tree()
    packages = [
        package(tree, "new", files={"/etc/gone": "one\n"}, conffiles="/etc/gone\n"),
        package(tree, "old", conffiles="remove-on-upgrade /etc/gone\n"),
    ]
    assert written(tree, packages) == [
        " /etc/gone 5bbf5a52328e7439ae6e719dfe712200",
        " /etc/gone newconffile remove-on-upgrade",
    ]


def test_a_conffile_that_is_listed_twice_is_installed_once() -> None:
    tree = Tree()
    twice = package(tree, "twice", files={"/etc/a": "one\n", "/etc/b": "two\n"}, conffiles="/etc/a\n/etc/b\n/etc/a\n")
    assert written(tree, [twice]) == [
        " /etc/a 5bbf5a52328e7439ae6e719dfe712200",
        " /etc/b c193497a1a06b2c72230e6146ff47080",
        " /etc/a newconffile",
    ]


def test_only_a_dpkg_that_knows_it_has_a_file_with_the_architecture() -> None:
    for version, there in (("1.21.22", False), ("1.22.16", True), ("1.23.1", True)):
        tree = Tree()
        dpkg_itself = package(tree, "dpkg")
        dpkg_itself = replace(dpkg_itself, fields={**dpkg_itself.fields, "Version": version})
        write(tree, [dpkg_itself], {}, "amd64", unpacked=())
        assert tree.lexists("/var/lib/dpkg/arch-native") is there, version


def written(tree: Tree, packages: list[Unpacked]) -> list[str]:
    """The lines of conffiles in the database, all of them."""
    write(tree, packages, conffile_digests(tree, packages), "amd64", unpacked=())
    return [line for line in tree.read_text("/var/lib/dpkg/status").splitlines() if line.startswith(" /etc/")]


def test_dpkg_finds_nothing_wrong(tmp_path: Path) -> None:
    root = database(tmp_path)
    assert dpkg(root, "--verify") == ""
    audit = dpkg(root, "--audit")
    assert " b " in audit, audit
    assert not any(line.startswith((" a ", " zlib")) for line in audit.splitlines())
    assert (root / "var/lib/dpkg/info/a.postinst").stat().st_mode & 0o777 == 0o755


def test_triggers(tmp_path: Path) -> None:
    directory = database(tmp_path) / "var/lib/dpkg/triggers"
    assert sorted(path.name for path in directory.iterdir()) == ["File", "Unincorp", "ldconfig", "update-a"]
    assert (directory / "File").read_text() == "/usr/share/things a/noawait\n"
    assert (directory / "ldconfig").read_text() == (directory / "update-a").read_text() == "a\n"
