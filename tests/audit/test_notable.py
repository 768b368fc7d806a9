"""What somebody who reviews an image has to see first."""

from dataclasses import replace

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
