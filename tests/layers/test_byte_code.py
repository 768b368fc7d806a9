"""Byte code made by the Python of the tools."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.layers.byte_code import ByteCodeError, compiler, version
from assembler.programs.modules import Module
from assembler.store.objects import Store
from assembler.tools.source import BUILD, PYTHON
from assembler.tools.toolbox import Toolbox
from assembler.tree.content import read
from assembler.tree.staging import Inode, Kind
from tests.support.toolboxes import locked, own_tools

SOURCE = """'Words: é.'
import os


class A:
    x = {1, 2}, (3, "a b")
    def f(self, y=2.5): return os, self.x, y
""".encode()
REAL = """
import py_compile, sys
from py_compile import PycInvalidationMode as Mode
for mode in Mode.CHECKED_HASH, Mode.TIMESTAMP:
    py_compile.compile(sys.argv[1], sys.argv[2] + mode.name, "/usr/lib/a.py", True, invalidation_mode=mode)
"""


@pytest.fixture(scope="module")
def python() -> Toolbox:
    return own_tools(BUILD)


def module(*, hashed: bool = True, source: bytes = SOURCE) -> Module:
    return Module("/usr/lib/a.py", source, 1_700_000_000, hashed, Inode(Kind.FILE, 0o644))


def test_it_is_what_python_itself_writes(python: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(SOURCE)
    environment = {"PYTHONHOME": str(python.root / "usr")}
    arguments: list[str | Path] = ["-c", REAL, tmp_path / "a.py", tmp_path / "a-"]
    # The time in it is that of the source.
    os.utime(tmp_path / "a.py", (1_700_000_000, 1_700_000_000))
    python.run(PYTHON.removesuffix("-minimal"), arguments, writes=[tmp_path], environment=environment)
    modules = [module(), module(hashed=False), module(source=b"")]
    compiler(Store(tmp_path / "store"), lambda: python, "x")(modules)
    assert read(modules[0].code.content) == (tmp_path / "a-CHECKED_HASH").read_bytes()
    assert read(modules[1].code.content) == (tmp_path / "a-TIMESTAMP").read_bytes()
    assert read(modules[2].code.content)[:4] == read(modules[0].code.content)[:4]


def test_it_is_made_once(python: Toolbox, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    started = []

    def once() -> Toolbox:
        started.append(1)
        return python

    for modules in ([module()], [module()], [module(source=b"x")], []):
        compiler(store, once, "x")(modules)
    assert len(started) == 2
    compiler(store, once, "another Python")([module()])
    assert len(started) == 3


@pytest.mark.parametrize("source", [b"def", b"\0", b"\xff\n", b"(" * 1000, b"x = " + b"-" * 100_000 + b"1\n"])
def test_what_is_no_module_is_named(source: bytes, python: Toolbox, tmp_path: Path) -> None:
    with pytest.raises(ByteCodeError, match=r"/usr/lib/a\.py"):
        compiler(Store(tmp_path), lambda: python, "x")([module(), module(source=source)])


def test_it_is_made_for_the_same_version_alone() -> None:
    _, lock = locked(set())
    (own,) = [package for package in lock.tools.packages if package.name == PYTHON]
    assert version([("a", "1"), (PYTHON, own.version)], lock.tools) == "3.13"
    assert version([(PYTHON, f"{own.version}+b1")], lock.tools) == ""
    without = replace(lock.tools, packages=tuple(each for each in lock.tools.packages if each is not own))
    assert version([(PYTHON, own.version)], without) == ""
