"""A root file system of real packages, as others read it: scanners, dpkg's status file, the licences."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from debian.deb822 import Deb822

from assembler.configure.first_boot import DIRECTORY
from assembler.debian.deb import DebError
from assembler.errors import Problems
from assembler.layers import rootfs
from assembler.lockfile.model import LockedPackage
from assembler.recipe.model import Rootfs
from assembler.store.objects import Store
from assembler.tree.staging import Tree
from tests.layers.test_keys import project_in
from tests.support.reporters import Recorder
from tests.support.toolboxes import locked

EPOCH = 1767225600


@pytest.fixture(scope="module")
def packages() -> tuple[Store, Sequence[LockedPackage]]:
    store, lock = locked({"rootfs"})
    return store, lock.role("rootfs")


@pytest.fixture(scope="module")
def composed(packages: tuple[Store, Sequence[LockedPackage]]) -> rootfs.Rootfs:
    """The packages that the tests' programs come from; one of them waits for the first boot."""
    store, chosen = packages
    exclude, include = ["/usr/share/doc/*"], ["/usr/share/doc/*/copyright"]
    checked = rootfs.check(Rootfs(scripts="computed"), chosen, files={}, architecture="amd64", epoch=EPOCH, store=store)
    later = sorted({script.package for script in checked.scripts if script.handling == "unhandled"} | {"gdisk"})
    recipe = Rootfs(scripts="computed", first_boot=later, exclude=exclude, include=include)
    return rootfs.compose(recipe, chosen, files={}, architecture="amd64", epoch=EPOCH, store=store)


def test_every_package_is_in_the_status_file(
    composed: rootfs.Rootfs, packages: tuple[Store, Sequence[LockedPackage]]
) -> None:
    text = composed.tree.read("/var/lib/dpkg/status")
    paragraphs = list(Deb822.iter_paragraphs(text, use_apt_pkg=False))
    found = {(each["Package"], each["Version"], each["Architecture"]) for each in paragraphs}
    assert found == {(package.name, package.version, package.architecture) for package in packages[1]}
    assert len(paragraphs) == len(found)
    waiting = {line.split()[0].split(":")[0] for line in composed.tree.read_text(f"{DIRECTORY}/packages").splitlines()}
    assert "gdisk" in waiting
    for each in paragraphs:
        state = "unpacked" if each["Package"] in waiting else "installed"
        assert each["Status"] == f"install ok {state}", each["Package"]


def test_every_package_has_its_licence(composed: rootfs.Rootfs) -> None:
    missing = [
        package.name
        for package in composed.packages
        if not composed.tree.exists(f"/usr/share/doc/{package.name}/copyright")
    ]
    assert missing == []
    assert not composed.tree.exists("/usr/share/doc/dpkg/changelog.gz")


def test_problems_come_all_at_once(packages: tuple[Store, Sequence[LockedPackage]]) -> None:
    store, chosen = packages
    recipe = Rootfs(first_boot=["gdiskk", "dash"], rules=["mine.toml"])
    files = {"rootfs.rules[0]": b'[[rule]]\npackage = "xy"\n'}
    with pytest.raises(Problems) as caught:
        rootfs.compose(recipe, chosen, files=files, architecture="amd64", epoch=EPOCH, store=store)
    places = [str(error.where) for error in caught.value.errors]
    assert places == ["mine.toml:1:1 rule[0].reason", "rootfs.first_boot[0] gdiskk", "rootfs.first_boot[1] dash"]


def test_a_package_is_the_one_that_the_lock_names(packages: tuple[Store, Sequence[LockedPackage]]) -> None:
    """Its digest may be right, and its name or version another one: that of one without a known hole, say."""
    store, chosen = packages
    gdisk = next(package for package in chosen if package.name == "gdisk")
    assert rootfs.open_packages(store, [gdisk])[0].name == "gdisk"
    for other in (replace(gdisk, name="gdiskk"), replace(gdisk, version="999")):
        with pytest.raises(DebError, match="another one than the lock says"):
            rootfs.open_packages(store, [other])


def test_what_a_check_finds_a_build_raises(tmp_path: Path) -> None:
    """Whether scripts, numbers or settings are wrong; and what is done is told."""
    project = project_in(tmp_path)
    packages = [each for each in project.lock.role("rootfs") if each.name != "waiting"]
    means = {"files": {}, "architecture": "amd64", "epoch": EPOCH, "store": project.store}
    reporter = Recorder()
    checked = rootfs.check(Rootfs(), packages, **means, reporter=reporter)  # type: ignore[arg-type]  # as above
    assert checked.problems == ()
    assert sorted(checked.packages) == ["amd64-microcode", "base", "containerd", "linux-image-a"]
    assert reporter.steps[:2] == [("unpack", 4), ("compose", 0)]
    assert "configure" in {name for name, _ in reporter.steps}
    for recipe, what in (
        (Rootfs(ids={"users": {"nobody-here": 150}}), "the image has no such user"),  # type: ignore[arg-type]  # pydantic's
        (Rootfs(enable=["none.service"], mask=["none.socket"]), "none.service"),
    ):
        with pytest.raises(Problems) as caught:
            rootfs.compose(recipe, packages, **means)  # type: ignore[arg-type]
        found = rootfs.check(recipe, packages, **means)  # type: ignore[arg-type]
        assert [str(error) for error in found.problems] == [str(error) for error in caught.value.errors]
        assert what in str(found.problems[0])


def test_how_much_a_tree_has() -> None:
    """Files with several names count once, and what are no files have no bytes."""
    tree = Tree()
    tree.write("/a", b"12345")
    tree.link("/a", "/b")
    tree.write("/c", b"1")
    tree.symlink("a", "/d")
    assert rootfs.extent(tree) == {"paths": 1 + 4, "bytes": 6}
