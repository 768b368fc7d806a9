"""The canonical text of a tree says everything that an image would, and nothing of how the tree came about."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from assembler.tree.digest import digest, listing
from assembler.tree.staging import Inode, Kind, Tree


def sample() -> Tree:
    tree = Tree(mtime=5)
    tree.write("/bin/tool", b"abc", 0o4755, uid=1, gid=2, parents=True).xattrs["security.capability"] = b"\1\0"
    tree.link("/bin/tool", "/bin/utility")
    tree.symlink("tool", "/bin/to")
    tree.put("/console", Inode(Kind.CHAR, 0o600, mtime=9, device=(5, 1)))
    tree.write("/a b\\ä,\udcff", b"")
    return tree


def test_every_line() -> None:
    abc, empty = hashlib.sha256(b"abc").hexdigest(), hashlib.sha256(b"").hexdigest()
    assert list(listing(sample(), latest=7)) == [
        "dir 0755 0:0 5 - - - /\n",
        f"file 0644 0:0 5 0 {empty} - /a\\x20b\\x5c\\xc3\\xa4\\x2c\\xff\n",
        "dir 0755 0:0 5 - - - /bin\n",
        "symlink 0777 0:0 5 - - - /bin/to -> tool\n",
        f"file 4755 1:2 5 3 {abc} security.capability=0100 /bin/tool\n",
        "link - - - - - - /bin/utility -> /bin/tool\n",
        "char 0600 0:0 7 - 5,1 - /console\n",
    ]


def test_the_digest_is_that_of_the_text_and_the_order_of_making_does_not_matter() -> None:
    text = "".join(listing(sample()))
    assert digest(listing(sample())) == hashlib.sha256(text.encode()).hexdigest()
    tree = Tree()
    for name in "ba":
        tree.write(name, b"")
    other = Tree()
    for name in "ab":
        other.write(name, b"")
    assert digest(listing(tree)) == digest(listing(other))


@given(
    st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1).filter(lambda name: name not in (".", "..")))
)
def test_lines_are_ascii_and_different_names_stay_different(names: list[str]) -> None:
    tree = Tree()
    for name in names:
        tree.write("/" + name, b"")
    lines = list(listing(tree))
    assert all(line.isascii() and line.count("\n") == 1 for line in lines)
    assert len({line.split(" ")[7] for line in lines}) == 1 + len(set(names))


def test_a_copy_is_equal_and_independent() -> None:
    tree = sample()
    copy = tree.copy()
    assert list(listing(copy)) == list(listing(tree))
    copy.at("/bin/utility").mode = 0o755
    assert copy.at("/bin/tool").mode == 0o755
    copy.at("/bin/tool").xattrs.clear()
    copy.remove("/bin/to")
    assert list(listing(tree)) == list(listing(sample()))
