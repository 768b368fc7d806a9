"""Byte code of Python's modules, made by the Python of the assembler's own tools where that is the image's version.

It runs confined, as all tools do, and compiles; nothing of the image is executed. What it makes depends on the sources,
their paths and the version alone, not on the architecture. Only which constants one object stands for in several places
depends on what was compiled before, too, which is the same each time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from assembler.errors import AssembleError, Place
from assembler.image.keys import key
from assembler.layers.context import BuildContext, Means
from assembler.lockfile.model import Lock, LockedPackage, LockedToolbox
from assembler.programs.modules import Module
from assembler.progress import SILENT, Reporter
from assembler.recipe.model import Rootfs
from assembler.store.objects import Store
from assembler.tools.source import PYTHON
from assembler.tools.toolbox import Toolbox
from assembler.tree.content import Slice, read, size_of

_KIND = "byte-code-2"
_NUMBER = 8
"""Bytes of a number, most significant first, between the assembler and the program below."""
_PROGRAM = """
import argparse
import sys
from importlib import _bootstrap_external as external, util

read, write = sys.stdin.buffer.read, sys.stdout.buffer.write

def number():
    return int.from_bytes(read(8), "big")

while kind := read(1):
    path = read(number()).decode("utf-8", "surrogateescape")
    mtime = number()
    source = read(number())
    try:
        code = external.SourceFileLoader("<py_compile>", path).source_to_code(source, path)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        found = b""
    else:
        if kind == b"h":
            found = external._code_to_hash_pyc(code, util.source_hash(source), True)
        else:
            found = external._code_to_timestamp_pyc(code, mtime, len(source))
    write(len(found).to_bytes(8, "big") + found)
"""
"""As py_compile.py of Python does it; that it has imported argparse shows in the byte code of argparse itself."""

_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}

Fill = Callable[[Sequence[Module]], None]


@dataclass(frozen=True, slots=True)
class ByteCode:
    """Byte code that is made."""

    version: str
    """Of Python, such as ``3.13``; empty where it is left out."""
    fill: Fill


NONE = ByteCode("", lambda _modules: None)


class ByteCodeError(AssembleError):
    """A module that cannot be compiled."""


def version(packages: Iterable[tuple[str, str]], tools: LockedToolbox) -> str:
    """The version of Python, such as ``3.13``, whose byte code `tools` can make for an image of `packages`, names and
    versions; empty when these have another Python, or none.
    """
    own = {(package.name, package.version) for package in tools.packages if package.name == PYTHON}
    same = not own.isdisjoint(packages)
    return PYTHON.removeprefix("python").removesuffix("-minimal") if same else ""


def digests(tools: LockedToolbox) -> list[str]:
    """The digests of the packages that Python is made of, among `tools`, sorted."""
    return sorted(package.sha256 for package in tools.packages if package.source == PYTHON.removesuffix("-minimal"))


def version_for(recipe: Rootfs, lock: Lock) -> str:
    """The same for the recipe's root file system; empty, too, where the recipe leaves byte code out."""
    wanted = recipe.byte_code and recipe.scripts != "executed"
    return version(_named(lock.role("rootfs")), lock.tools) if wanted else ""


def python_of(context: BuildContext) -> LockedToolbox | None:
    """The tools whose Python makes the byte code of the recipe's root file system; None where it is left out."""
    return context.lock.tools if version_for(context.recipe.rootfs, context.lock) else None


def made_with(means: Means, tools: LockedToolbox | None, packages: Sequence[LockedPackage]) -> ByteCode:
    """The byte code of an image of `packages`, made with the Python of `tools`."""
    if tools is None:
        return NONE
    compiled = compiler(means.store, partial(means.toolbox, tools), "".join(digests(tools)), means.reporter)
    return ByteCode(version(_named(packages), tools), compiled)


def _named(packages: Iterable[LockedPackage]) -> Iterator[tuple[str, str]]:
    return ((package.name, package.version) for package in packages)


def compiler(store: Store, toolbox: Callable[[], Toolbox], identity: str, reporter: Reporter = SILENT) -> Fill:
    """What fills the files of modules with their byte code, which it keeps in `store`.

    `identity` stands for the Python in `toolbox`. It raises ByteCodeError for a module that is not one, ToolError and
    OSError.
    """

    def run(modules: Sequence[Module]) -> None:
        if not modules:
            return
        inputs = [
            [each.path, sha256(read(each.source)).hexdigest(), each.hashed, 0 if each.hashed else each.mtime]
            for each in modules
        ]

        def make(directory: Path) -> None:
            directory.mkdir()
            tools = toolbox()
            with reporter.step("byte code"), (directory / "all").open("wb") as out:
                tools.run(
                    PYTHON.removesuffix("-minimal"),
                    ["-S", "-s", "-P", "-W", "ignore", "-c", _PROGRAM],
                    stdin=_sent(modules),
                    stdout=out,
                    environment={"PYTHONHOME": str(tools.root / "usr"), **_ENVIRONMENT},
                    reporter=reporter,
                )

        made = store.derived(_KIND, key(inputs=inputs, python=identity), make) / "all"
        position = 0
        with made.open("rb") as file:
            for module in modules:
                size = int.from_bytes(file.read(_NUMBER), "big")
                position += _NUMBER
                if not size:
                    raise ByteCodeError(
                        "a module of Python cannot be compiled",
                        where=Place(path=module.path),
                        why="it is no Python of this version, and the script that compiles it would have failed",
                        hint="set rootfs.byte_code = false",
                    )
                module.code.content = Slice(str(made), position, size)
                position = file.seek(size, 1)

    return run


def _sent(modules: Sequence[Module]) -> Iterator[bytes]:
    for module in modules:
        path = module.path.encode("utf-8", "surrogateescape")
        yield b"h" if module.hashed else b"t"
        yield len(path).to_bytes(_NUMBER, "big") + path + module.mtime.to_bytes(_NUMBER, "big")
        yield size_of(module.source).to_bytes(_NUMBER, "big") + read(module.source)
