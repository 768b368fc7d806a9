from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySquashfsImage import SquashFsImage

from assembler.errors import AssembleError
from assembler.formats.squashfs import write_squashfs
from assembler.tools.toolbox import Toolbox, ToolError
from assembler.tree import tar
from assembler.tree.content import Slice
from assembler.tree.staging import Inode, Kind, Tree
from tests.support.reporters import Recorder

EPOCH = 1_700_000_000
TIMES = EPOCH - 86400


def example(directory: Path) -> Tree:
    """A tree with everything that a root file system has."""
    host = directory / "host"
    host.write_bytes(b"0123456789" * 200_000)
    tree = Tree(mtime=TIMES)
    tree.write("/usr/bin/su", b"#!setuid", 0o4755, parents=True)
    tree.link("/usr/bin/su", "/usr/bin/hard")
    tree.symlink("su", "/usr/bin/soft")
    tree.write("/var/big", Slice(str(host), 10, 1_500_000), 0o640, 33, 44, parents=True)
    tree.write("/var/" + "long" * 60, b"x", parents=True)
    tree.write("/var/Größe ☃", b"y", parents=True)
    tree.mkdir("/tmp", 0o1777)
    tree.mkdir("/home/user", 0o700, 100_000, 65534, parents=True)
    tree.mkdir("/dev")
    tree.put("/dev/null", Inode(Kind.CHAR, 0o666, device=(1, 3), mtime=TIMES))
    tree.put("/dev/sda", Inode(Kind.BLOCK, 0o660, 0, 6, device=(8, 0), mtime=TIMES))
    tree.put("/run.fifo", Inode(Kind.FIFO, 0o600, mtime=TIMES))
    tree.write("/usr/bin/ping", b"ping", 0o755).xattrs["security.capability"] = b"\x01\0\0\x02\0 \0\0" + bytes(12)
    return tree


def written(toolbox: Toolbox, tree: Tree, out: Path, **options: Any) -> Path:
    write_squashfs(tar.write(tree), out, toolbox, epoch=EPOCH, **options)
    return out


def test_everything_arrives(toolbox: Toolbox, tmp_path: Path) -> None:
    tree = example(tmp_path)
    image = written(toolbox, tree, tmp_path / "x.squashfs")
    with SquashFsImage.from_file(str(image)) as squashfs:
        found = {entry.path: entry for entry in squashfs}
        assert squashfs.sblk.mkfs_time == EPOCH
        assert set(found) == {path for path, _ in tree.walk()}
        for path, inode in tree.walk():
            entry = found[path]
            assert (entry.mode & 0o7777, entry.uid, entry.gid) == (inode.mode, inode.uid, inode.gid), path
            assert entry.time == (EPOCH if path == "/" else inode.mtime), path
            if inode.kind is Kind.FILE:
                assert entry.read_bytes() == tree.read(path)
            elif inode.kind is Kind.SYMLINK:
                assert entry.readlink() == inode.target
        assert found["/usr/bin/su"].inode.inode_number == found["/usr/bin/hard"].inode.inode_number
    listing = toolbox.run("unsquashfs", ["-lln", "-UTC", image], reads=[image])
    lines = {line.split()[-1]: line.split() for line in listing.splitlines() if line}
    assert lines["squashfs-root/dev/null"][:4] == ["crw-rw-rw-", "0/0", "1,", "3"]
    assert lines["squashfs-root/dev/sda"][:4] == ["brw-rw----", "0/6", "8,", "0"]
    assert lines["squashfs-root/run.fifo"][0] == "prw-------"
    assert lines["squashfs-root/tmp"][0] == "drwxrwxrwt"
    assert lines["squashfs-root"][:2] == ["drwxr-xr-x", "0/0"]


def test_extended_attributes_arrive(toolbox: Toolbox, tmp_path: Path) -> None:
    tree = Tree(mtime=TIMES)
    capability = b"\x01\0\0\x02\0 \0\0" + bytes(12)
    tree.write("/f", b"").xattrs.update({"user.test": b"with \0 and \xff\n", "security.capability": capability})
    image = written(toolbox, tree, tmp_path / "x.squashfs")
    toolbox.run("unsquashfs", ["-pf", tmp_path / "pseudo", image], reads=[image], writes=[tmp_path])
    lines = (tmp_path / "pseudo").read_bytes().split(b"\n")
    assert rb"f x user.test=0twith \000 and \377\012" in lines
    assert rb"f x security.capability=0t\001\000\000\002\000 \000\000" + rb"\000" * 12 in lines


def test_the_same_tree_gives_the_same_bytes(toolbox: Toolbox, tmp_path: Path) -> None:
    tree = example(tmp_path)
    one = written(toolbox, tree, tmp_path / "one", processors=1)
    (tmp_path / "two").write_bytes(b"what was there before")
    two = written(toolbox, tree, tmp_path / "two", processors=2)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("compression", "level"), [("zstd", None), ("zstd", 22), ("gzip", 1), ("gzip", None), ("xz", None), ("lz4", None)]
)
def test_every_compression(toolbox: Toolbox, tmp_path: Path, compression: str, level: int | None) -> None:
    tree = Tree(mtime=TIMES)
    tree.write("/f", b"content " * 1000)
    out = tmp_path / "x.squashfs"
    write_squashfs(tar.write(tree), out, toolbox, epoch=EPOCH, compression=compression, level=level)
    described = toolbox.run("unsquashfs", ["-s", out], reads=[out])
    assert f"Compression {compression}" in described
    assert "Block size 1048576" in described
    assert toolbox.run("unsquashfs", ["-cat", out, "f"], reads=[out]) == "content " * 1000


@pytest.mark.parametrize(
    ("compression", "level", "said"),
    [
        ("zip", None, ("squashfs has no such compression", "use one of gzip, lz4, xz, zstd")),
        ("zstd", 23, ("zstd has no level 23", "its levels: from 1 to 22")),
        ("zstd", 0, ("zstd has no level 0", "its levels: from 1 to 22")),
        ("gzip", 0, ("gzip has no level 0", "its levels: from 1 to 9")),
        ("gzip", 10, ("gzip has no level 10", "its levels: from 1 to 9")),
        ("xz", 6, ("xz has no level 6", "its levels: none")),
        ("lz4", 0, ("lz4 has no level 0", "its levels: none")),
    ],
)
def test_what_the_format_does_not_have(
    toolbox: Toolbox, tmp_path: Path, compression: str, level: int | None, said: tuple[str, str]
) -> None:
    with pytest.raises(AssembleError) as caught:
        write_squashfs([], tmp_path / "x", toolbox, epoch=EPOCH, compression=compression, level=level)
    assert (caught.value.what, caught.value.hint) == said
    assert caught.value.why == ("zip" if compression == "zip" else "")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("compression", "level"), [("zstd", 3), ("gzip", 9)])
def test_the_usual_levels(toolbox: Toolbox, tmp_path: Path, compression: str, level: int) -> None:
    tree, reporter = example(tmp_path), Recorder()
    tree.write("/text", b"".join(b"%d words of a text that packs well\n" % number for number in range(20_000)))
    usual = written(toolbox, tree, tmp_path / "usual", compression=compression, reporter=reporter)
    assert reporter.steps == [("squashfs", 0)]
    assert reporter.advanced == sum(map(len, tar.write(tree)))
    same = written(toolbox, tree, tmp_path / "same", compression=compression, level=level)
    other = written(toolbox, tree, tmp_path / "other", compression=compression, level=level - 1)
    assert usual.read_bytes() == same.read_bytes() != other.read_bytes()


def test_what_mksquashfs_would_skip_is_an_error(toolbox: Toolbox, tmp_path: Path) -> None:
    tree = Tree(mtime=TIMES)
    tree.write("/f", b"").xattrs["system.posix_acl_access"] = b"\x02\0\0\0"
    with pytest.raises(AssembleError) as caught:
        written(toolbox, tree, tmp_path / "x")
    assert "system.posix_acl_access" in "\n".join(caught.value.details)
    assert (caught.value.what, caught.value.where.file) == (
        "mksquashfs left something out of the image",
        str(tmp_path / "x"),
    )
    for number in range(25):
        tree.write(f"/{number}", b"").xattrs["system.posix_acl_access"] = b"\x02\0\0\0"
    with pytest.raises(AssembleError) as caught:
        written(toolbox, tree, tmp_path / "x")
    assert len(caught.value.details) == 20


def test_a_torn_archive_is_an_error(toolbox: Toolbox, tmp_path: Path) -> None:
    whole = b"".join(tar.write(example(tmp_path)))
    with pytest.raises(ToolError) as caught:
        write_squashfs([whole[: len(whole) // 2]], tmp_path / "x", toolbox, epoch=EPOCH)
    assert caught.value.details


def test_an_error_in_the_archive_ends_the_program(toolbox: Toolbox, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield from list(tar.write(example(tmp_path)))[:1]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        write_squashfs(broken(), tmp_path / "x", toolbox, epoch=EPOCH)
