"""What became other in a tree, told step by step: the same as a comparison of the whole tree tells."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.tree.changes import Entry
from assembler.tree.staging import Inode, Kind, Tree, TreeError
from assembler.tree.watched import Became, Watch

PATHS = ("/a", "/a/b", "/a/b/c", "/d", "/d/e", "/f", "/l", "/l/x")
STEP = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(PATHS), st.sampled_from((b"", b"1", b"2"))),
    st.tuples(st.just("mkdir"), st.sampled_from(PATHS), st.just(0)),
    st.tuples(st.just("remove"), st.sampled_from(PATHS), st.just(0)),
    st.tuples(st.just("discard"), st.sampled_from(PATHS), st.just(0)),
    st.tuples(st.just("symlink"), st.sampled_from(PATHS), st.sampled_from(PATHS)),
    st.tuples(st.just("link"), st.sampled_from(PATHS), st.sampled_from(PATHS)),
    st.tuples(st.just("rename"), st.sampled_from(PATHS), st.sampled_from(PATHS)),
    st.tuples(st.just("chmod"), st.sampled_from(PATHS), st.sampled_from((0o600, 0o755))),
    st.tuples(st.just("chown"), st.sampled_from(PATHS), st.sampled_from((0, 5))),
    st.tuples(st.just("set"), st.sampled_from(PATHS), st.sampled_from((b"", b"1"))),
    st.tuples(st.just("unset"), st.sampled_from(PATHS), st.just(0)),
)


def do(tree: Tree, step: tuple[str, str, object]) -> None:
    name, path, value = step
    match name, value:
        case "write", bytes():
            tree.write(path, value, parents=True)
        case "mkdir", _:
            tree.mkdir(path, parents=True)
        case "remove" | "discard", _:
            getattr(tree, name)(path)
        case "symlink" | "link" | "rename", str():
            if not (name == "rename" and f"{value}/".startswith(f"{path}/")):
                getattr(tree, name)(path, value)
        case "chmod", int():
            tree.chmod(path, value)
        case "chown", int():
            tree.chown(path, value, value)
        case "set", bytes():
            tree.at(path).xattrs["user.x"] = value
        case "unset", _:
            tree.at(path).xattrs.pop("user.x", None)


def entries(tree: Tree) -> dict[str, Entry]:
    return {path: entry(inode) for path, inode in tree.walk()}


def entry(inode: Inode) -> Entry:
    return Entry(
        kind=inode.kind, mode=inode.mode, uid=inode.uid, gid=inode.gid, content=inode.content, target=inode.target,
        mtime=inode.mtime if inode.kind is Kind.FILE else 0, xattrs=dict(inode.xattrs),
    )  # fmt: skip


@settings(max_examples=400)
@given(st.lists(STEP, max_size=12), st.lists(st.lists(STEP, max_size=5), max_size=6))
def test_what_is_told_is_what_a_comparison_finds(first: list, rounds: list[list]) -> None:  # type: ignore[type-arg]
    tree = Tree(mtime=7)
    for step in first:
        with suppress(TreeError):
            do(tree, step)
    watch = Watch(tree)
    for steps in rounds:
        before = entries(tree)
        for step in steps:
            with suppress(TreeError):
                do(tree, step)
        after = entries(tree)
        assert watch.became() == [
            Became(path, before.get(path), after.get(path))
            for path in sorted(before.keys() | after.keys())
            if before.get(path) != after.get(path)
        ]


def test_a_tree_that_is_set_back_is_taken_for_known() -> None:
    tree = Tree()
    watch, before = Watch(tree), tree.copy()
    tree.write("/a", b"")
    tree.root = before.root
    assert watch.became() == []
    tree.write("/b", b"")
    assert [one.path for one in watch.became()] == ["/b"]
    watch.forget()
    assert watch.became() == []
