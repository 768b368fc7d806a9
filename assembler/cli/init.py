"""``assemble init``: a recipe of one's own to begin with."""

import os
import shlex
from pathlib import Path
from typing import Any

import click

from assembler.cli.session import options, session


@click.command(short_help="Write a small recipe of your own to begin with.")
@click.argument("directory", type=click.Path(path_type=Path), metavar="[DIRECTORY]", default=".")
@click.option(
    "--from",
    "base",
    default="livecd",
    show_default=True,
    metavar="NAME",
    help="What it is on top of: livecd, k8s or another recipe that comes along (builtin:NAME.toml).",
)
@options
def init(directory: Path, *, base: str, **common: Any) -> None:
    """Write a recipe on top of one that comes along, user-data and .gitignore into DIRECTORY.

    Nothing that is there is overwritten.
    """
    with session(**common) as current:
        from assembler.recipe.start import RECIPE, begin  # noqa: PLC0415  pydantic is slow to import

        written = begin(directory, base)
        for path in written:
            current.say(str(path))
        current.say("")
        current.say("Change what you like, then:")
        current.say("")
        if os.path.normpath(directory) != ".":
            current.say(f"  cd {shlex.quote(str(directory))}")
        current.say(f"  assemble {RECIPE}    # builds it into out/, and writes its lock: commit both recipe and lock")
        current.say("  assemble run          # starts it in QEMU")
        current.reporter.result({"files": [str(path) for path in written]})
