"""What the live ISO layer refuses, and what on it is private."""

import pytest

from assembler.errors import AssembleError
from assembler.formats.iso import is_private
from assembler.layers.contents import INDEX, PROVENANCE, RECIPE_FOLDER, lock_path
from assembler.layers.livecd import PRIVATE, SQUASHFS_PATH, check_size
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
        f"/{SQUASHFS_PATH}": True,
        "/live/contents/rootfs.zst": True,
        lock_path("livecd"): True,
        **{f"{RECIPE_FOLDER}/{name}": True for name in (RECIPE, f"files/{'0' * 64}")},
        INDEX: False,
        PROVENANCE: False,
        "/live/contents/initrd.zst": False,
        "/live/images/index.json": False,
        "/boot/vmlinuz": False,
        "/boot/initrd.img": False,
        "/boot/grub/grub.cfg": False,
    }
    assert {name: is_private(name, PRIVATE) for name in names} == names
