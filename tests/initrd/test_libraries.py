"""Where the libraries of a program are looked for, and which programs are refused."""

import pytest

from assembler.errors import Place
from assembler.initrd.libraries import closure
from assembler.kernel.elf import ElfError
from assembler.tree.content import Slice
from assembler.tree.staging import Tree
from tests.initrd.elves import library

PROGRAM = "/usr/bin/p"


def tree_of(*paths: str, program: bytes) -> Tree:
    tree = Tree()
    tree.write(PROGRAM, program, parents=True)
    for path in paths:
        tree.write(path, library(), parents=True)
    return tree


def refused(tree: Tree) -> tuple[str, str, str]:
    with pytest.raises(ElfError) as caught:
        closure(tree, [PROGRAM])
    assert caught.value.where == Place(path=PROGRAM)
    return caught.value.what, caught.value.why, caught.value.hint


@pytest.mark.parametrize(("machine", "triplet"), [(62, "x86_64-linux-gnu"), (183, "aarch64-linux-gnu")])
def test_libraries_are_looked_for_in_order(machine: int, triplet: str) -> None:
    places = [f"/usr/lib/{triplet}/a.so", f"/lib/{triplet}/a.so", "/usr/lib/a.so", "/lib/a.so"]
    for first in range(len(places)):
        tree = tree_of(*places[first:], program=library("a.so", machine=machine))
        assert closure(tree, [PROGRAM]) == tuple(sorted((PROGRAM, places[first])))
    tree = tree_of("/opt/a.so", "/usr/lib/other-linux-gnu/a.so", program=library("a.so", machine=machine))
    assert refused(tree) == ("the library a.so is missing", "", "is its package locked?")


def test_loaders_of_a_merged_usr() -> None:
    program = library(interpreter="/lib64/ld.so")
    assert closure(tree_of("/lib64/ld.so", "/usr/lib64/ld.so", program=program), [PROGRAM])[0] == "/lib64/ld.so"
    assert closure(tree_of("/usr/lib64/ld.so", program=program), [PROGRAM])[1] == "/usr/lib64/ld.so"
    with pytest.raises(ElfError) as caught:
        closure(tree_of(program=program), [PROGRAM])
    assert caught.value.where.path == "/lib64/ld.so"


def test_programs_that_are_refused() -> None:
    missing = "a program for the initrd is missing", "", "is its package locked?"
    assert refused(Tree()) == missing
    directory = Tree()
    directory.mkdir(PROGRAM, parents=True)
    assert refused(directory) == missing
    outside = tree_of("/usr/lib/a/b.so", program=library("a/b.so"))
    assert refused(outside) == ("the library a/b.so is missing", "", "is its package locked?")
    own = tree_of(program=library(runpath="/opt:/x"))
    assert refused(own) == ("a program has its own library path", "/opt:/x", "")
    odd = tree_of(program=library("a.so", machine=63))
    assert refused(odd) == ("a program for a machine that is not known", "e_machine 63", "")
    assert closure(tree_of(program=library(machine=63)), [PROGRAM, PROGRAM]) == (PROGRAM,)


def test_the_largest_program() -> None:
    tree, large = tree_of(program=b""), 256 << 20
    tree.at(PROGRAM).content = Slice("/nowhere", 0, large + 1)
    why = f"{large + 1} bytes; at most {large} are read"
    assert refused(tree) == ("a program for the initrd is too large", why, "")
    tree.at(PROGRAM).content = Slice("/nowhere", 0, large)
    with pytest.raises(OSError, match="/nowhere"):
        closure(tree, [PROGRAM])
