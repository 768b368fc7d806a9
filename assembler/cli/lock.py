"""``assemble lock``: fix what goes into an image."""

from pathlib import Path
from typing import Any

import click

from assembler.cli.completion import recipes
from assembler.cli.session import network_options, options, recipe_options, session


@click.command(short_help="Lock a recipe to what the archives have now.")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE.toml", shell_complete=recipes)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the lock here.  [default: NAME.lock.toml beside the recipe]",
)
@click.option(
    "--upgrade", is_flag=True, help="Take everything as the archives have it now, not only what the recipe newly wants."
)
@click.option(
    "--upgrade-package",
    "packages",
    multiple=True,
    metavar="NAME",
    help="Take this package, and all from its source package, as the archives have it now; all else stays as it is "
    "locked. May be repeated.",
)
@click.option(
    "--diff",
    is_flag=True,
    help="Show what would change in the lock, and the changelogs of packages in the store, and write nothing.",
)
@click.option(
    "--check", is_flag=True, help="Fail unless there is a lock that fits the recipe; write nothing, ask nobody."
)
@click.option(
    "--prove",
    is_flag=True,
    help="Check, and follow each package from the lock through the archive's index up to its signature.",
)
@recipe_options
@network_options
@options
def lock(
    recipe: Path,
    out: Path | None,
    packages: tuple[str, ...],
    args: dict[str, str],
    *,
    upgrade: bool,
    diff: bool,
    check: bool,
    prove: bool,
    offline: bool,
    store: Path | None,
    jobs: int | None,
    **common: Any,
) -> None:
    """Fix every package that RECIPE.toml needs, by version and SHA-256.

    Building then gives the same bytes until the lock is upgraded. When there is a lock, what it has stays, and what the
    recipe newly wants is taken from the archives as they were then.
    """
    if (check or prove) and (upgrade or packages or diff):
        raise click.UsageError(
            "--check and --prove only look at the lock: leave out --upgrade, --upgrade-package and --diff"
        )
    if upgrade and packages:
        raise click.UsageError("--upgrade takes all packages, --upgrade-package some: give one of them")
    with session(store=store, jobs=jobs, **common) as current:
        from assembler.api import lock  # noqa: PLC0415  half a second that --help need not wait

        if check or prove:
            lock.check_file(current, recipe, args, out, offline=offline, prove=prove)
        else:
            moving = None if upgrade else packages
            lock.lock_file(current, recipe, args, out, upgrade=moving, write=not diff, offline=offline)
