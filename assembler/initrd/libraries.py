"""The files that programs need to run in an initrd: themselves, their loader and their libraries."""

import re
from collections.abc import Iterable

from assembler.architecture import ARCHITECTURES
from assembler.errors import Place
from assembler.kernel.elf import ElfError, parse
from assembler.tree.content import size_of
from assembler.tree.staging import Tree

_MAX_SIZE = 256 << 20
"""Bytes that a program or library may have."""

_DEFAULT = ("/usr/lib/{}", "/lib/{}", "/usr/lib", "/lib")
_ORIGIN = re.compile(r"\$(?:ORIGIN\b|\{ORIGIN\})")
"""The program's own directory (ld.so(8), "Dynamic string tokens")."""
MULTIARCH = {each.elf_machine: each.triplet for each in ARCHITECTURES.values()}
"""Debian's multiarch triplet by e_machine."""


def closure(tree: Tree, programs: Iterable[str], *, own: bool = False) -> tuple[str, ...]:
    """The files that `programs` (paths in `tree`) need to run: themselves, their loaders and all libraries.

    The result is sorted, and is the paths at which the files are looked for (``/lib64/ld-linux-x86-64.so.2``), of which
    some are symbolic links in `tree`. Libraries are looked for where ld.so(8) looks by default, and with `own` in the
    program's own directories as well (DT_RPATH and DT_RUNPATH), which no program that every initrd has may have; what
    is loaded by dlopen(3) cannot be known. Raises ElfError for a library that is missing.
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
        found.add(path)
        todo.extend(wanted(tree, path, tree.read(path), own=own))
    return tuple(sorted(found))


def wanted(tree: Tree, path: str, data: bytes, *, own: bool = False) -> list[str]:
    """The libraries that a program with the bytes `data` at `path` names, and its loader; otherwise as `closure`."""
    where = Place(path=path)
    elf = parse(data, where)
    if elf.search and not own:
        raise ElfError("a program has its own library path", where=where, why=" ".join(elf.search))
    triplet = MULTIARCH.get(elf.machine)
    if elf.needed and triplet is None:
        raise ElfError("a program for a machine that is not known", where=where, why=f"e_machine {elf.machine}")
    directory = path.rpartition("/")[0]
    searched = [each for text in elf.search for each in _ORIGIN.sub(lambda _: directory, text).split(":")]
    places = [*(each for each in searched if each.startswith("/")), *(each.format(triplet) for each in _DEFAULT)]
    return [
        *(_library(tree, name, places, where) for name in elf.needed),
        *([_alias(tree, elf.interpreter)] if elf.interpreter else ()),
    ]


def _alias(tree: Tree, path: str) -> str:
    """`path`, or where it is when `tree` lacks the links of a merged /usr, which base-files ships."""
    return path if tree.is_file(path) or not tree.is_file(f"/usr{path}") else f"/usr{path}"


def _library(tree: Tree, name: str, places: Iterable[str], where: Place) -> str:
    for directory in places:
        if "/" not in name and tree.is_file(f"{directory}/{name}"):
            return f"{directory}/{name}"
    raise ElfError(f"the library {name} is missing", where=where, hint="is its package locked?")
