"""Configuring packages: what ``dpkg --configure`` of all of them would have left, computed over the staging tree.

For the essential packages and again for the rest come preinst scripts in the order of unpacking and postinst scripts in
that of configuration; at last triggers, and the database of dpkg. Scripts that cannot be carried out are told of all at
once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from assembler.configure import evaluated, first_boot, identity, leftovers, triggers
from assembler.configure.effects import EffectsOf
from assembler.configure.executed import Execution, Failed, Secrets, carried_out, programs
from assembler.configure.executed import job as executed_job
from assembler.configure.identity import made_on_node
from assembler.configure.identity.made_on_node import NotLeftError, Work
from assembler.configure.known import CONFIGURING, INSTALLED, UNPACKED, UNPACKING, AtThatTime
from assembler.configure.not_unpacked import hidden_until_unpacked, owned_by_name, owners, shippers, unpack_aside
from assembler.configure.order import Orderable, configure_order, dependents, orderable, stages
from assembler.configure.orders import in_any_order, may_see_order
from assembler.configure.report import Report
from assembler.configure.rules import Rule
from assembler.configure.supposed import may_ask, whatever_is_answered
from assembler.configure.survey import BESIDES, TRIGGERED, Script, UnhandledScript, survey
from assembler.debian import dpkg_database
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place, Problems
from assembler.programs.context import ExecutionContext
from assembler.programs.modules import ByteCode, Module
from assembler.progress import SILENT, Reporter
from assembler.recipe.model import Scripts
from assembler.shell.streams import Refused
from assembler.tree.kept import Keep, at_once
from assembler.tree.staging import Tree, TreeError
from assembler.tree.watched import Watch

T = TypeVar("T")


class ScriptFailed(AssembleError):
    """A script that would have failed, or whose effect on the tree cannot be made."""

    instead: tuple[str, str] = ("", "")
    """The package and the script that may be executed instead; empty where that would not help."""


class ScriptsFailed(Problems):
    """Several of them, all of which may be executed instead."""

    def __init__(self, errors: Sequence[ScriptFailed]) -> None:
        super().__init__(errors)
        self.instead = [(error.instead, error.why) for error in errors]


@dataclass(frozen=True, slots=True)
class Settings:
    """What configuring depends on besides the packages."""

    epoch: int
    """SOURCE_DATE_EPOCH in seconds: the day of account changes and the time of files made."""
    arch: str
    """Debian architecture of the image."""
    rules: tuple[Rule, ...] = ()
    """Rules beside the built-in ones; they come first."""
    keep: Keep = at_once
    """Keeps what takes long to compute."""
    first_boot: Mapping[str, str] = field(default_factory=dict)
    """Packages that stay unpacked, to be configured by dpkg on the image's first boot, with the reasons."""
    selections: str = field(default="", repr=False)
    """Answers to debconf's questions, as debconf-set-selections(1) reads them; some may be secret."""
    execution: Execution | None = None
    """Packages that dpkg configures in a machine; None when all have to be computed."""
    first: frozenset[str] = frozenset()
    """Packages that are configured before any other is unpacked, as on a system that had them already."""
    effects: bool = False
    """Whether to tell what each script does."""
    python: str = ""
    """The version of Python (``3.13``) whose byte code is made; empty when it is left out."""
    fill: Callable[[Sequence[Module]], None] = lambda _: None
    """Fills files with the byte code of modules."""
    thorough: bool = False
    """Whether scripts of packages that need one with a script that is not computed are carried out all the same, for
    those who want to be told of each."""


def _not_carried_out(error: AssembleError, script: Script, own: Sequence[Rule]) -> ScriptFailed:
    within = f"line {error.line}: " if isinstance(error, Refused) and error.line else ""
    command = error.command if isinstance(error, Refused) else ()
    failed = ScriptFailed(
        "the script cannot be carried out",
        where=_place(script),
        why=f"{within}{error}",
        hint=script.hint() if script.rule is None else "",
        details=script.stanza(command).splitlines() if script.rule is None else (),
    )
    return _executable(failed, script, own)


def _place(script: Script) -> Place:
    where = Place(package=f"{script.package} {script.name}")
    return where if script.rule is None else replace(script.rule.position, key="", package=where.package)


def _run(script: Script, arguments: Sequence[str], context: ExecutionContext, own: Sequence[Rule]) -> None:
    """Carry a script out with its arguments; `own` are the rules of the recipe."""
    context.package = script.package
    at = ""
    try:
        if script.handling == "unhandled":
            raise script.problem()
        if script.rule is not None:
            status = evaluated.carry_out_rule(script.rule, arguments, context)
        else:
            status, line = evaluated.carry_out(
                script.text, arguments, context, file=script.file, own=own, path=script.path
            )
            at = f" in line {line}"
        if script.name == "triggered":
            at += f", triggered by {arguments[1]}"
    except UnhandledScript as error:
        failed = ScriptFailed(error.what, where=error.where, why=error.why, hint=error.hint, details=error.details)
        raise _executable(failed, script, own) from error
    except AssembleError as error:
        raise _not_carried_out(error, script, own) from error
    if status:
        failed = ScriptFailed(
            "the script would have failed", where=_place(script), why=f"it exits with status {status}{at}"
        )
        raise _executable(failed, script, own)


def _executable(failed: ScriptFailed, script: Script, own: Sequence[Rule]) -> ScriptFailed:
    if script.rule is None or script.rule not in own:
        failed.instead = script.package, script.name
    return failed


def _once(context: ExecutionContext, carry_out: Callable[[ExecutionContext], None]) -> None:
    carry_out(context)


@dataclass(slots=True)
class _Runner:
    """Carries scripts out, one after the other, and notes those that have to be executed instead."""

    context: ExecutionContext
    own: Sequence[Rule]
    known: Sequence[Orderable]
    failures: list[ScriptFailed] = field(default_factory=list)
    without: set[str] = field(default_factory=set)
    """Packages that cannot be configured here any more."""
    watch: Watch | None = None
    """Where it is told what scripts do."""
    thorough: bool = False
    """Whether those that need others which cannot be configured are tried all the same."""

    def run(self, script: Script, arguments: Sequence[str]) -> Script:
        """Carry a script out, if its package can be configured. Raises ScriptFailed where executing would not help."""
        name = script.package
        if name in self.without:
            return script
        try:
            return self._observed(script, arguments)
        except ScriptFailed as error:
            if not error.instead[0]:
                raise
            self.failures.append(error)
            self.without |= {name} if self.thorough else {name, *dependents(self.known, [name])}
            return script

    def run_or_wait(self, script: Script) -> Script | None:
        """Carry a preinst out, or leave everything as it was; None when it has to wait."""
        tree, triggers, node = self.context.tree, list(self.context.triggers), self.context.node.copy()
        before = tree.copy()
        try:
            return self._observed(script, ("install",))
        except ScriptFailed:
            tree.root, self.context.triggers, self.context.node = before.root, triggers, node
            return None

    def activated(self) -> list[str]:
        """The triggers that scripts have activated since the last call."""
        found = list(self.context.triggers)
        self.context.triggers.clear()
        return found

    def _observed(self, script: Script, arguments: Sequence[str]) -> Script:
        """Carry a script out; with all that it did, where that is asked for."""
        if self.watch is None:
            self._carry_out(script, arguments)
            return script
        context, effects = self.context, EffectsOf(self.watch, self.context.triggers)
        context.done = effects.done
        try:
            self._carry_out(script, arguments)
        finally:
            context.done = None
        effects.done(0)
        return replace(script, effects=tuple(effects.found))

    def _carry_out(self, script: Script, arguments: Sequence[str]) -> None:
        def carry_out(context: ExecutionContext) -> None:
            _run(script, arguments, context, self.own)

        def whatever(context: ExecutionContext) -> None:
            (whatever_is_answered if may_ask(script.text) else _once)(context, carry_out)

        try:
            (in_any_order if may_see_order(script.text) else _once)(self.context, whatever)
        except Refused as error:
            raise _not_carried_out(error, script, self.own) from error

    def left_to_nodes(self) -> Work:
        """Take what each node makes out of the tree; what nodes do."""
        return self.of_nodes(lambda: made_on_node.taken_out(self.context.tree, self.context.node), Work())

    def of_nodes(self, make: Callable[[], T], otherwise: T) -> T:
        """What `make` does for nodes, or `otherwise` where they cannot do it, which is noted."""
        try:
            return make()
        except NotLeftError as error:
            # Nobody knows which of a package's scripts it was.
            failed = ScriptFailed(error.what, where=error.where)
            failed.instead = error.where.package, "postinst"
            self.failures.append(failed)
            return otherwise

    def finish(self) -> None:
        """Raises ScriptsFailed when any has failed."""
        if self.failures:
            raise ScriptsFailed(self.failures)


def configure(tree: Tree, packages: Sequence[Unpacked], settings: Settings, reporter: Reporter = SILENT) -> Report:
    """Configure `packages` (in the order in which they were unpacked) in `tree`.

    Those that dpkg is to unpack in a machine are among them, and not in the tree, unless dpkg needs them itself.
    Raises ScriptsFailed, with all scripts that cannot be computed or would fail, ScriptFailed for one whose execution
    would not help either, and what the machine raises. The tree may then be changed in part.
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
    there = [package for package in packages if package.name not in unpacked_there]
    digests = dpkg_database.conffile_digests(tree, there)
    for package in there:
        dpkg_database.write_info(tree, package)
    by_name = {package.name: package for package in packages}
    at_that_time = AtThatTime(settings.arch, digests, by_name)
    context = _context(tree, there, settings, at_that_time)
    context.absent = at_that_time.absent
    told = triggers.pending(there, at_that_time.states)
    known = orderable(packages)
    order = configure_order(known, settings.first)
    by_key: dict[tuple[str, str], list[Script]] = {}
    for script in scripts:
        by_key.setdefault((script.package, script.name), []).append(script)
    done: list[Script] = []
    shipped_by = shippers(packages)
    later = dict(by_name)
    late_preinst: list[str] = []
    late = {**settings.first_boot, **executed}

    def unpacked_later(package: Unpacked, stage: int) -> AbstractContextManager[None]:
        # Essential packages are unpacked before any script can run.
        return hidden_until_unpacked(tree, package, shipped_by) if stage else nullcontext()

    watch = Watch(tree) if settings.effects else None
    runner = _Runner(context, settings.rules, known, watch=watch, thorough=settings.thorough)
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
                unpacks = "preinst" in kinds
                at_that_time.states[name] = UNPACKING if unpacks else CONFIGURING
                if not unpacks and name not in late:
                    told.configured(by_name[name])
                for script in [script for kind in kinds for script in by_key.get((name, kind), ())]:
                    step.note(name)
                    if script.left:
                        pass
                    elif script.name == "preinst":
                        with dpkg_database.control_laid_out(tree, by_name[name]), unpacked_later(by_name[name], stage):
                            if not script.may_wait:
                                script = runner.run(script, ("install",))  # noqa: PLW2901  as it turned out
                            elif (tried := runner.run_or_wait(script)) is not None:
                                script = tried  # noqa: PLW2901  as above
                            else:
                                late_preinst.append(name)
                                script = replace(script, first_boot=script.may_wait)  # noqa: PLW2901  as above
                    else:
                        script = runner.run(script, ("configure", ""))  # noqa: PLW2901  as above
                    done.append(script)
                at_that_time.states[name] = UNPACKED if unpacks or name in late else INSTALLED
                told.activate(runner.activated())
                if unpacks and name not in unpacked_there:
                    owned_by_name(tree, by_name[name])
                    told.unpacked(by_name[name])
                    if runner.without.isdisjoint((name, *(each.other for each in by_name[name].aside))):
                        unpack_aside(tree, by_name[name], by_name.keys() - unpacked_there)
                step.advance()
    context.hidden = frozenset()
    done += _triggered(runner, told, by_key)
    work = runner.left_to_nodes()
    runner.finish()
    if path := next(leftovers.copied(tree), ""):
        raise ScriptFailed("a script has copied what each node is to make itself", where=Place(path=path))
    leftovers.take_out(tree, shipped_by, byte_code=bool(settings.python))
    if context.byte_code is not None:
        settings.fill(context.byte_code.modules())
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
        has_code = bool(settings.python)
        stand_ins: dict[str, bytes] = {}
        runner.of_nodes(lambda: stand_ins.update((name, work.script(name, tree)) for name in work.packages), None)
        runner.finish()
        job = executed_job(execution, packages, order, early, settings.epoch, byte_code=has_code, stand_ins=stand_ins)
        secrets = carried_out(
            execution.execute,
            tree,
            job,
            shipped_by,
            refuse_keys=execution.refuse_keys,
            names=executed,
            byte_code=has_code,
            work=work,
        )
    if settings.first_boot:
        waiting = [script for script in scripts if script.first_boot]
        preinst = [one.package for one in waiting if one.name == "preinst" and one.package not in unpacked_there]
        preinst += late_preinst
        first_boot.prepare(tree, packages, settings.first_boot, preinst)
    identity.prepare(tree, by_name)
    runner.of_nodes(lambda: made_on_node.prepare(tree, work), None)
    runner.finish()
    reports = tuple(script.report() for script in done)
    return Report(reports, tuple(order), tuple(sorted(told.seen)), secrets.keys, secrets.alike)


def _context(tree: Tree, packages: Sequence[Unpacked], settings: Settings, known: AtThatTime) -> ExecutionContext:
    """What scripts work on: `tree`, which has the files of `packages`, and what dpkg has `known` of all."""
    context = ExecutionContext(
        tree,
        settings.arch,
        keep=settings.keep,
        owners=lambda path: owners(packages, path),
        packages=known,
        byte_code=ByteCode(settings.python) if settings.python else None,
    )
    evaluated.answer(settings.selections, context)
    return context


def _triggered(
    runner: _Runner, told: triggers.Pending, scripts: Mapping[tuple[str, str], list[Script]]
) -> list[Script]:
    """Carry out what packages are triggered to do, as long as there is anything; returns the scripts. Raises
    ScriptFailed.
    """
    done: list[Script] = []
    while (turn := told.next()) is not None:
        name, names = turn
        for script in scripts.get((name, TRIGGERED), ()):
            if pending := [trigger for trigger in names if trigger in script.triggers]:
                script = runner.run(script, ("triggered", " ".join(pending)))  # noqa: PLW2901  as it turned out
                done.append(replace(script, triggers=tuple(pending)))
                names = [trigger for trigger in names if trigger not in pending]
        if names and scripts.get((name, "postinst")):
            what = "a trigger that nothing was thought to activate"
            failed = ScriptFailed(what, where=Place(package=name), why=names[0])
            failed.instead = name, "postinst"
            runner.failures.append(failed)
        told.activate(runner.activated())
    return done


def trigger(
    tree: Tree, packages: Sequence[Unpacked], settings: Settings, paths: Sequence[str], commands: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Have configured `packages` do what files at `paths` trigger, which have come since, and carry out `commands`.

    Returns the commands that cannot be computed, those that trigger something among them, and why; the tree is then as
    it was before each. `settings` as for `configure`.
    """
    told = _told(packages, settings, paths)
    failed: list[tuple[str, str]] = []
    if not told.seen and not commands:
        return failed
    by_name = {package.name: package for package in packages}
    known = AtThatTime(settings.arch, dpkg_database.conffile_digests(tree, packages), by_name)
    known.states.update(told.states)
    context = _context(tree, packages, settings, known)
    runner = _Runner(context, settings.rules, orderable(packages))
    scripts = survey(packages, settings.arch, settings.rules, settings.first_boot, paths=paths)

    def attempt(what: str, do: Callable[[], object]) -> None:
        before, node = tree.copy(), context.node.copy()
        try:
            do()
            why = "each node would make something of it" if runner.left_to_nodes().packages else ""
        except AssembleError as error:
            why = f"{error.what}: {error.why}" if error.why else error.what
        if why:
            tree.root, context.node = before.root, node
            failed.append((what, why))

    for command in commands:
        attempt(command, partial(_call, command, context))
    while (turn := told.next()) is not None:
        name, names = turn
        for script in scripts:
            if script.package == name and script.name == TRIGGERED and not set(names).isdisjoint(script.triggers):
                pending = [each for each in names if each in script.triggers]
                call = partial(_run, script, ("triggered", " ".join(pending)), context, settings.rules)
                attempt(_by_dpkg(pending, name), call)
        told.activate(runner.activated())
    if context.byte_code is not None:
        settings.fill(context.byte_code.modules())
    return failed


def told_again(packages: Sequence[Unpacked], settings: Settings, paths: Sequence[str]) -> list[str]:
    """The commands, at most one, that have dpkg do in an image what `trigger` does here."""
    told = _told(packages, settings, paths)
    return [_by_dpkg(sorted(told.seen), "--pending")] if told.seen else []


def _told(packages: Sequence[Unpacked], settings: Settings, paths: Sequence[str]) -> triggers.Pending:
    """What files at `paths` trigger where `packages` are configured."""
    states = dict.fromkeys((package.name for package in packages), INSTALLED)
    told = triggers.pending(packages, states | dict.fromkeys(settings.first_boot, UNPACKED))
    told.activate(paths)
    return told


def _by_dpkg(names: Iterable[str], packages: str) -> str:
    """The command that has dpkg tell `packages` of the triggers `names`, and do what they trigger in turn."""
    activated = "".join(f"dpkg-trigger --by-package=dpkg --no-await {each}\n" for each in names)
    return f"{activated}dpkg --triggers-only {packages}"


def _call(command: str, context: ExecutionContext) -> None:
    """Carry out a command by itself. Raises AssembleError."""
    status, _ = evaluated.carry_out(f"#!/bin/sh -e\n{command}\n".encode(), (), context, file="postinst")
    if status:
        raise ScriptFailed("it would have failed", why=f"with status {status}")


def executing_the_rest(attempt: Callable[[Failed], T], mode: Scripts) -> T:
    """What `attempt` makes, which configures a tree anew each time it is called.

    What turns out not to be computable is executed from then on, where `mode` allows both: each time, `attempt` is
    given all that failed before. Raises what it raises.
    """
    failed: dict[tuple[str, str], str] = {}
    while True:
        try:
            return attempt(failed)
        except ScriptsFailed as error:
            if mode != "auto" or any(script in failed for script, _ in error.instead):
                raise
            failed |= dict(error.instead)


def _programs(packages: Iterable[Unpacked]) -> frozenset[str]:
    """The names of the programs that packages ship."""
    return frozenset(path[path.rfind("/") + 1 :] for path in programs(packages))
