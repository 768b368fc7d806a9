"""Rules: what scripts do that no general layer understands, each vouched for by a person who read the text.

A rule is keyed by package, script and the SHA-256 of the residual (see `scripts.py`). Rules that are data are in the
TOML files here; those that are logic name a function of `logic.py`. In a rule's `package` a ``*`` stands for a version,
and the same text in the residual counts as ``*`` too, so that a kernel's rule holds for its next upload.
"""

import fnmatch
import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from assembler.configure.calls import Action, compile_block
from assembler.configure.commands import Machine
from assembler.configure.residual import own_scope, script_scope
from assembler.configure.shell import ParseError, parse, render
from assembler.configure.triggers import generic
from assembler.errors import AssembleError, Place

MULTIARCH = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
"""GNU triplets of Debian's architectures (dpkg-architecture(1))."""
_KEYS = {"package", "script", "trigger", "residual", "reason", "do", "function"}
_TOKEN = {"package": re.compile(r"[a-z0-9*][a-z0-9+.*-]+"), "script": re.compile(r"preinst|postinst|triggered")}

Function = Callable[[Machine], None]


class RuleError(AssembleError):
    """A rule that cannot be read."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A vouched-for script."""

    package: str
    """Name, maybe with one ``*``."""
    script: str
    residuals: tuple[str, ...]
    """SHA-256 digests of the residuals that it is right for."""
    reason: str
    """What the script does on a fresh install, or why there is nothing to do."""
    do: str = ""
    """Commands to carry out, in the vocabulary of `commands.py`; or"""
    function: str = ""
    """a function of `logic.py`. Neither: nothing to do."""
    source: str = ""
    """The file that the rule is in."""
    triggers: tuple[str, ...] = ()
    """For a ``triggered`` script: what it is triggered by, multiarch folders evened out."""


def residual_key(package: str, pattern: str, residual: str, arch: str) -> str:
    """The digest that a rule for `pattern` gives for a residual: versions under ``*`` and architectures evened out."""
    if "*" in pattern:
        matched = re.fullmatch(re.escape(pattern).replace(r"\*", "(.+)"), package)
        if matched:
            residual = residual.replace(matched.group(1), "*")
    residual = residual.replace(MULTIARCH.get(arch, "?"), "@MULTIARCH@")
    residual = re.sub(rf":{arch}\b", ":@ARCH@", residual)
    return hashlib.sha256(residual.encode("utf-8", "surrogateescape")).hexdigest()


def read_rules(text: str, source: str) -> list[Rule]:
    """The rules in a TOML document. Raises RuleError."""
    where = Place(file=source)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError("the rules are no TOML", where=where, why=str(error)) from error
    tables = data.get("rule", [])
    if set(data) - {"rule"} or not isinstance(tables, list):
        raise RuleError("a file of rules holds [[rule]] tables only", where=where)
    return [_read_rule(table, index, source) for index, table in enumerate(tables)]


def _read_rule(table: Mapping[str, object], index: int, source: str) -> Rule:
    where = Place(file=source, key=f"rule[{index}]", package=str(table.get("package", "")))
    if unknown := sorted(set(table) - _KEYS):
        raise RuleError(f"a rule has no key {unknown[0]!r}", where=where, hint=f"keys are {', '.join(sorted(_KEYS))}")
    values: dict[str, str] = {}
    for key in ("package", "script", "reason", "do", "function"):
        value = table.get(key, "")
        if not isinstance(value, str):
            raise RuleError(f"{key} is not a string", where=where)
        values[key] = value
    for key, pattern in _TOKEN.items():
        if not pattern.fullmatch(values[key]):
            raise RuleError(f"{values[key]!r} is no {key}", where=where)
    residuals = table.get("residual")
    if (
        not isinstance(residuals, list)
        or not residuals
        or not all(re.fullmatch("[0-9a-f]{64}", str(r)) for r in residuals)
    ):
        raise RuleError("residual is not a list of SHA-256 digests", where=where)
    triggers = table.get("trigger", [])
    if not isinstance(triggers, list) or not all(isinstance(trigger, str) for trigger in triggers):
        raise RuleError("trigger is not a list of triggers", where=where)
    if bool(triggers) != (values["script"] == "triggered"):
        raise RuleError("a rule for script = 'triggered' lists its triggers, and no other does", where=where)
    if not values["reason"]:
        raise RuleError("a rule needs a reason", where=where, hint="say what the script does on a fresh install")
    if values["do"] and values["function"]:
        raise RuleError("a rule has either do or function", where=where)
    if values["do"]:
        compile_commands(values["package"], values["script"], values["do"], "amd64", where)
    if values["function"] and values["function"] not in _functions():
        raise RuleError(f"there is no function {values['function']!r}", where=where)
    return Rule(
        values["package"], values["script"], tuple(map(str, residuals)), values["reason"], values["do"],
        values["function"], source, tuple(triggers),
    )  # fmt: skip


def _functions() -> Mapping[str, Function]:
    from assembler.configure.rules import logic  # noqa: PLC0415  it uses this module's names

    return logic.FUNCTIONS


def compile_commands(package: str, script: str, text: str, arch: str, where: Place) -> Action:
    """The action of a rule's `do`. Raises RuleError when it is not understood."""
    scope = script_scope(package, script, arch)
    try:
        block = parse(text)
    except ParseError as error:
        raise RuleError("do is no list of commands", where=where, why=str(error)) from error
    action = compile_block(block, own_scope(scope, render(block)))
    if action is None:
        raise RuleError("do has a command that is not understood", where=where)
    return action


@lru_cache(maxsize=1)
def built_in() -> tuple[Rule, ...]:
    """The rules that come with the assembler."""
    rules: list[Rule] = []
    for file in sorted(resources.files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            rules.extend(read_rules(file.read_text("utf-8"), file.name))
    return tuple(rules)


def find(
    rules: Sequence[Rule], package: str, script: str, residual: str, arch: str, *, trigger: str = ""
) -> Rule | None:
    """The rule for a residual, None when nobody vouched for it."""
    for rule in rules:
        if rule.script != script or not fnmatch.fnmatchcase(package, rule.package):
            continue
        if trigger and generic(trigger) not in rule.triggers:
            continue
        if residual_key(package, rule.package, residual, arch) in rule.residuals:
            return rule
    return None


def action_of(rule: Rule, package: str, arch: str) -> Action:
    """What a rule does."""
    if rule.function:
        function = _functions()[rule.function]

        def run(machine: Machine) -> int:
            function(machine)
            return 0

        return run
    if not rule.do:
        return lambda _machine: 0
    return compile_commands(package, rule.script, rule.do, arch, Place(file=rule.source, package=rule.package))
