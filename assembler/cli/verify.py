"""``assemble verify``: look at a finished image."""

from pathlib import Path

import click

from assembler.cli.session import options, session

_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command(short_help="Verify a finished image, without building.")
@click.argument("image", type=_FILE, metavar="IMAGE.iso")
@click.option("--lock", type=_FILE, metavar="FILE", help="Compare with this lock, and the outputs it has recorded.")
@click.option(
    "--packages-only",
    is_flag=True,
    help="Be content with a lock that has recorded no outputs: compare the packages, which finds no forgery.",
)
@options
def verify(image: Path, *, lock: Path | None, packages_only: bool, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Hash every byte of IMAGE.iso and look at every path in it, against the image's own seal, contents and lock.

    Whatever differs is named, down to files inside the squashfs; the exit status is then 1. Without --lock this finds
    damage; with a lock that has recorded the outputs (--record) it also finds an image that somebody else made. A lock
    that has recorded none cannot tell, and the exit status is 1 unless --packages-only accepts that.
    """
    if packages_only and lock is None:
        raise click.UsageError("--packages-only is about a lock: name one with --lock")
    with session(as_json=as_json, quiet=quiet, verbose=verbose) as current:
        from assembler.api.verify import verify_image  # noqa: PLC0415  half a second that --help need not wait

        verify_image(current, image, lock, packages_only=packages_only)
