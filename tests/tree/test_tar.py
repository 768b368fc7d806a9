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


def test_the_last_number_of_members_and_texts(tmp_path: Path) -> None:
    many = b"".join(hostile(f"{number}{'n' * 99}")[:512] for number in range(5)) + bytes(1024)
    each = len("/0") + 99
    assert len(members(many, tmp_path, members=5, text=5 * each)) == 5
    with pytest.raises(tar.TarError, match="too many members") as caught:
        members(many, tmp_path, members=4)
    assert caught.value.why == "more than 4"
    with pytest.raises(tar.TarError, match="absurdly long") as caught:
        members(many, tmp_path, text=5 * each - 1)
    assert caught.value.why == f"more than {5 * each - 1} bytes"


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_the_longest_header_extension(tmp_path: Path, kind: bytes) -> None:
    comment = b"1048576 comment=".ljust((1 << 20) - 1, b"x") + b"\n"
    data = comment if kind in b"xg" else b"n" + bytes((1 << 20) - 1)
    begin = hostile("e", kind, data)[: 512 + (1 << 20)]
    assert len(members(begin + hostile(), tmp_path)) == 1
    with pytest.raises(tar.TarError, match="a header extension is absurdly long") as caught:
        members(hostile("e", kind, data + b"\0"), tmp_path)
    assert caught.value.why == "1048577 bytes"
    assert len(members(begin + hostile(), tmp_path, text=(1 << 20) + 3)) == 1
    for text, why in ((1 << 20, "absurdly long"), ((1 << 20) - 1, "too many header extensions")):
        with pytest.raises(tar.TarError, match=why):
            members(begin + hostile(), tmp_path, text=text)


def test_what_pax_records_say(tmp_path: Path) -> None:
    def record(text: str) -> bytes:
        return tar._record(*(part.encode() if number else part for number, part in enumerate(text.split("=", 1))))  # type: ignore[arg-type]

    said = [
        "path=p/q",
        "mtime=-5.75",
        "uid=70000",
        "gid=4294967294",
        "uname=us",
        "gname=root",
        "SCHILY.xattr.user.a=b=",
    ]
    (member,) = members(extended(b"".join(map(record, said))), tmp_path)
    assert (member.path, member.mtime, member.uid, member.gid) == ("/p/q", -5, 70_000, 0)
    assert (member.user, member.group, member.xattrs) == ("us", "", {"user.a": "b="})
    (member,) = members(extended(record("gid=4294967294")), tmp_path)
    assert (member.gid, member.group, member.uid) == (4_294_967_294, "", 0)
    (member,) = members(extended(record(f"mtime={'1' * 20}.{'9' * 50}")), tmp_path)
    assert member.mtime == int("1" * 20)
    with pytest.raises(tar.TarError, match="pax header") as caught:
        members(extended(record(f"mtime={'1' * 21}")), tmp_path)
    assert caught.value.why == f"mtime is {('1' * 21).encode()!r}"
    # They are those of one member.
    two = extended(record("path=first"))[:1536] + hostile("second")
    assert [member.path for member in members(two, tmp_path)] == ["/first", "/second"]
    link = hostile("p", b"x", record("linkpath=there"))[:1024] + hostile("l", tarfile.SYMTYPE, target="here")
    assert members(link, tmp_path)[0].target == "there"


def test_long_names_are_those_of_one_member(tmp_path: Path) -> None:
    long = hostile("n" * 150)[:1536] + hostile("s", tarfile.SYMTYPE, target="t" * 150)[:1536]
    last = hostile("s", tarfile.SYMTYPE, target="u")
    found = [(member.path, member.target) for member in members(long + last, tmp_path)]
    assert found == [("/" + "n" * 150, ""), ("/s", "t" * 150), ("/s", "u")]


def test_numbers_of_headers(tmp_path: Path) -> None:
    for place, value, field, number in (
        (136, b"\xff" * 12, "mtime", -1),
        (136, b"\x80" + bytes(10) + b"\x07", "mtime", 7),
        (136, b"\xff" * 11 + b"\x00", "mtime", -256),
        (136, b"   17 \0 \0  ", "mtime", 15),
        (136, bytes(12), "mtime", 0),
        (108, b"\x80\0\0\0\xff\xff\xff\xfe", "uid", (1 << 32) - 2),
        (116, b"7777777\0", "gid", 0o7777777),
        (100, b"0107755\0", "mode", 0o7755),
    ):
        (member,) = members(changed(place, value), tmp_path)
        assert getattr(member, field) == number
    for kind, expected in ((tarfile.CHRTYPE, (4095, 1)), (tarfile.BLKTYPE, (4095, 1)), (tarfile.FIFOTYPE, (0, 0))):
        (member,) = members(changed(329, b"0007777\x000000001\0", kind=kind), tmp_path)
        assert member.device == expected
    (member,) = members(changed(337, b"3777777\0", kind=tarfile.CHRTYPE), tmp_path)
    assert member.device == (0, (1 << 20) - 1)
    with pytest.raises(tar.TarError, match="a device's number does not exist") as caught:
        members(changed(337, b"4000000\0", kind=tarfile.CHRTYPE), tmp_path)
    assert caught.value.why == "0, 1048576"


def test_the_prefix_of_a_name_is_that_of_ustar_alone(tmp_path: Path) -> None:
    info = tarfile.TarInfo("d" * 90 + "/" + "n" * 90)
    (member,) = members(info.tobuf(tarfile.USTAR_FORMAT) + bytes(1024), tmp_path)
    assert member.path == "/" + info.name
    (member,) = members(changed(345, b"x"), tmp_path)  # in GNU's format, a time
    assert member.path == "/f"


def test_the_longest_names_and_targets(tmp_path: Path) -> None:
    (member,) = members(hostile("./" * 4095 + "x"), tmp_path)
    assert member.path == "/x"
    with pytest.raises(tar.TarError) as caught:
        members(hostile("./" * 4095 + "xy"), tmp_path)
    assert (caught.value.what, caught.value.why) == ("a member's name is too long", "more than 4096 bytes")
    (member,) = members(hostile("s", tarfile.SYMTYPE, target="t" * 4095), tmp_path)
    assert member.target == "t" * 4095
    with pytest.raises(tar.TarError, match="leads nowhere"):
        members(hostile("s", tarfile.SYMTYPE, target="é" * 2048), tmp_path)


def test_only_files_have_contents(tmp_path: Path) -> None:
    """The size that a header of something else states says nothing: the next member comes at once."""
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
        data = bytearray(hostile("x", kind, target="y")[:512])
        data[124:136] = b"00000001000\0"
        data[148:156] = b" " * 8
        data[148:156] = b"%06o\0 " % sum(data)
        found = members(bytes(data) + hostile("next"), tmp_path)
        assert [(member.path, member.size) for member in found] == [("/x", 0), ("/next", 0)]
    for size in (1, 511, 512, 513):
        begin = hostile("x", data=b"x" * size)[: 512 + (size + 511) // 512 * 512]
        found = members(begin + hostile("next"), tmp_path)
        assert [(member.path, member.size, member.offset) for member in found] == [
            ("/x", size, 512),
            ("/next", 0, len(begin) + 512),
        ]


def test_what_the_plain_fields_cannot_hold_gets_a_pax_header(tmp_path: Path) -> None:
    def written(**fields: object) -> bytes:
        tree = Tree()
        inode = tree.write("/f", b"")
        for key, value in fields.items():
            setattr(inode, key, value)
        return archive(tree)

    plain, pax = b"./f".ljust(100, b"\0"), b"./PaxHeaders/extended"
    for fields, extra in (
        ({"uid": 0o7777777}, False),
        ({"uid": 0o10000000}, True),
        ({"gid": 0o7777777}, False),
        ({"gid": 0o10000000}, True),
        ({"mtime": 0o77777777777}, False),
        ({"mtime": 0o100000000000}, True),
        ({"mtime": 0}, False),
        ({"mtime": -1}, True),
    ):
        data = written(**fields)
        assert data[512:].startswith(pax if extra else plain), fields
        (_, member) = members(data, tmp_path)
        assert {key: getattr(member, key) for key in fields} == fields
        assert len(data) == tar.RECORD == 10240
    for length in (97, 98, 99):
        tree = Tree()
        tree.write("/" + "n" * length, b"")
        tree.symlink("t" * (length + 2), "/z")
        data = archive(tree)
        assert data.count(pax) == (2 if length == 99 else 0)
        assert [member.path for member in members(data, tmp_path)] == ["/", "/" + "n" * length, "/z"]


def test_a_record_states_its_own_length() -> None:
    for length in (1, 5, 6, 7, 90, 91, 92, 93, 94, 95, 989, 990, 991, 992):
        record = tar._record("k", b"v" * length)
        assert record == b"%d k=%s\n" % (len(record), b"v" * length)


def test_the_end_of_an_archive(tmp_path: Path) -> None:
    """Two empty blocks at least, and whole records of 20."""
    for blocks, length in ((16, 10240), (17, 20480), (18, 20480)):
        tree = Tree()
        tree.write("/f", bytes(blocks * 512))
        data = archive(tree)
        assert len(data) == length
        assert not data[(blocks + 2) * 512 :].strip(b"\0")
        assert members(data, tmp_path)[-1].size == blocks * 512
    pieces = list(tar.write(sample(), buffer=4096))
    assert len(pieces) > 2
    assert all(len(piece) >= 4096 for piece in pieces[:-1])
