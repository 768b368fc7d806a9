"""``assemble check``: how every maintainer script of an image is taken care of."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.completion import recipes
from assembler.cli.session import Session, network_options, options, recipe_options, session
from assembler.errors import Problems

if TYPE_CHECKING:
    from assembler.api import CheckResult
    from assembler.configure.report import ScriptReport


@click.command(short_help="Say how every package's scripts are handled.")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE.toml", shell_complete=recipes)
@recipe_options
@click.option("--locked", is_flag=True, help="Fail rather than make a lock that is missing.")
@network_options
@options
def check(
    recipe: Path,
    args: dict[str, str],
    *,
    locked: bool,
    offline: bool,
    store: Path | None,
    jobs: int | None,
    **common: Any,
) -> None:
    """Say, for each package of RECIPE.toml's image, what becomes of its scripts.

    A script is generated snippets, commands that are understood in full, or a rule that a person wrote for its text:
    then it is computed. Or it is executed in an emulated machine, with the line that is not understood; left to the
    image's first boot; or, with scripts = "computed", unhandled: then a build stops, and what has to be read and the
    rule to fill in are shown. Nothing is built and nothing executed, but everything else up to the finished root file
    system is tried. The exit status is 1 when a build would stop.
    """
    with session(store=store, jobs=jobs, **common) as current:
        from assembler import api  # noqa: PLC0415  half a second that --help need not wait

        _tell(current, api.check(current.recipe(recipe, args), current.workspace(offline=offline), locked=locked))


def _tell(current: Session, checked: "CheckResult") -> None:
    """Tell what was found; raises Problems with all that would stop a build."""
    for line in _table(checked.scripts):
        current.say(line)
    scripted = {script.package for script in checked.scripts}
    counts = Counter(script.handling for script in checked.scripts)
    counted = ", ".join(f"{count} {handling}" for handling, count in sorted(counts.items()))
    current.say(f"{len(checked.packages)} packages, {len(scripted)} with scripts: {counted}")
    current.reporter.result(
        {"packages": list(checked.packages), "scripts": [_values(script) for script in checked.scripts]}
    )
    if checked.problems:
        raise Problems(checked.problems)


def _table(scripts: Sequence["ScriptReport"]) -> Iterator[str]:
    """A line a script: package, script, handling, how or why."""
    wide = max((len(script.package) for script in scripts), default=0)
    for script in sorted(scripts, key=lambda script: script.package):
        how = f"{script.rule}: {script.reason}" if script.rule else script.reason
        how = how or ", ".join(dict.fromkeys(script.tools))
        if script.triggers:
            how = f"{how} (by {', '.join(script.triggers)})".lstrip()
        yield f"{script.package:{wide}}  {script.script:9}  {script.handling:10}  {how}".rstrip()


def _values(script: "ScriptReport") -> dict[str, Any]:
    """A script for programs: what is empty is left out."""
    return {key: value for key, value in asdict(script).items() if value}
