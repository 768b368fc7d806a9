"""Reading .debs: every compression, and everything that can be wrong with them."""

import gzip
import lzma
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.debian.deb import DebError, open_package, read_control
from assembler.debian.deb822 import control as control_fields
from assembler.debian.deb822 import control as paragraph
from assembler.debian.unpack import replaces
from assembler.errors import AssembleError, Place
from assembler.store.objects import Store
from assembler.tree.content import Slice, read
from assembler.tree.tar import Limits, TarError
from tests.debian.debs import COMPRESSORS, ar, control, deb, directory, hard, item, opened, tar
from tests.debian.debs import paragraph as fields_of


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_every_compression(tmp_path: Path, compression: str) -> None:
    data = deb(
        "hello",
        directory("./usr"),
        item("./usr/hi", b"hi" * 5000),
        compression=compression,
        files={"postinst": b"#!x\xff"},
    )
    package = opened(tmp_path, data)
    assert package.name == "hello"
    assert package.control == {"postinst": b"#!x\xff"}
    member = package.members[-1]
    assert (member.path, member.mode) == ("/usr/hi", 0o644)
    assert read(Slice(str(package.data), member.offset, member.size)) == b"hi" * 5000


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_the_control_files_alone(tmp_path: Path, compression: str) -> None:
    file = tmp_path / "a.deb"
    data = deb("hello", item("./usr/hi"), compression=compression, files={"postinst": b"#!x"})
    file.write_bytes(data)
    fields, control = read_control(file, Place())
    assert (fields["Package"], control) == ("hello", {"postinst": b"#!x"})
    for damaged in (b"", data[:100], data.replace(b"control.tar", b"contrxx.tar")):
        file.write_bytes(damaged)
        with pytest.raises(DebError):
            read_control(file, Place())


@pytest.mark.parametrize("compression", ["xz", "gzip", "zstd", "none"])
def test_what_dpkg_deb_builds_is_read(tmp_path: Path, compression: str) -> None:
    source = tmp_path / "source"
    (source / "DEBIAN").mkdir(parents=True)
    (source / "DEBIAN").chmod(0o755)
    (source / "DEBIAN/control").write_text(
        "Package: real\nVersion: 1:2-3\nArchitecture: all\nMaintainer: N <n@example.org>\n"
        "Description: one\n two\n .\n three\n"
    )
    (source / "usr/bin").mkdir(parents=True)
    (source / "usr/bin/x").write_bytes(b"x" * 100_000)
    out = tmp_path / "real.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", f"-Z{compression}", "--build", str(source), str(out)],
        check=True,
        capture_output=True,
    )
    package = opened(tmp_path / "unpacked", out.read_bytes())
    assert package.fields["Version"] == "1:2-3"
    assert package.fields["Description"] == "one\n two\n .\n three"
    assert [member.path for member in package.members] == ["/", "/usr", "/usr/bin", "/usr/bin/x"]
    assert package.members[-1].size == 100_000


def test_an_xz_member_of_several_streams(tmp_path: Path) -> None:
    whole = tar([directory("./"), item("./a", b"a" * 100_000)])
    data = lzma.compress(whole[:50_000]) + lzma.compress(whole[50_000:]) + bytes(8)
    package = opened(
        tmp_path,
        ar({"debian-binary": b"2.0\n", "control.tar": control(fields_of("x")), "data.tar.xz": data}),
    )
    assert package.members[-1].size == 100_000


GOOD = {"debian-binary": b"2.0\n", "control.tar": control(fields_of("x")), "data.tar": tar([directory("./")])}


def but(**changed: bytes) -> bytes:
    """A good package with members changed; `data_tar_xz` takes the place of data.tar."""
    members = dict(GOOD)
    for key, data in changed.items():
        name = key.replace("_", ".")
        members = {
            name if old.startswith("data.tar" if name.startswith("data") else "control.tar") else old: content
            for old, content in members.items()
        }
        members[name] = data
    return ar(members)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\3\4 something else", "not a Debian package"),
        (b"", "not a Debian package"),
        (ar(GOOD)[:100], "damaged"),
        (ar({**GOOD, "debian-binary": b"3.0\n"}), "not 2.x"),
        (ar({"control.tar": b"", "debian-binary": b"2.0\n"}), "first member"),
        (ar({key: value for key, value in GOOD.items() if key != "data.tar"}), "no data.tar"),
        (ar({"debian-binary": b"2.0\n", "control.tar.xz": b"", "control.tar": b"", "data.tar": b""}), "2 control"),
        (ar({key: value for key, value in GOOD.items() if key != "control.tar"}), "no control.tar"),
        (but(control_tar=tar([item("./md5sums")])), "no control file"),
        (but(control_tar=control("Package: x\nVersion: 1\n")), "no Architecture"),
        (but(control_tar=control(fields_of("../../x"))), "name is not allowed"),
        (but(control_tar=control("no colon here\n")), "damaged"),
        (but(control_tar_xz=b"not xz"), "damaged"),
        (but(data_tar_xz=lzma.compress(bytes(9000))[:-20]), "damaged"),
        (but(data_tar_zst=b"not zstd"), "damaged"),
        (but(data_tar_gz=b"not gzip"), "damaged"),
        (but(data_tar_rar=b""), "compression is not known"),
    ],
)
def test_what_is_no_sound_package_says_so(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(AssembleError, match=message) as caught:
        opened(tmp_path, data)
    assert caught.value.where.package == "x"


@pytest.mark.parametrize("compression", [".xz", ".gz", ".zst", ".bz2"])
def test_a_bomb_is_stopped_early(tmp_path: Path, compression: str) -> None:
    bomb = COMPRESSORS[compression](bytes(8 << 20))
    with pytest.raises(DebError, match="unpacks to too much"):
        opened(tmp_path, but(**{f"data_tar{compression}": bomb}), Limits(unpacked=4 << 20))
    assert sum(file.stat().st_size for file in tmp_path.rglob("data.tar")) <= 4 << 20
    if compression == ".bz2":
        return  # none for a control archive
    with pytest.raises(DebError, match="control archive is absurdly large"):
        opened(tmp_path, but(**{f"control_tar{compression}": COMPRESSORS[compression](bytes(65 << 20))}))


def test_the_store_unpacks_once_and_verifies_the_bytes(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    digest = store.add(deb("hello", item("./a", b"a")))
    first = open_package(store, digest, "hello")
    assert open_package(store, digest, "hello").data == first.data
    other = store.add(deb("other"))
    store.path(other).chmod(0o644)
    store.path(other).write_bytes(b"!<arch>\nchanged")
    with pytest.raises(DebError, match="damaged"):
        open_package(store, other, "other")
    assert not list((store.root / "tmp").iterdir())


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=16))
def test_a_changed_package_never_crashes(tmp_path_factory: pytest.TempPathFactory, at: int, noise: bytes) -> None:
    data = bytearray(deb("hello", item("./a", b"abc" * 300), compression=".gz"))
    at %= len(data)
    data[at : at + len(noise)] = noise
    try:
        opened(tmp_path_factory.mktemp("deb"), bytes(data))
    except (DebError, TarError):
        return


def test_only_the_ends_of_a_value_are_trimmed() -> None:
    assert paragraph("A: \t x \nDescription: short \n long \n") == {"A": "x", "Description": "short \n long"}


def test_a_paragraph_keeps_order_and_continuations() -> None:
    text = "Package: a\nDescription: short\n long\n  more\nDepends: b (>= 1),\n c\n"
    assert list(paragraph(text).items()) == [
        ("Package", "a"),
        ("Description", "short\n long\n  more"),
        ("Depends", "b (>= 1),\n c"),
    ]


@pytest.mark.parametrize("damage", ["data.tar", "index.json", "gone"])
def test_an_unpacked_package_that_is_cut_off_is_unpacked_again(store: Store, damage: str) -> None:
    digest = store.add(deb("hello", item("./a", b"a" * 3000)))
    before = open_package(store, digest, "hello")
    if damage == "gone":
        before.data.unlink()
    else:
        with before.data.with_name(damage).open("r+b") as stream:
            stream.truncate(1000)
    assert open_package(store, digest, "hello") == before
    assert before.data.read_bytes().count(b"a" * 3000) == 1


def sparse(name: str, size: int) -> bytes:
    """A GNU sparse member of `size` bytes, none of which are in the archive."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"%011o\0%011o\0" % (size, 0)
    block[483:495] = b"%011o\0" % size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        # Bytes that are made of nothing.
        (but(control_tar=GOOD["control.tar"][:1024] + sparse("./postinst", 6 << 30) + bytes(1024)), "unsupported type"),
        # A second compression inside of the one that is named.
        (but(control_tar=lzma.compress(GOOD["control.tar"])), "cut short"),
        (but(control_tar_xz=lzma.compress(gzip.compress(GOOD["control.tar"]))), "cut short"),
        (but(data_tar=gzip.compress(GOOD["data.tar"])), "cut short"),
        # One file under many names.
        (
            but(
                control_tar=tar(
                    [
                        *(item("./control", fields_of("x").encode()), item("./a", bytes(1 << 20))),
                        *(hard(f"./{n}", "./a") for n in range(70)),
                    ]
                )
            ),
            "absurdly large",
        ),
        (but(control_tar=control(fields_of("x") + "Mine: " + "x" * (1 << 20) + "\n")), "absurdly large"),
        (but(control_tar=tar([item(f"./{n}") for n in range(1001)])), "too many members"),
        (but(data_tar=tar([item("./" + "a/" * 500_000 + "b")])), "too long"),
        (but(data_tar=tar([item("./" + "a/" * 300 + "b")])), "too long"),
        (but(data_tar_bz2=b"BZh9" + b"garbage" * 100), "damaged"),
        (but(data_tar_lzma=b"\x5d\0\0garbage" * 100), "damaged"),
        (but(control_tar=control(fields_of("x", Version="1" * 5000))), "version is not allowed"),
    ],
)
def test_small_packages_that_would_be_large(tmp_path: Path, data: bytes, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(AssembleError, match=message):
            opened(tmp_path, data)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_versions_of_many_digits_are_compared(tmp_path: Path) -> None:
    """Python converts no number of so many digits, and the package may want to replace whatever it likes."""
    package = opened(tmp_path, deb("hello", Replaces=f"other (<< {'9' * 5000})"))
    other = opened(tmp_path / "other", deb("other"))
    assert replaces(package, other)


def test_the_first_of_two_is_taken(tmp_path: Path) -> None:
    """As dpkg does: whoever looks at a package with dpkg-deb sees what is installed."""
    data = ar(GOOD) + ar({"control.tar": control(fields_of("other")), "data.tar": tar([item("./evil")])})[8:]
    package = opened(tmp_path, data)
    assert package.name == "x"
    assert [member.path for member in package.members] == ["/"]
    assert read_control(tmp_path / "x.deb", Place())[0]["Package"] == "x"


@pytest.mark.parametrize("odd", ["\0", "\x1a"])
def test_characters_that_no_text_has_are_refused(odd: str) -> None:
    with pytest.raises(ValueError, match="characters that no text has"):
        control_fields(f"Package: x\nDescription: a{odd}b\n")


def test_a_damaged_control_archive_is_told_with_its_package(tmp_path: Path) -> None:
    file = tmp_path / "x.deb"
    file.write_bytes(ar({"debian-binary": b"2.0\n", "control.tar.xz": b"no xz at all", "data.tar": b""}))
    with pytest.raises(DebError, match="the package is damaged") as caught:
        read_control(file, Place(package="x"))
    assert caught.value.where.package == "x"
