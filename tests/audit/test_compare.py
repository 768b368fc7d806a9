"""What differs between two images is told, and nothing else."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.audit.compare import compare, first_difference
from assembler.audit.image import Image
from assembler.cli.main import call
from assembler.image.names import ISO_SQUASHFS
from assembler.lockfile.toml import format_lock
from tests.audit.conftest import Make, flip, system
from tests.lockfile.test_toml import LOCK

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
