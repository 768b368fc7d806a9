"""What the package imports is what it declares to need, by the names of distributions."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNTYPED = {"types-jsonschema", "types-pyyaml", "types-requests"}
"""Distributions that only mypy reads."""
PROGRAMS = {"mypy", "pex", "pip", "pytest-xdist", "ruff", "uv"}
"""Distributions that are run, not imported."""

PINNED = r"^(\S+)==\S+(?: ; [^\\\n]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
"""A requirement with its digests."""


def canonical(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    return {canonical(re.split(r"[^A-Za-z0-9._-]", text)[0]) for text in requirements}


def modules(tree: ast.Module) -> Iterator[str]:
    """The top-level modules that code imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


distributions = cache(packages_distributions)


def imported(*paths: Path) -> set[str]:
    """The distributions that the Python files at and below `paths` import."""
    known = distributions()
    found: set[str] = set()
    for path in paths:
        files = [path] if path.is_file() else sorted(path.rglob("*.py"))
        for file in files:
            for name in modules(ast.parse(file.read_text("utf-8"))):
                if name not in sys.stdlib_module_names and name not in {"assembler", "scripts", "tests"}:
                    assert name in known, f"{file}: nothing that is installed has a module {name}"
                    owners = {canonical(each) for each in known[name]}
                    # Debian's, which makes environments, claims the directory of its packaging.
                    found |= owners - {"setuptools"} or owners
    return found


def project() -> dict[str, list[str]]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    table = document["project"]
    return {
        "run": table["dependencies"],
        "dev": table["optional-dependencies"]["dev"],
        "docs": document["dependency-groups"]["docs"],
    }


def test_every_distribution_that_is_imported_is_declared_and_no_other() -> None:
    assert imported(ROOT / "assembler") == declared(project()["run"])


def test_those_of_tests_and_scripts_too() -> None:
    others = imported(ROOT / "tests", ROOT / "hatch_build.py", ROOT / "scripts") - declared(project()["run"])
    assert others <= declared(project()["dev"])
    assert declared(project()["dev"]) - others - UNTYPED <= PROGRAMS


def test_every_requirement_is_pinned_with_hashes_and_no_address() -> None:
    for name, wanted in (
        ("requirements.txt", ["run"]),
        ("requirements-dev.txt", ["run", "dev"]),
        ("requirements-docs.txt", ["docs"]),
    ):
        text = (ROOT / name).read_text("ascii")
        assert "://" not in text
        entries = re.findall(PINNED, text, re.MULTILINE)
        assert sum(entry[1].count("\n") + 1 for entry in entries) == text.count("\n")
        assert {each for kind in wanted for each in declared(project()[kind])} <= {entry[0] for entry in entries}
