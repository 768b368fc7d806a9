"""``assemble audit``: does a recipe give the same bytes everywhere?"""

from pathlib import Path
from typing import Any

import click

from assembler.cli.completion import recipes
from assembler.cli.session import network_options, options, recipe_options, session


@click.command(short_help="Build a recipe twice, in other surroundings, and compare.")
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
def audit(
    recipe: Path,
    out: Path,
    args: dict[str, str],
    *,
    offline: bool,
    store: Path | None,
    jobs: int | None,
    **common: Any,
) -> None:
    """Build RECIPE.toml twice from its lock, and tell what differs, down to bytes of files inside the squashfs.

    Both builds compute everything anew from downloads, without a network. What differs between them: directory, home,
    umask, time zone, language, hash seed, processors, order of directories, clock, programs of the host as far as
    none is needed, and the user if root audits. The first is then compared with what the lock has recorded (--record).

    DIRECTORY has both builds, or the first when they are the same, and audit.json, an in-toto statement of the
    result. The exit status is 0 when everything is the same, and 1 when something differs.
    """
    with session(store=store, jobs=jobs, **common) as current:
        from assembler.api.reproduce import audit_recipe  # noqa: PLC0415  slow; --help need not wait

        same = audit_recipe(current, recipe, args, out, offline=offline)
    click.get_current_context().exit(0 if same else 1)
