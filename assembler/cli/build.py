"""``assemble RECIPE.toml``: build an image."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.completion import layers, recipes
from assembler.cli.session import Session, network_options, options, recipe_options, session
from assembler.errors import AssembleError
from assembler.image.names import MANIFEST

if TYPE_CHECKING:
    from assembler.api import BuildResult, Explanation

_SHOWN = 12
"""Reasons that are shown for a step."""
_STATES = {
    "unchanged": "unchanged",
    "stored": "taken from the store",
    "make": "made again",
    "idle": "not asked for",
}


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
@click.option("--explain", is_flag=True, help="Say what would be made again and why; make nothing.")
@click.option(
    "--locked", is_flag=True, help="Fail rather than make a lock, or make something other than it has recorded."
)
@click.option(
    "--no-compile",
    is_flag=True,
    help="Refuse a recipe whose kernel, or modules of it, are compiled, as that runs programs of their source here: "
    "for recipes of others.",
)
@click.option("--record", is_flag=True, help="Record in the lock what is built, by digest, and numbers of accounts.")
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
        from assembler import api  # noqa: PLC0415  slow; --help need not wait

        _not_a_command(recipe)
        named, workspace = current.recipe(Path(recipe), args), current.workspace(offline=offline)
        wanted = api.BuildOptions(only=only, skip=skip, locked=locked, record=record, allow_compile=not no_compile)
        if explain:
            _tell_explained(current, api.explain(named, out, workspace, wanted))
        else:
            _tell(current, api.build(named, out, workspace, wanted))


def _not_a_command(name: str) -> None:
    """Raise AssembleError when `name` is rather a command's with a typo."""
    from assembler.recipe.builtin import PREFIX  # noqa: PLC0415  --help need not wait

    if "/" in name or name.startswith(PREFIX) or Path(name).suffix or os.path.exists(name):  # noqa: PTH110  False for a name that is none
        return
    from assembler.recipe.document import did_you_mean  # noqa: PLC0415  --help need not wait

    context = click.get_current_context().find_root()
    commands = context.command.list_commands(context) if isinstance(context.command, click.Group) else []
    raise AssembleError(
        f"there is neither a command nor a recipe {name}",
        hint=did_you_mean(name, commands) or "assemble --help lists the commands; recipes end in .toml",
    )


def _tell(current: Session, built: "BuildResult") -> None:
    files: list[dict[str, Any]] = []
    for artifact in built.artifacts:
        path = built.out / artifact.name
        files.append({"path": str(path), "size": artifact.size, "sha256": artifact.sha256})
        current.say(f"{artifact.sha256}  {path}")
    current.reporter.result({"files": files, "manifest": str(built.out / MANIFEST)})


def _tell_explained(current: Session, found: Sequence["Explanation"]) -> None:
    width = max(len(one.step.label) for one in found)
    for one in found:
        current.say(f"{one.step.label:{width}}  {_STATES[one.state]}")
        for reason in one.reasons[:_SHOWN]:
            current.say(f"{'':{width}}    {reason}")
        if len(one.reasons) > _SHOWN:
            current.say(f"{'':{width}}    and {len(one.reasons) - _SHOWN} more")
    current.reporter.result(
        {"steps": [{"step": one.step.label, "state": one.state, "reasons": one.reasons} for one in found]}
    )
