"""``assemble lock``: fix what goes into an image."""

from pathlib import Path

import click

from assembler.cli.session import arg_option, network_options, options, session


@click.command(short_help="Lock a recipe to what the archives have now.")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE.toml")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the lock here.  [default: NAME.lock.toml beside the recipe]",
)
@arg_option
@network_options
@options
def lock(
    recipe: Path,
    out: Path | None,
    args: dict[str, str],
    *,
    offline: bool,
    store: Path | None,
    jobs: int | None,
    **common: bool,
) -> None:
    """Fix every package that RECIPE.toml needs, by version and SHA-256, to what its archives have now.

    Building then gives the same bytes until the recipe is locked again.
    """
    with session(store=store, jobs=jobs, **common) as current:
        from assembler.cli.locking import lock_file  # noqa: PLC0415  half a second that --help need not wait

        lock_file(current, recipe, args, out, offline=offline)
