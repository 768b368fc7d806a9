"""What is not as it should be is found and named, whatever it is."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

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
