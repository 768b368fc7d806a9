"""Our reader of ext4 against mke2fs, debugfs and Linux."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.formats.ext4 import write_ext4
from assembler.formats.ext4_reader import Entry, Ext4, Ext4Error
from assembler.tools.toolbox import Toolbox
from assembler.tree.staging import Inode, Kind, Tree
from tests.formats.ext4s import by_linux, debugfs, made
from tests.formats.test_squashfs import EPOCH, TIMES, example

MIB = 1 << 20


def read(image: Path, top: str = "/") -> dict[str, tuple[Entry, bytes]]:
    """Every path with its bytes, without what mke2fs puts into an empty file system."""
    with Ext4(image) as ext4:
        found, files = {}, {}
        for path, each in ext4.entries(top):
            if each.kind is Kind.FILE and each.number not in files:
                pieces = list(ext4.chunks(each, path))
                assert all(0 < len(piece) <= MIB for piece in pieces)
                files[each.number] = b"".join(pieces)
            found[path] = each, files.get(each.number, b"")
    found.pop("/lost+found", None)
    return found


def same(image: Path, tree: Tree) -> None:
    """The image holds the tree, and nothing else."""
    found = read(image)
    assert list(found) == [path for path, _ in tree.walk()]
    numbers: dict[int, Inode] = {}
    for path, inode in tree.walk():
        each, data = found[path]
        assert (each.kind, each.mode, each.uid, each.gid) == (inode.kind, inode.mode, inode.uid, inode.gid), path
        assert path == "/" or (each.mtime, each.target, each.device) == (inode.mtime, inode.target, inode.device), path
        assert each.xattrs == inode.xattrs, path
        assert numbers.setdefault(each.number, inode) is inode, path
        if inode.kind is Kind.FILE:
            assert (each.size, data) == (len(data), tree.read(path)), path
    assert len(numbers) == len({id(inode) for _, inode in tree.walk()})


@pytest.fixture(scope="module")
def image(toolbox: Toolbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tree]:
    """What a build writes, with files of every kind and a large directory."""
    directory = tmp_path_factory.mktemp("ext4")
    tree = example(directory)
    tree.symlink("x/" * 1000, "/var/long link")
    tree.symlink("y" * 60, "/var/60")
    tree.put("/dev/large", Inode(Kind.CHAR, 0o600, device=(4095, 1048575), mtime=TIMES))
    tree.write("/var/not UTF-8 \udcff", b"x")
    tree.write("/var/a\nb\\", b"")
    tree.write("/var/holes", b"begin" + bytes(9 * MIB) + b"middle" * 20000 + bytes(3 * MIB) + b"end")
    tree.write("/many/0", b"linked", parents=True)
    for number in range(1, 5000):
        tree.link("/many/0", f"/many/{number:x}")
    out = directory / "disk.raw"
    write_ext4(tree, out, toolbox, size=64 * MIB, label="x", identity="x", epoch=EPOCH)
    return out, tree


def test_what_is_written_comes_back(image: tuple[Path, Tree]) -> None:
    same(*image)


def test_the_tree_below_a_directory(image: tuple[Path, Tree]) -> None:
    disk, tree = image
    found = read(disk, "/usr")
    assert list(found) == ["/", *(path.removeprefix("/usr") for path, _ in tree.walk("/usr") if path != "/usr")]
    assert found["/bin/hard"][1] == b"#!setuid"
    with Ext4(disk) as ext4:
        for top in ("/nothing", "/usr/bin/su", "/usr/bin/su/x", "/var/60", "/usr/nothing/x"):
            with pytest.raises(Ext4Error, match=r"there is no '|it is no directory"):
                next(ext4.entries(top))


def test_a_small_file_is_read_at_once(image: tuple[Path, Tree]) -> None:
    disk, tree = image
    with Ext4(disk) as ext4:
        found = dict(ext4.entries("/var"))
        assert ext4.read(found["/Größe ☃"], 1) == b"y"
        assert ext4.read(found["/big"], 1_500_000) == tree.read("/var/big")
        with pytest.raises(Ext4Error, match="a file of 1500000 bytes, and 1499999 may be there") as caught:
            ext4.read(found["/big"], 1_499_999, "/var/big")
        assert caught.value.where.path == "/var/big"
        with pytest.raises(Ext4Error, match="is no file"):
            ext4.read(found["/60"], 1_500_000)


def test_what_linux_has_changed(tmp_path: Path) -> None:
    """Attributes and lists in both places, an indexed directory, pieces and holes, times far away, sockets."""
    image = tmp_path / "x"
    image.write_bytes(by_linux())
    told = json.loads(Path(__file__).with_name("ext4_by_linux.json").read_text("ascii"))
    found = read(image, "/tree")
    assert list(found) == sorted(told, key=lambda path: path.split("/")[1:] if path != "/" else [])
    for path, values in told.items():
        each, data = found[path]
        kind = each.kind.name if each.kind else None
        assert (each.number, kind, each.mode) == (values["number"], values["kind"], values["mode"]), path
        assert [each.uid, each.gid] == values["owner"], path
        assert (each.mtime, each.ctime, each.links) == (values["mtime"], values["ctime"], values["links"]), path
        assert each.target == values.get("target", ""), path
        assert each.device == tuple(values.get("device", (0, 0))), path
        assert {name: value.hex() for name, value in sorted(each.xattrs.items())} == values.get("xattrs", {}), path
        if each.kind is Kind.FILE:
            assert (each.size, hashlib.sha256(data).hexdigest()) == (values["size"], values["sha256"]), path


@pytest.fixture
def changed(tmp_path: Path) -> tuple[Path, Path]:
    """An image that debugfs has changed, and a file that it has copied in: pieces and holes, two levels of extents."""
    host, large = tmp_path / "host", tmp_path / "large"
    host.write_bytes(b"".join(b"%04d" % number * 256 + bytes(2048) for number in range(500)) + b"end")
    large.write_bytes(b"w" * 800)
    tree = Tree(mtime=TIMES)
    for name in ("a", "b", "c", "gone"):
        tree.write(f"/{name}", name.encode() * 3000)
    tree.mkdir("/d")
    commands = (
        *("rm gone", "mkdir d/e", "cd d/e", f'write {host} "new file"', "cd /d", "symlink link " + "t" * 300),
        *("mknod pipe p", "mknod sd b 8 17", "mknod tty c 4 300", "cd /", "ln a d/hard"),
        *("sif a mode 0104711", "sif a uid 70000"),
        *("sif a gid 65536", "sif a links_count 2", "sif b mtime 77", "sif b mtime_extra 1", "sif b ctime 78"),
        *("sif b ctime_extra 0xee6b27fd", "sif c mtime 0xffffffff", "sif c links_count 7", "ea_set a user.x y"),
        *("ea_set a security.capability 0123", f"ea_set b trusted.{'n' * 100} {'v' * 200}"),
        f"ea_set -f {large} c user.big",
    )
    return made(tmp_path / "x", tree, *commands, size="2m"), host


def test_what_debugfs_has_changed(changed: tuple[Path, Path]) -> None:
    image, host = changed
    found = read(image)
    assert list(found) == ["/", "/a", "/b", "/c", "/d", "/d/e", "/d/e/new file", *map("/d/{}".format, _LATER)]
    assert found["/d/e/new file"][1] == host.read_bytes()
    assert found["/d/link"][0].target == "t" * 300
    assert found["/d/pipe"][0].kind is Kind.FIFO
    assert (found["/d/sd"][0].kind, found["/d/sd"][0].device) == (Kind.BLOCK, (8, 17))
    assert (found["/d/tty"][0].kind, found["/d/tty"][0].device) == (Kind.CHAR, (4, 300))
    assert found["/d/hard"] == found["/a"]
    a, b, c = (found[path][0] for path in ("/a", "/b", "/c"))
    assert (a.mode, a.uid, a.gid) == (0o4711, 70000, 65536)
    assert a.xattrs == {"user.x": b"y", "security.capability": b"0123"}
    assert b.mtime == 77 + (1 << 32)
    assert b.ctime == (78 + (1 << 32)) * 10**9 + 999_999_999
    assert b.xattrs == {"trusted." + "n" * 100: b"v" * 200}
    assert (c.mtime, c.links, c.xattrs) == ((1 << 32) - 1, 7, {"user.big": b"w" * 800})


_NUMBERS = r"^(\d+) .* Mode: +(\d+).*User: +(\d+) +Group: +(\d+) .*Size: (\d+)\n.*Links: (\d+)"
_LATER = ("hard", "link", "pipe", "sd", "tty")


def test_debugfs_says_the_same(changed: tuple[Path, Path]) -> None:
    image, _ = changed
    found = read(image)
    paths = [path for path in found if " " not in path]
    told = debugfs(image, *(f"stat {path}" for path in paths)).split("Inode: ")[1:]
    for path, text in zip(paths, told, strict=True):
        each = found[path][0]
        numbers = re.search(_NUMBERS, text, re.DOTALL)
        times = re.search(r"ctime: 0x(\w+):(\w+) .*mtime: 0x(\w+):(\w+) ", text, re.DOTALL)
        assert numbers, text
        assert times, text
        values = (each.number, each.uid, each.gid, each.size, each.links)
        assert values == tuple(int(numbers[group]) for group in (1, 3, 4, 5, 6)), path
        assert each.mode == int(numbers[2], 8), path
        ctime, more, mtime, epoch = (int(times[group], 16) for group in (1, 2, 3, 4))
        assert each.ctime == (_signed(ctime) + ((more & 3) << 32)) * 10**9 + (more >> 2), path
        assert each.mtime == _signed(mtime) + ((epoch & 3) << 32), path


def _signed(value: int) -> int:
    return value - (value >> 31 << 32)


_NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
_OWNERS = st.integers(0, (1 << 32) - 2)
_DEVICES = st.tuples(st.integers(0, 4095), st.integers(0, (1 << 20) - 1))
_INODES = st.tuples(
    *(st.sampled_from(Kind), _NAMES.filter(lambda name: name not in {".", ".."}), st.integers(0, 20)),
    *(st.integers(0, 0o7777), _OWNERS, _OWNERS, st.integers(0, (1 << 31) - 1)),
    *(st.binary(max_size=20), st.integers(1, 400), _DEVICES, st.booleans()),
)


def _tree(inodes: list[tuple[Kind, str, int, int, int, int, int, bytes, int, tuple[int, int], bool]]) -> Tree:
    """A tree of inodes, each in one of the directories before it."""
    tree = Tree(mtime=TIMES)
    directories = [tree.root]
    for kind, name, where, mode, uid, gid, mtime, data, times, device, again in inodes:
        directory = directories[where % len(directories)]
        inode = Inode(kind, mode, uid, gid, mtime)
        if kind is Kind.FILE:
            inode.content = data * times
            if data:
                inode.xattrs["security.capability"] = data
        elif kind is Kind.SYMLINK:
            inode.target = "t/" * times
        elif kind in {Kind.CHAR, Kind.BLOCK}:
            inode.device = device
        directory.children.setdefault(name, inode)
        if kind is Kind.DIR:
            directories.append(directory.children[name]) if directory.children[name] is inode else None
        elif again:
            directories[0].children.setdefault(name + "2", directory.children[name])
    return tree


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_INODES, max_size=25))
def test_small_trees(tmp_path: Path, inodes: list[Any]) -> None:
    tree = _tree(inodes)
    same(made(tmp_path / "x", tree), tree)
