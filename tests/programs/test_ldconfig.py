"""ldconfig: links to libraries, and the cache as those of Debian 12, 13 and testing made it of the same tree."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.programs.context import ExecutionContext
from assembler.programs.ldconfig import ldconfig
from assembler.programs.loader_cache import Library, cache, order
from assembler.programs.shared_object import SharedObject, shared_object
from assembler.shell.process import Process
from assembler.shell.streams import Budget, Pipe, Refused
from assembler.tree.staging import Kind, Tree
from tests.initrd.elves import library

DATA = Path(__file__).parent / "data"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
VERSIONS = {"2.36": "2.36-9+deb12u14", "2.41": "2.41-12+deb13u5", "2.43": "2.43-7"}


def generator(version: str) -> bytes:
    return f"ldconfig (Debian GLIBC {VERSIONS[version]}) stable release version {version}".encode()


def small(version: str = "2.41") -> Tree:
    tree = Tree()
    tree.write("/usr/sbin/ldconfig", b"\x7fELF\0" + generator(version) + b"\0/lib/\0", 0o755, parents=True)
    for name in ("lib", "sbin"):
        tree.symlink(f"usr/{name}", f"/{name}")
    tree.mkdir(LIBRARIES, parents=True)
    for directory in ("/var/cache/ldconfig", "/etc/ld.so.conf.d"):
        tree.mkdir(directory, 0o700, parents=True)
    tree.write("/etc/ld.so.conf", b"include /etc/ld.so.conf.d/*.conf\n\n")
    return tree


def needing(level: int, soname: str) -> bytes:
    """A library that says which level of x86's instruction set it needs, by the bits of a property."""
    data = bytearray(library("libc.so.6", soname=soname))
    (table,), (count,) = struct.unpack_from("<Q", data, 32), struct.unpack_from("<H", data, 56)
    headers = bytes(data[table : table + 56 * count])
    data += bytes(-len(data) % 8)
    note = struct.pack("<III", 4, 16, 5) + b"GNU\0" + struct.pack("<IIII", 0xC0008002, 4, level, 0)
    headers += struct.pack("<IIQQQQQQ", 0x6474E553, 4, len(data), len(data), len(data), len(note), len(note), 8)
    data += note
    struct.pack_into("<Q", data, 32, len(data))
    struct.pack_into("<H", data, 56, count + 1)
    return bytes(data) + headers


def many(version: str) -> Tree:
    """Something of all that counts; ldconfig of each version made the cache in `DATA` of it."""
    tree = small(version)
    tree.write("/etc/ld.so.conf.d/a.conf", b"# of others\n  /opt/lib/  # here\n/usr/lib/x86_64-linux-gnu\n/none\n")
    tree.write("/etc/ld.so.conf.d/.hidden.conf", b"/usr/share\n")
    tree.write("/etc/ld.so.conf.d/x86_64-linux-gnu.conf", b"/usr/local/lib\n/lib/x86_64-linux-gnu\n")
    tree.mkdir("/opt/lib", parents=True)
    for name in ("libz.so.1.2.9", "libz.so.1.2.13"):
        tree.write(f"{LIBRARIES}/{name}", library("libc.so.6", soname="libz.so.1"))
    tree.symlink("libz.so.1.2.9", f"{LIBRARIES}/libz.so.1")
    tree.symlink("libz.so.1.2.13", f"{LIBRARIES}/libz.so")
    tree.symlink("libgone.so.4.0", f"{LIBRARIES}/libgone.so.4")
    tree.symlink("gone", f"{LIBRARIES}/libgone.so")
    tree.write(f"{LIBRARIES}/libnone.so.2", library())
    tree.write(f"{LIBRARIES}/liblist.so", b"/* GNU ld script */ INPUT ( libz.so.1 -lm and so on, to be long enough )")
    tree.write(f"{LIBRARIES}/libother.so.1", library(soname="libother.so.1", machine=183))
    tree.write(f"{LIBRARIES}/libd.so.1.dpkg-new", library(soname="libd.so.1"))
    tree.write(f"{LIBRARIES}/plain.so", library(soname="plain.so"))
    tree.write(f"{LIBRARIES}/ld-linux-x86-64.so.2", library(soname="ld-linux-x86-64.so.2"))
    tree.write("/opt/lib/libz.so.1", library(soname="libz.so.1"))
    tree.write("/opt/lib/libcom-1.so.10", library(soname="libcom-1.so.10"))
    tree.write("/usr/lib/libcom-1.so.9", library(soname="libcom-1.so.9"))
    for level, bits in (("v2", 2), ("v3", 4), ("v4", 12)):
        where = f"{LIBRARIES}/glibc-hwcaps/x86-64-{level}"
        tree.mkdir(where, parents=True)
        tree.write(f"{where}/libz.so.1.2.13", needing(bits, soname="libz.so.1"))
    tree.mkdir("/opt/lib/glibc-hwcaps/unused", parents=True)
    return tree


def run(tree: Tree, *arguments: str, arch: str = "amd64", errors: Pipe | None = None) -> int:
    process = Process(tree, list(arguments), {}, "/", 0o022, {2: errors} if errors else {}, Budget())
    return ldconfig(process, ExecutionContext(tree, arch))


def links(tree: Tree, top: str) -> dict[str, str]:
    return {path: inode.target for path, inode in tree.walk(top) if inode.kind is Kind.SYMLINK}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_cache_is_the_real_ones(version: str) -> None:
    tree = many(version)
    assert run(tree, "-r", "/") == 0
    assert tree.read("/etc/ld.so.cache") == (DATA / f"ld.so.cache-{version}").read_bytes()
    assert tree.at("/etc/ld.so.cache").mode == 0o644
    # libgone.so stays, as ldconfig removes what has ".so." in its name.
    made = {"libz.so.1": "libz.so.1.2.13", "libz.so": "libz.so.1.2.13", "libgone.so": "gone"}
    if version == "2.36":
        made["libd.so.1"] = "libd.so.1.dpkg-new"
    assert links(tree, LIBRARIES) == {f"{LIBRARIES}/{name}": target for name, target in made.items()}


def test_a_second_time_it_finds_the_same() -> None:
    tree = many("2.41")
    run(tree)
    first = tree.read("/etc/ld.so.cache"), links(tree, "/usr")
    run(tree)
    assert (tree.read("/etc/ld.so.cache"), links(tree, "/usr")) == first


def test_without_a_directory_for_the_auxiliary_cache_it_makes_one() -> None:
    tree = small()
    tree.remove("/var/cache/ldconfig")
    run(tree)
    assert tree.at("/var/cache/ldconfig").mode == 0o700
    assert not tree.names("/var/cache/ldconfig")


def test_what_is_not_unpacked_yet_is_not_there() -> None:
    tree = many("2.41")
    later = {f"{LIBRARIES}/libz.so.1.2.13", "/etc/ld.so.conf.d/a.conf", f"{LIBRARIES}/glibc-hwcaps/x86-64-v4"}
    context = ExecutionContext(tree, "amd64", absent=lambda: later)
    assert ldconfig(Process(tree, [], {}, "/", 0o022, {}, Budget()), context) == 0
    made = tree.read("/etc/ld.so.cache")
    assert tree.at(f"{LIBRARIES}/libz.so.1").target == "libz.so.1.2.9"
    assert b"/opt/lib" not in made
    assert b"x86-64-v4" not in made
    assert b"x86-64-v3" in made


def test_links_to_the_loader_and_files_in_the_place_of_links_are_left_alone() -> None:
    tree = small()
    for name in ("ld-2.31.so", "ld-2.41.so"):
        tree.write(f"{LIBRARIES}/{name}", library(soname="ld-linux-x86-64.so.2"))
    tree.symlink("ld-2.31.so", f"{LIBRARIES}/ld-linux-x86-64.so.2")
    tree.write(f"{LIBRARIES}/libx.so.1.0", library(soname="libx.so.1"))
    tree.write(f"{LIBRARIES}/libx.so.1", b"text that is longer than the header of an ELF file, 64 bytes of it")
    run(tree)
    assert links(tree, LIBRARIES) == {f"{LIBRARIES}/ld-linux-x86-64.so.2": "ld-2.31.so"}
    assert b"/libx.so.1\0" in tree.read("/etc/ld.so.cache")


@pytest.mark.parametrize("arguments", [["-n", "/lib"], ["-X"], ["-p"], ["-r", "/x"], ["-r", "/", "-r", "/"], ["/opt"]])
def test_arguments_that_are_not_modelled(arguments: list[str]) -> None:
    with pytest.raises(Refused):
        run(small(), *arguments)


def refused(tree: Tree) -> str:
    before = tree.copy()
    with pytest.raises(Refused) as caught:
        run(tree)
    assert not before.exists("/etc/ld.so.cache")
    assert not tree.exists("/etc/ld.so.cache")
    return caught.value.what


def test_what_depends_on_the_order_of_entries_is_refused() -> None:
    for names, sonames in (
        (("liba.so.1.0", "liba.so.1.00"), ("liba.so.1", "liba.so.1")),
        (("liba.so.1", "libb.so.1"), ("liba.so.1", "liba.so.01")),
    ):
        tree = small()
        for name, soname in zip(names, sonames, strict=True):
            tree.write(f"{LIBRARIES}/{name}", library(soname=soname))
        assert "librar" in refused(tree)


def test_libraries_for_processors_are_refused_where_ldconfig_looks_for_them() -> None:
    for version in VERSIONS:
        tree = small(version)
        tree.mkdir(f"{LIBRARIES}/haswell")
        if version == "2.36":
            assert refused(tree) == "libraries for a processor"
        else:
            assert run(tree) == 0


def test_files_of_settings_that_include_one_another_end() -> None:
    tree = small()
    tree.write("/etc/ld.so.conf.d/a.conf", b"include *.conf\n")
    assert "include" in refused(tree)
    tree.write("/etc/ld.so.conf.d/a.conf", b"\n" * (1 << 20))
    tree.write("/etc/ld.so.conf", b"include " + b"ld.so.conf.d/a.conf " * 200)
    assert "commands" in refused(tree)


def test_without_glibcs_program_nothing_is_known() -> None:
    for data in (b"#!/bin/sh\n", b"\0ldconfig (Debian GLIBC 2.31-13) stable release version 2.31\0"):
        tree = small()
        tree.write("/usr/sbin/ldconfig", data)
        assert "ldconfig" in refused(tree)


def test_what_it_warns_of_is_not_told_word_for_word() -> None:
    tree = small()
    tree.write(f"{LIBRARIES}/libx.so", b"text " * 20)
    assert run(tree) == 0
    with pytest.raises(Refused):
        run(tree, errors=Pipe(Budget()))


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "arch", "flags"),
    [
        (library(), "amd64", 0x303),
        (library(machine=183), "arm64", 0xA03),
        (library(machine=62), "arm64", 0xA03),
        (library(machine=183), "amd64", None),
        (library(machine=3), "amd64", None),
        (b"", "amd64", None),
        (b"GROUP ( libc.so.6 ) and more of it, as the header of an ELF file is long", "amd64", None),
    ],
)
def test_kinds_of_libraries(data: bytes, arch: str, flags: int | None) -> None:
    assert shared_object(data, arch, old=False) == (None if flags is None else SharedObject(None, flags, 0))


def test_levels_of_the_instruction_set() -> None:
    for bits, level in ((0, 0), (1, 0), (2, 1), (4, 2), (12, 3), (0x80000000, 31)):
        assert shared_object(needing(bits, soname="libx.so"), "amd64", old=False) == SharedObject(
            b"libx.so", 0x303, level
        )


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 420))
def test_damaged_libraries_are_passed_over_or_refused(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(needing(4, soname="libx.so.1"))
    for at, value in changes:
        data[at % len(data)] = value
    for arch in ("amd64", "arm64"):
        try:
            found = shared_object(bytes(data[: max(end, 64)]), arch, old=bool(end % 2))
        except Refused:
            continue
        assert found is None or found.flags in {1, 3, 0x303, 0x803, 0xA03, 0x903, 0xB03}


# --- format ---------------------------------------------------------------------------------------------------------


def test_names_come_by_their_numbers() -> None:
    names = [b"liba.so", b"liba.so.9", b"liba.so.10", b"liba1.so", b"lib-1.so", b"libab.so"]
    assert sorted(names, key=order) == [b"lib-1.so", b"liba.so", b"liba.so.9", b"liba.so.10", b"libab.so", b"liba1.so"]
    for name in (b"lib\xc3\xa4.so", b"lib1234567890.so"):
        with pytest.raises(Refused):
            order(name)


@given(
    st.lists(
        st.builds(
            Library,
            st.text("ab.1", min_size=1, max_size=4).map(str.encode),
            st.text("/ab.1", min_size=1, max_size=4).map(str.encode),
            st.sampled_from([3, 0x303]),
            st.sampled_from([None, b"v1", b"v2"]),
            st.integers(0, 31),
        )
    )
)
def test_all_is_found_again(libraries: list[Library]) -> None:
    """Read as dl-cache.c does: an entry's strings by their places, and the names of subdirectories by their numbers."""
    libraries = [each if each.hwcaps else Library(each.name, each.path, each.flags) for each in libraries]
    made = cache(libraries, [b"unused"], b"generator")
    count, length, extensions = struct.unpack_from("<II4xI", made, 20)
    assert len(made[: extensions + 4]) >= 48 + 24 * count + length
    magic, sections = struct.unpack_from("<iI", made, extensions)
    assert magic == -358342284
    directory = {
        tag: made[at : at + size]
        for tag, _, at, size in struct.iter_unpack("<IIII", made[extensions + 8 : extensions + 8 + 16 * sections])
    }
    assert directory[0] == b"generator"

    def text(at: int) -> bytes:
        return made[at : made.index(b"\0", at)]

    names = [text(at) for (at,) in struct.iter_unpack("<I", directory.get(1, b""))]
    found = []
    for at in range(48, 48 + 24 * count, 24):
        flags, key, value, version, hwcap = struct.unpack_from("<iIIIQ", made, at)
        assert version == 0
        assert hwcap == 0 or hwcap >> 62 == 1
        hwcaps = names[hwcap & 0xFFFFFFFF] if hwcap else None
        found.append(Library(text(key), text(value), flags, hwcaps, hwcap >> 32 & 0x3FF if hwcap else 0))
    assert sorted(map(repr, found)) == sorted(map(repr, libraries))
    assert [order(each.name) for each in found] == sorted((order(each.name) for each in libraries), reverse=True)
