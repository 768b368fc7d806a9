"""What somebody who reviews an image has to see first."""

from dataclasses import replace

import pytest

from assembler.audit.compare import Change, Comparison, PackageChange
from assembler.audit.image import Image
from assembler.audit.inventory import Item, inventory
from assembler.audit.notable import notable
from assembler.image.names import ISO_SQUASHFS
from assembler.lock.changes import changes
from tests.audit.conftest import Make, system
from tests.lockfile.test_toml import LOCK


def comparison(*found: Change, packages: tuple[PackageChange, ...] = ()) -> Comparison:
    return Comparison(changes=found, packages=packages, lock=changes(LOCK, LOCK))


def change(path: str, package: str = "", **fields: tuple[str, str]) -> Change:
    return Change(layer="rootfs", path=f"{ISO_SQUASHFS}!{path}", package=package, fields=fields)


def test_what_gives_power_is_found_in_an_image(make: Make) -> None:
    powers = {item.path: item.power for item in inventory(Image(make("one", system()))) if item.power}
    # su and sudo are one file.
    assert powers == {f"{ISO_SQUASHFS}!/usr/bin/ping": "capabilities", f"{ISO_SQUASHFS}!/usr/bin/su": "set-user-ID"}


def test_new_powers() -> None:
    old = [Item("rootfs", "su", "", 1, "set-user-ID"), Item("rootfs", "ping", "", 1, "")]
    new = [old[0], replace(old[1], power="capabilities"), Item("rootfs", "door", "", 1, "set-user-ID")]
    assert [(it.what, it.why) for it in notable(comparison(), old, new)] == [
        ("ping", "now with capabilities"),
        ("door", "new with set-user-ID"),
    ]


def test_packages() -> None:
    older = PackageChange(name="a", architecture="amd64", old="1.10", new="1.9")
    newer = PackageChange(name="b", architecture="amd64", old="1.9", new="1.10")
    assert [it.what for it in notable(comparison(packages=(older, newer)), (), ())] == ["a"]
    hello, *others = LOCK.packages
    lock = replace(LOCK, packages=(replace(hello, sha256="0" * 64), *others))
    found = Comparison(changes=(), packages=(), lock=changes(LOCK, lock))
    assert [it.what for it in notable(found, (), ())] == [hello.name]


def test_paths() -> None:
    upgraded = PackageChange(name="b", architecture="amd64", old="1", new="2")
    found = comparison(
        change("/usr/bin/a", "a", content=("0", "1")),
        change("/usr/bin/b", "b", content=("0", "1")),
        change("/etc/shadow", content=("0", "1")),
        change("/srv", mode=("0755", "0777")),
        change("/tmp", mode=("0755", "1777")),
        change("/var/x", mtime=("0", "1")),
        packages=(upgraded,),
    )
    assert [it.what.partition("!")[2] for it in notable(found, (), ())] == ["/usr/bin/a", "/etc/shadow", "/srv"]


def test_why_each_is_told() -> None:
    upgraded = PackageChange(name="b", architecture="amd64", old="2", new="1")
    found = comparison(
        change("/usr/bin/a", "a", content=("0", "1")),
        change("/usr/bin/b", "b", content=("0", "1"), mode=("0755", "0777")),
        change("/etc/pam.d/login", there=("", "file")),
        Change(layer="initrd", path="/boot/initrd.img!/etc/passwd", package="", fields={"size": ("1", "2")}),
        Change(layer="kernel", path="/boot/vmlinuz", package="", fields={"content": ("0", "1")}),
        packages=(upgraded, PackageChange(name="c", architecture="all", old="", new="1")),
    )
    assert [(it.what.partition("!")[2] or it.what, it.why) for it in notable(found, (), ())] == [
        ("b", "an older version than before: 2 became 1"),
        ("/usr/bin/a", "another content, while a is the same version"),
        ("/usr/bin/b", "everybody may write to it now"),
        ("/etc/pam.d/login", "who may log in, and how"),
        ("/boot/vmlinuz", "another kernel"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("0755", "0757", True),
        ("0755", "0002", True),
        ("0757", "0777", False),
        ("0777", "0755", False),
        ("0755", "0775", False),
        ("0755", "1777", False),
        ("1777", "0777", False),
        ("", "0777", True),
        ("0755", "-", False),
    ],
)
def test_what_everybody_may_write_to(old: str, new: str, told: bool) -> None:  # noqa: FBT001  a table
    assert bool(list(notable(comparison(change("/srv", mode=(old, new))), (), ()))) == told
