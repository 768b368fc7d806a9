"""What differs between two images is told, and nothing else."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.audit.compare import Bytes, Change, Comparison, PackageChange, compare, first_difference
from assembler.audit.image import Image
from assembler.cli.main import call
from assembler.errors import AssembleError
from assembler.formats.iso import EFI, BootImage, BootImages, SystemArea, write_iso
from assembler.image.names import ISO_SQUASHFS
from assembler.lock.changes import changes
from assembler.lockfile.toml import format_lock
from tests.audit.conftest import Make, flip, system
from tests.lockfile.test_toml import LOCK
from tests.support.reporters import Recorder

CHANGED = {"one": (b"2.10-5", b"2.10-6"), "two": (b"2.41-12", b"2.99")}


def test_the_same_tree_gives_the_same_image(make: Make) -> None:
    one, two = make("one", system()), make("two", system())
    assert not compare(one, two)
    assert call(["diff", str(one), str(two)]) == 0


def test_one_byte_in_a_file_in_a_squashfs_in_an_iso(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    tree = system()
    data = bytearray(tree.read("/usr/bin/su"))
    data[12345] ^= 1
    tree.write("/usr/bin/su", bytes(data)).mtime = tree.at("/usr/bin/sudo").mtime
    one, two = make("one", system()), make("two", tree)
    found = compare(one, two)
    (change,) = [change for change in found.changes if change.layer == "rootfs"]
    assert (change.path, change.offset, change.bytes) == (f"{ISO_SQUASHFS}!/usr/bin/su", 12345, 1)
    assert change.fields.keys() == {"content"}
    # What follows from it: the listing, the list of contents and the seal are files and areas of their own.
    assert {change.path for change in found.changes if change.layer == "iso"} >= {"/live/contents/contents.json"}
    assert call(["diff", str(one), str(two)]) == 1
    assert f"rootfs: {ISO_SQUASHFS}!/usr/bin/su\n  bytes: from 12345 on; 1 differ\n" in capsys.readouterr().out
    assert call(["diff", str(one), str(two), "--json"]) == 1
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [change["offset"] for change in result["changes"] if change["layer"] == "rootfs"] == [12345]


def test_fields_packages_and_locks(make: Make) -> None:
    tree = system()
    tree.chmod("/usr/bin/ping", 0o4755)
    tree.at("/usr/bin/ping").xattrs.clear()
    tree.write("/etc/passwd", b"root:x:0:0::/root:/bin/bash\n")
    tree.remove("/bin")
    tree.write("/new", b"")
    tree.write("/var/lib/dpkg/status", tree.read("/var/lib/dpkg/status").replace(b"2.10-5", b"2.10-6"))
    hello, libc = LOCK.packages
    lock = replace(LOCK, packages=(replace(hello, version="2.10-6"), libc))
    found = compare(make("one", system()), make("two", tree, lock=lock))
    inside = {change.path.partition("!")[2]: change for change in found.changes if change.layer == "rootfs"}
    assert {path: set(change.fields) for path, change in inside.items()} == {
        "/bin": {"there"},
        "/etc/passwd": {"size", "content"},
        "/new": {"there"},
        "/usr/bin/ping": {"mode", "xattrs"},
        "/var/lib/dpkg/status": {"content"},
    }
    assert inside["/etc/passwd"].package == "libc6", "as dpkg's list in the image says"
    assert inside["/etc/passwd"].offset == 23
    assert [(change.name, change.old, change.new) for change in found.packages] == [("hello", "2.10-5", "2.10-6")]
    assert [change.source for change in found.lock.sources] == ["hello"]


def test_boot_areas_and_damage(make: Make, tmp_path: Path) -> None:
    one = make("one", system())
    (change,) = compare(one, flip(one, 100, tmp_path / "two.iso")).changes
    assert (change.layer, change.path) == ("iso", "[system area]")
    start = Image(one).files[ISO_SQUASHFS].offset
    bad = flip(one, start + 2, tmp_path / "three.iso")
    (change,) = compare(one, bad).changes
    assert (change.path, change.offset) == (ISO_SQUASHFS, 2), "it cannot be looked into any more"


def test_a_terminal_is_told_no_more_than_a_name(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    tree = system()
    tree.write("/etc/\x1b[2Jtwo\nlines\u202e\udcff", b"")
    assert call(["diff", str(make("one", system())), str(make("two", tree))]) == 1
    assert rf"rootfs: {ISO_SQUASHFS}!/etc/\x1b[2Jtwo\nlines\u202e\xff" in capsys.readouterr().out.splitlines()


def test_directories_locks_and_other_files(tmp_path: Path) -> None:
    sides = [tmp_path / "a", tmp_path / "b"]
    for number, side in enumerate(sides):
        side.mkdir()
        (side / "vmlinuz").write_bytes(b"kernel" + bytes([number]))
        (side / f"only-{number}").write_bytes(b"")
        (side / "deeper").mkdir()
        (side / "deeper" / "same").write_bytes(b"same")
        (side / "deeper" / "other").write_bytes(b"%d" % number)
        (side / "x.lock.toml").write_text(format_lock(LOCK) + "\n" * number)
    found = compare(*sides)
    assert [(change.path, change.offset) for change in found.changes] == [
        ("deeper/other", 0),
        ("only-0", -1),
        ("only-1", -1),
        ("vmlinuz", 6),
        ("x.lock.toml", len(format_lock(LOCK))),
    ], "a lock that says the same in other bytes is another file"


def test_images_in_directories(make: Make, tmp_path: Path) -> None:
    """What differs in several of them is all told, and where."""
    sides = [tmp_path / "a", tmp_path / "b"]
    for number, side in enumerate(sides):
        side.mkdir()
        for name in ("one", "two"):
            tree = system()
            if number:
                text = tree.read("/var/lib/dpkg/status").replace(*CHANGED[name])
                tree.write("/var/lib/dpkg/status", text)
            shutil.move(make(f"{name}-{number}", tree), side / f"{name}.iso")
    found = compare(*sides)
    status = f"{ISO_SQUASHFS}!/var/lib/dpkg/status"
    assert {f"one.iso:{status}", f"two.iso:{status}"} <= {change.path for change in found.changes}
    assert [(change.name, change.new) for change in found.packages] == [("hello", "2.10-6"), ("libc6", "2.99")]


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, 64))
def test_the_first_difference(old: bytes, new: bytes, size: int) -> None:
    def pieces(data: bytes) -> list[bytes]:
        return [data[at : at + size] for at in range(0, len(data), size)]

    first, count = first_difference(lambda: iter(pieces(old)), lambda: iter([new]))
    both = min(len(old), len(new))
    different = [at for at in range(both) if old[at] != new[at]]
    expected = different[0] if different else both if len(old) != len(new) else -1
    assert (first, count) == (expected, len(different))


def test_something_or_nothing_differs() -> None:
    none = Comparison(changes=(), packages=(), lock=changes(LOCK, LOCK))
    assert not none
    assert replace(none, changes=(Change(layer="", path="", package="", fields={}),))
    assert replace(none, packages=(PackageChange(name="", architecture="", old="", new=""),))
    assert replace(none, lock=changes(None, LOCK))


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    (tmp_path / "d").mkdir()
    for pair in ((tmp_path / "f", tmp_path / "d"), (tmp_path / "d", tmp_path / "f")):
        with pytest.raises(AssembleError, match="a directory and a file cannot be compared") as caught:
            compare(*pair)
        assert caught.value.where.file == f"{pair[0]} {pair[1]}"


def test_two_locks(tmp_path: Path) -> None:
    """By what they say, when that differs; else, and by other names, as files."""
    hello, libc = LOCK.packages
    newer = replace(LOCK, packages=(replace(hello, version="2.10-6"), libc))
    paths = [tmp_path / name for name in ("a.lock.toml", "b.lock.toml")]
    for path, lock in zip(paths, (LOCK, newer), strict=True):
        path.write_text(format_lock(lock))
    found = compare(*paths)
    assert (found.changes, found.packages, [each.source for each in found.lock.sources]) == ((), (), ["hello"])
    other = paths[1].rename(tmp_path / "b.toml")
    found = compare(paths[0], other)
    assert ([(each.layer, each.path) for each in found.changes], bool(found.lock)) == ([("file", "a.lock.toml")], False)


def test_two_files(tmp_path: Path) -> None:
    """Sizes, digests and the first byte; and whoever wants them gets the bytes of both."""
    (tmp_path / "a").write_bytes(b"abc" * 50_000)
    (tmp_path / "b").write_bytes(b"abc" * 49_999 + b"axcd")
    handed: list[tuple[str, bytes, bytes]] = []

    def pair(path: str, old: Bytes, new: Bytes) -> None:
        handed.append((path, b"".join(old()), b"".join(new())))

    (change,) = compare(tmp_path / "a", tmp_path / "b", pair=pair).changes
    assert change.fields["size"] == ("150000", "150001")
    assert (change.offset, change.bytes) == (149_998, 1)
    assert [name for name, *_ in handed] == ["a"]
    assert (len(handed[0][1]), len(handed[0][2])) == (150_000, 150_001)
    assert not compare(tmp_path / "a", tmp_path / "a", pair=pair)
    assert len(handed) == 1


def test_what_is_handed_on_of_images(make: Make) -> None:
    """Every file that differs, on the ISO or in a tree; not the whole squashfs, and no file of one side alone."""
    tree = system()
    tree.write("/etc/passwd", b"root:x:0:0::/root:/bin/bash\n")
    tree.write("/usr/new", b"")
    tree.chmod("/usr/bin/ping", 0o700)
    handed: dict[str, tuple[bytes, bytes]] = {}

    def pair(path: str, old: Bytes, new: Bytes) -> None:
        handed[path] = b"".join(old()), b"".join(new())

    reporter = Recorder()
    one, two = (
        make("one", system(), listed={"/live/x": b"1", "/gone": b""}),
        make("two", tree, listed={"/live/x": b"2"}),
    )
    found = compare(one, two, pair=pair, reporter=reporter)
    assert handed["/live/x"] == (b"1", b"2")
    passwd = f"{ISO_SQUASHFS}!/etc/passwd"
    assert handed[passwd][1] == b"root:x:0:0::/root:/bin/bash\n"
    assert not {ISO_SQUASHFS, f"{ISO_SQUASHFS}!/usr/new", f"{ISO_SQUASHFS}!/usr/bin/ping", "/gone"} & handed.keys()
    assert reporter.steps == [(ISO_SQUASHFS, 0)], "the initramfs is the same"
    there = {change.path: dict(change.fields) for change in found.changes if "there" in change.fields}
    assert there == {"/gone": {"there": ("file", "")}, f"{ISO_SQUASHFS}!/usr/new": {"there": ("", "file")}}
    assert {change.path: change.layer for change in found.changes}["/gone"] == "iso"
    (mode,) = (change for change in found.changes if change.path.endswith("/ping"))
    assert (mode.fields, mode.offset, mode.bytes) == ({"mode": ("0755", "0700")}, -1, 0)


def test_a_tree_that_cannot_be_read_is_warned_of(make: Make, tmp_path: Path) -> None:
    one = make("one", system())
    bad = flip(one, Image(one).files[ISO_SQUASHFS].offset + 2, tmp_path / "bad.iso")
    reporter = Recorder()
    (change,) = compare(one, bad, reporter=reporter).changes
    assert change.path == ISO_SQUASHFS
    assert len(reporter.warnings) == 1
    assert "squashfs" in reporter.warnings[0]


def test_what_lies_outside_of_files(tmp_path: Path) -> None:
    """Areas that one has and the other lacks; not those that follow from the files themselves."""
    boot = BootImages(
        catalog="/boot/catalog",
        images=(BootImage(path="/boot/efi.img", data=bytes(4096), platform=EFI),),
        area=SystemArea(),
    )
    for name, images, files in (("a", None, {}), ("b", boot, {}), ("c", None, {"/d/e": b"x"})):
        write_iso(tmp_path / name, {"/x": b"1", **files}, label="X", epoch=0, boot=images)
    found = compare(tmp_path / "a", tmp_path / "b").changes
    areas = {change.path: change.fields["content"] for change in found if change.path.startswith("[")}
    assert "[GPT]" in areas
    assert areas["[GPT]"][0] == ""
    back = {change.path: change.fields.get("content") for change in compare(tmp_path / "b", tmp_path / "a").changes}
    assert {path: (new, old) for path, (old, new) in areas.items()} == {
        path: pair for path, pair in back.items() if path.startswith("[")
    }
    names = [change.path for change in compare(tmp_path / "a", tmp_path / "c").changes]
    assert not [name for name in names if name.startswith(("[folder", "[padding behind"))]
    assert "/d/e" in names
