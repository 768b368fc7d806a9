"""``assemble diff``: what differs between two images."""

from pathlib import Path

import click

from assembler.cli.session import options, session

_PATH = click.Path(exists=True, path_type=Path)


@click.command(short_help="Tell what differs between two images, locks or output directories.")
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
def diff(
    old: Path, new: Path, html: Path | None, *, diffoscope: bool, as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Tell what B has otherwise than A: layer by layer, path by path, field by field, package by package.

    A file inside a squashfs inside an ISO is named with the first byte that differs. The exit status is 0 when they are
    the same, and 1 when they differ.
    """
    with session(as_json=as_json, quiet=quiet, verbose=verbose) as current:
        from assembler.api.compare import compare_images  # noqa: PLC0415  half a second that --help need not wait

        differ = compare_images(current, old, new, html, diffoscope=diffoscope)
    click.get_current_context().exit(1 if differ else 0)
