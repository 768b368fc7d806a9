"""Trees are the same, or not."""

from collections.abc import Callable

import pytest

from assembler.tree.same import same
from assembler.tree.staging import Inode, Kind, Tree
from tests.tree.disk import tree_of

FILES = {"/d/a": "1", "/d/b": "2", "/e/": ""}


def made() -> Tree:
    tree = tree_of(FILES)
    tree.symlink("a", "/d/link")
    tree.link("/d/a", "/e/hard")
    return tree


CHANGES: dict[str, Callable[[Tree], object]] = {
    "content": lambda tree: tree.write("/d/a", b"2"),
    "size": lambda tree: tree.write("/d/a", b"11"),
    "name": lambda tree: tree.mkdir("/f"),
    "removed": lambda tree: tree.at("/d").children.pop("b"),
    "renamed": lambda tree: tree.at("/d").children.update(c=tree.at("/d").children.pop("b")),
    "mode": lambda tree: setattr(tree.at("/d/b"), "mode", 0o600),
    "owner": lambda tree: setattr(tree.at("/d/b"), "uid", 1),
    "group": lambda tree: setattr(tree.at("/d/b"), "gid", 1),
    "time": lambda tree: setattr(tree.at("/d/b"), "mtime", 1),
    "target": lambda tree: setattr(tree.get("/d/link", follow=False), "target", "b"),
    "attribute": lambda tree: tree.at("/d/b").xattrs.update({"security.capability": b"x"}),
    "kind": lambda tree: tree.put("/d/b", Inode(Kind.FIFO, tree.at("/d/b").mode, content=b"2")),
    "hard link": lambda tree: tree.put("/e/hard", tree.at("/d/a").copy()),
    "another hard link": lambda tree: tree.put("/d/b", tree.at("/d/a")),
}


def test_a_copy_is_the_same() -> None:
    assert same(made(), made())
    tree = made()
    assert same(tree, tree.copy())
    assert same(tree, tree)


@pytest.mark.parametrize("change", CHANGES)
def test_trees_that_differ(change: str) -> None:
    one, other = made(), made()
    CHANGES[change](other)
    assert not same(one, other)
    assert not same(other, one)
    CHANGES[change](one)
    assert same(one, other)
