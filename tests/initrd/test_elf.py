from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.errors import Place
from assembler.initrd.libraries import closure
from assembler.kernel.elf import ElfError, parse, sections
from assembler.tools.toolbox import Toolbox
from assembler.tree.staging import Tree
from tests.initrd.elves import libraries, library, module, real_tree

HERE = Place(path="/x")


def test_a_real_program(toolbox: Toolbox) -> None:
    elf = parse(toolbox.find("mke2fs").read_bytes(), HERE)
    assert elf.machine in {62, 183}
    assert elf.interpreter.startswith("/lib")
    assert {"libc.so.6", "libext2fs.so.2"} <= set(elf.needed)
    assert not elf.search


def test_a_real_library(toolbox: Toolbox) -> None:
    libc = parse(libraries(toolbox, "mke2fs")["libc.so.6"].read_bytes(), HERE)
    assert libc.soname == "libc.so.6"
    assert [name.partition("-")[0] for name in libc.needed] == ["ld"]


def test_closure_is_what_the_loader_says(toolbox: Toolbox) -> None:
    tree = real_tree(toolbox, "mke2fs", "blkid")
    names = {path.rpartition("/")[2] for path in closure(tree, ["/usr/sbin/mke2fs", "/usr/sbin/blkid"])}
    assert names == {*libraries(toolbox, "mke2fs"), *libraries(toolbox, "blkid"), "mke2fs", "blkid"}


def test_closure_without_the_links_of_merged_usr() -> None:
    tree = Tree()
    tree.write("usr/lib64/ld.so", library(), parents=True)
    tree.write("usr/bin/p", library(interpreter="/lib64/ld.so"), parents=True)
    assert closure(tree, ["/usr/bin/p"]) == ("/usr/bin/p", "/usr/lib64/ld.so")


def test_libraries_of_libraries_and_cycles() -> None:
    tree = Tree()
    tree.write("usr/bin/p", library("a.so"), parents=True)
    tree.write("usr/lib/x86_64-linux-gnu/a.so", library("b.so", soname="a.so"), parents=True)
    tree.write("usr/lib/b.so", library("a.so"), parents=True)
    assert closure(tree, ["/usr/bin/p"]) == ("/usr/bin/p", "/usr/lib/b.so", "/usr/lib/x86_64-linux-gnu/a.so")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (library("gone.so"), "the library gone.so is missing"),
        (library("../../etc/passwd"), "the library ../../etc/passwd is missing"),
        (library(runpath="$ORIGIN/../x"), "own library path"),
        (library("a.so", machine=8), "e_machine 8"),
        (b"#!/bin/sh\n", "not a 64-bit little-endian ELF file"),
        (b"\x7fELF\x01\x01\x01" + bytes(80), "not a 64-bit little-endian ELF file"),
        (library("a.so")[:100], "a damaged ELF file"),
    ],
)
def test_what_cannot_run_is_an_error(data: bytes, message: str) -> None:
    tree = Tree()
    tree.write("usr/bin/p", data, parents=True)
    with pytest.raises(ElfError, match=r"^/usr/bin/p: ") as caught:
        closure(tree, ["/usr/bin/p"])
    assert message in str(caught.value)


def test_a_missing_program_is_an_error() -> None:
    with pytest.raises(ElfError, match="/usr/sbin/blkid: a program for the initrd is missing"):
        closure(Tree(), ["/usr/sbin/blkid"])


def test_sections() -> None:
    data = module(name="x", alias=["a", "b"])
    assert sections(data, {".modinfo": 99}, HERE) == {".modinfo": b"name=x\0alias=a\0alias=b\0"}
    assert sections(data, {".none": 99}, HERE) == {}
    assert sections(library("a.so"), {".modinfo": 99}, HERE) == {}


@given(st.data())
def test_damage_never_is_another_exception(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([library("a.so", soname="b", interpreter="/l"), module(name="x")])))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ElfError):
        parse(bytes(raw), HERE)
    with suppress(ElfError):
        sections(bytes(raw), {".modinfo": 99}, HERE)
