"""``assemble shell``: look around in an image's root file system."""

from pathlib import Path
from typing import Any

import click

from assembler.cli.completion import recipes
from assembler.cli.session import network_options, options, recipe_options, session


@click.command(short_help="Look around in a recipe's root file system.")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE.toml", shell_complete=recipes)
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
@click.option("--at", default="", metavar="PACKAGE", help="Before dpkg turns to this package, which is executed.")
@recipe_options
@click.option("--locked", is_flag=True, help="Fail rather than make a lock that is missing.")
@network_options
@options
def shell(
    recipe: Path,
    command: tuple[str, ...],
    args: dict[str, str],
    *,
    at: str,
    locked: bool,
    offline: bool,
    store: Path | None,
    jobs: int | None,
    **common: Any,
) -> None:
    """Start a shell in the root file system of RECIPE.toml, in the machine in which scripts are executed.

    Nothing of what is done there is kept, there is no network, and Ctrl-A X ends it. With a COMMAND that is run in
    place of a shell, by the tree's /bin/sh, and what it printed is shown at the end.
    """
    with session(store=store, jobs=jobs, **common) as current:
        from assembler import api  # noqa: PLC0415  half a second that --help need not wait

        chosen = api.ShellOptions(at=at, command=command, locked=locked)
        printed = api.shell(current.recipe(recipe, args), current.workspace(offline=offline), chosen)
        for line in printed.decode("utf-8", "replace").splitlines():
            current.say(line)
