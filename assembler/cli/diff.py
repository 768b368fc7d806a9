"""``assemble diff``: what differs between two images."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from assembler.cli.differences import tell
from assembler.cli.session import options, session

_PATH = click.Path(exists=True, path_type=Path)


@click.command(short_help="Say what differs between two images, locks or output directories.")
@click.argument("old", type=_PATH, metavar="A")
@click.argument("new", type=_PATH, metavar="B")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="Write a page about it, with a map of what takes the room in B.",
)
@click.option(
    "--diffoscope/--no-diffoscope",
    help="Hand files that differ to diffoscope, if it is installed. It opens them with many programs of this host: for "
    "images that you trust.",
)
@options
def diff(old: Path, new: Path, html: Path | None, *, diffoscope: bool, **common: Any) -> None:
    """Say how B differs from A: layer by layer, path by path, field by field, package by package.

    A file inside a squashfs inside an ISO is named with the first byte that differs. The exit status is 0 when they are
    the same, and 1 when they differ.
    """
    with session(**common) as current:
        from assembler import api  # noqa: PLC0415  half a second that --help need not wait

        wanted = api.CompareOptions(html=html, diffoscope=current.settings.search if diffoscope else "")
        result = api.compare(old, new, wanted, reporter=current.reporter)
        tell(current, result.found, result.diffoscope)
        if html is not None:
            current.reporter.info(f"wrote {html}")
        current.reporter.result(
            {
                "differ": bool(result),
                **dataclasses.asdict(result.found),
                "diffoscope": dict(result.diffoscope),
                "html": str(html or ""),
            }
        )
    click.get_current_context().exit(1 if result else 0)
