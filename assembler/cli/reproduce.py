"""``assemble reproduce``: does a recipe give the same bytes everywhere?"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.completion import recipes
from assembler.cli.differences import tell
from assembler.cli.session import Session, network_options, options, recipe_options, session

if TYPE_CHECKING:
    from assembler.api import ReproduceResult


@click.command(short_help="Build a recipe twice, in other environments, and compare (alias: audit).")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE.toml", shell_complete=recipes)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="audit",
    show_default=True,
    metavar="DIRECTORY",
    help="Write what was built and the statement here; it must be empty or missing.",
)
@recipe_options
@network_options
@options
def reproduce(
    recipe: Path,
    out: Path,
    args: dict[str, str],
    *,
    offline: bool,
    store: Path | None,
    jobs: int | None,
    **common: Any,
) -> None:
    """Build RECIPE.toml twice from its lock, and say what differs, down to bytes of files inside the squashfs.

    Both builds compute everything again from downloads, without a network. What differs between them: directory, home,
    umask, time zone, language, hash seed, processors, order of directories, clock, programs of the host as far as
    none is needed, and the user if root asks for it. The first is then compared with what the lock has recorded
    (--record).

    DIRECTORY has both builds, or the first when they are the same, and audit.json, an in-toto statement of the
    result. The exit status is 0 when everything is the same, and 1 when something differs.
    """
    with session(store=store, jobs=jobs, **common) as current:
        from assembler import api  # noqa: PLC0415  slow; --help need not wait

        result = api.reproduce(current.recipe(recipe, args), out, current.workspace(offline=offline))
        _tell(current, recipe, result)
    click.get_current_context().exit(0 if result.same else 1)


def _tell(current: Session, recipe: Path, result: "ReproduceResult") -> None:
    """Say how the builds differ, and how the first differs from the record."""
    from assembler.api.build import explained  # noqa: PLC0415  slow; --help need not wait
    from assembler.image.manifest import artifacts  # noqa: PLC0415  slow; --help need not wait

    if result.found:
        tell(current, result.found)
        current.say(f"{recipe}: two builds from one lock differ")
    else:
        for artifact in artifacts(result.built):
            current.say(f"{artifact.sha256}  {artifact.name}")
        current.say(f"{recipe}: built twice, byte by byte the same")
    for line in explained(result.recorded or ()):
        current.say(line)
    if result.lock.build is None:
        current.say("the lock has no outputs recorded to compare with (assemble RECIPE.toml --record)")
    elif result.recorded is None:
        current.say("the outputs that the lock has recorded are of another recipe or other arguments, and not compared")
    elif not result.recorded:
        current.say("the lock has recorded the same outputs")
    for what, why in result.not_varied.items():
        current.reporter.info(f"not varied: {what}, {why}")
    current.reporter.result(dict(result.statement))
