"""What is not as it should be is found and named, whatever it is."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.audit import verify as verifying
from assembler.audit.image import Image
from assembler.audit.verify import Finding, verify
from assembler.cli.main import call
from assembler.formats.squashfs_reader import Squashfs
from assembler.image.names import ISO_SQUASHFS
from assembler.lockfile.model import Lock, LockedBuild, LockedLayer, LockedOutput
from assembler.store.objects import sha256_of
from tests.audit.conftest import Make, flip, system
from tests.lockfile.test_toml import LOCK


def paths(found: tuple[Finding, ...]) -> set[str]:
    return {finding.path for finding in found}


def recorded(image: Path, lock: Lock = LOCK) -> Lock:
    """`lock` with `image` recorded as what it makes."""
    output = LockedOutput(name="node.iso", size=image.stat().st_size, sha256=sha256_of(image))
    layers = (LockedLayer(name="rootfs.tree", sha256=Image(image).trees[ISO_SQUASHFS]["sha256"]),)
    return replace(lock, build=LockedBuild(recipe_sha256="0" * 64, assembler="0.1.0", outputs=(output,), layers=layers))


def test_a_sound_image(make: Make) -> None:
    image = make("sound", system())
    found = verify(image, recorded(image))
    assert found.findings == ()
    assert (found.packages, found.paths) == (2, 7 + 2 + 15)


def test_a_byte_inside_the_squashfs_is_named_by_its_path(make: Make, tmp_path: Path) -> None:
    image = make("sound", system())
    start = Image(image).files[ISO_SQUASHFS].offset
    with Squashfs(image, start) as squashfs:
        extents, tables = squashfs.extents, squashfs.tables
    bad = flip(image, start + extents[0].offset + extents[0].size // 2, tmp_path / "bad.iso")
    found = verify(bad).findings
    assert paths(found) <= {f"{ISO_SQUASHFS}!{path}" for path, _ in extents[0].owners}
    assert found
    table = flip(image, start + tables["inodes"] + 9, tmp_path / "bad.iso")
    assert all(finding.path.startswith(ISO_SQUASHFS) for finding in verify(table).findings)


def test_any_byte_is_found(make: Make, tmp_path: Path) -> None:
    image = make("sound", system())
    chance = random.Random(3)  # noqa: S311  not for secrets
    for _ in range(60):
        place = chance.randrange(image.stat().st_size)
        assert verify(flip(image, place, tmp_path / "bad.iso")).findings, place


def test_more_and_less_than_is_listed(make: Make) -> None:
    said, really = system(), system()
    really.write("/etc/cron.d/evil", b"* * * * * root evil\n", parents=True)
    really.remove("/etc/passwd")
    really.chmod("/usr/bin/ping", 0o4755)
    really.at("/usr/bin/ping").xattrs.clear()
    really.at("/usr/bin/su").uid = 1000
    found = {finding.path.partition("!")[2]: finding.what for finding in verify(make("x", really, said=said)).findings}
    assert found == {
        "/etc/cron.d": "nothing says that it belongs here",
        "/etc/cron.d/evil": "nothing says that it belongs here",
        "/etc/passwd": "it is missing",
        "/usr/bin/ping": f"mode is 4755, not 0755, xattrs is -, not security.capability=0100000200200000{'00' * 12}",
        "/usr/bin/su": "owner is 1000:0, not 0:0",
    }


def test_files_on_the_iso(make: Make) -> None:
    (found,) = verify(make("x", system(), extra={"/boot/evil.efi": b"evil"})).findings
    assert (found.path, found.what) == ("/boot/evil.efi", "nothing says that it belongs here")
    (found,) = verify(make("y", system(), extra={"/boot/vmlinuz": b"evil"})).findings
    assert (found.path, found.what) == ("/boot/vmlinuz", "it is not what the list of contents says")


def test_names_cannot_steer_a_terminal(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    image = make("x", system(), extra={"/boot/evil\x1b[2J\n.efi": b"evil"})
    assert call(["verify", str(image)]) == 1
    assert capsys.readouterr().out.splitlines() == [r"/boot/evil\x1b[2J\n.efi: nothing says that it belongs here"]


def test_packages_against_the_lock(make: Make) -> None:
    tree = system()
    text = tree.read("/var/lib/dpkg/status").replace(b"2.10-5", b"2.10-6")
    tree.write("/var/lib/dpkg/status", text)
    assert [finding.what for finding in verify(make("x", tree)).findings] == [
        "hello 2.10-5 (amd64) is in the lock and not installed",
        "hello 2.10-6 (amd64) is installed and not in the lock",
    ]


def test_another_lock_and_another_image_than_recorded(make: Make) -> None:
    image = make("x", system())
    hello, libc = LOCK.packages
    other = replace(LOCK, packages=(replace(hello, version="2.10-6"), libc))
    (found,) = verify(image, other).findings
    assert "the image was built from another lock: " in found.what
    assert "hello:amd64 2.10-6 -> 2.10-5" in found.what
    changed = system()
    changed.write("/etc/passwd", b"toor::0:0::/root:/bin/sh\n")
    forged = make("forged", changed)
    assert not verify(forged).findings, "it is sound in itself"
    (found,) = verify(forged, recorded(image)).findings
    assert found.what == (
        "it is not the node.iso that the lock has recorded; other than recorded: its root file system"
    )


def test_what_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for data in (b"", b"x" * 100_000):
        path.write_bytes(data)
        (found,) = verify(path).findings
        assert "no checksum manifest" in found.what


def test_all_that_is_damaged_in_the_order_of_bytes(make: Make, tmp_path: Path) -> None:
    """Before the squashfs, in it and after it; nothing is looked into then."""
    image = make("x", system())
    sound = Image(image)
    start = sound.files[ISO_SQUASHFS].offset
    files = {path: one for path, one in sound.files.items() if one.size}
    before = max((path for path in files if files[path].offset < start), key=lambda path: files[path].offset)
    after = max(files, key=lambda path: files[path].offset)
    assert files[after].offset > start
    with Squashfs(image, start) as squashfs:
        table = start + squashfs.tables["inodes"] + 3
    bad = image
    for number, place in enumerate((files[after].offset, table, files[before].offset)):
        bad = flip(bad, place, tmp_path / f"bad-{number}.iso")
    found = verify(bad)
    first, inside, last = found.findings
    assert first == Finding(before, "its checksum is wrong", files[before].offset, first.size)
    assert inside.path == ISO_SQUASHFS
    assert inside.what.startswith("its checksum is wrong, and it cannot be read: ")
    assert last == Finding(after, "its checksum is wrong", files[after].offset, last.size)
    assert (found.paths, found.packages, found.areas) == (0, 0, len(sound.seal.areas))


def test_tables_of_the_squashfs_that_are_hit(make: Make, tmp_path: Path) -> None:
    """Where no file is other than listed: everything that the checksum is of, one after another."""
    image = make("x", system())
    squash = Image(image).files[ISO_SQUASHFS]
    with Squashfs(image, squash.offset) as squashfs:
        marks = {**squashfs.tables, "padding": squashfs.size}
    assert (marks["superblock"], list(marks)[-1]) == (0, "padding")
    found = verify(flip(image, squash.offset + marks["padding"], tmp_path / "bad.iso")).findings
    starts = [squash.offset + begin for begin in sorted(marks.values())]
    names = ["superblock and data", *(name for name in sorted(marks, key=marks.__getitem__) if name != "superblock")]
    assert [finding.path for finding in found] == [f"{ISO_SQUASHFS}![{name}]" for name in names]
    assert [finding.offset for finding in found] == starts
    ends = [*starts[1:], squash.offset + squash.size]
    assert [finding.size for finding in found] == [end - begin for begin, end in zip(starts, ends, strict=True)]
    assert {finding.what for finding in found} == {"its checksum is wrong"}


@pytest.mark.parametrize(
    ("outputs", "known"),
    [(("node.iso", "x.iso"), "x.iso"), (("node.iso", "y.iso"), "node.iso"), (("y.iso",), ""), ((), "")],
)
def test_which_output_an_image_is(make: Make, outputs: tuple[str, ...], known: str) -> None:
    """The recorded one of its own name, else the node's ISO; it is none of these here."""
    image = make("x", system())
    listed = tuple(LockedOutput(name=each, size=1, sha256="0" * 64) for each in outputs)
    lock = replace(LOCK, build=LockedBuild(recipe_sha256="0" * 64, assembler="1", outputs=listed, layers=()))
    found = verify(image, lock)
    said = [f"it is not the {known} that the lock has recorded"] if known else []
    assert [finding.what for finding in found.findings] == said
    assert found.compared == ("outputs" if known else "packages")
    assert verify(image).compared == "nothing"


PARTS = {
    "vmlinuz": "its kernel",
    "initrd.img": "its initrd",
    "rootfs.tree": "its root file system",
    "livecd.squashfs": "its squashfs",
}


def test_which_parts_are_other_than_recorded(make: Make) -> None:
    image = make("x", system())
    index = Image(image).index
    right = {
        "vmlinuz": index["files"]["/boot/vmlinuz"]["sha256"],
        "initrd.img": index["files"]["/boot/initrd.img"]["sha256"],
        "rootfs.tree": index["trees"][ISO_SQUASHFS]["sha256"],
        "livecd.squashfs": index["files"][ISO_SQUASHFS]["sha256"],
    }

    def said(digests: dict[str, str]) -> str:
        layers = tuple(LockedLayer(name=name, sha256=one) for name, one in digests.items() if "." in name)
        outputs = tuple(LockedOutput(name=name, size=1, sha256=one) for name, one in digests.items())
        build = LockedBuild(recipe_sha256="0" * 64, assembler="1", outputs=outputs, layers=layers)
        (finding,) = verify(image, replace(LOCK, build=build)).findings
        return finding.what

    what, node = "it is not the node.iso that the lock has recorded", {"node.iso": "0" * 64}
    for wrong in ((), *((name,) for name in PARTS), tuple(PARTS)):
        named = ", ".join(PARTS[name] for name in PARTS if name in wrong)
        digests = right | dict.fromkeys(wrong, "0" * 64) | node
        assert said(digests) == (f"{what}; other than recorded: {named}" if named else what)
    # With Kubernetes in it, that is the tree; what is not recorded is not told of.
    assert said({"kubernetes.tree": right["rootfs.tree"], "rootfs.tree": "0" * 64} | node) == what


def test_a_lock_that_differs_in_little_or_much(make: Make) -> None:
    """In nothing that is compared; and in so much that five lines of it are told."""
    image = make("x", system())
    hello, libc = LOCK.packages
    (found,) = verify(image, replace(LOCK, packages=(replace(hello, why="other"), libc))).findings
    what = "the image was built from another lock: "
    assert (found.path, found.what) == ("/live/x.lock.toml", f"{what}roles, reasons or names of archives differ")
    many = tuple(replace(libc, name=f"n{number}", source=f"n{number}") for number in range(9))
    told = verify(image, replace(LOCK, packages=(hello, libc, *many))).findings
    (found,) = (finding for finding in told if finding.path.endswith(".toml"))
    assert found.what.count("; ") == 4


def test_a_lock_on_the_image_that_is_none(make: Make) -> None:
    image = make("x", system(), listed={"/live/x.lock.toml": b"none"})
    found = verify(image, LOCK)
    assert "the lock is not TOML" in found.findings[-1].what
    assert (found.paths, found.packages, found.areas) == (0, 0, len(Image(image).seal.areas))


def test_another_listing_than_the_list_of_contents_means(make: Make) -> None:
    image = Image(make("x", system()))
    index = image.index
    other = {**index["trees"][ISO_SQUASHFS], "sha256": "0" * 64}
    vars(image)["index"] = {**index, "trees": {**index["trees"], ISO_SQUASHFS: other}}
    (finding,) = verifying._tree(image, ISO_SQUASHFS, image.listing(ISO_SQUASHFS))
    assert (finding.path, finding.what) == (
        "/live/contents/rootfs.zst",
        "it is not the listing that the list of contents means",
    )
