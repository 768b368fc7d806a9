"""Configuring packages: what ``dpkg --configure`` of all of them would have left, computed over the staging tree.

Scripts are first analysed, all of them; only when every one is vouched for is anything carried out. Then come, for the
essential packages and again for the rest, preinst scripts in the order of unpacking and postinst scripts in that of
configuration; at last triggers, and the database of dpkg.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from assembler.configure import caches, first_boot, identity, rules, triggers
from assembler.configure.calls import Action, Exit
from assembler.configure.executed import Execution, Failed, Secrets, carried_out, programs
from assembler.configure.executed import job as executed_job
from assembler.configure.not_unpacked import hidden_until_unpacked, shippers
from assembler.configure.order import configure_order, orderable, stages
from assembler.configure.report import Report
from assembler.configure.rules import Rule
from assembler.configure.survey import BESIDES, Script, survey
from assembler.debian import dpkg_database
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place, Problems
from assembler.kernel.depmod import depmod
from assembler.programs.context import ExecutionContext
from assembler.progress import SILENT, Reporter
from assembler.recipe.model import Scripts
from assembler.tree.staging import Tree, TreeError

T = TypeVar("T")


class ScriptFailed(AssembleError):
    """A script that would have failed, or whose effect on the tree cannot be made."""

    instead: tuple[str, str] = ("", "")
    """The package and the script that may be executed instead; empty where that would not help."""


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
    first_boot: Mapping[str, str] = field(default_factory=dict)
    """Packages that stay unpacked, to be configured by dpkg on the image's first boot, with the reasons."""
    execution: Execution | None = None
    """Packages that dpkg configures in a machine; None when all have to be computed."""
    first: frozenset[str] = frozenset()
    """Packages that are configured before any other is unpacked, as on a system that had them already."""


def problems(scripts: Iterable[Script]) -> list[AssembleError]:
    """An error for each script that nobody vouched for."""
    return [script.problem() for script in scripts if script.handling == "unhandled"]


def _run(script: Script, context: ExecutionContext, own: Collection[Rule]) -> None:
    """Carry a script out; `own` are the rules that stand for what somebody wants, not for what the script does."""
    analysis = script.analysis
    context.package, context.exits_on_error = analysis.package, analysis.exits_on_error
    actions: list[Action] = list(analysis.before)
    if script.rule is not None:
        actions.append(rules.action_of(script.rule, analysis.package, context.arch))
    actions += analysis.after
    where = Place(package=f"{analysis.package} {analysis.script}")
    if script.rule is not None:
        where = replace(script.rule.position, key="", package=where.package)
    status = 0
    try:
        for action in actions:
            status = action(context)
        status = status if analysis.tells else 0
    except Exit as end:
        status = end.status
    except AssembleError as error:
        failed = ScriptFailed("the script cannot be carried out", where=where, why=str(error))
        raise _executable(failed, script, own) from error
    if status:
        failed = ScriptFailed("the script would have failed", where=where, why=f"it exits with status {status}")
        raise _executable(failed, script, own)


def _executable(failed: ScriptFailed, script: Script, own: Collection[Rule]) -> ScriptFailed:
    if script.rule not in own:
        failed.instead = script.analysis.package, script.analysis.script
    return failed


def configure(tree: Tree, packages: Sequence[Unpacked], settings: Settings, reporter: Reporter = SILENT) -> Report:
    """Configure `packages` (in the order in which they were unpacked) in `tree`.

    Those that dpkg is to unpack in a machine are among them, and not in the tree, unless dpkg needs them itself.
    Raises Problems when scripts are unhandled, and then nothing has been changed; ScriptFailed when one would fail, and
    what the machine raises.
    """
    execution = settings.execution
    executed = execution.names if execution else {}
    unpacked_there = execution.unpacked if execution else frozenset()
    scripts = survey(
        packages,
        settings.arch,
        settings.rules,
        settings.first_boot,
        executed=executed,
        unpacked=unpacked_there,
    )
    if unhandled := problems(scripts):
        raise Problems(unhandled)
    there = [package for package in packages if package.name not in unpacked_there]
    digests = dpkg_database.conffile_digests(tree, there)
    context = ExecutionContext(
        tree,
        settings.arch,
        depmod=settings.depmod,
        owners=lambda path: {package.name for package in there if path in package.paths},
    )
    known = orderable(packages)
    order = configure_order(known, settings.first)
    by_key: dict[tuple[str, str], list[Script]] = {}
    for script in scripts:
        by_key.setdefault((script.analysis.package, script.analysis.script), []).append(script)
    done: list[Script] = []
    by_name = {package.name: package for package in packages}
    shipped_by = shippers(packages)
    later = dict(by_name)
    with reporter.step("configure", total=2 * len(packages), unit="items") as step:
        for stage, names in enumerate(map(set, stages(known, settings.first))):
            for name in names:
                del later[name]
            context.hidden = _programs(later.values())
            sequence: list[tuple[str, tuple[str, ...]]] = [
                (package.name, ("preinst",)) for package in packages if package.name in names
            ]
            sequence += [(name, ("postinst", BESIDES)) for name in order if name in names]
            for name, kinds in sequence:
                for script in [script for kind in kinds for script in by_key.get((name, kind), ())]:
                    step.note(name)
                    if script.left:
                        pass
                    elif script.analysis.script == "preinst" and stage and script.handling != "nothing":
                        # Essential packages are unpacked before any script can run.
                        with hidden_until_unpacked(tree, by_name[name], shipped_by):
                            _run(script, context, settings.rules)
                    else:
                        _run(script, context, settings.rules)
                    done.append(script)
                step.advance()
    context.hidden = frozenset()
    activated = triggers.activated(there, context.triggers)
    for script in scripts:
        if activated.intersection(script.triggers):
            _run(script, context, settings.rules)
            done.append(script)
    late = {**settings.first_boot, **executed}
    for package in there:
        if package.name in late:
            first_boot.set_back(tree, package)
    try:
        dpkg_database.write(tree, there, digests, settings.arch, unpacked=late)
    except TreeError as error:
        raise ScriptFailed("dpkg's database cannot be written", why=str(error)) from error
    secrets = Secrets()
    if execution and executed:
        early = frozenset(stages(known, settings.first)[0])
        job = executed_job(execution, packages, order, early, settings.epoch)
        secrets = carried_out(
            execution.execute, tree, job, shipped_by, refuse_keys=execution.refuse_keys, names=executed
        )
    if settings.first_boot:
        waiting = [script.analysis for script in scripts if script.first_boot]
        preinst = [one.package for one in waiting if one.script == "preinst" and one.package not in unpacked_there]
        first_boot.prepare(tree, packages, settings.first_boot, preinst)
    caches.prepare(tree)
    identity.prepare(tree, by_name)
    reports = tuple(script.report() for script in done)
    return Report(reports, tuple(order), tuple(sorted(activated)), secrets.keys, secrets.alike)


def executing_the_rest(attempt: Callable[[Failed], T], mode: Scripts) -> T:
    """What `attempt` makes, which configures a tree anew each time it is called.

    What turns out not to be computable is executed from then on, where `mode` allows both: each time, `attempt` is
    given all that failed before. Raises what it raises.
    """
    failed: dict[tuple[str, str], str] = {}
    while True:
        try:
            return attempt(failed)
        except ScriptFailed as error:
            if mode != "auto" or not error.instead[0] or error.instead in failed:
                raise
            failed[error.instead] = error.why


def _programs(packages: Iterable[Unpacked]) -> frozenset[str]:
    """The names of the programs that packages ship."""
    return frozenset(path[path.rfind("/") + 1 :] for path in programs(packages))
