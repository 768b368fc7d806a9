"""``assemble check``: how every maintainer script of an image is taken care of."""

from pathlib import Path
from typing import Any

import click

from assembler.cli.completion import recipes
from assembler.cli.session import network_options, options, recipe_options, session


@click.command(short_help="Tell how every package's scripts are taken care of.")
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
    """Tell, for each package of RECIPE.toml's image, what is done instead of running its scripts.

    A script is generated snippets, commands that are understood in full, a rule that a person wrote for its text, left
    to the image's first boot, or unhandled: then a build stops, and what has to be read and the rule to fill in are
    shown. Nothing is built, but everything up to the finished root file system is tried. The exit status is 1 when a
    build would stop.
    """
    with session(store=store, jobs=jobs, **common) as current:
        from assembler.api.check import check_recipe  # noqa: PLC0415  half a second that --help need not wait

        check_recipe(current, recipe, args, locked=locked, offline=offline)
