"""Changes of a tree as values: applied, kept, read back."""

import json
from pathlib import Path

from assembler.tree import digest
from assembler.tree.changes import Changes, Entry, load, save
from assembler.tree.content import Slice, read
from assembler.tree.staging import Kind, Tree

FILE = Entry(kind=Kind.FILE, mode=0o640, uid=1, gid=2, mtime=3, content=b"new")
DIRECTORY = Entry(kind=Kind.DIR, mode=0o1777, uid=4, gid=5, mtime=6, xattrs={"user.a": b"\0"})
CHANGES = Changes(
    removed=("/gone", "/was-file"),
    put={
        "/": Entry(kind=Kind.DIR, mode=0o700, uid=0, gid=0, mtime=7),
        "/dir": DIRECTORY,
        "/dir/file": FILE,
        "/null": Entry(kind=Kind.CHAR, mode=0o666, uid=0, gid=0, mtime=0, device=(1, 3)),
        "/to": Entry(kind=Kind.SYMLINK, mode=0o777, uid=0, gid=0, mtime=0, target="../up"),
        "/was-file": DIRECTORY,
        "/was-file/\udcff": FILE,
    },
    links={"/again": "/dir/file"},
)


def before() -> Tree:
    tree = Tree(mtime=9)
    for path in ("/gone/below/file", "/was-file", "/dir/file", "/dir/stays", "/to", "/same"):
        tree.write(path, path.encode(), parents=True)
    tree.link("/dir/file", "/other-name")
    return tree


def test_what_changes_make_of_a_tree() -> None:
    tree = before()
    CHANGES.apply(tree)
    assert [path for path, _ in tree.walk()] == [
        *("/", "/again", "/dir", "/dir/file", "/dir/stays", "/null", "/other-name", "/same", "/to", "/was-file"),
        "/was-file/\udcff",
    ]
    assert tree.read("/dir/file") == tree.read("/again") == b"new"
    assert tree.at("/again") is tree.at("/dir/file")
    # Another name of a file that became another file stays what it was.
    assert tree.read("/other-name") == b"/dir/file"
    directory = tree.at("/dir")
    assert (directory.mode, directory.uid, directory.gid, directory.mtime) == (0o1777, 4, 5, 6)
    assert directory.xattrs == {"user.a": b"\0"}
    assert (tree.root.mode, tree.root.mtime) == (0o700, 7)
    assert (tree.at("/null").kind, tree.at("/null").device) == (Kind.CHAR, (1, 3))
    assert tree.at("/to").target == "../up"
    assert tree.read("/same") == b"/same"


def test_an_empty_one_is_none() -> None:
    tree = before()
    expected = list(digest.listing(tree))
    assert not Changes()
    Changes().apply(tree)
    assert list(digest.listing(tree)) == expected
    for some in (Changes(removed=("/a",)), Changes(put={"/a": FILE}), Changes(links={"/a": "/b"})):
        assert some


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"ab" * (1 << 20))
    large = Slice(str(tmp_path / "large"), 1, (2 << 20) - 1)
    changes = Changes(
        removed=CHANGES.removed,
        put={**CHANGES.put, "/large": Entry(kind=Kind.FILE, mode=0, uid=0, gid=0, mtime=0, content=large)},
        links=CHANGES.links,
    )
    (tmp_path / "kept").mkdir()
    save(changes, tmp_path / "kept")
    again = load(tmp_path / "kept")
    one, other = before(), before()
    changes.apply(one)
    again.apply(other)
    assert list(digest.listing(one)) == list(digest.listing(other))
    assert (again.removed, dict(again.links)) == (changes.removed, changes.links)
    assert list(again.put) == list(changes.put)
    assert read(again.put["/large"].content) == b"ba" * ((1 << 20) - 1) + b"b"
    json.loads((tmp_path / "kept/changes.json").read_text("ascii"))
