"""The staging tree behaves as a file system would."""

import tracemalloc
from collections.abc import Callable

import pytest

from assembler.errors import Place
from assembler.tree.digest import listing
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


def test_as_many_links_as_linux_follows() -> None:
    tree = Tree()
    tree.write("/file", b"x")
    tree.symlink("file", "/1")
    for number in range(2, 42):
        tree.symlink(str(number - 1), f"/{number}")
    assert tree.read("/40") == b"x"
    assert not tree.exists("/41")
    with pytest.raises(TreeError, match="too many levels of symbolic links") as caught:
        tree.resolve("41", follow=True)
    assert caught.value.where == Place(path="/41")


def test_what_was_followed_is_counted() -> None:
    tree = Tree()
    tree.mkdir("/directory")
    tree.symlink("directory", "/link")
    tree.symlink("/link/x", "/other")
    assert tree.followed == 0
    tree.get("/link")
    assert tree.followed == 0
    tree.get("/link/x")
    assert tree.followed == 9
    tree.get("/other", follow=True)
    assert tree.followed == 9 + 7 + 9


def changes() -> Tree:
    tree = Tree(mtime=3)
    tree.write("/file", b"x")
    tree.write("/d/inside", b"y", parents=True)
    tree.mkdir("/empty")
    tree.symlink("d", "/to-d")
    tree.symlink("nowhere", "/dangling")
    return tree


@pytest.mark.parametrize(
    ("action", "what", "path"),
    [
        (lambda tree: tree.at("gone"), "no such file in the tree", "/gone"),
        (lambda tree: tree.at("/dangling", follow=True), "no such file in the tree", "/dangling"),
        (lambda tree: tree.resolve("file/x"), "a component of the path is not a directory", "/file/x"),
        (lambda tree: tree.read("d"), "not a regular file", "/d"),
        (lambda tree: tree.write("to-d", b""), "not a regular file", "/d"),
        (lambda tree: tree.put("gone/x", tree.root), "the parent is not a directory", "/gone/x"),
        (lambda tree: tree.put("file/x", tree.root), "the parent is not a directory", "/file/x"),
        (lambda tree: tree.put("..", tree.root), "the path names no entry", ".."),
        (lambda tree: tree.put("", tree.root), "the path names no entry", "/"),
        (lambda tree: tree.put("d", Inode(Kind.DIR, 0)), "a directory that is not empty is in the way", "/d"),
        (lambda tree: tree.mkdir("file"), "a file is in the way of a directory", "/file"),
        (lambda tree: tree.mkdir("gone/x"), "the parent is not a directory", "/gone/x"),
        (lambda tree: tree.symlink("x", "empty"), "a directory is in the way of a symbolic link", "/empty"),
        (lambda tree: tree.link("d", "/e"), "a directory cannot be hard-linked", "/d"),
        (lambda tree: tree.link("gone", "/e"), "no such file in the tree", "/gone"),
        (lambda tree: tree.remove("gone"), "no such file in the tree", "/gone"),
        (lambda tree: tree.remove("d"), "the directory is not empty", "/d"),
        (lambda tree: tree.rename("gone", "/x"), "no such file in the tree", "/gone"),
        (lambda tree: tree.rename("file", "/d"), "a directory that is not empty is in the way", "/d"),
        (lambda tree: tree.rename("file", "/gone/x"), "the parent is not a directory", "/gone/x"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    action: Callable[[Tree], object], what: str, path: str
) -> None:
    tree = changes()
    with pytest.raises(TreeError) as caught:
        action(tree)
    assert (caught.value.what, caught.value.where) == (what, Place(path=path))
    assert list(listing(tree)) == list(listing(changes()))


def test_what_is_there() -> None:
    tree = changes()
    assert [tree.is_dir(path) for path in ("/", "d", "to-d", "file", "dangling", "gone")] == [True] * 3 + [False] * 3
    assert [tree.is_file(path) for path in ("file", "to-d/inside", "d", "dangling", "gone")] == [True] * 2 + [False] * 3
    assert tree.names("to-d") == ["inside"]
    assert tree.names("gone") == tree.names("file") == []
    assert tree.get("to-d") is not tree.get("to-d", follow=True)
    assert tree.get("file/x") is None
    assert tree.resolve("to-d/a/b") == "/d/a/b"
    assert tree.resolve("to-d") == "/to-d"
    assert tree.resolve("dangling", follow=True) == "/nowhere"
    assert tree.read_text("file") == "x"
    assert repr(tree.at("file")) == "Inode(FILE, 0644, 0:0)"


def test_what_is_made_has_the_time_of_the_tree_and_who_it_is_for() -> None:
    tree = changes()
    made = [
        tree.mkdir("/m/n", 0o700, 1, 2, parents=True),
        tree.write("/p/q", b"", 0o600, 3, 4, parents=True),
        tree.symlink("x", "/r/s", parents=True),
        tree.at("/m"),
        tree.at("/p"),
    ]
    assert [(each.kind, each.mode, each.uid, each.gid, each.mtime) for each in made] == [
        (Kind.DIR, 0o700, 1, 2, 3),
        (Kind.FILE, 0o600, 3, 4, 3),
        (Kind.SYMLINK, 0o777, 0, 0, 3),
        (Kind.DIR, 0o755, 0, 0, 3),
        (Kind.DIR, 0o755, 0, 0, 3),
    ]
    tree.chown("/to-d", 5, 6)
    tree.chmod("/to-d", 0o711)
    directory = tree.at("d")
    assert (directory.uid, directory.gid, directory.mode) == (5, 6, 0o711)
    assert tree.at("to-d").uid == 0


def test_links_are_replaced_and_not_followed_where_the_last_name_is_meant() -> None:
    tree = changes()
    tree.symlink("file", "/to-d")
    assert tree.read("/to-d") == b"x"
    tree.link("/to-d", "/again")
    assert tree.at("/again") is tree.at("/to-d")
    tree.discard("/to-d")
    assert not tree.lexists("/to-d")
    assert tree.exists("/d/inside")
    assert tree.exists("/again")
    tree.put("/empty", tree.at("/empty"))
    tree.put("/d", tree.at("/d"))
    tree.rename("/d", "/empty")
    assert tree.names("/empty") == ["inside"]
    assert not tree.lexists("/d")
