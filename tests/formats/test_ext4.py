"""ext4 images as e2fsprogs' own checker and debugger read them."""

import re
import subprocess
from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.formats.ext4 import fitting_size, write_ext4
from assembler.store.objects import sha256_of
from assembler.tools.toolbox import Toolbox, ToolError
from assembler.tree import tar
from assembler.tree.content import Slice
from assembler.tree.staging import Inode, Kind, Tree
from tests.formats.test_squashfs import EPOCH, example
from tests.support.reporters import Recorder

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
    image = write(toolbox, tree, tmp_path / "disk", size=fitting_size(tree))
    found = re.search(r"Inode count: +(\d+)", debugfs(image, "stats"))
    assert found
    assert int(found[1]) == -(-(9001 + 9001 // 2 + 1024) // 16) * 16, "in blocks of them"


def test_an_attribute_that_would_be_lost_is_an_error(toolbox: Toolbox, tmp_path: Path) -> None:
    tree = Tree()
    tree.write("/a", b"").xattrs["user.x"] = b"y"
    with pytest.raises(AssembleError, match="would lose an extended attribute") as caught:
        write(toolbox, tree, tmp_path / "disk")
    assert caught.value.where.path == "/a"
    assert caught.value.why == "mke2fs takes none but security.capability: user.x"
    tree.at("/a").xattrs["security.capability"] = b"z"
    with pytest.raises(AssembleError) as caught:
        write(toolbox, tree, tmp_path / "disk")
    assert caught.value.why == "mke2fs takes none but security.capability: security.capability, user.x"


def test_room_for_a_tree() -> None:
    """What its files take in blocks, what each inode takes, a quarter more, and 96 MiB, in steps of 16 MiB."""
    mib = 1 << 20
    tree = Tree()
    assert fitting_size(tree) == 112 * mib
    # 256 bytes each: a directory takes 16 times as much besides, and so does each block of a file.
    tree.write("/large", Slice("/nowhere", 0, 3274 * 4096 - 1))
    tree.mkdir("/d")
    tree.symlink("x" * 2000, "/link")
    tree.put("/null", Inode(Kind.CHAR, 0o666, device=(1, 3)))
    for number in range(7):
        tree.write(f"/{number}", b"")
    for number in range(20):
        tree.link("/large", f"/again{number}")
    assert fitting_size(tree) == 112 * mib
    tree.write("/one more", b"")
    assert fitting_size(tree) == 128 * mib
    tree.remove("/one more")
    tree.at("/large").content = Slice("/nowhere", 0, 3274 * 4096)
    assert fitting_size(tree) == 112 * mib
    tree.at("/large").content = Slice("/nowhere", 0, 3274 * 4096 + 1)
    assert fitting_size(tree) == 128 * mib


def test_what_it_is_called_and_how_far_it_came(toolbox: Toolbox, tmp_path: Path) -> None:
    tree, reporter = example(tmp_path), Recorder()
    image = tmp_path / "disk.raw"
    write_ext4(tree, image, toolbox, size=SIZE, label="state", identity="x", epoch=EPOCH, reporter=reporter)
    assert reporter.steps == [("ext4", 0)]
    assert reporter.advanced == sum(map(len, tar.write(tree, latest=EPOCH)))
    told = debugfs(image, "stats")
    assert re.search(r"Filesystem volume name: +state\n", told)
    assert re.search(r"Filesystem created: +Tue Nov 14 22:13:20 2023\n", told)
    assert re.search(r"Block count: +16384\n", told)
    assert re.search(r"Inode count: +4096\n", told)
    unique, seed = (re.search(rf"{name}: +([0-9a-f-]+)\n", told) for name in ("Filesystem UUID", "Directory Hash Seed"))
    assert unique
    assert seed
    assert unique[1] != seed[1]
    assert (unique[1][14], seed[1][14]) == ("4", "4")
    assert image.stat().st_size == SIZE


def test_another_failure_is_the_programs_own(toolbox: Toolbox, tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        write(toolbox, Tree(), tmp_path / "disk", size=4096)
    assert caught.value.details
