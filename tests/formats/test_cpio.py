import io
import subprocess
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.errors import AssembleError
from assembler.formats.cpio import CpioError, read, write
from assembler.tree.content import Slice
from assembler.tree.content import read as bytes_of
from assembler.tree.staging import Inode, Kind, Tree


def archive(tree: Tree) -> bytes:
    return b"".join(write(tree))


def facts(tree: Tree) -> list[tuple[object, ...]]:
    """Everything a cpio archive keeps, comparable; names of one inode show as the index of the first."""
    first: dict[int, int] = {}
    return [
        (
            path,
            first.setdefault(id(i), at),
            i.kind,
            i.mode,
            i.uid,
            i.gid,
            i.mtime,
            i.target,
            i.device,
            bytes_of(i.content),
        )
        for at, (path, i) in enumerate(tree.walk())
    ]


def sample() -> Tree:
    tree = Tree(mtime=1_700_000_000)
    tree.mkdir("etc", 0o700, 3, 4)
    tree.write("etc/empty", b"")
    tree.write("etc/one", b"1", 0o4755, 1000, 100)
    tree.write("etc/täxt", b"four", 0o640)
    tree.write("z", b"twice\n")
    tree.link("z", "a")
    tree.link("z", "etc/third")
    tree.symlink("../etc/one", "link")
    tree.put("console", Inode(Kind.CHAR, 0o600, device=(5, 1)))
    tree.put("disk", Inode(Kind.BLOCK, 0o660, gid=6, device=(259, 1048575)))
    tree.put("pipe", Inode(Kind.FIFO, 0o600))
    return tree


def test_a_tree_comes_back() -> None:
    assert facts(read(io.BytesIO(archive(sample())))) == facts(sample())


def test_the_bytes_of_a_header() -> None:
    tree = Tree()
    tree.write("a", b"xyz", 0o644, 1, 2).mtime = 3
    root, file = archive(tree)[:112], archive(tree)[112:228]
    assert root.startswith(b"070701" + b"00000001" + b"000041ED")
    assert root.endswith(b".\0")
    assert file == (
        b"070701" b"00000002" b"000081A4" b"00000001" b"00000002" b"00000001" b"00000003" b"00000003"
        b"00000000" b"00000000" b"00000000" b"00000000" b"00000002" b"00000000" b"a\0" b"xyz\0"
    )  # fmt: skip
    assert len(archive(tree)) % 512 == 0


def test_gnu_cpio_reads_it(tmp_path: Path) -> None:
    data = archive(sample())
    command = ["cpio", "-itv", "--quiet", "--numeric-uid-gid"]
    listing = subprocess.run(command, input=data, capture_output=True, check=True)
    lines = listing.stdout.decode().splitlines()
    assert not listing.stderr
    assert any(line.startswith("crw-------") and "5,   1" in line and line.endswith(" console") for line in lines)
    assert any(line.startswith("-rwsr-xr-x") and "1000" in line and line.endswith(" etc/one") for line in lines)
    wanted = ["a", "z", "etc/third", "etc/one", "etc/täxt", "link", "pipe"]
    subprocess.run(["cpio", "-idm", "--quiet", *wanted], input=data, cwd=tmp_path, check=True)
    assert (tmp_path / "a").read_bytes() == b"twice\n"
    assert (tmp_path / "a").stat().st_ino == (tmp_path / "z").stat().st_ino == (tmp_path / "etc/third").stat().st_ino
    assert (tmp_path / "etc/täxt").read_bytes() == b"four"
    assert (tmp_path / "link").readlink() == Path("../etc/one")
    assert (tmp_path / "pipe").is_fifo()


def test_gnu_cpio_writes_what_we_read(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/file").write_bytes(b"12345")
    (tmp_path / "d/again").hardlink_to(tmp_path / "d/file")
    (tmp_path / "d/link").symlink_to("file")
    names = "d\nd/again\nd/file\nd/link\n"
    done = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], input=names.encode(), cwd=tmp_path, capture_output=True, check=True
    )
    tree = read(io.BytesIO(done.stdout))
    assert tree.read("d/link") == b"12345"
    assert tree.at("d/again") is tree.at("d/file")


def test_contents_are_streamed_from_the_store(tmp_path: Path) -> None:
    (tmp_path / "object").write_bytes(b"--" + bytes(3 << 20) + b"--")
    tree = Tree()
    tree.write("large", Slice(str(tmp_path / "object"), 2, 3 << 20))
    assert max(map(len, write(tree))) <= 1 << 20
    assert read(io.BytesIO(archive(tree))).read("large") == bytes(3 << 20)


NAMES = st.text(
    st.characters(exclude_characters="/\0", categories=None, exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: name not in {".", ".."})
NUMBERS = st.integers(0, 0xFFFFFFFF)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    tree = Tree()
    files: list[Inode] = []
    directories = [tree.root]
    for name in draw(st.lists(NAMES, max_size=12, unique=True)):
        kind = draw(st.sampled_from(Kind))
        inode = Inode(kind, draw(st.integers(0, 0o7777)), draw(NUMBERS), draw(NUMBERS), draw(NUMBERS))
        if kind is Kind.FILE:
            inode.content = draw(st.binary(max_size=70))
            if draw(st.booleans()):
                inode = draw(st.sampled_from([*files, inode]))
            files.append(inode)
        elif kind is Kind.SYMLINK:
            inode.target = draw(NAMES)
        elif kind in {Kind.CHAR, Kind.BLOCK}:
            inode.device = (draw(NUMBERS), draw(NUMBERS))
        parent = draw(st.sampled_from(directories))
        parent.children[name] = inode
        if kind is Kind.DIR:
            directories.append(inode)
    return tree


@given(trees())
def test_any_tree_comes_back(tree: Tree) -> None:
    data = archive(tree)
    assert facts(read(io.BytesIO(data))) == facts(tree)
    assert archive(tree) == data


@given(st.data())
def test_damage_ends_in_an_error_or_a_tree(data: st.DataObject) -> None:
    raw = bytearray(archive(sample()))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    with suppress(AssembleError):
        read(io.BytesIO(bytes(raw[:cut])))


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../up", "a\0b"])
def test_a_name_outside_the_root_is_refused(name: str) -> None:
    raw = name.encode() + b"\0"
    fields = (1, 0o100644, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(raw), 0)
    member = b"070701" + b"".join(b"%08X" % field for field in fields) + raw
    with pytest.raises(CpioError, match="cannot be"):
        read(io.BytesIO(member + bytes(-len(member) % 4)))


def test_what_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    tree = Tree()
    tree.write("f", b"").xattrs["user.x"] = b"1"
    with pytest.raises(CpioError, match=r"/f: a cpio archive holds no extended attributes: user\.x"):
        archive(tree)
    tree = Tree()
    tree.write("f", Slice(str(tmp_path), 0, 1 << 32))
    with pytest.raises(CpioError, match="does not fit"):
        archive(tree)
    tree = Tree()
    tree.write("TRAILER!!!", b"")
    with pytest.raises(CpioError, match="name cannot be"):
        archive(tree)


def member(name: bytes, mode: int = 0o100644, data: bytes = b"", number: int = 1, links: int = 1) -> bytes:
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (member(b"a").replace(b"00000001", b"+0000001", 1), "newc"),
        (member(b"a").replace(b"00000001", b"0x000001", 1), "newc"),
        (member(b"a").replace(b"00000001", b" 0000001", 1), "newc"),
        (member(b"a").replace(b"00000001", b"0_000001", 1), "newc"),
        (member(b"n" * 256), "too long"),
        (member(b"/".join([b"d"] * 300)), "too long"),
        (member(b"l", 0o120777), "symbolic link"),
        (member(b"l", 0o120777, b"t" * 4096), "symbolic link"),
        (member(b"f", number=7, links=2) + member(b"l", 0o120777, b"t", number=7, links=2), "two kinds"),
        (member(b"", 0o100644), "names no entry"),
        (member(b"a") + member(b"a/b"), "not a directory"),
    ],
)
def test_members_that_cannot_be(data: bytes, message: str) -> None:
    with pytest.raises(AssembleError, match=message):
        read(io.BytesIO(data + member(b"TRAILER!!!")))


def test_a_size_is_not_believed(tmp_path: Path) -> None:
    """A file makes room for what it is asked for, if it has it or not."""
    header = bytearray(member(b"a"))
    header[54:62] = b"FFFFFFFF"
    (tmp_path / "x").write_bytes(header)
    tracemalloc.start()
    try:
        with (tmp_path / "x").open("rb") as stream, pytest.raises(CpioError, match="too early"):
            read(stream)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_the_end_of_an_archive() -> None:
    """Its last member is the same in all archives, and its bytes fill whole blocks."""
    root, end = archive(Tree())[:112], archive(Tree())[112:]
    assert root == member(b".", 0o040755, links=2)
    assert end == member(b"TRAILER!!!", 0, number=0).ljust(512 - 112, b"\0")
    for size, length in ((164, 512), (165, 1024), (676, 1024), (677, 1536)):
        tree = Tree()
        tree.write("f", bytes(size))
        assert len(archive(tree)) == length


def test_names_of_one_file_count_and_share_a_number() -> None:
    tree = Tree()
    tree.write("a", b"data")
    tree.link("a", "b")
    tree.write("c", b"")
    data = archive(tree)
    assert data[112:] == (
        member(b"a", number=2, links=2)
        + member(b"b", data=b"data", number=2, links=2)
        + member(b"c", number=3)
        + member(b"TRAILER!!!", 0, number=0)
    ).ljust(1024 - 112, b"\0")


def test_only_what_has_more_names_shares_its_number() -> None:
    """Other programs give every file the number 0, or directories numbers of their own."""
    end = member(b"TRAILER!!!")
    tree = read(io.BytesIO(member(b"a", data=b"1") + member(b"b", data=b"2") + end))
    assert (tree.read("a"), tree.read("b")) == (b"1", b"2")
    directories = member(b"d", 0o040755, links=2) + member(b"e", 0o040700, links=2)
    tree = read(io.BytesIO(directories + end))
    assert (tree.at("d").mode, tree.at("e").mode) == (0o755, 0o700)
    tree = read(io.BytesIO(member(b"a", data=b"1", links=2) + member(b"b", links=2) + end))
    assert tree.at("a") is tree.at("b")
    assert tree.read("b") == b"1"
    tree = read(io.BytesIO(member(b".", 0o041777) + end))
    assert tree.root.mode == 0o1777


@pytest.mark.parametrize(
    ("length", "what", "why"),
    [
        (b"00000000", "a cpio header is damaged", "a name of 0 bytes before byte 110"),
        (b"00001001", "a cpio header is damaged", "a name of 4097 bytes before byte 110"),
        (b"00001000", "a cpio archive ends too early", "at byte 116"),
    ],
)
def test_the_length_of_a_name(length: bytes, what: str, why: str) -> None:
    header = bytearray(member(b"a", data=b"12")[:116])
    header[94:102] = length
    with pytest.raises(CpioError) as caught:
        read(io.BytesIO(bytes(header)))
    assert (caught.value.what, caught.value.why) == (what, why)


def test_the_longest_link_and_the_largest_numbers() -> None:
    end = member(b"TRAILER!!!")
    assert read(io.BytesIO(member(b"l", 0o120777, b"t" * 4095) + end)).at("l").target == "t" * 4095
    assert read(io.BytesIO(member(b"l", 0o120777, b"t") + end)).at("l").target == "t"
    tree = Tree()
    inode = tree.write("f", b"", 0o644, (1 << 32) - 1)
    assert read(io.BytesIO(archive(tree))).at("f").uid == (1 << 32) - 1
    for field, value in (("uid", 1 << 32), ("mtime", -1), ("mtime", 1 << 32)):
        setattr(inode, field, value)
        with pytest.raises(CpioError, match="a number does not fit into a cpio header"):
            archive(tree)
        setattr(inode, field, 0)
    here = Tree()
    here.root.children["n" * 4095] = Inode(Kind.FIFO, 0o600)
    assert archive(here)
    here.root.children["n" * 4096] = Inode(Kind.FIFO, 0o600)
    with pytest.raises(CpioError, match="a name cannot be in a cpio archive"):
        archive(here)
    with pytest.raises(CpioError) as caught:
        read(io.BytesIO(member(b"a") + b"x" * 110))
    assert (caught.value.what, caught.value.why) == ("not a cpio archive in newc format", "at byte 112")


@pytest.mark.parametrize("aligned", [1, 4, 16, 512])
def test_where_the_bytes_of_files_begin(tmp_path: Path, aligned: int) -> None:
    """The name of a file is filled up with NULs, which nobody takes for a part of it."""
    tree = sample()
    for length in range(1, 40):
        tree.write(f"etc/{'n' * length}", b"@" * length)
    data = b"".join(write(tree, aligned=aligned))
    assert facts(read(io.BytesIO(data))) == facts(tree)
    for length in range(1, 40):
        name = f"etc/{'n' * length}\0".encode()
        start = data.index(b"@", data.index(name))
        assert start % max(4, aligned) == 0
    subprocess.run(["cpio", "-id", "--quiet", "etc/*"], input=data, cwd=tmp_path, check=True, stderr=subprocess.PIPE)
    assert {path.name for path in (tmp_path / "etc").iterdir()} == set(tree.names("etc"))


def test_a_name_may_end_in_more_than_one_nul() -> None:
    long, end = bytearray(member(b"a\0\0", data=b"1")), member(b"TRAILER!!!\0\0")
    assert read(io.BytesIO(bytes(long) + end)).read("a") == b"1"
    with pytest.raises(CpioError, match="cannot be"):
        read(io.BytesIO(member(b"a\0b") + end))
