"""Which packages are configured by the image's own dpkg, in a machine, and what it is asked to do.

Those with a script that cannot be vouched for, and those that have to be configured after them; all others are
computed before. A package is unpacked here as ever, unless its preinst has to be executed: then dpkg unpacks it, too.
"""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from assembler.configure import identity, leftovers
from assembler.configure.identity import alike
from assembler.configure.identity.made_on_node import Work
from assembler.configure.job import Answer, Configure, Execute, Job, Run, Step, Unpack
from assembler.configure.order import dependents, orderable, stages
from assembler.configure.rules import Rule
from assembler.configure.survey import survey
from assembler.debian.deb import Deb
from assembler.debian.dpkg_database import info_name
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Problems
from assembler.programs.context import PATH
from assembler.recipe.model import Rootfs, Scripts
from assembler.tree.staging import Tree

Failed = Mapping[tuple[str, str], str]
"""Scripts that were vouched for and cannot be computed all the same: packages and scripts, and why not."""
_NOTHING: Failed = {}
_NO_STAND_INS: Mapping[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Execution:
    """Which packages are executed, and by whom."""

    execute: Execute
    names: Mapping[str, str]
    """Those that dpkg configures there, with the reasons."""
    unpack: tuple[Deb, ...] = ()
    """Those of them that it unpacks there, in this order."""
    filters: tuple[str, ...] = ()
    """dpkg's options for paths to leave out."""
    selections: str = ""
    """Answers to debconf's questions."""
    refuse_keys: bool = True
    """Whether private keys that scripts make end it; otherwise the report has them, for those who look at the tree and
    build nothing."""

    @property
    def unpacked(self) -> frozenset[str]:
        """The names of those that dpkg unpacks there."""
        return frozenset(deb.name for deb in self.unpack)


def may_execute(recipe: Rootfs) -> bool:
    """Whether anything of a recipe may have to be executed."""
    return recipe.scripts != "computed" or bool(recipe.run)


def chosen(
    packages: Sequence[Unpacked],
    arch: str,
    rules: Sequence[Rule],
    first_boot: Mapping[str, str],
    mode: Scripts,
    *,
    asking: Collection[str] = (),
    failed: Failed = _NOTHING,
) -> tuple[dict[str, str], list[str]]:
    """The packages to be configured by dpkg, with the reasons, and those to be unpacked by it, in the order given."""
    if mode == "computed":
        return {}, []
    if mode == "executed":
        names = {package.name: "all are executed" for package in packages if package.name not in first_boot}
        return names, [package.name for package in packages]
    scripts = survey(packages, arch, rules, first_boot)
    unhandled = [script for script in scripts if script.handling == "unhandled"]
    found: dict[str, str] = {}
    for script in unhandled:
        found.setdefault(script.package, f"its {script.file}: {script.odd}")
    for (name, file), why in failed.items():
        found.setdefault(name, f"its {'preinst' if file == 'preinst' else 'postinst'} cannot be computed: {why}")
    for name in sorted(asking):
        if name not in first_boot:
            found.setdefault(name, "the recipe answers its questions with a secret")
    known = orderable(packages)

    def with_dependents(names: Iterable[str]) -> None:
        for name in names:
            for other in dependents(known, [name]):
                if other not in first_boot:
                    found.setdefault(other, f"it needs {name}")

    with_dependents(list(found))
    first = stages(known)[0]
    if essential := next((name for name in first if name in found), ""):
        # All others count on what essential packages make, and name no dependency.
        busy = {script.package for script in scripts if script.handling != "first boot"}
        later = sorted(busy.difference(first, found))
        found |= dict.fromkeys(later, f"it comes after {essential}, which every system has")
        with_dependents(later)
    early = {script.package for script in unhandled if script.name == "preinst"}
    early |= {name for name, file in failed if file == "preinst"}
    return found, [package.name for package in packages if package.name in early]


def laid_out(debs: Sequence[Deb], unpack: Collection[str]) -> list[Deb]:
    """Those of `debs` that are in the tree when the machine starts: all but those that dpkg is to `unpack` there, but
    with the essential ones and what they need, without which it could not.
    """
    needed = stages(orderable(debs))[0]
    return [deb for deb in debs if deb.name not in unpack or deb.name in needed]


def until(job: Job, package: str) -> Job | None:
    """`job` up to where dpkg would turn to `package`; None when it does not."""
    steps: list[Step] = []
    for step in job.steps:
        if isinstance(step, Unpack):
            names = [deb.name for deb in step.packages]
            if package in names and step.packages[names.index(package)].control.get("preinst"):
                before = step.packages[: names.index(package)]
                return replace(job, steps=(*steps, *([replace(step, packages=before)] if before else ())))
        elif isinstance(step, Configure):
            names = [name.partition(":")[0] for name in step.names]
            if package in names:
                ready = step.names[: names.index(package)]
                return replace(job, steps=(*steps, *([replace(step, names=ready)] if ready else ())))
        steps.append(step)
    return None


def programs(packages: Iterable[Unpacked]) -> frozenset[str]:
    """The paths of the programs that packages ship."""
    directories = {f"{directory}/" for directory in PATH}
    return frozenset(
        path for package in packages for path in package.paths if path[: path.rfind("/") + 1] in directories
    )


@dataclass(frozen=True, slots=True)
class Secrets:
    """What scripts made that nodes should not have in common."""

    keys: tuple[AssembleError, ...] = ()
    """Private keys."""
    alike: tuple[AssembleError, ...] = ()
    """Other secrets, which are the same on every node."""
    left: tuple[str, ...] = ()
    """Paths of what nodes make themselves, and is not taken over."""


def carried_out(
    execute: Execute,
    tree: Tree,
    job: Job,
    shipped: Collection[str],
    *,
    refuse_keys: bool,
    names: Collection[str] = (),
    byte_code: bool = False,
    work: Work | None = None,
) -> Secrets:
    """Have `job` done on `tree`, but for what no image has; `shipped` are paths of packages, `names` the packages that
    are executed, `byte_code`: whether the image has that of Python's modules, `work` what scripts that were computed
    left to nodes, of which owners and modes may have become other.

    Returns what secrets came into being; with `refuse_keys`, raises Problems holding errors for private keys, and the
    tree is as it was. Raises what `execute` raises.
    """
    made = execute(tree, job)
    work = work or Work()
    work.judged(made, [step.package for step in job.steps if isinstance(step, Run) and step.package])
    changes = leftovers.without(made, shipped, byte_code=byte_code, work=work)
    keys = tuple(identity.shared_keys(changes, shipped))
    if keys and refuse_keys:
        raise Problems(keys)
    changes.apply(tree)
    leftovers.take_lists(tree, changes.put)
    selections = "".join(step.selections for step in job.steps if isinstance(step, Answer))
    return Secrets(
        keys=keys,
        alike=tuple(alike.found(changes, shipped, names, selections)) if names else (),
        left=tuple(path for path in made.put if path not in changes.put and identity.is_made_on_node(path)),
    )


def job(
    execution: Execution,
    packages: Sequence[Unpacked],
    order: Sequence[str],
    first: frozenset[str],
    epoch: int,
    *,
    byte_code: bool = False,
    stand_ins: Mapping[str, bytes] = _NO_STAND_INS,
) -> Job:
    """What the machine does: `packages` are all of the image's, `order` is that of configuration, and those of `first`
    are dealt with before the others; `byte_code`: whether the image has that of Python's modules. `stand_ins` make
    what scripts that were computed left to nodes, by package.
    """
    stand_ins = {**identity.STAND_INS, **stand_ins}
    names = {package.name: info_name(package) for package in packages}
    steps: list[Step] = []
    # What is computed has had its answers, and may have changed them.
    if selections := _of_owners(execution.selections, execution.names):
        steps.append(Answer(selections=selections))
    for stage in (True, False):
        unpack = tuple(deb for deb in execution.unpack if (deb.name in first) is stage)
        if unpack:
            steps.append(Unpack(packages=unpack, filters=execution.filters))
        # The others are in the tree already, where dpkg would not have unpacked them yet.
        later = [each for each in packages if stage and each.name not in first | execution.unpacked]
        hidden = tuple(sorted(programs(later)))
        there = [name for name in order if (name in first) is stage]
        for part in _parts(there, execution.names, stand_ins):
            if part[0] in execution.names:
                configured = tuple(names[name] for name in part)
                steps.append(Configure(names=configured, force=stage, hidden=hidden, byte_code=byte_code))
            else:
                steps += [
                    Run(name=f"that makes what {name} would", script=stand_ins[name], package=name) for name in part
                ]
    return Job(steps=tuple(steps), epoch=epoch)


def _parts(order: Sequence[str], executed: Collection[str], stand_ins: Collection[str]) -> list[list[str]]:
    """Of packages in the order of configuration, those that are executed and those that something stands in for, in
    turns: where these are computed, the tree has not what each node makes, and with the rest of that it is taken out
    again. Nothing stands in at the end, where nobody would see it.
    """
    told = [name for name in order if name in executed or name in stand_ins]
    parts = [list(part) for _, part in itertools.groupby(told, key=lambda name: name in executed)]
    return parts if not parts or parts[-1][0] in executed else parts[:-1]


def _of_owners(selections: str, names: Collection[str]) -> str:
    """The answers to questions of the packages `names`, and of nobody in particular."""
    kept: list[str] = []
    keep = continues = False
    for line in selections.splitlines(keepends=True):
        if not continues:
            owner = line.split(maxsplit=1)[0] if line.strip() else ""
            keep = owner in names or owner in {"*", "d-i", "debconf"}
        continues = line.rstrip("\n").endswith("\\")
        if keep:
            kept.append(line)
    return "".join(kept)
