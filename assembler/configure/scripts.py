"""One maintainer script, analysed: which layer takes care of each part of it, and what is left for a person to judge.

The analysis sees only the text of the script. Its parts are, in this order of preference: debhelper's snippets,
commands that are understood in full, a rule for all the rest. What is left, in canonical form, is the residual; its
SHA-256 is the key of a rule, so that a rule never outlives the text that it was written for.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Literal

from assembler.configure.calls import Action, Budget, Unknown, understood
from assembler.configure.snippets import MARKER, Snippet, compile_snippet, marker_index, split
from assembler.shell.canonical import render
from assembler.shell.grammar import parse_script
from assembler.shell.residual import own_scope, reduce_script, with_assignments
from assembler.shell.syntax import Function, Statement
from assembler.shell.tokens import ParseError
from assembler.shell.words import Scope, script_scope

Layer = Literal["nothing", "snippets", "calls", "rule", "unhandled"]
_ERREXIT = re.compile(r"\A#![^\n]*\s-\w*e|^[ \t]*set -\w*e", re.MULTILINE)
_MAX_SCRIPT = 1 << 18
"""Characters; the longest in Debian have a third of that. Longer ones are not looked into."""
SCRIPTS = ("preinst", "postinst")
"""The scripts that run when a package is installed. prerm and postrm never run on an image, config only asks."""
TRIGGERED = "triggered"
"""Stands for ``postinst triggered``, which is a script of its own here."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What there is to do for a script."""

    package: str
    script: str
    """One of `SCRIPTS`, or `TRIGGERED`."""
    layer: Layer
    """The highest layer that it needs."""
    tools: tuple[str, ...]
    """The tools whose snippets are in it."""
    before: tuple[Action, ...]
    """What to do, in order; up to where a rule comes in."""
    after: tuple[Action, ...]
    """What to do behind the rule."""
    residual: str
    """The text that needs a rule; empty without."""
    exits_on_error: bool = True
    """Whether the script is under ``set -e``."""
    tells: bool = False
    """Whether the exit status of what is done last is the script's: nothing that followed it was left out."""
    unknown: str = ""
    """The first command that is not understood, as it is written but for white space; empty without."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the residual."""
        return hashlib.sha256(self.residual.encode("utf-8", "surrogateescape")).hexdigest()


def analyse(package: str, script: str, text: str, arch: str, trigger: str = "") -> Analysis:
    """Analyse the text of `script` (``postinst``, or ``triggered`` by `trigger`) of `package`."""
    scope = script_scope(package, script, arch, trigger)
    if not _is_shell(text) or MARKER in text or len(text) > _MAX_SCRIPT:
        return _unhandled(package, script, _plain_residual(text))
    stripped, snippets = split(text)
    try:
        parsed = parse_script(stripped)
        block = reduce_script(parsed, scope)
        for snippet in snippets:
            parse_script(snippet.body)
    except (ParseError, RecursionError):
        return _unhandled(package, script, _plain_residual(text))
    scope = own_scope(scope, render(block))
    analysis = _Analyser(package, script, snippets, scope).run(block)
    tells = analysis.layer != "unhandled" and parsed[-1:] == block[-1:]
    return replace(analysis, exits_on_error=bool(_ERREXIT.search(stripped)), tells=tells)


def _unhandled(package: str, script: str, residual: str) -> Analysis:
    return Analysis(package, script, "unhandled", (), (), (), residual, unknown=residual.partition("\n")[0])


def _is_shell(text: str) -> bool:
    return bool(re.match(r"#!\s*/(usr/)?bin/(sh|dash|bash)\b", text))


def _plain_residual(text: str) -> str:
    """A script that is not parsed: all of it, without full-line comments (but for the first line) and blank lines."""
    first, _, rest = text.partition("\n")
    lines = [line.rstrip() for line in rest.split("\n")]
    kept = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return "\n".join([first, *kept]) + "\n"


class _Analyser:
    def __init__(self, package: str, script: str, snippets: list[Snippet], scope: Scope) -> None:
        self.package = package
        self.script = script
        self.snippets = snippets
        self.base = scope
        self.tools: list[str] = []

    def run(self, block: tuple[Statement, ...]) -> Analysis:
        """Compile the statements in order; on the first that is not understood the rest belongs to a rule."""
        functions = tuple(statement for statement in block if isinstance(statement, Function))
        steps: list[tuple[bool, Action]] = []
        rule_at: int | None = None
        calls = False
        unknown_snippets: list[Statement] = []
        written: list[Statement] = []
        scope, budget = self.base, Budget()
        unknown: Statement | None = None
        for statement in block:
            index = marker_index(statement)
            if index is not None:
                snippet = self.snippets[index]
                action = compile_snippet(snippet, self.base)
                if action is None:
                    unknown_snippets.extend(parse_script(snippet.body))
                    rule_at = len(steps) if rule_at is None else rule_at
                else:
                    self.tools.append(snippet.tool)
                    steps.append((True, action))
                continue
            written.append(statement)
            if isinstance(statement, Function):
                continue
            try:
                steps.append((False, understood((*functions, statement), scope, budget)))
                calls = True
            except Unknown as error:
                unknown = unknown or error.statement or statement
                rule_at = len(steps) if rule_at is None else rule_at
            scope = with_assignments(statement, scope)
        if rule_at is None:
            layer: Layer = "calls" if calls else "snippets" if self.tools else "nothing"
            actions = tuple(action for _, action in steps)
            return Analysis(self.package, self.script, layer, tuple(self.tools), actions, (), "")
        # One statement that is not understood makes all that was written by hand one rule's business.
        before = tuple(action for generated, action in steps[:rule_at] if generated)
        behind = tuple(action for generated, action in steps[rule_at:] if generated)
        residual = render([*self._spelled_out(written), *unknown_snippets])
        shown = render([unknown]) if unknown else residual
        return Analysis(
            self.package,
            self.script,
            "unhandled",
            tuple(self.tools),
            before,
            behind,
            residual,
            unknown=shown.strip().partition("\n")[0],
        )

    def _spelled_out(self, block: list[Statement]) -> list[Statement]:
        """`block` with snippets that stand inside other statements shown in full: a rule has to answer for them too."""
        text = render(block)
        if MARKER not in text:
            return block
        for index, snippet in enumerate(self.snippets):
            body = render(parse_script(snippet.body))
            text = text.replace(f"{MARKER} {index}\n", body)
        return list(parse_script(text))
