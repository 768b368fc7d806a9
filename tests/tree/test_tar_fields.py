"""The fields of a tar's headers, to their last byte, and what is written when one is too small."""

import tarfile
from pathlib import Path

from assembler.tree import tar
from assembler.tree.content import Slice
from assembler.tree.staging import Tree
from tests.tree.test_tar import archive, members


def full(kind: bytes = tarfile.REGTYPE, **fields: bytes) -> bytes:
    """A header whose fields have no byte left, each with a good value."""
    places = {
        "name": (0, b"n" * 100), "mode": (100, b"00000644"), "uid": (108, b"00000017"), "gid": (116, b"00000021"),
        "size": (124, b"0" * 12), "mtime": (136, b"000000000007"), "target": (157, b"t" * 100),
        "magic": (257, b"ustar\x0000"), "user": (265, b"u" * 32), "group": (297, b"g" * 32),
        "major": (329, b"00000001"), "minor": (337, b"00000003"), "prefix": (345, b"p" * 155),
    }  # fmt: skip
    data = bytearray(512)
    for key, (place, value) in places.items():
        data[place : place + len(value)] = fields.get(key, value)
    data[148:156] = b" " * 8
    data[148:156] = b"%08o" % sum(data)
    data[156:157] = kind
    data[148:156] = b"%08o" % (sum(data[:148]) + 256 + sum(data[156:]))
    return bytes(data) + bytes(1024)


def test_fields_that_are_full_end_where_the_next_begins(tmp_path: Path) -> None:
    for kind in (tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE):
        (member,) = members(full(kind), tmp_path)
        assert member.path == f"/{'p' * 155}/{'n' * 100}"
        assert (member.mode, member.uid, member.gid, member.mtime) == (0o644, 0o17, 0o21, 7)
        assert (member.user, member.group) == ("u" * 32, "g" * 32)
        assert member.target == ("t" * 100 if kind == tarfile.SYMTYPE else "")
        assert member.device == ((1, 3) if kind in {tarfile.CHRTYPE, tarfile.BLKTYPE} else (0, 0))
    # In GNU's format what stands in place of the prefix is something else; before ustar there were no names.
    (member,) = members(full(magic=b"ustar  \0"), tmp_path)
    assert (member.path, member.user) == ("/" + "n" * 100, "u" * 32)
    (member,) = members(full(magic=bytes(8)), tmp_path)
    assert (member.path, member.user, member.group) == ("/" + "n" * 100, "", "")


def test_pieces_are_as_large_as_they_are_asked_for(tmp_path: Path) -> None:
    mib = 1 << 20
    (tmp_path / "data").write_bytes(bytes(3 * mib))
    tree = Tree()
    tree.write("/f", Slice(str(tmp_path / "data"), 0, 3 * mib))
    headers = 2 * tar.BLOCK
    assert [len(piece) for piece in tar.write(tree)][:-1] == [headers + mib, mib, mib]
    assert [len(piece) for piece in tar.write(tree, buffer=2 * mib)][:-1] == [headers + 2 * mib]
    assert len(archive(tree)) % tar.RECORD == 0


def test_what_is_larger_than_the_plain_field(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for size, pax in (((8 << 30) - 1, False), (8 << 30, True)):
        with data.open("wb") as stream:
            stream.truncate(size)
        tree = Tree()
        tree.write("/f", Slice(str(data), 0, size))
        begin = next(iter(tar.write(tree)))
        assert (b"size=8589934592\n" in begin) is pax
        assert begin.startswith(b"./PaxHeaders/" if pax else b"./f\0", 512)


def test_times_are_no_later_than_the_latest(tmp_path: Path) -> None:
    tree = Tree(mtime=50)
    for number in (99, 100, 101):
        tree.write(f"/{number}", b"").mtime = number
    found = {member.path: member.mtime for member in members(archive(tree, latest=100), tmp_path)}
    assert found == {"/": 50, "/99": 99, "/100": 100, "/101": 100}
