"""Rules: what scripts and commands do that cannot be computed, each vouched for by a person who read them.

A rule for a command says for which package's scripts it is; a rule for a whole script is keyed by the SHA-256 of its
text, so that it never outlives the text that it was written for. The assembler's own are in the TOML files here; a
recipe may name further files (``rootfs.rules``). In a rule's `package` a ``*`` stands for a version, and the same text
in the script counts as ``*`` too, so that a kernel's rule holds for its next upload.
"""

import fnmatch
import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from assembler.architecture import named as architecture
from assembler.configure.rules import model
from assembler.configure.triggers import generic
from assembler.errors import AssembleError, Place, Problems
from assembler.programs.known import is_known
from assembler.recipe.document import parse as parse_toml
from assembler.recipe.validation import explanations
from assembler.shell.commands import named
from assembler.shell.heads import parsed
from assembler.shell.streams import Refused
from assembler.toml.document import place, plain
from assembler.toml.positions import Path as KeyPath


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


def text_key(package: str, pattern: str, text: bytes, arch: str) -> str:
    """The digest that a rule for `pattern` gives for a script: versions under ``*`` and architectures evened out."""
    written = text.decode("utf-8", "surrogateescape")
    if "*" in pattern:
        matched = re.fullmatch(re.escape(pattern).replace(r"\*", "(.+)"), package)
        if matched:
            written = written.replace(matched.group(1), "*")
    written = written.replace(architecture(arch).triplet, "@MULTIARCH@")
    written = re.sub(rf":{arch}\b", ":@ARCH@", written)
    return hashlib.sha256(written.encode("utf-8", "surrogateescape")).hexdigest()


def read_rules(data: bytes, source: str) -> list[Rule]:
    """The rules in a TOML document.

    Raises Problems with everything that is wrong, each with line and column in the file `source`.
    """
    root = parse_toml(data, Path(source))
    found: list[tuple[KeyPath, str, str]] = []
    try:
        rules = model.Rules.model_validate(plain(root)).rule
    except ValidationError as error:
        found, rules = list(explanations(error, model.Rules)), []
    for index, rule in enumerate(rules):
        found += [(("rule", index, *path), what, hint) for path, what, hint in _check(rule)]
    if found:
        errors = [RuleError(what, where=place(root, path), hint=hint) for path, what, hint in found]
        raise Problems(sorted(errors, key=lambda error: (error.where.line, error.where.column)))
    return [Rule(rule, source, place(root, ("rule", index))) for index, rule in enumerate(rules)]


def _check(rule: model.Rule) -> Iterator[tuple[KeyPath, str, str]]:
    """What the types cannot say."""
    if bool(rule.script) != bool(rule.digest):
        missing = "digest" if rule.script else "script"
        hint = "give both, as assemble check prints them, or neither for a supplementary rule"
        yield ("digest",) if rule.digest else ("script",), f"{missing} is missing", hint
    if rule.command and rule.script:
        yield ("command",), "contradicts script", "a rule stands for a command or for a whole script"
    if bool(rule.trigger) != (rule.script == "triggered"):
        hint = "list in trigger what triggers the script" if rule.script == "triggered" else "remove it"
        yield ("trigger",), "goes with script = 'triggered' and no other", hint
    if rule.package.count("*") > 1:
        yield ("package",), "has more than one *", "one stands for a version"
    try:
        block = parsed(rule.do)
    except Refused as error:
        yield ("do",), f"is no list of commands: {error.why}", "it is shell, as in maintainer scripts"
        return
    for name in named(block):
        if not is_known(name):
            hint = "use programs that change files, or files, links, users, modes, alternatives and units"
            yield ("do",), f"has a command that is not known: {name}", hint


@lru_cache(maxsize=1)
def built_in() -> tuple[Rule, ...]:
    """The rules that come with the assembler."""
    rules: list[Rule] = []
    for file in sorted(resources.files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            rules.extend(read_rules(file.read_bytes(), file.name))
    return tuple(rules)


def find(rules: Sequence[Rule], package: str, script: str, text: bytes, arch: str, *, trigger: str = "") -> Rule | None:
    """The rule for a whole script, None when there is none."""
    for rule in rules:
        values = rule.values
        if values.script != script or not rule.is_for(package):
            continue
        if trigger and generic(trigger) not in values.trigger:
            continue
        if text_key(package, values.package, text, arch) in values.digest:
            return rule
    return None


def for_commands(rules: Sequence[Rule], package: str) -> list[Rule]:
    """The rules that stand for commands in scripts of `package`."""
    return [rule for rule in rules if rule.values.command and rule.is_for(package)]


def may_stand_for(rule: Rule, names: Collection[str]) -> bool:
    """Whether a rule for a command is for a program that is called one of these names."""
    first = rule.values.command.split()[0]
    return any(fnmatch.fnmatchcase(name, first) for name in names)


def stands_for(rule: Rule, words: Sequence[str]) -> bool:
    """Whether a rule for a command is for these words."""
    patterns = rule.values.command.split()
    if patterns[-1] == "*":
        patterns.pop()
        words = words[: len(patterns)]
    return len(words) == len(patterns) and all(map(fnmatch.fnmatchcase, words, patterns))


def besides(rules: Sequence[Rule], package: str) -> list[Rule]:
    """The rules that stand for no script of `package`: they are carried out after it is configured."""
    return [rule for rule in rules if not (rule.values.script or rule.values.command) and rule.is_for(package)]
