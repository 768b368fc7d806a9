"""A preinst does not see its own package."""

from dataclasses import replace

import pytest

from assembler.configure.not_unpacked import OverwrittenConffile, hidden_until_unpacked, owned_by_name, shippers
from assembler.tree.staging import Tree
from tests.debian.unpacked import package


def test_only_what_a_package_alone_ships_is_hidden() -> None:
    tree = Tree()
    other = package(tree, "other", files={"/usr/share/both/a": "a"})
    own = package(tree, "own", files={"/usr/share/both/b": "b", "/usr/share/own/c": "c", "/etc/conf/d": "d"})
    tree.write("/etc/conf/local", b"l")
    before = dict(tree.walk())
    with hidden_until_unpacked(tree, own, shippers([other, own])):
        assert [path for path, _ in tree.walk()] == [
            "/", "/etc", "/etc/conf", "/etc/conf/local", "/usr", "/usr/share", "/usr/share/both", "/usr/share/both/a",
        ]  # fmt: skip
        tree.discard("/usr/share/both")
        tree.write("/usr/share/own", b"in the way")
    assert tree.read("/usr/share/own/c") == b"c"
    assert tree.read("/usr/share/both/b") == b"b"
    assert not tree.exists("/usr/share/both/a")
    assert tree.at("/etc/conf/d") is before["/etc/conf/d"]


def test_directories_that_were_made_stay_as_they_were_made() -> None:
    tree = Tree()
    own = package(tree, "own", files={"/etc/own/conf": "c"})
    with hidden_until_unpacked(tree, own, shippers([own])):
        tree.mkdir("/etc/own", 0o700, parents=True)
    assert tree.at("/etc/own").mode == 0o700
    assert tree.read("/etc/own/conf") == b"c"


def test_a_conffile_of_its_own_making_is_an_error() -> None:
    tree = Tree()
    own = package(tree, "own", files={"/etc/own": "c"}, conffiles="/etc/own\n")
    with pytest.raises(OverwrittenConffile), hidden_until_unpacked(tree, own, shippers([own])):
        tree.write("/etc/own", b"mine", parents=True)


def test_names_of_owners_count_that_a_preinst_has_made() -> None:
    """Modes stay: dpkg sets them after the owner. Names that nobody has leave the numbers."""
    tree = Tree()
    tree.write("/etc/passwd", b"root:x:0:0:::\nmade:x:101:102:::\n", parents=True)
    tree.write("/etc/group", b"root:x:0:\nmade:x:102:\n")
    own = package(tree, "own", files={"/opt/own/run": "", "/opt/own/data": "", "/opt/own/other": ""})
    for path in ("/opt/own/run", "/opt/own/data", "/opt/own/other"):
        inode = tree.at(path)
        inode.mode, inode.uid, inode.gid = 0o4750, 1234, 4321
    named = (("/opt/own/run", "made", "made"), ("/opt/own/data", "", "made"), ("/opt/own/other", "none", "none"))
    owned_by_name(tree, replace(own, named=(*named, ("/gone", "made", ""))))
    owners = [(tree.at(path).uid, tree.at(path).gid, tree.at(path).mode) for path, _, _ in named]
    assert owners == [(101, 102, 0o4750), (1234, 102, 0o4750), (1234, 4321, 0o4750)]
