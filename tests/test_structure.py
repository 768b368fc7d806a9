"""The house: which room may know which, and what only one of them does. By reading every import, name and call.

The rules are tables; each exception has its reason, and one that is no longer needed fails, too.
"""

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "assembler"

# --- the tables ------------------------------------------------------------------------------------------------------

RANKS: Sequence[Sequence[str]] = (
    ("toml", "store", "tree", "boot"),
    ("recipe", "shell"),
    ("lockfile",),
    ("debian", "kubernetes", "oci"),
    ("lock",),
    ("tools",),
    ("formats",),
    ("image",),
    ("kernel",),
    ("programs", "initrd", "seed"),
    ("configure", "vm"),
    ("guest",),
    ("layers", "audit"),
    ("api",),
    ("cli",),
)
"""The rooms from the ground up: each may know those of the ranks below it, and none of its own rank or above.

Modules at the top of the package (errors, progress ...) lie below all rooms, and know none."""

ROOF = "__main__"
"""The one module at the top that lies above all rooms."""

Rule = Mapping[str, str]
"""Files or directories of the package that may, and why."""

TERMINAL = (
    "click",
    "rich",
    "print",
    "input",
    "pprint",
    "traceback.print_*",
    "sys.std*",
    "sys.__std*",
    "logging.*Handler",
)
TERMINAL_RULE: Rule = {
    "cli/": "it is the command line",
    "__init__.py": "the package's logger is silent by a NullHandler, which writes nothing",
    "debian/documents.py": "another library's logger is silenced by one",
}

EXIT = ("sys.exit", "exit", "quit", "SystemExit", "os._exit", "os.abort")
EXIT_RULE: Rule = {
    "cli/": "it decides the exit status",
}

ENVIRONMENT = (
    "os.environ*", "os.getenv*", "os.putenv", "os.get_exec_path", "os.path.expand*", "*.expanduser", "*.expandvars",
    "pathlib.Path.home", "getpass", "pwd", "locale", "platform.node", "socket.gethostname", "os.uname", "os.getlogin",
)  # fmt: skip
ENVIRONMENT_RULE: Rule = {
    "cli/": "it makes values of the environment",
    "store/ownership.py": "it asks which accounts of this machine could write to the store",
}

SOCKETS = (
    "socket", "ssl", "select", "selectors", "asyncio", "socketserver", "http", "urllib.request", "urllib3", "requests",
    "ftplib", "smtplib", "xmlrpc",
)  # fmt: skip
SOCKETS_RULE: Rule = {
    "store/transport.py": "it is the transport",
    "store/watch.py": "it watches the transport's connections",
    "store/answer.py": "it reads what the transport was answered",
    "store/failures.py": "it explains what libraries raise in the transport",
    "store/zones.py": "it asks for addresses only, for the transport",
    "vm/machine.py": "it speaks with a QEMU that it has started, and looks for a free port of 127.0.0.1",
    "guest/machine.py": "it waits for the console of a QEMU that it has started",
}

CLOCK = (
    "time.time", "time.time_ns", "time.gmtime", "time.localtime", "time.ctime", "time.strftime", "datetime.*now",
    "datetime.*today", "datetime.*utcnow", "random", "secrets", "os.urandom", "os.getrandom", "uuid.uuid1",
    "uuid.uuid4",
)  # fmt: skip
"""The time of day and chance. Durations (time.monotonic) decide nothing that is written."""
CLOCK_RULE: Rule = {
    "cli/": "the command line has the user's clock",
    "api/workspace.py": "signatures and dates of archives are checked by the time of day",
    "api/build.py": "signatures and dates of archives are checked by the time of day",
    "audit/recorded.py": "the salt of a hash that must tell nobody of secrets; the record is no output",
    "guest/execute.py": "a word that tells our init from scripts in a machine; nothing that is written depends on it",
    "formats/fat.py": "it takes a time apart that it is given",
    "formats/iso.py": "it stands in for the clock of a library that would write the time into an ISO",
}

HIDDEN = ("importlib.import_module", "__import__", "eval", "exec")
"""What the other rules cannot see through."""
HIDDEN_RULE: Rule = {}

RULES: Mapping[str, tuple[Sequence[str], Rule]] = {
    "the terminal": (TERMINAL, TERMINAL_RULE),
    "the exit status": (EXIT, EXIT_RULE),
    "the environment": (ENVIRONMENT, ENVIRONMENT_RULE),
    "sockets": (SOCKETS, SOCKETS_RULE),
    "the clock and chance": (CLOCK, CLOCK_RULE),
    "what cannot be seen": (HIDDEN, HIDDEN_RULE),
}

CHILDREN = ("subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_call", "subprocess.check_output")
"""What starts a program: it gets its environment from whoever starts it, never the one that is there."""

BUILTINS = frozenset(dir(builtins))

# --- reading the package ---------------------------------------------------------------------------------------------


@cache
def modules() -> Mapping[str, ast.Module]:
    """Every module of the package by its path in it."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_bytes(), str(path))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The local name and the full one of everything that is imported, wherever that stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield (each.asname, each.name) if each.asname else (each.name.partition(".")[0],) * 2
                yield "", each.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for each in node.names:
                yield each.asname or each.name, f"{node.module}.{each.name}"


def used(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The full names of all that is used, with their lines: imports, builtins, and attributes of what was imported."""
    names = {local: full for local, full in imported(tree) if local}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, node.lineno) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{each.name}", node.lineno) for each in node.names)
        elif isinstance(node, ast.Name | ast.Attribute) and (full := resolved(node, names)):
            yield full, node.lineno
        elif isinstance(node, ast.Call) and resolved(node.func, names) == "getattr" and len(node.args) > 1:
            owner, name = node.args[:2]
            if isinstance(name, ast.Constant):
                yield f"{resolved(owner, names)}.{name.value!s}", node.lineno


def resolved(node: ast.AST, names: Mapping[str, str]) -> str:
    """The full name of an expression; empty for one that has none, as the result of a call."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id if node.id in BUILTINS else "")
    if isinstance(node, ast.Attribute):
        return f"{resolved(node.value, names) or '?'}.{node.attr}"
    return ""


def matches(name: str, pattern: str) -> bool:
    """Whether a full name is `pattern` or below it; ``*`` is any text."""
    if "*" in pattern:
        before, after = pattern.split("*")
        return name.startswith(before) and name.endswith(after)
    return name == pattern or name.startswith(f"{pattern}.")


@cache
def all_used(path: str) -> frozenset[tuple[str, int]]:
    """The full names that a module of the package uses, with their lines."""
    return frozenset(used(modules()[path]))


def broken(found: Iterable[tuple[str, int]], patterns: Sequence[str]) -> list[str]:
    """Where something is used that one of `patterns` names."""
    return sorted(f"line {line}: {name}" for name, line in found if any(matches(name, pattern) for pattern in patterns))


def allowed(path: str, rule: Rule) -> str:
    """The entry of `rule` that lets the module at `path`; empty when none does."""
    return next((entry for entry in rule if path == entry or (entry.endswith("/") and path.startswith(entry))), "")


def module_of(path: str) -> str:
    """The name of the module at `path` in the package."""
    return ".".join(("assembler", *path.removesuffix(".py").split("/"))).removesuffix(".__init__")


def room_of(module: str) -> str:
    """The room of a module; empty for one at the top of the package."""
    path = PACKAGE.parent.joinpath(*module.split(".")[:2])
    return path.name if path.is_dir() and path != PACKAGE else ""


@cache
def arrows() -> Mapping[str, frozenset[str]]:
    """Which modules of the package each of them imports."""
    known = {module_of(path) for path in modules()}
    found = {}
    for path, tree in modules().items():
        own = module_of(path)
        targets = set()
        for _, full in imported(tree):
            name = full if full in known else full.rpartition(".")[0]
            if name in known and name not in {own, "assembler"}:
                targets.add(name)
        found[own] = frozenset(targets)
    return found


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Nodes that reach one another, in groups (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            at = stack.index(node)
            group = stack[at:]
            del stack[at:]
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def upwards(graph: Mapping[str, Iterable[str]], ranks: Sequence[Sequence[str]] = RANKS) -> list[str]:
    """The arrows of a graph of modules that do not lead to a lower rank."""
    rank = {room: number for number, rooms in enumerate(ranks, 1) for room in rooms} | {"": 0}
    wrong = []
    for source, targets in graph.items():
        here = room_of(source)
        if source in {f"assembler.{ROOF}", "assembler"}:
            continue
        for target in targets:
            there = room_of(target)
            if here != there and rank[there] >= rank[here]:
                wrong.append(f"{source} -> {target}")
    return sorted(wrong)


# --- the rooms -------------------------------------------------------------------------------------------------------


def test_every_room_has_its_rank() -> None:
    rooms = {path.split("/")[0] for path in modules() if "/" in path}
    ranked = [room for rank in RANKS for room in rank]
    assert sorted(rooms) == sorted(ranked)


def test_no_arrow_leads_upwards() -> None:
    assert sum(map(len, arrows().values())) > 500, "arrows are seen"
    assert upwards(arrows()) == []


def test_no_modules_import_one_another() -> None:
    assert circles(arrows()) == []


def test_no_rooms_import_one_another() -> None:
    rooms: dict[str, set[str]] = {}
    for source, targets in arrows().items():
        rooms.setdefault(room_of(source), set()).update(room_of(target) for target in targets)
    assert circles({room: targets - {room} for room, targets in rooms.items() if room}) == []


def test_nobody_but_the_command_line_names_it() -> None:
    """A program that is started by name is an arrow, too."""
    named = {
        path
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "assembler.cli" in node.value
        if not path.startswith("cli/")
    }
    assert named == {
        "api/reproduce.py",  # both builds are processes of their own, as a user starts them
        "audit/environments.py",  # the same: one of them is varied from inside
    }


# --- what only some do -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_only_some(name: str) -> None:
    patterns, rule = RULES[name]
    used_entries = set()
    wrong = []
    for path in modules():
        if found := broken(all_used(path), patterns):
            if entry := allowed(path, rule):
                used_entries.add(entry)
            else:
                wrong += [f"assembler/{path}, {one}" for one in found]
    assert wrong == []
    assert used_entries == set(rule), "every exception is needed"


def test_programs_get_an_environment_that_was_made_for_them() -> None:
    wrong = []
    for path, tree in modules().items():
        names = {local: full for local, full in imported(tree) if local}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called, given = resolved(node.func, names), {keyword.arg for keyword in node.keywords}
                if (called in CHILDREN and "env" not in given) or (called == "shutil.which" and "path" not in given):
                    wrong.append(f"assembler/{path}, line {node.lineno}: {called}")
    assert wrong == []


# --- the rules themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("the terminal", "print('x')"),
        ("the terminal", "show = print"),
        ("the terminal", "import sys\nsys.stdout.write('x')"),
        ("the terminal", "from sys import stderr as e\ne.write('x')"),
        ("the terminal", "import sys as s\ns.__stdout__.write('x')"),
        ("the terminal", "def f():\n    from click import echo\n    echo('x')"),
        ("the terminal", "from rich.console import Console"),
        ("the terminal", "import traceback\ntraceback.print_exc()"),
        ("the terminal", "import logging\nlogging.StreamHandler()"),
        ("the terminal", "import sys\ngetattr(sys, 'stdout').write('x')"),
        ("the exit status", "import sys\nsys.exit(1)"),
        ("the exit status", "from sys import exit as leave\nleave()"),
        ("the exit status", "raise SystemExit(1)"),
        ("the exit status", "import os\nos._exit(1)"),
        ("the environment", "import os\nos.environ['X']"),
        ("the environment", "import os as o\no.environ.get('X')"),
        ("the environment", "from os import environ"),
        ("the environment", "from os import environ as e\ne['X']"),
        ("the environment", "import os\nos.getenv('X')"),
        ("the environment", "from os import getenv as g\ng('X')"),
        ("the environment", "import os.path\nos.path.expanduser('~')"),
        ("the environment", "from os.path import expandvars"),
        ("the environment", "from pathlib import Path\nPath('~').expanduser()"),
        ("the environment", "from pathlib import Path\nPath.home()"),
        ("the environment", "import pathlib\npathlib.Path.home()"),
        ("sockets", "import socket"),
        ("sockets", "from http.client import HTTPSConnection"),
        ("sockets", "import urllib.request"),
        ("sockets", "def f():\n    import requests as r\n    r.get('x')"),
        ("sockets", "from urllib3 import PoolManager"),
        ("the clock and chance", "import time\ntime.time()"),
        ("the clock and chance", "from time import time_ns as t\nt()"),
        ("the clock and chance", "from datetime import datetime\ndatetime.now()"),
        ("the clock and chance", "import datetime as dt\ndt.datetime.now(dt.UTC)"),
        ("the clock and chance", "from datetime import date\ndate.today()"),
        ("the clock and chance", "import random\nrandom.random()"),
        ("the clock and chance", "from os import urandom"),
        ("the clock and chance", "import uuid\nuuid.uuid4()"),
        ("what cannot be seen", "import importlib\nimportlib.import_module('socket')"),
        ("what cannot be seen", "__import__('socket')"),
    ],
)
def test_a_rule_sees(name: str, text: str) -> None:
    assert broken(used(ast.parse(text)), RULES[name][0])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("the terminal", "from assembler.printable import printable\nprintable('x')"),
        ("the environment", "import os\nos.path.exists('x')"),
        ("sockets", "from urllib.parse import urlsplit"),
        ("the clock and chance", "import time\ntime.monotonic()"),
        ("the clock and chance", "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, UTC)"),
        ("the clock and chance", "import uuid\nuuid.UUID(int=1)"),
    ],
)
def test_a_rule_lets_pass(name: str, text: str) -> None:
    assert not broken(used(ast.parse(text)), RULES[name][0])


def test_arrows_that_are_wrong_are_seen() -> None:
    ranks = (("store",), ("debian", "oci"), ("cli",))
    lawful = {"assembler.cli.main": ["assembler.debian.deb", "assembler.errors"], "assembler.errors": []}
    assert upwards(lawful, ranks) == []
    assert upwards({"assembler.debian.deb": ["assembler.cli.main"]}, ranks)
    assert upwards({"assembler.debian.deb": ["assembler.oci.layout"]}, ranks), (
        "rooms of one rank know nothing of another"
    )
    assert upwards({"assembler.errors": ["assembler.store.objects"]}, ranks), "what lies below all rooms knows none"
    assert circles({"a": "b", "b": "c", "c": "a", "d": "a"}) == [["a", "b", "c"]]
    assert circles({"a": "bc", "b": "c", "c": ""}) == []
