"""ext4 images as e2fsprogs' own checker and debugger read them."""

import re
import subprocess
from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.formats.ext4 import fitting_size, write_ext4
from assembler.store.objects import sha256_of
from assembler.tools.toolbox import Toolbox
from assembler.tree.staging import Kind, Tree
from tests.formats.test_squashfs import EPOCH, example

SIZE = 64 << 20
_KINDS = {
    Kind.FILE: "regular",
    Kind.DIR: "directory",
    Kind.SYMLINK: "symlink",
    Kind.CHAR: "character special",
    Kind.BLOCK: "block special",
    Kind.FIFO: "FIFO",
}


def write(toolbox: Toolbox, tree: Tree, out: Path, *, size: int = SIZE, identity: str = "x") -> Path:
    write_ext4(tree, out, toolbox, size=size, label="rootfs", identity=identity, epoch=EPOCH)
    return out


def debugfs(image: Path, *commands: str) -> str:
    script = image.with_suffix(".commands")
    script.write_text("".join(f"{command}\n" for command in commands))
    return subprocess.run(
        ["debugfs", "-f", str(script), str(image)], capture_output=True, text=True, check=True, errors="replace"
    ).stdout


def test_everything_arrives(toolbox: Toolbox, tmp_path: Path) -> None:
    tree = example(tmp_path)
    image = write(toolbox, tree, tmp_path / "disk.raw")
    subprocess.run(["e2fsck", "-fn", image], check=True, capture_output=True)
    paths = [path for path, _ in tree.walk() if "☃" not in path]
    told = debugfs(image, *(f'stat "{path}"' for path in paths))
    inodes = told.split("\nInode: ")[1:]
    assert len(inodes) == len(paths)
    for path, text in zip(paths, inodes, strict=True):
        inode = tree.at(path)
        found = re.search(r"Type: (.+?) +Mode: +(\d+)", text)
        owner = re.search(r"User: +(\d+) +Group: +(\d+)", text)
        mtime = re.search(r"mtime: 0x([0-9a-f]{8})", text)
        assert found, text
        assert owner, text
        assert mtime, text
        assert found[1] == _KINDS[inode.kind], path
        assert int(found[2], 8) == inode.mode, path
        assert (int(owner[1]), int(owner[2])) == (inode.uid, inode.gid), path
        assert int(mtime[1], 16) == inode.mtime, path
    assert inodes[paths.index("/usr/bin/su")].split()[0] == inodes[paths.index("/usr/bin/hard")].split()[0]
    assert 'Fast link dest: "su"' in inodes[paths.index("/usr/bin/soft")]


def test_contents_and_capabilities_arrive(toolbox: Toolbox, tmp_path: Path) -> None:
    tree = example(tmp_path)
    image = write(toolbox, tree, tmp_path / "disk.raw")
    out, capability = tmp_path / "content", tmp_path / "capability"
    debugfs(image, f"ea_get -f {capability} /usr/bin/ping security.capability")
    assert capability.read_bytes() == tree.at("/usr/bin/ping").xattrs["security.capability"]
    for path in ("/var/big", "/var/Größe ☃", "/var/" + "long" * 60):
        debugfs(image, f'dump "{path}" {out}')
        assert out.read_bytes() == tree.read(path), path


def test_the_same_arguments_give_the_same_bytes(toolbox: Toolbox, tmp_path: Path) -> None:
    tree = example(tmp_path)
    one = sha256_of(write(toolbox, tree, tmp_path / "one"))
    (tmp_path / "two").write_bytes(b"something that was there before")
    assert sha256_of(write(toolbox, tree, tmp_path / "two")) == one
    assert sha256_of(write(toolbox, tree, tmp_path / "other", identity="y")) != one


def test_what_does_not_fit_is_told_with_what_would(toolbox: Toolbox, tmp_path: Path) -> None:
    tree = example(tmp_path)
    tree.write("/big", bytes(range(256)) * (1 << 17))
    with pytest.raises(AssembleError, match="do not fit into a disk of 24 MiB") as caught:
        write(toolbox, tree, tmp_path / "disk", size=24 << 20)
    fitting = re.fullmatch(r"it takes about (\d+) MiB", caught.value.hint)
    assert fitting
    write(toolbox, tree, tmp_path / "disk", size=int(fitting[1]) << 20)


def test_many_small_files_get_inodes(toolbox: Toolbox, tmp_path: Path) -> None:
    tree = Tree(mtime=EPOCH)
    for number in range(9000):
        tree.write(f"/{number}", b"")
    write(toolbox, tree, tmp_path / "disk", size=fitting_size(tree))


def test_an_attribute_that_would_be_lost_is_an_error(toolbox: Toolbox, tmp_path: Path) -> None:
    tree = Tree()
    tree.write("/a", b"").xattrs["user.x"] = b"y"
    with pytest.raises(AssembleError, match="would lose an extended attribute") as caught:
        write(toolbox, tree, tmp_path / "disk")
    assert caught.value.where.path == "/a"
