"""What differs between two results of the same job is told path by path."""

from pathlib import Path

from assembler.guest.differing import Difference, differing
from assembler.tree.changes import Changes, Entry
from assembler.tree.content import Content, equal, whole
from assembler.tree.staging import Kind


def entry(
    content: Content = b"", *, kind: Kind = Kind.FILE, mode: int = 0o644, mtime: int = 0, target: str = ""
) -> Entry:
    return Entry(kind=kind, mode=mode, uid=0, gid=0, mtime=mtime, content=content, target=target)


def test_nothing() -> None:
    same = Changes(removed=("/x",), put={"/a": entry(b"1")}, links={"/b": "/a"})
    assert differing(same, same) == ()


def test_everything() -> None:
    one = Changes(
        removed=("/gone", "/both"),
        put={
            "/bytes": entry(b"1"),
            "/kind": entry(),
            "/link": entry(kind=Kind.SYMLINK, target="a"),
            "/mode": entry(),
            "/once": entry(),
            "/same": entry(b"same"),
            "/time": entry(),
        },
        links={"/other": "/same"},
    )
    other = Changes(
        removed=("/both",),
        put={
            "/bytes": entry(b"2"),
            "/kind": entry(kind=Kind.FIFO),
            "/link": entry(kind=Kind.SYMLINK, target="b"),
            "/mode": entry(mode=0o600),
            "/same": entry(b"same"),
            "/time": entry(mtime=1),
        },
        links={"/other": "/bytes"},
    )
    assert differing(one, other) == (
        Difference("/bytes", "has other bytes"),
        Difference("/gone", "is gone once only"),
        Difference("/kind", "is of another kind"),
        Difference("/link", "leads elsewhere"),
        Difference("/mode", "has another owner or mode"),
        Difference("/once", "is there once only"),
        Difference("/other", "is another file"),
        Difference("/time", "has another time"),
    )
    assert [each.path for each in differing(other, one)] == [each.path for each in differing(one, other)]


def test_contents_are_equal_wherever_they_are(tmp_path: Path) -> None:
    for name, data in (("a", bytes(3 << 20)), ("b", bytes(3 << 20)), ("c", bytes((3 << 20) - 1) + b"x"), ("d", b"x")):
        (tmp_path / name).write_bytes(data)
    a, b, c, d = (whole(tmp_path / name) for name in "abcd")
    assert equal(a, b)
    assert not equal(a, c)
    assert not equal(a, d)
    assert equal(d, b"x")
    assert equal(b"x", d)
    assert not equal(b"y", d)
