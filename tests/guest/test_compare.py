"""What a machine made of a tree is told from a list of what its disk has, whatever that says."""

from collections.abc import Mapping
from pathlib import Path

from assembler.formats.ext4_reader import Entry
from assembler.guest.compare import compare
from assembler.tree.changes import Changes
from assembler.tree.content import Content, whole
from assembler.tree.staging import Kind, Tree

LATEST = 1000
CHANGED = 7 * 10**9


def tree() -> Tree:
    made = Tree(mtime=10)
    made.mkdir("etc")
    made.write("etc/one", b"one")
    made.write("etc/two", b"two")
    made.put("etc/three", made.at("etc/two"))
    made.mkdir("var/lib", parents=True)
    made.write("var/lib/state", b"state")
    made.symlink("lib", "var/link")
    return made


def disk(before: Tree) -> dict[str, Entry]:
    """What the disk of `before` has when the machine has changed nothing."""
    numbers: dict[int, int] = {}
    return {
        path: entry(
            numbers.setdefault(id(inode), len(numbers) + 11), inode.kind, inode.mode, target=inode.target, mtime=10
        )
        for path, inode in before.walk()
    }


def entry(
    number: int,
    kind: Kind | None = Kind.FILE,
    mode: int = 0o644,
    *,
    target: str = "",
    mtime: int = 10,
    ctime: int = 0,
    links: int = 1,
    device: tuple[int, int] = (0, 0),
) -> Entry:
    return Entry(number, kind, mode, 0, 0, mtime, ctime, 0, links, target, device)


def compared(before: Tree, after: Mapping[str, Entry], contents: Mapping[int, Content] | None = None) -> Changes:
    found = contents or {}
    return compare(before, sorted(after.items()), latest=LATEST, content=lambda _, each: found.get(each.number, b""))


def test_nothing() -> None:
    before = tree()
    assert not compared(before, disk(before))


def test_what_only_seems_changed() -> None:
    before = tree()
    after = disk(before)
    after["/etc/one"] = entry(after["/etc/one"].number, ctime=CHANGED)
    assert not compared(before, after, {after["/etc/one"].number: b"one"})


def test_changed_new_and_gone() -> None:
    before = tree()
    after = disk(before)
    del after["/var/lib/state"]
    after["/etc/one"] = entry(after["/etc/one"].number, ctime=CHANGED, mtime=LATEST + 5)
    after["/etc/new"] = entry(90, Kind.CHAR, ctime=CHANGED, device=(1, 3))
    changes = compared(before, after, {after["/etc/one"].number: b"uno"})
    assert changes.removed == ("/var/lib/state",)
    assert changes.put["/etc/one"].content == b"uno"
    assert changes.put["/etc/one"].mtime == LATEST
    assert changes.put["/etc/new"].device == (1, 3)
    assert set(changes.put) == {"/etc/one", "/etc/new"}


def test_large_files_are_compared_piece_by_piece(tmp_path: Path) -> None:
    for name, end in (("was", b"a"), ("same", b"a"), ("other", b"b")):
        (tmp_path / name).write_bytes(bytes(3 << 20) + end)
    before = Tree(mtime=10)
    before.write("big", whole(tmp_path / "was"))
    after = {"/": entry(2, Kind.DIR, 0o755), "/big": entry(11, ctime=CHANGED)}
    assert not compared(before, after, {11: whole(tmp_path / "same")})
    assert set(compared(before, after, {11: whole(tmp_path / "other")}).put) == {"/big"}


def test_a_directory_becomes_a_link_out_of_the_tree() -> None:
    before = tree()
    after = {path: each for path, each in disk(before).items() if not path.startswith("/var/lib/")}
    after["/var/lib"] = entry(70, Kind.SYMLINK, 0o777, target="../../../../etc", ctime=CHANGED)
    changes = compared(before, after)
    changes.apply(before)
    assert before.at("/var/lib").target == "../../../../etc"
    assert before.read("/etc/one") == b"one"
    assert set(before.names("/etc")) == {"one", "two", "three"}


def test_a_link_becomes_a_directory() -> None:
    before = tree()
    after = disk(before)
    after["/var/link"] = entry(70, Kind.DIR, 0o755, ctime=CHANGED)
    after["/var/link/state"] = entry(71, ctime=CHANGED)
    compared(before, after, {71: b"other"}).apply(before)
    assert before.read("/var/lib/state") == b"state"
    assert before.read("/var/link/state") == b"other"


def test_further_names_of_a_file() -> None:
    before = tree()
    after = disk(before)
    one = after["/etc/one"]
    after["/etc/one"] = after["/var/again"] = entry(one.number, ctime=CHANGED, links=2)
    compared(before, after, {one.number: b"one"}).apply(before)
    assert before.at("/var/again") is before.at("/etc/one")
    assert before.read("/var/again") == b"one"


def test_a_further_name_that_no_count_of_links_tells_of() -> None:
    before = tree()
    after = disk(before)
    after["/var/again"] = after["/etc/one"]
    compared(before, after, {after["/etc/one"].number: b"one"}).apply(before)
    assert before.at("/var/again") is before.at("/etc/one")
    assert before.read("/etc/one") == b"one"


def test_a_directory_that_is_another_name_of_a_file() -> None:
    before = tree()
    after = {path: each for path, each in disk(before).items() if not path.startswith("/var/lib/")}
    after["/var/lib"] = after["/etc/one"]
    compared(before, after, {after["/etc/one"].number: b"one"}).apply(before)
    assert before.at("/var/lib") is before.at("/etc/one")


def test_another_kind_that_seems_unchanged() -> None:
    before = tree()
    after = disk(before)
    after["/etc/one"] = entry(after["/etc/one"].number, Kind.FIFO)
    assert compared(before, after).put["/etc/one"].kind is Kind.FIFO


def test_sockets_are_left_out() -> None:
    before = tree()
    after = disk(before)
    after["/etc/one"] = after["/var/socket"] = entry(80, None, ctime=CHANGED)
    changes = compared(before, after)
    assert changes == Changes(removed=("/etc/one",))
