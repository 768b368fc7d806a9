"""Rules: what scripts do that no general layer understands, each vouched for by a person who read the text.

A rule is keyed by package, script and the SHA-256 of the residual (see `scripts.py`). The assembler's own are in the
TOML files here; a recipe may name further files (``rootfs.rules``). Those that are logic name a function of `logic.py`.
In a rule's `package` a ``*`` stands for a version, and the same text in the residual counts as ``*`` too, so that a
kernel's rule holds for its next upload.
"""

import fnmatch
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from assembler.architecture import DEFAULT, named
from assembler.configure.calls import Action, compile_block
from assembler.configure.rules import model
from assembler.configure.rules.effects import Effect, effects
from assembler.configure.triggers import generic
from assembler.errors import AssembleError, Place, Problems
from assembler.programs.context import ExecutionContext
from assembler.recipe.document import parse as parse_toml
from assembler.recipe.validation import explanations
from assembler.shell.canonical import render
from assembler.shell.grammar import parse_script
from assembler.shell.residual import own_scope
from assembler.shell.tokens import ParseError
from assembler.shell.words import script_scope
from assembler.toml.document import place, plain
from assembler.toml.positions import Path as KeyPath

Function = Callable[[ExecutionContext], None]


class RuleError(AssembleError):
    """A rule that cannot be read."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A vouched-for script, or what is done besides the scripts of a package."""

    values: model.Rule
    source: str
    """The file that the rule is in."""
    position: Place
    """Where in that file."""

    @property
    def reason(self) -> str:
        """What the script does on a fresh install, or why there is nothing to do."""
        return self.values.reason

    def is_for(self, package: str) -> bool:
        """Whether it is for the package of that name."""
        return fnmatch.fnmatchcase(package, self.values.package)


def residual_key(package: str, pattern: str, residual: str, arch: str) -> str:
    """The digest that a rule for `pattern` gives for a residual: versions under ``*`` and architectures evened out."""
    if "*" in pattern:
        matched = re.fullmatch(re.escape(pattern).replace(r"\*", "(.+)"), package)
        if matched:
            residual = residual.replace(matched.group(1), "*")
    residual = residual.replace(named(arch).triplet, "@MULTIARCH@")
    residual = re.sub(rf":{arch}\b", ":@ARCH@", residual)
    return hashlib.sha256(residual.encode("utf-8", "surrogateescape")).hexdigest()


def read_rules(data: bytes, source: str, *, functions: bool = False) -> list[Rule]:
    """The rules in a TOML document, which may name functions of the assembler or not.

    Raises Problems with everything that is wrong, each with line and column in the file `source`.
    """
    root = parse_toml(data, Path(source))
    found: list[tuple[KeyPath, str, str]] = []
    try:
        rules = model.Rules.model_validate(plain(root)).rule
    except ValidationError as error:
        found, rules = list(explanations(error, model.Rules)), []
    for index, rule in enumerate(rules):
        found += [(("rule", index, *path), what, hint) for path, what, hint in _check(rule, functions=functions)]
    if found:
        errors = [RuleError(what, where=place(root, path), hint=hint) for path, what, hint in found]
        raise Problems(sorted(errors, key=lambda error: (error.where.line, error.where.column)))
    return [Rule(rule, source, place(root, ("rule", index))) for index, rule in enumerate(rules)]


def _check(rule: model.Rule, *, functions: bool) -> Iterator[tuple[KeyPath, str, str]]:
    """What the types cannot say."""
    if bool(rule.script) != bool(rule.residual):
        missing = "residual" if rule.script else "script"
        hint = "give both, as assemble check prints them, or neither for a supplementary rule"
        yield ("residual",) if rule.residual else ("script",), f"{missing} is missing", hint
    if bool(rule.trigger) != (rule.script == "triggered"):
        hint = "list in trigger what triggers the script" if rule.script == "triggered" else "remove it"
        yield ("trigger",), "goes with script = 'triggered' and no other", hint
    if rule.package.count("*") > 1:
        yield ("package",), "has more than one *", "one stands for a version"
    if rule.function is not None and (not functions or rule.function not in _functions()):
        hint = "say what there is to do in do, files, links, users ..." if not functions else ""
        yield ("function",), f"there is no function {rule.function!r}", hint
    if rule.function is not None and rule.do:
        yield ("function",), "contradicts do", "give one of the two"
    try:
        compile_commands(rule.package, rule.script, rule.do, DEFAULT.name)
    except RuleError as error:
        yield ("do",), f"{error.what}: {error.why}", error.hint


def _functions() -> Mapping[str, Function]:
    from assembler.configure.rules import logic  # noqa: PLC0415  it uses this module's names

    return logic.FUNCTIONS


def compile_commands(package: str, script: str, text: str, arch: str) -> Action:
    """The action of a rule's `do`. Raises RuleError when it is not understood."""
    scope = script_scope(package, script or "postinst", arch)
    try:
        block = parse_script(text)
    except ParseError as error:
        hint = "it is shell, as in maintainer scripts"
        raise RuleError("is no list of commands", why=str(error), hint=hint) from error
    scope = own_scope(scope, render(block))
    action = compile_block(block, scope)
    if action is None:
        odd = next((part for part in block if compile_block((part,), scope) is None), block[0])
        first = render((odd,)).splitlines()[0]
        raise RuleError(
            "has a command that is not understood",
            why=first,
            hint="use plain commands with plain arguments, or files, links, users, modes, alternatives and units",
        )
    return action


@lru_cache(maxsize=1)
def built_in() -> tuple[Rule, ...]:
    """The rules that come with the assembler."""
    rules: list[Rule] = []
    for file in sorted(resources.files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            rules.extend(read_rules(file.read_bytes(), file.name, functions=True))
    return tuple(rules)


def find(
    rules: Sequence[Rule], package: str, script: str, residual: str, arch: str, *, trigger: str = ""
) -> Rule | None:
    """The rule for a residual, None when nobody vouched for it."""
    for rule in rules:
        values = rule.values
        if values.script != script or not rule.is_for(package):
            continue
        if trigger and generic(trigger) not in values.trigger:
            continue
        if residual_key(package, values.package, residual, arch) in values.residual:
            return rule
    return None


def besides(rules: Sequence[Rule], package: str) -> list[Rule]:
    """The rules that stand for no script of `package`: they are carried out after it is configured."""
    return [rule for rule in rules if not rule.values.script and rule.is_for(package)]


def action_of(rule: Rule, package: str, arch: str) -> Action:
    """What a rule does."""
    values = rule.values
    commands = compile_commands(package, values.script, values.do, arch)
    function: Function | None = _functions()[values.function] if values.function else None
    declared: list[Effect] = list(effects(values))

    def run(context: ExecutionContext) -> int:
        status = commands(context)
        if function is not None:
            function(context)
        for effect in declared:
            effect(context)
        return status

    return run
