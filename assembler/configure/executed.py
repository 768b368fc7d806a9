"""Which packages are configured by the image's own dpkg, in a machine, and what it is asked to do.

Those with a script that cannot be vouched for, and those that have to be configured after them; all others are
computed before. A package is unpacked here as ever, unless its preinst has to be executed: then dpkg unpacks it, too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from assembler.configure.job import Answer, Configure, Execute, Job, Step, Unpack
from assembler.configure.order import Orderable, dependents, stages
from assembler.configure.rules import Rule
from assembler.configure.survey import survey
from assembler.debian.deb import Deb
from assembler.debian.dpkg_database import info_name
from assembler.debian.package import Unpacked
from assembler.recipe.model import Rootfs, Scripts


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


def may_execute(recipe: Rootfs) -> bool:
    """Whether anything of a recipe may have to be executed."""
    return recipe.scripts != "computed" or bool(recipe.run)


def chosen(
    packages: Sequence[Unpacked],
    arch: str,
    rules: Sequence[Rule],
    first_boot: Mapping[str, str],
    mode: Scripts,
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
        found.setdefault(script.analysis.package, f"its {script.analysis.script} is not understood")
    orderable = [Orderable(package.name, package.fields, "postinst" in package.control) for package in packages]
    for name in list(found):
        for other in dependents(orderable, [name]):
            if other not in first_boot:
                found.setdefault(other, f"it needs {name}")
    early = {script.analysis.package for script in unhandled if script.analysis.script == "preinst"}
    return found, [package.name for package in packages if package.name in early]


def laid_out(debs: Sequence[Deb], unpack: Collection[str]) -> list[Deb]:
    """Those of `debs` that are in the tree when the machine starts: all but those that dpkg is to `unpack` there, but
    with the essential ones and what they need, without which it could not.
    """
    needed = stages([Orderable(deb.name, deb.fields, "postinst" in deb.control) for deb in debs])[0]
    return [deb for deb in debs if deb.name not in unpack or deb.name in needed]


def job(
    execution: Execution, packages: Sequence[Unpacked], order: Sequence[str], first: frozenset[str], epoch: int
) -> Job:
    """What the machine does: `packages` are all of the image's, `order` is that of configuration, and those of `first`
    are dealt with before the others.
    """
    names = {package.name: info_name(package) for package in packages}
    steps: list[Step] = []
    if execution.selections:
        steps.append(Answer(selections=execution.selections))
    for stage in (True, False):
        unpack = tuple(deb for deb in execution.unpack if (deb.name in first) is stage)
        configure = tuple(names[name] for name in order if name in execution.names and (name in first) is stage)
        if unpack:
            steps.append(Unpack(packages=unpack, filters=execution.filters))
        if configure:
            steps.append(Configure(names=configure, force=stage))
    return Job(steps=tuple(steps), epoch=epoch)
