"""Our reader against what mksquashfs wrote, in a file of its own and in the middle of another."""

import itertools
from pathlib import Path

import pytest

from assembler.formats.squashfs import write_squashfs
from assembler.formats.squashfs_reader import Squashfs, SquashfsError
from assembler.tools.toolbox import Toolbox
from assembler.tree import digest, tar
from assembler.tree.staging import Tree
from tests.formats.test_squashfs import EPOCH, example, written


@pytest.fixture
def image(toolbox: Toolbox, tmp_path: Path) -> Path:
    tree = example(tmp_path)
    tree.at("/tmp").xattrs["user.long"] = bytes(range(256)) * 40
    tree.at("/usr/bin/su").xattrs["security.capability"] = tree.at("/usr/bin/ping").xattrs["security.capability"]
    tree.write("/var/not UTF-8 \udcff", b"x")
    tree.root.mtime = EPOCH
    (tmp_path / "listing").write_text("".join(digest.listing(tree)))
    return written(toolbox, tree, tmp_path / "x.squashfs")


@pytest.mark.parametrize("offset", [0, 4096])
def test_the_tree_comes_back(image: Path, tmp_path: Path, offset: int) -> None:
    inside = tmp_path / "inside"
    inside.write_bytes(bytes(offset) + image.read_bytes())
    with Squashfs(inside, offset) as squashfs:
        assert "".join(digest.listing(squashfs.tree, content=squashfs.sha256)) == (tmp_path / "listing").read_text()


@pytest.mark.parametrize("compression", ["zstd", "gzip", "xz", "lz4"])
def test_every_compression_that_a_recipe_may_choose(toolbox: Toolbox, tmp_path: Path, compression: str) -> None:
    tree = example(tmp_path)
    tree.root.mtime = EPOCH
    out = tmp_path / "x.squashfs"
    write_squashfs(tar.write(tree), out, toolbox, epoch=EPOCH, compression=compression)
    with Squashfs(out) as squashfs:
        assert "".join(digest.listing(squashfs.tree, content=squashfs.sha256)) == "".join(digest.listing(tree))


def test_every_byte_of_data_belongs_to_a_file(image: Path) -> None:
    with Squashfs(image) as squashfs:
        extents, tables = squashfs.extents, squashfs.tables
    assert 96 <= extents[0].offset <= 104, "behind the superblock and the options of the compression"
    assert [each.offset for each in extents[1:]] == [each.offset + each.size for each in extents[:-1]]
    assert extents[-1].offset + extents[-1].size == tables["inodes"]
    owners = {path: at for extent in extents for path, at in extent.owners}
    assert owners["/var/big"] == 1 << 20, "its second block, or its tail among the small files"
    assert {"/usr/bin/su", "/usr/bin/hard", "/var/Größe ☃"} < owners.keys()


def test_damage_is_an_error_of_its_own(image: Path) -> None:
    sound = image.read_bytes()
    with Squashfs(image) as squashfs:
        listing = list(digest.listing(squashfs.tree, content=squashfs.sha256))
        used = squashfs.size
    unseen = 0
    for place in range(0, used, used // 400):
        data = bytearray(sound)
        data[place] ^= 0x41
        image.write_bytes(data)
        try:
            with Squashfs(image) as squashfs:
                unseen += list(digest.listing(squashfs.tree, content=squashfs.sha256)) == listing
        except SquashfsError:
            continue
    assert unseen < 60, "of 400: tables and fields that only kernels use"

    image.write_bytes(b"no squashfs at all" * 100)
    with pytest.raises(SquashfsError):
        Squashfs(image)


def test_a_directory_that_holds_itself_is_damage(toolbox: Toolbox, tmp_path: Path) -> None:
    """Its inode has the number of a directory above it; a reader that believes that never comes to an end."""
    tree = Tree(mtime=EPOCH)
    tree.write("/outer/inner/file", b"x", parents=True)
    out = tmp_path / "x.squashfs"
    # Inodes as they are, so that they can be changed.
    toolbox.run("mksquashfs", ["-", out, "-tar", "-noI", "-noappend"], writes=[tmp_path], stdin=tar.write(tree))
    with Squashfs(out) as squashfs:
        start, end = squashfs.tables["inodes"], squashfs.tables["directories"]
    data = out.read_bytes()
    # Basic inodes of directories: type 1 (16 bits), mode, owner, group, time (32 bits), number (32 bits) ...
    directories = [
        at for at in range(start, end - 31) if data[at : at + 4] in {b"\x01\x00\xed\x01", b"\x01\x00\xff\x01"}
    ]
    assert len(directories) == 3
    numbers = [data[at + 12 : at + 16] for at in directories]
    for at, number in itertools.product(directories, numbers):
        if data[at + 12 : at + 16] != number:
            out.write_bytes(data[: at + 12] + number + data[at + 16 :])
            with pytest.raises(SquashfsError, match="is another directory as well"):
                Squashfs(out)
