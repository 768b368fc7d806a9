"""``assemble RECIPE.toml``: build an image."""

from pathlib import Path

import click

from assembler.cli.session import arg_option, network_options, options, session


@click.command(short_help="Build RECIPE.toml; the same as assemble RECIPE.toml.")
@click.argument("recipe", metavar="RECIPE.toml")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="out",
    show_default=True,
    metavar="FOLDER",
    help="Write the image here.",
)
@arg_option
@click.option("--locked", is_flag=True, help="Fail rather than make a lock that is missing.")
@network_options
@options
def build(
    recipe: str,
    out: Path,
    args: dict[str, str],
    *,
    locked: bool,
    offline: bool,
    store: Path | None,
    jobs: int | None,
    **common: bool,
) -> None:
    """Build the image that RECIPE.toml describes.

    What goes into it is fixed by the lock beside the recipe, which is made when it is missing.
    """
    with session(store=store, jobs=jobs, **common) as current:
        from assembler.cli.building import build_recipe  # noqa: PLC0415  half a second that --help need not wait

        build_recipe(current, recipe, args, out, locked=locked, offline=offline)
