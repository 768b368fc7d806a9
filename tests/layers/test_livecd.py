"""What the live ISO layer refuses, what it says of the medium, and what on it is private."""

import subprocess
from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.formats.iso import is_private
from assembler.image.names import ISO_INDEX, ISO_PROVENANCE, ISO_RECIPE, ISO_SQUASHFS, lock_path
from assembler.layers.livecd import PRIVATE, check_size, sums_of
from assembler.recipe.portable import RECIPE


def test_an_iso_that_is_too_large_for_its_medium() -> None:
    check_size(1 << 40, "")
    check_size(700 << 20, "700M")
    with pytest.raises(
        AssembleError, match=r"livecd\.medium_size: the ISO is too large for its medium: it has 734003201"
    ):
        check_size((700 << 20) + 1, "700M")


def test_what_is_roots_alone_where_the_iso_is_mounted() -> None:
    """The names on the medium of what private files are in, or digests of them, and of how the image was made."""
    names = {
        ISO_SQUASHFS: True,
        "/live/contents/rootfs.zst": True,
        lock_path("livecd"): True,
        **{f"{ISO_RECIPE}/{name}": True for name in (RECIPE, f"files/{'0' * 64}")},
        ISO_INDEX: False,
        ISO_PROVENANCE: False,
        "/live/contents/initrd.zst": False,
        "/live/images/index.json": False,
        "/boot/vmlinuz": False,
        "/boot/initrd.img": False,
        "/boot/grub/grub.cfg": False,
    }
    assert {name: is_private(name, PRIVATE) for name in names} == names


def test_the_sums_of_the_medium(tmp_path: Path) -> None:
    """All that the node takes from the medium, but for what is named by its digest, as sha256sum(1) reads it."""
    squashfs = tmp_path / ISO_SQUASHFS[1:]
    index, listed = "live/images/index/0a.json", "live/images/images.txt"
    for path in (squashfs, tmp_path / index):
        path.parent.mkdir(parents=True)
        path.write_bytes(path.name.encode())
    (tmp_path / listed).write_bytes(b"0a name\n")
    images: dict[str, bytes | Path] = {
        "/live/images/blobs/sha256/0a": b"a layer of many megabytes",
        f"/{index}": tmp_path / index,
        f"/{listed}": b"0a name\n",
    }
    sums = sums_of(squashfs, images)
    assert [line.split("  ")[1] for line in sums.decode().splitlines()] == sorted([ISO_SQUASHFS[1:], index, listed])
    subprocess.run(["sha256sum", "--check", "--strict"], input=sums, cwd=tmp_path, check=True, capture_output=True)
