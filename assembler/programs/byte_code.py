"""py3compile(1) and py3clean(1) of python3-minimal 3.13.5, and ``py_compile.py`` of Python 3.13: which modules are
compiled.

The byte code itself is made later, by a real Python of the image's version: see modules.py. Files and directories
are there at once, so that scripts find and remove them.
"""

import re
from collections.abc import Iterator, Sequence

from assembler.programs.context import ExecutionContext
from assembler.programs.modules import ByteCode
from assembler.shell.process import Process, Program, as_path
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind, Tree

_PUBLIC = re.compile(r".*?/usr/lib/python(\d(?:.\d+)?)/(?:site|dist)-packages", re.DOTALL)
"""PUBLIC_DIR_RE of debpython."""
NAMES = ("py3compile", "py3clean", "pypy3compile", "pypy3clean")
"""Programs that make byte code, or take it away, and nothing else."""
_DEFAULTS = "/usr/share/python3/debian_defaults"
_DIVERSIONS = "/var/lib/dpkg/diversions"
_EXCLUDED = "/usr/share/python3/bcep"
_OWN = "/usr/share/python3/debpython"
_IMPORTED = ("__init__.py", "version.py", "files.py", "interpreter.py", "option.py")
"""The modules there that py3compile imports, py3clean all but the last: Python keeps their byte code as it does for
whatever it imports."""
_SITE = ("/usr/local/lib/python{}/dist-packages", "/usr/lib/python3/dist-packages", "/usr/lib/python{}/dist-packages")
"""Where Python has modules of packages, and looks for ``*.pth`` when it starts."""
_HACK = "_distutils_hack/__init__.py"
_SHIM = re.compile(
    r"import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os\.environ\.get\(var, 'local'\) == 'local'; "
    r"enabled and __import__\('_distutils_hack'\)(?:\.add_shim\(\))?; ?"
)
"""What setuptools has imported when Python starts."""
_RANGE = re.compile(r"(?:(\d+)\.(\d+))?(-)?(?:(\d+)\.(\d+))?")


def program(name: str, context: ExecutionContext) -> Program | None:
    """A program of that name that makes byte code; None when it makes none."""
    if name == "py3compile":
        return lambda process: _py3compile(process, context)
    if name in NAMES and context.byte_code is None:
        return lambda _process: 0
    if name == "py3clean":
        return lambda process: _py3clean(process, context)
    if re.fullmatch(r"python3\.\d+", name):
        return lambda process: _python(name, process, context)
    return None


def _python(name: str, process: Process, context: ExecutionContext) -> int:
    """``python3.13 -E -S /usr/lib/python3.13/py_compile.py FILE...``, which compiles what has byte code, too, and
    ``compileall.py -q DIRECTORY``.
    """
    words = list(process.arguments)
    while words and words[0] in {"-E", "-S", "-Wi", "-W"}:
        if words.pop(0) == "-W" and words[:1] == ["ignore"]:
            del words[0]
    script = words.pop(0) if words else ""
    quiet = words[:1] == ["-q"]
    operands = words[1:] if quiet else words
    whole = script == f"/usr/lib/{name}/compileall.py"
    known = (whole and quiet) or (script == f"/usr/lib/{name}/py_compile.py" and not quiet)
    if not known or any(word.startswith("-") for word in operands):
        raise Refused(f"{name} with these arguments", why=" ".join(process.arguments)[:200])
    code = context.byte_code
    if code is None:
        return 0
    if name != f"python{code.version}":
        raise Refused("byte code of several versions of Python")
    for operand in operands:
        for path in _below(process.tree, _absolute(operand)) if whole else [_absolute(operand)]:
            code.add(process.tree, path, hashed=True, again=not whole)
    return 0


def _py3compile(process: Process, context: ExecutionContext) -> int:
    code = context.byte_code
    if code is None:
        return 0
    package, versions, operands = _arguments(process, "py3compile")
    if not all(_in_range(each, code.version) for each in versions):
        raise Refused("byte code for another version of Python")
    tree = process.tree
    _started(process, code, _IMPORTED)
    for path in _chosen(context, package, operands, code.version):
        code.add(tree, path, hashed=True)
    return 0


def _py3clean(process: Process, context: ExecutionContext) -> int:
    """``py3clean [-V VERSION] [-p PACKAGE] [DIRECTORY...]``, which removes what py3compile makes."""
    code = context.byte_code
    if code is None:
        return 0
    package, versions, operands = _arguments(process, "py3clean")
    if not all(re.fullmatch(r"-?3\.\d+", each) and each != code.version for each in versions):
        raise Refused("py3clean -V")
    tree = process.tree
    _started(process, code, _IMPORTED[:4])
    shipped = {path for path in _files(context, package) if path.endswith(".py")} if package else set()
    found = [path for operand in operands for path in _below(tree, _absolute(operand))]
    for path in sorted(shipped) if not operands else [path for path in found if not package or path in shipped]:
        if tree.lexists(f"{path}c") or tree.lexists(f"{path}o") or "." in path.rpartition("/")[2][:-3]:
            raise Refused("byte code of another kind is removed", why=path)
        if not versions:
            _remove(tree, path)
    return 0


def _arguments(process: Process, name: str) -> tuple[str, list[str], list[str]]:
    """The package, the versions and the operands that a program of that name is given. Raises Refused."""
    package, versions, operands = "", list[str](), list[str]()
    words = list(process.arguments)
    while words:
        word = words.pop(0)
        if word == "-p" and words:
            package = words.pop(0)
        elif word == "-V" and words:
            versions.append(words.pop(0))
        elif word.startswith("-"):
            raise Refused(f"{name} {word}")
        else:
            operands.append(word)
    return package, versions, operands


def _started(process: Process, code: ByteCode, imported: Sequence[str]) -> None:
    """Have the byte code of what Python imports when it starts, as ``*.pth`` say, and of the modules of debpython that
    are `imported` then. Raises Refused where there are several versions, or where it starts with a module that is not
    known.
    """
    tree = process.tree
    _check_versions(tree, code.version)
    for place in (each.format(code.version) for each in _SITE):
        for name in tree.names(place) if tree.is_dir(place) else ():
            for line in tree.read_text(f"{place}/{name}").splitlines() if name.endswith(".pth") else ():
                if not line.startswith(("import ", "import\t")):
                    continue
                if not _SHIM.fullmatch(line) or process.environment.get("SETUPTOOLS_USE_DISTUTILS", "local") != "local":
                    raise Refused("modules that Python imports when it starts", why=f"{place}/{name}")
                if tree.is_file(f"{place}/{_HACK}"):
                    code.add(tree, f"{place}/{_HACK}", hashed=False)
    for name in imported if tree.is_dir(_OWN) else ():
        code.add(tree, f"{_OWN}/{name}", hashed=False)


def _remove(tree: Tree, path: str) -> None:
    """Remove the byte code of a module, and its directory when nothing else is there."""
    directory, _, name = path.rpartition("/")
    place = f"{directory}/__pycache__"
    if not tree.is_dir(place):
        return
    for each in tree.names(place):
        if each.startswith(f"{name.removesuffix('.py')}."):
            tree.remove(f"{place}/{each}")
            if not tree.names(place):
                tree.remove(place)
                return


def _chosen(context: ExecutionContext, package: str, operands: Sequence[str], version: str) -> Iterator[str]:
    """The modules that py3compile is to compile, in the order in which it does."""
    if package:
        files = [path for path in _files(context, package) if path.endswith(".py")]
        if not operands:
            for path in files:
                found = _PUBLIC.match(path)
                if found and found[1] in {"3", version}:
                    yield path
            return
        for operand in operands:
            if context.tree.exists(_absolute(operand)):
                yield from (path for path in files if path.startswith(operand))
        return
    for operand in operands:
        top = _absolute(operand)
        if context.tree.is_file(top):
            if not top.endswith(".py"):
                raise Refused("byte code of a file that is no module")
            yield top
        else:
            yield from _below(context.tree, top)


def _below(tree: Tree, top: str) -> list[str]:
    """The modules in a directory and those below it."""
    if not tree.is_dir(top) or tree.resolve(top, follow=True) != top:
        raise Refused("byte code of a directory by a link, or of none")
    return [path for path, inode in tree.walk(top) if path.endswith(".py") and inode.kind is Kind.FILE]


def _files(context: ExecutionContext, name: str) -> Sequence[str]:
    """What a package ships, as ``dpkg -L`` has it."""
    plain = name.partition(":")[0]
    for known in context.packages.known() if context.packages else ():
        if known.name == plain and known.is_installed:
            if _diverted(context.tree).intersection(known.files):
                raise Refused("byte code of modules that are diverted")
            return known.files
    raise Refused("byte code of a package that is not there", why=name)


def _diverted(tree: Tree) -> set[str]:
    lines = tree.read_text(_DIVERSIONS).splitlines() if tree.is_file(_DIVERSIONS) else []
    return {path for path in lines[::3] if path.endswith(".py")}


def _check_versions(tree: Tree, version: str) -> None:
    """Raises Refused unless that version is the only one, and nothing is excluded for it."""
    text = tree.read_text(_DEFAULTS) if tree.is_file(_DEFAULTS) else ""
    found = re.search(r"^supported-versions\s*=\s*(.*)$", text, re.MULTILINE)
    if found is None or found[1].strip() != f"python{version}" or not tree.is_file(f"/usr/bin/python{version}"):
        raise Refused("byte code of several versions of Python, or of none")
    for name in tree.names(_EXCLUDED) if tree.is_dir(_EXCLUDED) else ():
        for line in tree.read_text(f"{_EXCLUDED}/{name}").splitlines():
            if line.startswith("#") or name.startswith("."):
                continue
            fields = line.split("|", 3)
            if len(fields) < 3 or _in_range(fields[1], version):
                raise Refused("modules of which no byte code is made", why=f"{_EXCLUDED}/{name}")


def _in_range(text: str, version: str) -> bool:
    """Whether a version is in a range of debpython's: ``3.1``, ``3.1-``, ``-3.5``, ``3.1-3.5``. Raises Refused."""
    found = _RANGE.fullmatch(text)
    if found is None or not text.strip("-"):
        raise Refused("a range of versions of Python", why=text)
    low, high = (tuple(map(int, found.group(at, at + 1))) if found[at] is not None else None for at in (1, 4))
    own = tuple(map(int, version.split(".")))
    if found[3] is None:
        return own == low
    return (low is None or own >= low) and (high is None or own < high)


def _absolute(path: str) -> str:
    if not path.startswith("/") or "/." in path or "//" in path:
        raise Refused("byte code of a path that is not plain", why=path)
    return as_path(path.rstrip("/"))
