"""Nothing is in the assembler for tests alone: what none of its modules and no script uses is with them, or gone."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
USERS = ("assembler", "scripts", "tests/proofs", "tests/measurements")
"""What counts as using something: tests alone do not."""
FOR_OTHERS: Mapping[str, str] = {}
"""Module-level names that are here for other programs, as ``module.name``, each with its reason."""
PUBLIC = "assembler.api"
"""What other programs call: all public names below it."""


def modules() -> dict[str, tuple[ast.Module, bool]]:
    """Every Python file of the assembler and of the scripts, by the name of its module, and whether it is a package."""
    found = {}
    for path in (path for room in USERS for path in (ROOT / room).rglob("*")):
        if path.is_file() and path.suffix in {"", ".py"}:
            text = path.read_text(errors="replace")
            if path.suffix == ".py" or "python" in text.partition("\n")[0]:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                found[name] = ast.parse(text), path.name == "__init__.py"
    return found


def defined(statement: ast.stmt) -> set[str]:
    """The names that a statement of a module defines."""
    match statement:
        case ast.FunctionDef() | ast.ClassDef():
            return {statement.name}
        case ast.Assign() | ast.AnnAssign():
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return set()


def read_in(statement: ast.stmt) -> Iterator[str]:
    """The plain names that are read in a statement, those in quoted annotations too."""
    for each in ast.walk(statement):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load):
            yield each.id
        for annotation in (getattr(each, "annotation", None), getattr(each, "returns", None)):
            for part in ast.walk(annotation) if annotation is not None else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield from re.findall(r"\w+", part.value)


def referred_to(name: str, tree: ast.Module, *, is_package: bool, known: Mapping[str, object]) -> Iterator[str]:
    """What a module refers to, as ``module.name``: its own names, imported ones, and those of imported modules."""
    local: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            local |= {each.asname or each.name: each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".")
            above = parts[: len(parts) - node.level + is_package] if node.level else []
            base = ".".join([*above, node.module] if node.module else above)
            for each in node.names:
                yield f"{base}.{each.name}"
                if f"{base}.{each.name}" in known:
                    local[each.asname or each.name] = f"{base}.{each.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in local:
            yield f"{local[node.value.id]}.{node.attr}"
    for statement in tree.body:
        # A name that only its own definition reads (recursion) is not used.
        yield from (f"{name}.{each}" for each in read_in(statement) if each not in defined(statement))


def test_nothing_is_here_for_tests_alone() -> None:
    known = modules()
    assert len(known) > 200
    used = {
        each
        for name, (tree, is_package) in known.items()
        for each in referred_to(name, tree, is_package=is_package, known=known)
    }
    here = {
        f"{name}.{each}"
        for name, (tree, _) in known.items()
        if name.startswith("assembler")
        for statement in tree.body
        for each in defined(statement)
    }
    unused = {each for each in here - used if not each.startswith(f"{PUBLIC}.") and not each.endswith("__")}
    assert unused == set(FOR_OTHERS)


def test_what_is_not_used_is_found() -> None:
    one = ast.parse("from . import two\nused = 1\ndef unused(): return unused()\ndef quoted(x: 'used'): two.b()\n")
    two = ast.parse("def a(): ...\ndef b(): ...\n")
    found = set(referred_to("room.one", one, is_package=False, known={"room.two": two}))
    assert {"room.one.used", "room.two.b"} <= found
    assert not {"room.one.unused", "room.one.quoted", "room.two.a"} & found
