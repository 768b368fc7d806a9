"""Configuring packages: what ``dpkg --configure`` of all of them would have left, computed over the staging tree.

Scripts are first analysed, all of them; only when every one is vouched for is anything carried out. Then come preinst
scripts in the order of unpacking, postinst scripts in the order of configuration, triggers, and the database of dpkg.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assembler.configure import rules, triggers
from assembler.configure.calls import Action, Exit
from assembler.configure.commands import PATH, Machine
from assembler.configure.order import Orderable, configure_order, essential_closure
from assembler.configure.report import Handling, Report, ScriptReport
from assembler.configure.rules import Rule
from assembler.configure.scripts import SCRIPTS, Analysis, analyse
from assembler.debian import dpkg_database
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place, Problems
from assembler.kernel.depmod import depmod
from assembler.progress import SILENT, Reporter
from assembler.tree.staging import Tree, TreeError


class UnhandledScript(AssembleError):
    """A script that nobody vouched for; `details` are the text to judge and the stanza to paste."""


class ScriptFailed(AssembleError):
    """A script that would have failed, or whose effect on the tree cannot be made."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What configuring depends on besides the packages."""

    epoch: int
    """SOURCE_DATE_EPOCH in seconds: the day of account changes and the time of files made."""
    arch: str
    """Debian architecture of the image."""
    rules: tuple[Rule, ...] = ()
    """Rules beside the built-in ones; they come first."""
    depmod: Callable[[Tree, str], object] = depmod
    """Indexes the modules of a kernel release; a caller that keeps results may have its own."""
    first_boot: frozenset[str] = frozenset()
    """Packages that stay unpacked, to be configured by dpkg on the image's first boot."""


@dataclass(frozen=True, slots=True)
class _Script:
    analysis: Analysis
    rule: Rule | None

    def run(self, machine: Machine) -> None:
        """Carry the script out."""
        analysis = self.analysis
        machine.package, machine.exits_on_error = analysis.package, analysis.exits_on_error
        actions: list[Action] = list(analysis.before)
        if self.rule is not None:
            actions.append(rules.action_of(self.rule, analysis.package, machine.arch))
        actions += analysis.after
        where = Place(package=f"{analysis.package} {analysis.script}")
        try:
            for action in actions:
                action(machine)
        except Exit as end:
            if end.status:
                raise ScriptFailed(
                    "the script would have failed", where=where, why=f"it exits with status {end.status}"
                ) from end
        except AssembleError as error:
            raise ScriptFailed("the script cannot be carried out", where=where, why=str(error)) from error


def plan(packages: Sequence[Unpacked], settings: Settings) -> dict[tuple[str, str], "_Script"]:
    """Every script of `packages` with what takes care of it, by (package, script).

    Raises Problems with an UnhandledScript for each that nothing does.
    """
    known = (*settings.rules, *rules.built_in())
    scripts: dict[tuple[str, str], _Script] = {}
    problems: list[AssembleError] = []
    for package in packages:
        for name in SCRIPTS:
            text = package.control.get(name)
            if text is None or package.name in settings.first_boot:
                continue
            analysis = _analyse(package.name, name, text, settings.arch)
            rule = None
            if analysis.layer == "unhandled":
                rule = rules.find(known, package.name, name, analysis.residual, settings.arch)
                if rule is None:
                    problems.append(unhandled(analysis, settings.arch))
            scripts[package.name, name] = _Script(analysis, rule)
    problems += triggers.unhandled(packages, settings.first_boot)
    if problems:
        raise Problems(problems)
    return scripts


@lru_cache(maxsize=4096)
def _analyse(package: str, script: str, text: bytes, arch: str) -> Analysis:
    return analyse(package, script, text.decode("utf-8", "surrogateescape"), arch)


def unhandled(analysis: Analysis, arch: str) -> UnhandledScript:
    """The error for a script that nobody vouched for, with the text to judge and the rule to fill in."""
    digest = rules.residual_key(analysis.package, analysis.package, analysis.residual, arch)
    stanza = (
        "[[rule]]",
        f'package = "{analysis.package}"',
        f'script = "{analysis.script}"',
        f'residual = ["{digest}"]',
        'reason = "..."',
        "# do = '''commands'''   leave out when there is nothing to do on a fresh install",
    )
    return UnhandledScript(
        "nobody has vouched for this script",
        where=Place(package=f"{analysis.package} {analysis.script}"),
        why="parts of it are neither generated by a known tool nor commands that are understood",
        hint="read the text below and add a rule, or have the package configured at first boot",
        details=(*analysis.residual.splitlines(), "", *stanza),
    )


def configure(tree: Tree, packages: Sequence[Unpacked], settings: Settings, reporter: Reporter = SILENT) -> Report:
    """Configure `packages` (in the order in which they were unpacked) in `tree`.

    Raises Problems when scripts are unhandled, and then nothing has been changed; ScriptFailed when one would fail.
    """
    scripts = plan(packages, settings)
    digests = dpkg_database.conffile_digests(tree, packages)
    machine = Machine(tree, settings.arch, depmod=settings.depmod)
    orderable = [Orderable(package.name, package.fields, "postinst" in package.control) for package in packages]
    order = configure_order(orderable)
    essential = essential_closure(orderable)
    later = _programs([package for package in packages if package.name not in essential])
    done: list[ScriptReport] = []
    sequence = [(package.name, "preinst") for package in packages] + [(name, "postinst") for name in order]
    with reporter.step("configure", total=len(sequence), unit="items") as step:
        for key in sequence:
            machine.hidden = later if key[0] in essential else frozenset()
            script = scripts.get(key)
            if script is not None:
                step.note(key[0])
                script.run(machine)
                done.append(_report(script))
            step.advance()
    activated = triggers.activated(packages, machine.triggers)
    triggers.run(machine, packages, activated)
    try:
        dpkg_database.write(tree, packages, digests, settings.arch, unpacked=settings.first_boot)
    except TreeError as error:
        raise ScriptFailed("dpkg's database cannot be written", why=str(error)) from error
    done += [ScriptReport(name, "postinst", "first boot", ()) for name in order if name in settings.first_boot]
    return Report(tuple(done), tuple(order), tuple(sorted(activated)))


def _programs(packages: Sequence[Unpacked]) -> frozenset[str]:
    """The names of the programs that packages ship."""
    folders = {f"{folder}/" for folder in PATH}
    return frozenset(
        path[cut:]
        for package in packages
        for path in package.paths
        if (cut := path.rfind("/") + 1) and path[:cut] in folders
    )


def _report(script: _Script) -> ScriptReport:
    analysis, rule = script.analysis, script.rule
    if rule is not None:
        return ScriptReport(analysis.package, analysis.script, "rule", analysis.tools, rule.source, rule.reason)
    handling: Handling = analysis.layer if analysis.layer != "unhandled" else "rule"
    return ScriptReport(analysis.package, analysis.script, handling, analysis.tools)
