"""The staging tree behaves as a file system would."""

import tracemalloc
from collections.abc import Callable

import pytest

from assembler.tree.staging import Inode, Kind, Tree, TreeError


def merged() -> Tree:
    tree = Tree(mtime=1000)
    tree.mkdir("/usr/bin", parents=True)
    tree.symlink("usr/bin", "/bin")
    return tree


def test_a_path_through_an_alias_lands_at_its_target() -> None:
    tree = merged()
    tree.write("/bin/sh", b"#!", 0o755)
    assert tree.read("/usr/bin/sh") == b"#!"
    assert tree.resolve("/bin/sh") == "/usr/bin/sh"
    assert tree.at("usr/bin/sh").mode == 0o755


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd", "../etc/./passwd"])
def test_links_never_lead_out_of_the_tree(target: str) -> None:
    tree = Tree()
    tree.write("/etc/passwd", b"inside", parents=True)
    tree.mkdir("/var")
    tree.symlink(target, "/var/link")
    assert tree.read("/var/link") == b"inside"
    assert tree.resolve("/../../etc/../etc/passwd") == "/etc/passwd"


def test_a_loop_of_links_is_an_error_and_not_there() -> None:
    tree = Tree()
    tree.symlink("b", "/a")
    tree.symlink("a", "/b")
    with pytest.raises(TreeError, match="too many levels"):
        tree.resolve("/a", follow=True)
    assert not tree.exists("/a")
    assert tree.lexists("/a")


def test_a_dangling_link_does_not_exist_but_is_there() -> None:
    tree = Tree()
    tree.symlink("/run/x", "/link")
    assert tree.lexists("/link")
    assert not tree.exists("/link")
    tree.mkdir("/run")
    tree.write("/link", b"through")
    assert tree.read("/run/x") == b"through"


def test_hard_links_share_everything() -> None:
    tree = Tree()
    tree.write("/a", b"one")
    tree.link("/a", "/b")
    tree.chmod("/b", 0o600)
    tree.write("/b", b"two")
    assert tree.read("/a") == b"two"
    assert tree.at("/a").mode == 0o600
    tree.remove("/a")
    assert tree.read("/b") == b"two"


def test_writing_keeps_owner_and_mode_of_what_is_there() -> None:
    tree = Tree(mtime=7)
    tree.write("/f", b"old", 0o640, 1, 2)
    inode = tree.write("/f", b"new", 0o777)
    assert (inode.mode, inode.uid, inode.gid, inode.mtime) == (0o640, 1, 2, 7)


def test_mkdir_makes_parents_only_when_asked_and_keeps_modes() -> None:
    tree = Tree()
    with pytest.raises(TreeError, match="parent is not a directory"):
        tree.mkdir("/a/b")
    assert not tree.lexists("/a")
    tree.mkdir("/a/b", 0o700, 5, 6, parents=True)
    assert (tree.at("/a").mode, tree.at("/a/b").mode, tree.at("/a/b").uid) == (0o755, 0o700, 5)
    assert tree.mkdir("/a/b", 0o755).mode == 0o700


def test_mkdir_through_a_dangling_link_makes_its_target() -> None:
    tree = Tree()
    tree.mkdir("/var")
    tree.symlink("/run", "/var/run")
    tree.mkdir("/var/run/lock", parents=True)
    assert tree.is_dir("/run/lock")


@pytest.mark.parametrize(
    "action",
    [
        lambda tree: tree.mkdir("/f/x", parents=True),
        lambda tree: tree.write("/f/x", b"", parents=True),
        lambda tree: tree.symlink("y", "/f/x", parents=True),
        lambda tree: tree.put("/f/x", Inode(Kind.FIFO, 0o600), parents=True),
    ],
    ids=["mkdir", "write", "symlink", "put"],
)
def test_a_file_is_no_parent(action: Callable[[Tree], Inode]) -> None:
    tree = Tree()
    tree.write("/f", b"")
    with pytest.raises(TreeError):
        action(tree)
    assert tree.names("/f") == []


def test_a_directory_with_files_is_never_replaced_or_removed_by_accident() -> None:
    tree = Tree()
    tree.write("/d/f", b"", parents=True)
    with pytest.raises(TreeError):
        tree.remove("/d")
    with pytest.raises(TreeError):
        tree.symlink("x", "/d")
    with pytest.raises(TreeError):
        tree.write("/d", b"")
    tree.discard("/d")
    assert tree.names("/") == []
    tree.discard("/d")


def test_rename_moves_and_replaces() -> None:
    tree = Tree()
    tree.write("/a", b"a")
    tree.write("/b", b"b")
    tree.rename("/a", "/b")
    assert tree.names("/") == ["b"]
    assert tree.read("/b") == b"a"
    tree.rename("/b", "/b")
    assert tree.read("/b") == b"a"
    tree.rename("/b", "/x/y", parents=True)
    assert tree.read("/x/y") == b"a"


def test_walking_a_large_directory_with_a_long_path_takes_little_memory() -> None:
    tree = Tree()
    here = tree.root
    for _ in range(16):
        here.children["d" * 250] = here = Inode(Kind.DIR, 0o755)
    here.children = {str(number): Inode(Kind.FILE, 0o644) for number in range(10_000)}
    tracemalloc.start()
    assert sum(len(path) for path, _ in tree.walk()) > 38 << 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_walk_is_sorted_and_parents_come_first() -> None:
    tree = merged()
    for name in ("zz", "a-b", "a", "a/x"):
        tree.mkdir(f"/{name}", parents=True)
    paths = [path for path, _ in tree.walk()]
    assert paths == ["/", "/a", "/a/x", "/a-b", "/bin", "/usr", "/usr/bin", "/zz"]
    assert [path for path, _ in tree.walk("/bin")] == ["/usr/bin"]


def test_the_root_has_no_entry_to_change() -> None:
    tree = Tree()
    for path in ("/", "", ".", "/a/.."):
        with pytest.raises(TreeError):
            tree.remove(path)
