"""Which modules of Python scripts have compiled."""

from collections.abc import Sequence

import pytest

from assembler.programs.context import ExecutionContext
from assembler.programs.modules import ByteCode
from assembler.programs.packages_known import Fixed, Known
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind, Tree
from tests.support.scripts import run

DEFAULTS = "[DEFAULT]\ndefault-version = python3.13\nsupported-versions = python3.13\n"
SHIPPED = (
    "/usr/lib/python3/dist-packages/a/__init__.py", "/usr/lib/python3/dist-packages/a/data.txt",
    "/usr/lib/python3.12/dist-packages/old.py", "/usr/lib/python3.13/dist-packages/new.py",
    "/usr/lib/python3.13/std.py",
    "/usr/share/a/main.py", "/usr/share/a/lib/x.py", "/usr/share/ab/y.py",
)  # fmt: skip
_OWN = ("__init__", "version", "files", "interpreter", "option")
OWN = [f"/usr/share/python3/debpython/{name}.py" for name in _OWN]


def context(*, version: str = "3.13", defaults: str = DEFAULTS) -> ExecutionContext:
    tree = Tree(mtime=100)
    for path in (*SHIPPED, *OWN, "/usr/share/python3/debpython/pydist.py"):
        tree.write(path, b"x = 1\n", parents=True).mtime = 50
    tree.write("/usr/share/python3/debian_defaults", defaults.encode())
    tree.write("/usr/bin/python3.13", b"", 0o755, parents=True)
    fields = {"Package": "a", "Architecture": "all", "Version": "1", "Status": "install ok half-configured"}
    packages = Fixed("amd64", [Known(fields, SHIPPED)])
    code = ByteCode(version) if version else None
    return ExecutionContext(tree, "amd64", package="a", packages=packages, byte_code=code)


def compiled(script: str, it: ExecutionContext | None = None) -> list[str]:
    it = it or context()
    assert run(script, it.tree, context=it) == 0
    assert it.byte_code
    return [module.path for module in it.byte_code.modules() if module.hashed]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("-p a", [0, 3]),
        ("-p a:amd64", [0, 3]),
        ("-p a /usr/share/a", [5, 6, 7]),
        ("-p a /usr/share/a/ -V 3.9-", [5, 6]),
        ("-p a -V 3.13 /usr/share/ab /nowhere", [7]),
        ("/usr/share/a", [6, 5]),
        ("-V -4.0 /usr/share/a/lib/x.py", [6]),
    ],
)
def test_modules_of_py3compile(arguments: str, expected: Sequence[int]) -> None:
    assert compiled(f"py3compile {arguments}") == [SHIPPED[index] for index in expected]


PTH = "/usr/lib/python3/dist-packages/distutils-precedence.pth"
SHIM = (
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
    "enabled and __import__('_distutils_hack').add_shim(); "
)


def test_what_python_imports_when_it_starts_is_kept_as_python_keeps_it() -> None:
    """As dpkg leaves it: whatever script runs py3compile first has it."""
    it = context()
    hack = "/usr/lib/python3/dist-packages/_distutils_hack/__init__.py"
    it.tree.write(PTH, f"# x\n/usr/lib/a\n{SHIM}\n".encode())
    it.tree.write(hack, b"x = 1\n", parents=True)
    compiled("py3compile -p a; py3clean -p a; py3compile /usr/lib/python3/dist-packages/_distutils_hack", it)
    assert it.byte_code
    assert [module.hashed for module in it.byte_code.modules() if module.path == hack] == [False]


@pytest.mark.parametrize("line", ["import x", "import\tos", SHIM + "import y"])
def test_other_modules_that_python_imports_when_it_starts_are_refused(line: str) -> None:
    it = context()
    it.tree.write(PTH, line.encode())
    with pytest.raises(Refused, match="when it starts"):
        compiled("py3compile -p a", it)
    it.tree.write(PTH, SHIM.encode())
    with pytest.raises(Refused, match="when it starts"):
        compiled("SETUPTOOLS_USE_DISTUTILS=stdlib py3compile -p a", it)


def test_the_modules_of_its_own_are_kept_as_python_keeps_what_it_imports() -> None:
    it = context()
    compiled("py3compile -p a; py3compile /usr/share/python3/debpython", it)
    assert it.byte_code
    found = {module.path: module for module in it.byte_code.modules()}
    assert [path for path, module in found.items() if not module.hashed] == OWN
    assert found["/usr/share/python3/debpython/pydist.py"].hashed
    assert found[OWN[0]].mtime == 50


def test_python_compiles_what_it_is_told_whatever_is_there() -> None:
    it = context()
    script = "/usr/bin/python3.13 -E -S /usr/lib/python3.13/py_compile.py"
    assert compiled(f"{script} {SHIPPED[4]}", it) == [SHIPPED[4]]
    assert compiled(f"py3compile -p a; {script.replace('-S', '-S -W ignore')} {OWN[1]}", it)[-1] == OWN[1]
    whole = "/usr/bin/python3.13 /usr/lib/python3.13/compileall.py -q"
    assert compiled(f"{whole} /usr/share/a") == [SHIPPED[6], SHIPPED[5]]


def test_files_are_there_at_once_and_may_go_again() -> None:
    it = context()
    it.tree.chmod(SHIPPED[0], 0o750)
    compiled("py3compile -p a; rm -r /usr/lib/python3.13/dist-packages/__pycache__", it)
    code = it.tree.at("/usr/lib/python3/dist-packages/a/__pycache__/__init__.cpython-313.pyc")
    assert (code.kind, code.mode, code.content) == (Kind.FILE, 0o640, b"")
    assert it.tree.at("/usr/lib/python3/dist-packages/a/__pycache__").mode == 0o755
    assert not it.tree.exists("/usr/lib/python3.13/dist-packages/__pycache__")


def test_nothing_is_made_where_it_is_left_out() -> None:
    it = context(version="")
    script = "/usr/bin/python3.13 -E -S /usr/lib/python3.13/py_compile.py x"
    assert run(f"py3compile -X x -p b; pypy3compile -p a; py3clean a; {script}", it.tree, context=it) == 0
    assert not [path for path, _ in it.tree.walk() if "__pycache__" in path]


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        ("-p a", [0, 3, 5, 6, 7]),
        ("/usr/share/a", [5, 6]),
        ("-p a /usr/share/a /usr/lib/python3/dist-packages", [0, 5, 6]),
        ("-V 3.12 /usr/share/a", []),
        ("-V -3.1 -p a", []),
    ],
)
def test_byte_code_is_taken_away_again(arguments: str, gone: Sequence[int]) -> None:
    it = context()
    compiled(f"py3compile -p a; py3compile /usr/share; py3clean {arguments}", it)
    for index in (0, 3, 5, 6, 7):
        directory, _, name = SHIPPED[index].rpartition("/")
        place = f"{directory}/__pycache__"
        assert it.tree.exists(place) is (index not in gone)
        assert it.tree.exists(f"{place}/{name[:-3]}.cpython-313.pyc") is (index not in gone)


@pytest.mark.parametrize(
    "script",
    [
        "py3compile -X x -p a", "py3compile -O -p a", "py3compile -p nobody", "py3compile -V 3.12 -p a",
        "py3compile -V 3.1-3.13 -p a", "py3compile -V x -p a", "py3compile usr", "py3compile /usr/share/a/none",
        "rm /usr/share/a/main.py; py3compile -p a /usr/share/a", "ln -s a /usr/share/l; py3compile /usr/share/l",
        "echo supported-versions = python3.13, python3.14 >/usr/share/python3/debian_defaults; py3compile -p a",
        "mkdir /usr/share/python3/bcep; echo 'dir|3.2-|/usr/share/a' >/usr/share/python3/bcep/a; py3compile -p a",
        "mkdir /usr/share/a/__pycache__; touch /usr/share/a/__pycache__/main.cpython-313.pyc; py3compile /usr/share/a",
        "dpkg-divert --add --package b --divert /usr/share/a/m --rename /usr/share/a/main.py; py3compile -p a",
        "/usr/bin/python3.14 -E -S /usr/lib/python3.14/py_compile.py /usr/share/a/main.py",
        "/usr/bin/python3.13 -E -S /usr/lib/python3.13/py_compile.py -", "py3clean -V 3.13 /usr/share/a",
        "py3clean -p nobody", "touch /usr/share/a/main.pyc; py3clean /usr/share/a", "py3clean -x",
        "/usr/bin/python3.13 /usr/lib/python3.13/compileall.py /usr/share/a", "/usr/bin/python3.13 -c x",
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused(script: str) -> None:
    it = context()
    it.tree.write("/usr/bin/python3.14", b"", 0o755)
    with pytest.raises(Refused):
        run(script, it.tree, context=it)


def test_what_is_excluded_for_other_versions_is_compiled() -> None:
    exclude = "mkdir /usr/share/python3/bcep; echo 're|-3.6|/usr/share/a|.*' >/usr/share/python3/bcep/a"
    assert compiled(f"{exclude}; py3compile -p a") == [SHIPPED[0], SHIPPED[3]]
