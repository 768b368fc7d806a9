"""``assemble check``: how every maintainer script of an image is taken care of."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.completion import recipes
from assembler.cli.session import Session, network_options, options, recipe_options, session
from assembler.errors import AssembleError, Place, Problems

if TYPE_CHECKING:
    from assembler.api import AgainstDpkg, CheckResult, RandomResult
    from assembler.configure.report import ScriptReport


_ALL = "*"
"""Stands for all packages: no package is called that."""


@click.command(short_help="Say how every package's scripts are handled.")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE.toml", shell_complete=recipes)
@recipe_options
@click.option(
    "--against-dpkg",
    is_flag=True,
    help="Have the packages' own dpkg install all of them in a machine, too, and compare what it makes, path by path."
    " That takes some minutes, once.",
)
@click.option(
    "--random",
    is_flag=True,
    help="Execute scripts with another seed and on another date, too, and list what they make another one then."
    " That takes some minutes, once.",
)
@click.option(
    "--effects",
    metavar="[PACKAGE]",
    is_flag=False,
    flag_value=_ALL,
    help="Say what each script that is computed does (or each of PACKAGE), with the line that does it: accounts, units,"
    " alternatives, diversions, answers to debconf, files, owners and modes.",
)
@click.option("--locked", is_flag=True, help="Fail rather than make a lock that is missing.")
@network_options
@options
def check(
    recipe: Path,
    args: dict[str, str],
    *,
    against_dpkg: bool,
    random: bool,
    effects: str | None,
    locked: bool,
    offline: bool,
    store: Path | None,
    jobs: int | None,
    **common: Any,
) -> None:
    """Say, for each package of RECIPE.toml's image, what becomes of its scripts.

    A script is computed, which is to say carried out on the tree by the assembler's own shell and programs; or a rule
    that a person wrote stands for it. Or it is executed in an emulated machine, with the line and the command that are
    not computed; left to the image's first boot; or, with scripts = "computed", unhandled: then a build stops, and what
    has to be read and the rule to fill in are shown. Nothing is built and nothing executed, but everything else up to
    the finished root file system is tried. The exit status is 1 when a build would stop.
    """
    if against_dpkg + random + bool(effects) > 1:
        raise click.UsageError("--against-dpkg, --random and --effects are different checks: name one of them.")
    with session(store=store, jobs=jobs, **common) as current:
        from assembler import api  # noqa: PLC0415  half a second that --help need not wait

        given, workspace = current.recipe(recipe, args), current.workspace(offline=offline)
        if against_dpkg:
            _tell_differences(current, api.check_against_dpkg(given, workspace, locked=locked))
        elif random:
            _tell_random(current, api.check_random(given, workspace, locked=locked))
        else:
            _tell(current, api.check(given, workspace, locked=locked, effects=bool(effects)), effects or "")


def _tell(current: Session, checked: "CheckResult", effects: str = "") -> None:
    """Tell what was found, with the effects of the package `effects`, if any; raises Problems with all that would stop
    a build, and AssembleError when there is no such package.
    """
    scripts = checked.scripts
    if effects in {"", _ALL}:
        for line in _table(scripts):
            current.say(line)
    elif effects not in checked.packages:
        raise AssembleError("there is no such package in the image", where=Place(package=effects))
    else:
        scripts = tuple(script for script in scripts if script.package == effects)
    if effects:
        for line in _effects(scripts):
            current.say(line)
    current.say(_counted(checked.packages, checked.scripts))
    current.reporter.result({"packages": list(checked.packages), "scripts": [_values(script) for script in scripts]})
    if checked.problems:
        raise Problems(checked.problems)


def _tell_differences(current: Session, found: "AgainstDpkg") -> None:
    """Tell how the image differs from what dpkg makes; raises Problems when some of that is not explained, or a build
    would stop at a private key.
    """
    for one in found.unexplained:
        current.say(f"{one.path}: {one.aspect}")
        current.quote(one.text)
    explained = Counter(one.reason for one in found.differences if one.reason)
    for reason, count in explained.most_common():
        current.say(f"{count:6} explained: {reason}")
    current.say(_counted(found.packages, found.scripts))
    current.reporter.result(
        {
            "packages": list(found.packages),
            "scripts": [_values(script) for script in found.scripts],
            "differences": [asdict(one) for one in found.differences],
            "keys": [key.where.path for key in found.keys],
        }
    )
    errors = list(found.keys)
    if bad := len(found.unexplained):
        error = AssembleError(
            "the image is not what dpkg makes of its packages",
            why=f"{bad} difference{'s are' if bad > 1 else ' is'} not explained",
            hint="scripts that are to blame can be executed: rootfs.scripts, or --scripts executed; please report them",
        )
        errors.append(error)
    if errors:
        raise Problems(errors)
    current.say("the image is what dpkg makes of its packages, but for what is explained")


def _tell_random(current: Session, result: "RandomResult") -> None:
    """Tell what is random or dated."""
    wide = max((len(one.package) for one in result.found), default=0)
    for one in result.found:
        how = "; ".join(
            f"with another {what}, {text}" for what, text in (("seed", one.seed), ("date", one.date)) if text
        )
        current.say(f"{one.package:{wide}}  {one.path}: {how}".lstrip())
    current.reporter.result(
        {"jobs": result.jobs, "paths": result.paths, "random": [asdict(one) for one in result.found]}
    )
    if not result.jobs:
        current.say("no script is executed: nothing is random")
        return
    current.say(
        f"{len(result.found)} of {result.paths} paths that scripts make are random or dated; they are the same in each "
        "build, and on each node"
    )


def _counted(packages: Sequence[str], scripts: Sequence["ScriptReport"]) -> str:
    """How many packages and scripts there are, for people."""
    scripted = {script.package for script in scripts}
    counts = Counter(script.handling for script in scripts)
    counted = ", ".join(f"{count} {handling}" for handling, count in sorted(counts.items()))
    return f"{len(packages)} packages, {len(scripted)} with scripts: {counted}"


def _table(scripts: Sequence["ScriptReport"]) -> Iterator[str]:
    """A line a script: package, script, handling, how or why."""
    wide = max((len(script.package) for script in scripts), default=0)
    for script in sorted(scripts, key=lambda script: script.package):
        how = f"{script.rule}: {script.reason}" if script.rule else script.reason
        if script.triggers:
            how = f"{how} (by {', '.join(script.triggers)})".lstrip()
        yield f"{script.package:{wide}}  {script.script:9}  {script.handling:10}  {how}".rstrip()


def _effects(scripts: Sequence["ScriptReport"]) -> Iterator[str]:
    """What scripts do: a line an effect, with the line of the script that does it."""
    from assembler.configure.effects import described  # noqa: PLC0415  --help need not wait

    for script in scripts:
        yield f"{script.package} {script.script} ({script.handling})"
        for effect in script.effects:
            at = str(effect.line) if effect.line else ""
            yield f"  {at:>5}  {described(effect)}"


def _values(script: "ScriptReport") -> dict[str, Any]:
    """A script for programs: what is empty is left out."""
    return {key: value for key, value in asdict(script).items() if value}
