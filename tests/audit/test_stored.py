"""Verifying a store: whatever is damaged is found, and what is not damaged is not."""

import gzip
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.audit.stored import StoreFindings, verify_store
from assembler.debian.deb import open_package
from assembler.errors import Place
from assembler.kernel import source
from assembler.kubernetes import archive
from assembler.store.inventory import inventory
from assembler.store.objects import Store
from assembler.tools.unpack import unpacked
from tests.debian import debs
from tests.lock.bundles import sha256
from tests.lockfile.test_toml import TOOL

PROGRAMS = "scripts"
BUILD = f"{PROGRAMS}/Makefile.build"
"""Of a kernel's source."""
NEEDED = ("Makefile", "Kconfig", BUILD)
TREE = [debs.directory("linux"), debs.directory("linux/scripts"), debs.link("linux/link", "Makefile")]
TREE += [debs.item(f"linux/{name}", b"VERSION = 6\n", mode=0o755) for name in NEEDED]
TARBALL = gzip.compress(debs.tar(TREE), mtime=0)
PACKAGE = debs.deb("hello", debs.directory("./usr"), debs.item("./usr/hello", b"hello" * 100))
KERNEL = debs.deb(
    "linux-source",
    *(debs.directory(name) for name in ("./usr", "./usr/src")),
    debs.item("./usr/src/linux-source-6.tar.gz", TARBALL),
)
FILE = gzip.compress(debs.tar([debs.item("bin/program", b"program" * 50)]), mtime=1)


def checked(directory: Path) -> bool:
    return (directory / "x").read_bytes() == b"x"


def look(store: Store) -> StoreFindings:
    watching = Store(store.root, looks_on=True)
    return verify_store(watching, inventory(watching), {"layer": checked})


def found(store: Store) -> dict[str, str]:
    """What is damaged, by the kind of result, or ``object``."""
    return {
        "object" if "objects" in each.item.path.parts else each.item.path.parent.name.rpartition("-")[0]: each.why
        for each in look(store).damaged
    }


@pytest.fixture
def full(store: Store) -> Store:
    """A store with a result of each kind."""
    for data in (PACKAGE, KERNEL, TARBALL, FILE):
        store.add(data)
    open_package(store, sha256(PACKAGE))
    unpacked(store, [replace(TOOL, sha256=sha256(PACKAGE))])
    source.from_package(store, sha256(KERNEL), "linux-source")
    source.from_file(store, sha256(TARBALL), "linux.tar.gz")
    archive.members(store, sha256(FILE), {}, Place())

    def layer(directory: Path) -> None:
        directory.mkdir()
        (directory / "x").write_bytes(b"x")

    store.derived("layer-rootfs.tree-1", "key", layer)
    store.derived("executed-2", "key", Path.touch)
    store.derived("unpacked-1", sha256(PACKAGE), Path.touch)
    return store


def test_what_is_as_it_should_be(full: Store) -> None:
    before = {path: path.stat().st_mtime_ns for path in full.root.glob("objects/*/*")}
    result = look(full)
    assert result.damaged == ()
    assert (result.objects, result.results) == (4, 7)
    assert result.unknown == 2, "a machine's result, and one of another version of the assembler"
    assert {path: path.stat().st_mtime_ns for path in before} == before, "looking at something is no use of it"
    assert list((full.root / "tmp").iterdir()) == []


def test_whatever_the_umask_was(full: Store) -> None:
    former = os.umask(0o077)
    try:
        assert look(full).damaged == ()
    finally:
        os.umask(former)


def of(store: Store, kind: str, name: str) -> Path:
    """A file of the result of a kind."""
    return next(path for path in sorted(store.root.glob(f"derived/{kind}-[0-9]*/*/{name}")))


def change(path: Path) -> None:
    data = path.read_bytes()
    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def not_executable(path: Path) -> None:
    path.chmod(0o644)


def other_target(path: Path) -> None:
    path.unlink()
    path.symlink_to("Kconfig")


def more(path: Path) -> None:
    (path.parent / "more").touch()


@pytest.mark.parametrize(
    ("kind", "name", "damage", "why"),
    [
        ("unpacked", "data.tar", change, "data.tar is not what was made"),
        ("unpacked", "index.json", change, "index.json is not what was made"),
        ("unpacked", "data.tar", Path.unlink, "data.tar is missing"),
        ("archive", "data.tar", change, "data.tar is not what was made"),
        ("archive", "data.tar", more, "more should not be there"),
        ("kernel-source", BUILD, change, f"{BUILD} is not what was made"),
        ("kernel-source", "Makefile", not_executable, "Makefile is not what was made"),
        ("kernel-source", "link", other_target, "link is not what was made"),
        ("toolbox", "root/usr/hello", change, "it is not what was made"),
        ("toolbox", "root/usr/hello", more, "it is not what was made"),
        ("layer-rootfs.tree", "x", change, "it is not what was made"),
    ],
)
def test_a_result_that_was_changed(full: Store, kind: str, name: str, damage: Callable[[Path], None], why: str) -> None:
    damage(of(full, kind, name))
    assert found(full) == {kind: why}


def test_an_object_that_was_changed(full: Store) -> None:
    change(full.path(sha256(PACKAGE)))
    assert found(full).keys() == {"object"}
    assert found(full)["object"].startswith("its SHA-256 is ")


def test_an_object_that_is_where_it_does_not_belong(full: Store) -> None:
    path = full.path(sha256(FILE))
    path.rename(full.root / "objects" / path.parent.name / "else")
    assert found(full) == {"object": "it is not where an object of its name belongs"}


def test_without_its_object_a_result_has_nothing_to_be_compared_with(full: Store) -> None:
    change(of(full, "archive", "data.tar"))
    full.path(sha256(FILE)).unlink()
    result = look(full)
    assert (result.damaged, result.unknown) == ((), 3)
