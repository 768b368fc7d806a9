"""What the ISO reader takes and what it refuses, on images made by hand: each limit to the byte."""

import struct
from pathlib import Path

import pytest

from assembler.errors import Place
from assembler.formats.iso_reader import IsoReadError, read_files
from assembler.tree.content import Slice
from tests.formats.isos import BLOCK, ROOT, SP, continued, directory, image, name, plain, primary, record, rock, rocky

DIRECTORY, ASSOCIATED, MORE = 0x02, 0x04, 0x80
END = b"\xffCD001\1".ljust(BLOCK, b"\0")


def files(path: Path, data: bytes) -> dict[str, tuple[int, int]]:
    """Offset and size of each file."""
    path.write_bytes(data)
    found = read_files(path)
    assert all(isinstance(each, Slice) and each.file == str(path) for each in found.values())
    return {name: (each.offset, each.size) for name, each in found.items()}


def refused(path: Path, data: bytes) -> tuple[str, str]:
    """Why, and in which path of the image."""
    path.write_bytes(data)
    with pytest.raises(IsoReadError) as caught:
        read_files(path)
    assert caught.value.what == "this is no ISO, or a damaged one"
    assert caught.value.where == Place(file=str(path), path=caught.value.where.path)
    return caught.value.why, caught.value.where.path


def test_names_without_rock_ridge_are_as_they_are(tmp_path: Path) -> None:
    odd = name(b"other")
    for own in (b"", SP[:4] + b"\xbe\xee\0", SP[:4] + b"\xbf\xef\0", b"SQ" + SP[2:]):
        data = image(directory(record(b"A.;1", 16, 5, system=odd), record(b"B", system=odd), own=own))
        assert files(tmp_path / "x", data) == {"/A.;1": (16 * BLOCK, 5), "/B": (0, 0)}
    # What says that there is some has to be in the root's own record, to its last byte.
    itself = record(b"\0", flags=2)[1:] + SP[:6]
    for length, found in ((40, "/A.;1"), (41, "/other")):
        block = bytes([length]) + itself + SP[6:] * (length == 41) + record(b"A.;1", system=odd)
        assert files(tmp_path / "x", image(block)) == {found: (0, 0)}


def test_rock_ridge_begins_where_the_root_says(tmp_path: Path) -> None:
    for skipped in (0, 1, 15):
        own = SP[:6] + bytes([skipped])
        data = image(directory(record(b"A.;1", system=b"X" * skipped + name(b"a")), own=own))
        assert files(tmp_path / "x", data) == {"/a": (0, 0)}
    # A name of an even length has a byte behind it, one of an odd length has none.
    for plain_name in (b"A", b"AB", b"ABC"):
        assert files(tmp_path / "x", rocky(record(plain_name, system=name(b"a")))) == {"/a": (0, 0)}


def test_what_is_no_entry_is_left_out(tmp_path: Path) -> None:
    data = plain(record(b"A", flags=ASSOCIATED), record(b"B", extra=3, start=14, size=9), record(b"C", flags=0x01))
    assert files(tmp_path / "x", data) == {"/B": (17 * BLOCK, 9), "/C": (0, 0)}


def test_descriptors(tmp_path: Path) -> None:
    """Others come before the primary one; what is behind their end does not count."""
    root = directory(record(b"A"))
    boot = b"\0CD001\1".ljust(BLOCK, b"\0")
    for before in (0, 1, 63):
        data = image(root, descriptors=boot * before + primary(18 + before) + END)
        assert files(tmp_path / "x", data) == {"/A": (0, 0)}
    none = ("it has no primary volume descriptor", "")
    for descriptors in (
        boot * 64 + primary(81),
        END + primary(),
        boot + b"\1CD002".ljust(BLOCK, b"\0") + primary(),
        boot,
    ):
        assert refused(tmp_path / "x", image(root, bytes(80 * BLOCK), descriptors=descriptors)) == none
    small = image(root, descriptors=primary(block=512) + END)
    assert refused(tmp_path / "x", small) == ("it has logical blocks of 512 bytes", "")
    assert refused(tmp_path / "x", bytes(17 * BLOCK - 1)) == (f"it ends before byte {17 * BLOCK}", "")
    assert refused(tmp_path / "x", bytes(17 * BLOCK)) == none


def test_where_files_may_lie(tmp_path: Path) -> None:
    end = 19 * BLOCK
    for start, size in ((18, BLOCK), (0, end), (19, 0), (0xFFFFFFFF, 0)):
        assert files(tmp_path / "x", plain(record(b"A", start, size))) == {"/A": (start * BLOCK, size)}
    for start, size in ((18, BLOCK + 1), (0, end + 1), (19, 1)):
        why = refused(tmp_path / "x", plain(record(b"A", start, size)))
        assert why == ("a file lies beyond the end of the image", "/A")
    four = [record(b"%d" % number, 0, end) for number in range(4)]
    assert len(files(tmp_path / "x", plain(*four, record(b"EMPTY")))) == 5
    why = refused(tmp_path / "x", plain(*four, record(b"LAST", 0, 1)))
    assert why == ("its files have more than 4 times the bytes of the image", "")


def test_a_directory_and_its_records(tmp_path: Path) -> None:
    """Records do not cross the border of a block: zeros are between them and the next."""
    path = tmp_path / "x"
    two = directory(record(b"A")) + record(b"B").ljust(BLOCK, b"\0")
    assert files(path, image(two, descriptors=primary(size=2 * BLOCK) + END)) == {"/A": (0, 0), "/B": (0, 0)}
    assert files(path, image(two)) == {"/A": (0, 0)}
    # The last block may be used in part.
    short = directory(record(b"AB"), record(b"CD"))
    used = 34 + 34 + 36
    assert files(path, image(short, descriptors=primary(size=used) + END)) == {"/AB": (0, 0)}
    for less in (1, 2, 35):
        data = image(short, descriptors=primary(size=used - less) + END)
        assert refused(path, data) == ("a directory is damaged", "/")
    smallest = bytearray(record(b"A"))
    smallest[32] = 0
    long = bytearray(record(b"A"))
    long[32] = 2
    for odd in (bytes(smallest), bytes(long), bytes([33]) + record(b"A")[1:33], b"\x05abcd"):
        assert refused(path, plain(odd)) == ("a directory is damaged", "/")
        below = image(directory(record(b"D", 19, BLOCK, flags=DIRECTORY)), directory(odd))
        assert refused(path, below) == ("a directory is damaged", "/D")
    assert refused(path, image(descriptors=primary() + END)) == (f"it ends before byte {19 * BLOCK}", "/")
    below = image(directory(record(b"D", 19, BLOCK, flags=DIRECTORY)))
    assert refused(path, below) == (f"it ends before byte {20 * BLOCK}", "/D")
    full = record(b"A" * 221)
    assert full[0] == 254
    assert files(path, plain(full)) == {"/" + "A" * 221: (0, 0)}


def test_directories_together(tmp_path: Path) -> None:
    size = 64 << 20
    for more, why in ((-BLOCK, f"it ends before byte {20 * BLOCK}"), (1 - BLOCK, "its directories have more")):
        data = image(directory(record(b"D", 19, size + more, flags=DIRECTORY)), descriptors=primary() + END)
        found, where = refused(tmp_path / "x", data)
        assert where == "/D"
        assert found.startswith(why)
    assert found == "its directories have more than 67108864 bytes, which is more than is read"


def test_as_deep_as_directories_are_read(tmp_path: Path) -> None:
    def deep(levels: int) -> bytes:
        blocks = [directory(record(b"D", ROOT + at + 1, BLOCK, flags=DIRECTORY)) for at in range(levels)]
        return image(*blocks, directory(record(b"F")))

    assert list(files(tmp_path / "x", deep(64))) == ["/D" * 64 + "/F"]
    why = refused(tmp_path / "x", deep(65))
    assert why == ("it has directories more than 64 deep", "/D" * 65)


def test_directories_that_are_in_two_places(tmp_path: Path) -> None:
    again = ("a directory is in two places", "/D")
    assert refused(tmp_path / "x", plain(record(b"D", ROOT, BLOCK, flags=DIRECTORY))) == again
    twice = [record(each, 19, BLOCK, flags=DIRECTORY) for each in (b"C", b"D")]
    assert refused(tmp_path / "x", image(directory(*twice), directory())) == again
    same = plain(record(b"D"), record(b"D"))
    assert refused(tmp_path / "x", same) == ("it has two files with one name", "/D")
    # Names in other directories are others.
    apart = image(directory(record(b"D", 19, BLOCK, flags=DIRECTORY), record(b"F")), directory(record(b"F")))
    assert list(files(tmp_path / "x", apart)) == ["/D/F", "/F"]


def test_files_in_sections(tmp_path: Path) -> None:
    path = tmp_path / "x"
    first = record(b"A", 16, BLOCK, flags=MORE)
    assert files(path, plain(first, record(b"A", 17, 5))) == {"/A": (16 * BLOCK, BLOCK + 5)}
    three = plain(first, record(b"A", 17, BLOCK, flags=MORE), record(b"A", 18, 0), record(b"B"))
    assert files(path, three) == {"/A": (16 * BLOCK, 2 * BLOCK), "/B": (0, 0)}
    apart = ("a file is in several pieces, which is not read", "/A")
    not_following = ("a file has sections that do not follow each other", "/A")
    for entries, why in (
        ((first, record(b"A", 18, 5)), apart),
        ((first, record(b"A", 16, 5)), apart),
        ((first, record(b"B", 17, 5)), not_following),
        ((first, record(b"A", 17, 5, flags=DIRECTORY)), not_following),
        ((record(b"A", 16, BLOCK - 1, flags=MORE), record(b"A", 17, 5)), not_following),
        ((record(b"A", 16, BLOCK + 1, flags=MORE), record(b"A", 17, 5)), not_following),
        ((first,), not_following),
    ):
        assert refused(path, plain(*entries)) == why
    below = image(directory(record(b"D", 19, BLOCK, flags=DIRECTORY)), directory(first))
    assert refused(path, below) == (not_following[0], "/D/A")


def test_names_of_rock_ridge(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for system, found in (
        (name(b"a"), "/a"),
        (name(b"a", 1) + name(b"b", 1) + name(b"c"), "/abc"),
        (name(b"a") + name(b"b"), "/a"),
        (name(b"a", 1) + name(b"b") + name(b"c"), "/ab"),
        (rock(b"NM", b"") + name(b"a"), "/a"),
        (rock(b"NM", b""), "/A"),
        (rock(b"TF", b"xyz") + name(b"a"), "/a"),
        (rock(b"ST", b"") + name(b"a"), "/A"),
        (b"\0\0\0\0" + name(b"a"), "/A"),
        (name(b"a") + b"NM", "/a"),
    ):
        assert files(path, rocky(record(b"A", system=system))) == {found: (0, 0)}
    itself = "a name of Rock Ridge is that of a directory itself"
    damaged = "a field of Rock Ridge is damaged"
    for system, why in (
        (name(b"", 2), itself),
        (name(b"a", 4), itself),
        (name(b"a") + name(b"", 6), itself),
        (b"NM\x03\x01", damaged),
        (b"NM\x00\x01", damaged),
        (b"\0\0\x03\x01", damaged),
        (b"NM\x07\x01\0a", damaged),
        (b"CE\x04\x01", damaged),
        (rock(b"CE", bytes(23)) + b"\0", damaged),
    ):
        assert refused(path, rocky(record(b"A", system=system))) == (why, "/")
    for text in (b"/", b"a/b", b"a\0", b".", b".."):
        why = f"it has a file with the name {text.decode()!r}, which is none"
        assert refused(path, rocky(record(b"A", system=name(text)))) == (why, "/")
    assert list(files(path, rocky(record(b"A", system=name(b"..."))))) == ["/..."]


def test_the_longest_name(tmp_path: Path) -> None:
    """It does not fit into a record, so it goes on elsewhere."""
    path = tmp_path / "x"
    for length in (255, 256):
        fields = name(b"n" * 200, 1) + name(b"n" * (length - 200))
        data = rocky(record(b"A", system=continued(19, 100, len(fields))), blocks=(bytes(100) + fields,))
        if length == 255:
            assert files(path, data) == {"/" + "n" * 255: (0, 0)}
    why, where = refused(path, data)
    assert why == f"it has a file with the name {'n' * 256!r}, which is none"
    assert where == "/"


def test_fields_that_lie_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "x"
    field = name(b"a")
    last = continued(19, BLOCK - len(field), len(field))
    assert list(files(path, rocky(record(b"A", system=last), blocks=(field.rjust(BLOCK, b"\0"),)))) == ["/a"]
    beyond = continued(19, BLOCK - len(field) + 1, len(field))
    blocks = (field.rjust(BLOCK, b"\0"), b"")
    why = refused(path, rocky(record(b"A", system=beyond), blocks=blocks))
    assert why == ("a field of Rock Ridge is damaged", "/")
    outside = rocky(record(b"A", system=continued(19, 0, 5)))
    assert refused(path, outside) == (f"it ends before byte {19 * BLOCK + 5}", "/")
    # What is there counts as if it were in the directory: 64 MiB of both.
    spent = image(
        directory(record(b"A", system=continued(20, 0, BLOCK)), record(b"D", 19, (64 << 20) - 2 * BLOCK + 1, flags=2),
                  own=SP),
        bytes(2 * BLOCK),
    )  # fmt: skip
    assert refused(path, spent)[0] == "its directories have more than 67108864 bytes, which is more than is read"


def test_as_often_as_fields_go_on(tmp_path: Path) -> None:
    def chain(places: int) -> bytes:
        """A record whose fields are in so many places, itself included."""
        fields = [continued(20, at * 32, 28) for at in range(1, places - 1)]
        block = b"".join(each.ljust(32, b"\0") for each in fields)
        return rocky(record(b"A", system=continued(20, 0, 28)), blocks=(b"", block.ljust(BLOCK, b"\0"), b""))

    # The last of them has no field, which ends it.
    assert list(files(tmp_path / "x", chain(64))) == ["/A"]
    why = refused(tmp_path / "x", chain(65))
    assert why == ("the fields of Rock Ridge go on without an end", "/")


def test_links_are_empty_files(tmp_path: Path) -> None:
    path = tmp_path / "x"

    def mode(value: int) -> bytes:
        return rock(b"PX", struct.pack("<I", value) + bytes(4))

    for system, size in (
        (mode(0o120777), 0),
        (mode(0o100644), 9),
        (mode(0o140644), 9),
        (mode(0o120777) + mode(0o100644), 9),
        (rock(b"PX", b"\0\xa0\0"), 9),
        (rock(b"PX", b"\0\xa0\0\0"), 0),
    ):
        assert files(path, rocky(record(b"A", 16, 9, system=system))) == {"/A": (16 * BLOCK, size)}


def test_directories_that_have_been_moved(tmp_path: Path) -> None:
    """Where it belongs, a file says where it is (CL); where it is, it says that it does not belong there (RE)."""
    path = tmp_path / "x"
    place = rock(b"CL", struct.pack("<I", 19) + bytes(4)) + name(b"moved")
    away = record(b"RR", 19, BLOCK, flags=DIRECTORY, system=rock(b"RE", b""))
    moved = directory(record(b"F", system=name(b"f")), start=19)
    assert files(path, rocky(record(b"A", 3, 77, system=place), away, blocks=(moved,))) == {"/moved/f": (0, 0)}
    # Its own record says how large it is.
    short = directory(record(b"F", system=name(b"f")), start=19, size=68)
    assert files(path, rocky(record(b"A", system=place), blocks=(short,))) == {}
    shorter = rocky(record(b"A", 16, 5, system=rock(b"CL", b"\x13\0\0") + name(b"a")))
    assert files(path, shorter) == {"/a": (16 * BLOCK, 5)}
    gone = rocky(record(b"A", system=place))
    assert refused(path, gone) == (f"it ends before byte {20 * BLOCK}", "")
