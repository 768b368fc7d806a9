"""``assemble RECIPE.toml``: build an image."""

from pathlib import Path
from typing import Any

import click

from assembler.cli.completion import layers, recipes
from assembler.cli.session import network_options, options, recipe_options, session


@click.command(short_help="Build RECIPE.toml; the same as assemble RECIPE.toml.")
@click.argument("recipe", metavar="RECIPE.toml", shell_complete=recipes)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="out",
    show_default=True,
    metavar="DIRECTORY",
    help="Write the image here.",
)
@recipe_options
@click.option(
    "--only",
    multiple=True,
    metavar="LAYER",
    shell_complete=layers,
    help="Bring this layer's files up to date, no others. May be repeated.",
)
@click.option(
    "--skip",
    multiple=True,
    metavar="LAYER",
    shell_complete=layers,
    help="Leave this layer's files alone. May be repeated.",
)
@click.option("--explain", is_flag=True, help="Say what would be made anew and why; make nothing.")
@click.option(
    "--locked", is_flag=True, help="Fail rather than make a lock, or make something other than it has recorded."
)
@click.option(
    "--no-compile",
    is_flag=True,
    help="Refuse a recipe whose kernel is compiled, as that runs programs of its source here: for recipes of others.",
)
@click.option("--record", is_flag=True, help="Record in the lock what is built, by digest.")
@network_options
@options
def build(
    recipe: str,
    out: Path,
    args: dict[str, str],
    *,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    explain: bool,
    locked: bool,
    record: bool,
    no_compile: bool,
    offline: bool,
    store: Path | None,
    jobs: int | None,
    **common: Any,
) -> None:
    """Build the image that RECIPE.toml describes.

    What goes into it is fixed by the lock beside the recipe, which is made when it is missing.

    Its layers are kernel, rootfs, kubernetes, livecd and cloudinit. What a layer needs of one that is left out comes
    from the store, or is made without being written to the directory.
    """
    if record and (only or skip or explain):
        raise click.UsageError("--record is for a whole build: leave out --only, --skip and --explain")
    with session(store=store, jobs=jobs, **common) as current:
        from assembler.api.build import Wishes, build_recipe, explain_recipe  # noqa: PLC0415  slow; --help need not wait

        wishes = Wishes(
            recipe=recipe,
            args=args,
            out=out,
            only=only,
            skip=skip,
            locked=locked,
            offline=offline,
            record=record,
            no_compile=no_compile,
        )
        (explain_recipe if explain else build_recipe)(current, wishes)
