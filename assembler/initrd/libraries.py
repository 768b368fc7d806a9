"""The files that programs need to run in an initrd: themselves, their loader and their libraries."""

from collections.abc import Iterable

from assembler.architecture import ARCHITECTURES
from assembler.errors import Place
from assembler.kernel.elf import ElfError, parse
from assembler.tree.content import size_of
from assembler.tree.staging import Tree

_MAX_SIZE = 256 << 20
"""Bytes that a program or library may have."""

MULTIARCH = {each.elf_machine: each.triplet for each in ARCHITECTURES.values()}
"""Debian's multiarch triplet by e_machine."""


def closure(tree: Tree, programs: Iterable[str]) -> tuple[str, ...]:
    """The files that `programs` (paths in `tree`) need to run: themselves, their loaders and all libraries.

    The result is sorted, and is the paths at which the files are looked for (``/lib64/ld-linux-x86-64.so.2``), of which
    some are symbolic links in `tree`. Libraries are looked for where ld.so(8) looks by default; what is loaded by
    dlopen(3) cannot be known. Raises ElfError for a library that is missing, and for DT_RPATH or DT_RUNPATH, which no
    Debian program of an initrd has a reason to have.
    """
    found: set[str] = set()
    todo = sorted(programs, reverse=True)
    while todo:
        path = todo.pop()
        if path in found:
            continue
        where = Place(path=path)
        if not tree.is_file(path):
            raise ElfError("a program for the initrd is missing", where=where, hint="is its package locked?")
        if (size := size_of(tree.at(path, follow=True).content)) > _MAX_SIZE:
            why = f"{size} bytes; at most {_MAX_SIZE} are read"
            raise ElfError("a program for the initrd is too large", where=where, why=why)
        elf = parse(tree.read(path), where)
        if elf.search:
            raise ElfError("a program has its own library path", where=where, why=" ".join(elf.search))
        found.add(path)
        wanted = [_library(tree, name, elf.machine, where) for name in elf.needed]
        if elf.interpreter:
            wanted.append(_alias(tree, elf.interpreter))
        todo.extend(wanted)
    return tuple(sorted(found))


def _alias(tree: Tree, path: str) -> str:
    """`path`, or where it is when `tree` lacks the links of a merged /usr, which base-files ships."""
    return path if tree.is_file(path) or not tree.is_file(f"/usr{path}") else f"/usr{path}"


def _library(tree: Tree, name: str, machine: int, where: Place) -> str:
    triplet = MULTIARCH.get(machine)
    if triplet is None:
        raise ElfError("a program for a machine that is not known", where=where, why=f"e_machine {machine}")
    for directory in (f"/usr/lib/{triplet}", f"/lib/{triplet}", "/usr/lib", "/lib"):
        if "/" not in name and tree.is_file(f"{directory}/{name}"):
            return f"{directory}/{name}"
    raise ElfError(f"the library {name} is missing", where=where, hint="is its package locked?")
