"""The tar writer and reader, against each other, tarfile and GNU tar."""

import contextlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.errors import Place
from assembler.tree import tar
from assembler.tree.content import Slice, read
from assembler.tree.staging import Inode, Kind, Tree


def archive(tree: Tree, **options: int) -> bytes:
    return b"".join(tar.write(tree, **options))


def members(data: bytes, directory: Path, **limits: int) -> list[tar.Member]:
    file = directory / "x.tar"
    file.write_bytes(data)
    return tar.index(file, Place(file="x.tar"), tar.Limits(**limits))


def sample() -> Tree:
    tree = Tree(mtime=1_700_000_000)
    tree.mkdir("/usr/bin", parents=True)
    tree.symlink("usr/bin", "/bin")
    tree.write("/usr/bin/ping", b"\x7fELF" * 1000, 0o755).xattrs["security.capability"] = b"\1\0\0\2\0 \0\0\xff\n="
    tree.write("/usr/bin/su", b"s", 0o4755, 0, 42)
    tree.link("/usr/bin/ping", "/usr/bin/zping")
    tree.write("/empty", b"", 0o600, 70_000, 3_000_000)
    tree.mkdir("/tmp", 0o1777)
    tree.put("/dev/null", Inode(Kind.CHAR, 0o666, device=(1, 3)), parents=True)
    tree.put("/dev/loop0", Inode(Kind.BLOCK, 0o660, gid=6, device=(7, 0)))
    tree.put("/run/fifo", Inode(Kind.FIFO, 0o600), parents=True)
    tree.write("/" + "d" * 90 + "/" + "e" * 120, b"long", parents=True)
    tree.symlink("t" * 150, "/long-link")
    tree.write("/caf\u00e9 \udcff", b"odd name")
    return tree


def test_our_reader_gets_back_what_our_writer_wrote(tmp_path: Path) -> None:
    tree = sample()
    back = {member.path: member for member in members(archive(tree), tmp_path)}
    assert list(back) == [path for path, _ in tree.walk()]
    for path, inode in tree.walk():
        member = back[path]
        if path == "/usr/bin/zping":
            assert (member.type, member.target) == ("1", "/usr/bin/ping")
            continue
        assert (member.type, member.mode) == (inode.kind.value, inode.mode), path
        assert (member.uid, member.gid, member.mtime) == (inode.uid, inode.gid, inode.mtime)
        assert member.target == inode.target
        assert member.device == inode.device
        assert {key: value.encode("latin-1") for key, value in member.xattrs.items()} == inode.xattrs
        if inode.kind is Kind.FILE:
            assert read(Slice(str(tmp_path / "x.tar"), member.offset, member.size)) == read(inode.content)


def test_tarfile_agrees() -> None:
    tree = sample()
    with tarfile.open(fileobj=io.BytesIO(archive(tree)), errors="surrogateescape") as back:
        found = {"/" + item.name.removeprefix(".").strip("/"): item for item in back}
        assert set(found) == {path for path, _ in tree.walk()}
        assert found["/usr/bin/su"].mode == 0o4755
        assert found["/empty"].gid == 3_000_000
        assert found["/dev/null"].ischr()
        assert (found["/dev/null"].devmajor, found["/dev/null"].devminor) == (1, 3)
        assert found["/usr/bin/zping"].islnk()
        content = back.extractfile(found["/usr/bin/zping"])
        assert content is not None
        assert content.read() == b"\x7fELF" * 1000


def test_gnu_tar_lists_it_without_complaint(tmp_path: Path) -> None:
    file = tmp_path / "x.tar"
    file.write_bytes(archive(sample()))
    done = subprocess.run(
        ["tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-tvvf", str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert "-rwsr-xr-x" in done.stdout
    assert "security.capability" in done.stdout


def test_what_gnu_tar_writes_is_read(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / ("n" * 120)).mkdir(parents=True)
    (source / ("n" * 120) / "file").write_bytes(b"x" * 1000)
    (source / "link").symlink_to("m" * 180)
    for style in ("gnu", "pax", "ustar", "v7"):
        if style in {"ustar", "v7"}:
            (source / "link").unlink(missing_ok=True)
            (source / "link").symlink_to("short")
            subprocess.run(["rm", "-rf", str(source / ("n" * 120))], check=True)
            (source / "plain").write_bytes(b"y")
        out = tmp_path / f"{style}.tar"
        subprocess.run(["tar", f"--format={style}", "-C", str(source), "-cf", str(out), "."], check=True)
        found = {member.path: member for member in tar.index(out, Place())}
        assert found["/link"].target in {"m" * 180, "short"}
        if style in {"gnu", "pax"}:
            member = found["/" + "n" * 120 + "/file"]
            assert read(Slice(str(out), member.offset, member.size)) == b"x" * 1000


def test_times_are_clamped_to_the_latest(tmp_path: Path) -> None:
    assert {member.mtime for member in members(archive(sample(), latest=5), tmp_path)} <= {0, 5}


def test_the_size_of_pieces_changes_nothing() -> None:
    assert archive(sample(), buffer=1) == archive(sample())


names = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=120).filter(
    lambda name: name not in {".", ".."}
)


@given(
    st.dictionaries(
        names,
        st.tuples(st.binary(max_size=1500), st.integers(0, 0o7777), st.integers(0, 2**31), st.integers(0, 2**40)),
        max_size=8,
    ),
    st.dictionaries(names, st.binary(min_size=1, max_size=300), max_size=3),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[bytes, int, int, int]], xattrs: dict[str, bytes]
) -> None:
    directory = tmp_path_factory.mktemp("tar")
    tree = Tree()
    for name, (data, mode, uid, mtime) in files.items():
        inode = tree.write("/" + name, data, mode, uid, uid)
        inode.mtime = mtime
        inode.xattrs = {
            "user." + key.replace("=", ""): value for key, value in xattrs.items() if "\n" not in key and "=" not in key
        }
    for member in members(archive(tree), directory):
        if member.path == "/":
            continue
        data, mode, uid, mtime = files[member.path[1:]]
        assert (member.mode, member.uid, member.mtime, member.size) == (mode, uid, mtime, len(data))
        assert read(Slice(str(directory / "x.tar"), member.offset, member.size)) == data
        inode = tree.at(member.path)
        assert {key: value.encode("latin-1") for key, value in member.xattrs.items()} == inode.xattrs


def hostile(name: str = "f", kind: bytes = b"0", data: bytes = b"", target: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(data), target
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as writer:
        writer.addfile(info, io.BytesIO(data))
    return out.getvalue()


def extended(records: bytes, kind: bytes = b"x") -> bytes:
    """A member after a pax header with `records`."""
    return hostile("p", kind, records)[: 512 + len(records) + -len(records) % 512] + hostile()


def changed(place: int, value: bytes, kind: bytes = b"0") -> bytes:
    """A member with `value` in its header, and a good checksum."""
    data = bytearray(hostile(kind=kind))
    data[place : place + len(value)] = value
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (hostile("/etc/passwd"), "absolute name"),
        (hostile("./../etc/passwd"), "leads out"),
        (hostile("a/b/../../../c"), "leads out"),
        (hostile("l", tarfile.LNKTYPE, target="/etc/shadow"), "absolute name"),
        (hostile("l", tarfile.LNKTYPE, target="../x"), "leads out"),
        (hostile("s", tarfile.GNUTYPE_SPARSE), "unsupported type"),
        (hostile("x" * 200 + "/" + "y" * 200), None),
        (hostile(data=b"z" * 2000)[:1500], "cut short"),
        (b"", "empty"),
        (b"\x01" * 512, "damaged|checksum"),
        (bytes(511), "cut short"),
        (b"".join((hostile("x", b"x", b"12 size=abc\n")[:1024], hostile())), "pax header"),
        (b"".join((hostile("x", b"x", b"99 size=1\n")[:1024], hostile())), "pax header"),
        (extended(b"aaaaaaaaaaaaaaa=b\n"), "pax header"),
        (extended(b"0 a=b\n"), "pax header"),
        (extended(b"00000000000000000006 a=b\n"), "pax header"),
        (extended(b"3 \n"), "pax header"),
        (extended(b"7 path\n"), "pax header"),
        (extended(b" 6 a=b\n"), "pax header"),
        (extended(b"13 size=1e99\n"), "pax header"),
        (extended(b"22 GNU.sparse.major=1\n"), "sparse"),
        (extended(b"12 path=/x/\n"), "absolute"),
        (extended(b"11 path=x\n", kind=b"g"), "pax header"),
        (extended(b"10 path=x\n", kind=b"g"), "of all members"),
        (extended(b"18 uid=4294967295\n"), "does not fit into 32 bits"),
        (extended(b"10 uid=-1\n"), "does not fit into 32 bits"),
        (hostile("x" * 256), "too long"),
        (hostile("a/" * 257 + "b"), "too long"),
        (hostile("a/" * 5000 + "b"), "too long"),
        (hostile("s", tarfile.SYMTYPE), "leads nowhere"),
        (hostile("s", tarfile.SYMTYPE, target="t" * 4096), "leads nowhere"),
        (changed(108, b"-000001\0"), "number"),
        (changed(108, b"0_00000\0"), "number"),
        (changed(108, b"0o00000\0"), "number"),
        (changed(108, b"        "), "number"),
        (changed(108, b"\x80\0\0\1\0\0\0\0"), "does not fit into 32 bits"),
        (changed(124, b"\x80" + b"\xff" * 11), "cut short"),
        (changed(124, b"\xff" * 12), "cut short"),
        (changed(329, b"0010000\0", kind=tarfile.CHRTYPE), "device"),
    ],
)
def test_hostile_and_damaged_archives_end_in_a_clear_error(tmp_path: Path, data: bytes, message: str | None) -> None:
    if message is None:
        assert members(data, tmp_path)[0].path == "/" + "x" * 200 + "/" + "y" * 200
        return
    with pytest.raises(tar.TarError, match=message) as caught:
        members(data, tmp_path)
    assert caught.value.where.file == "x.tar"


def test_too_many_members(tmp_path: Path) -> None:
    tree = Tree()
    for number in range(20):
        tree.write(f"/{number}", b"")
    with pytest.raises(tar.TarError, match="too many members"):
        members(archive(tree), tmp_path, members=10)


@given(st.binary(max_size=2048), st.integers(0, 30))
def test_garbage_is_refused_and_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, position: int
) -> None:
    data = bytearray(hostile("name", data=b"content" * 100))
    data[position * 16 : position * 16 + len(noise)] = noise
    with contextlib.suppress(tar.TarError):
        members(bytes(data), tmp_path_factory.mktemp("tar"))


def test_names_of_owners_are_read_and_root_is_zero(tmp_path: Path) -> None:
    info = tarfile.TarInfo("f")
    info.uname, info.gname, info.uid, info.gid = "root", "shadow", 1000, 1000
    for style in (tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
        (member,) = members(info.tobuf(style) + bytes(1024), tmp_path)
        assert (member.user, member.uid, member.group, member.gid) == ("", 0, "shadow", 1000)
    (member,) = members(extended(b"14 uname=root\n16 gname=shadow\n"), tmp_path)
    assert (member.user, member.uid, member.group) == ("", 0, "shadow")


def test_an_old_directory(tmp_path: Path) -> None:
    """A file whose name ends in a slash, from before there was a type for directories."""
    (member,) = members(hostile("d/", tarfile.AREGTYPE), tmp_path)
    assert (member.path, member.type) == ("/d", "5")
    with pytest.raises(tar.TarError, match="contents of its own"):
        members(hostile("d/", tarfile.AREGTYPE, b"x"), tmp_path)


def test_all_texts_together_are_bounded(tmp_path: Path) -> None:
    """Of a few bytes of a compressed archive, that is."""
    many = b"".join(hostile("n" * 200, data=b"")[:1536] for _ in range(20)) + bytes(1024)
    assert len(members(many, tmp_path)) == 20
    with pytest.raises(tar.TarError, match="absurdly long"):
        members(many, tmp_path, text=2000)


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_header_extensions_are_bounded(tmp_path: Path, kind: bytes) -> None:
    """They are no members, and reading a million of them takes as long as of members."""
    empty = hostile("e", kind, b"name" if kind == b"L" else b"")[: 1024 if kind == b"L" else 512]
    assert len(members(empty * 30 + hostile(), tmp_path, members=10)) == 1
    with pytest.raises(tar.TarError, match="too many header extensions"):
        members(empty * 31 + hostile(), tmp_path, members=10)
    long = hostile("e", kind, b"11 a=aaaaa\n" * 90)[: 512 + 1024]
    with pytest.raises(tar.TarError, match="too many header extensions"):
        members(long * 4 + hostile(), tmp_path, text=3000)


@pytest.mark.parametrize(
    "spoil",
    [
        {"uid": 1 << 32},
        {"uid": (1 << 32) - 1},
        {"gid": -1},
        {"mode": 0o10644},
        {"device": (1, 1 << 20)},
        {"device": (4096, 0)},
    ],
)
def test_what_no_image_can_hold_is_not_written(spoil: dict[str, object]) -> None:
    tree = sample()
    for key, value in spoil.items():
        setattr(tree.at("/dev/null"), key, value)
    with pytest.raises(tar.TarError) as caught:
        archive(tree)
    assert caught.value.where.path == "/dev/null"
