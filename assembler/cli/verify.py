"""``assemble verify``: look at a finished image."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.session import Session, options, session
from assembler.errors import AssembleError, Place

if TYPE_CHECKING:
    from assembler.api import Verification

_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
_SAID = {
    "nothing": "",
    "packages": "; that these are all that was built in, the lock cannot tell",
    "outputs": ", and all of it is what the lock has recorded",
}
"""What else is known of an image in which nothing was found, by what it was compared with."""


@click.command(short_help="Verify a finished image, without building.")
@click.argument("image", type=_FILE, metavar="IMAGE.iso")
@click.option("--lock", type=_FILE, metavar="FILE", help="Compare with this lock, and the outputs it has recorded.")
@click.option(
    "--packages-only",
    is_flag=True,
    help="Be content with a lock that has recorded no outputs: compare the packages, which finds no forgery.",
)
@options
def verify(image: Path, *, lock: Path | None, packages_only: bool, **common: Any) -> None:
    """Hash every byte of IMAGE.iso and look at every path in it, against the image's own checksums, contents and lock.

    Whatever differs is named, down to files inside the squashfs; the exit status is then 1. Without --lock this finds
    damage; with a lock that has recorded the outputs (--record) it also finds an image that somebody else made. A lock
    that has recorded none cannot tell, and the exit status is 1 unless --packages-only accepts that.
    """
    if packages_only and lock is None:
        raise click.UsageError("--packages-only is about a lock: name one with --lock")
    with session(**common) as current:
        from assembler import api  # noqa: PLC0415  half a second that --help need not wait

        _tell(current, api.verify(image, lock, reporter=current.reporter), packages_only=packages_only)


def _tell(current: Session, verified: "Verification", *, packages_only: bool) -> None:
    """Tell what was found; raises AssembleError when the image is not known to be as it should be."""
    image, found = verified.image, verified.found
    for finding in found.findings:
        at = f" (bytes {finding.offset} to {finding.offset + finding.size})" if finding.size else ""
        current.say(f"{finding.path or image}: {finding.what}{at}")
    if found.more:
        current.say(f"and {found.more} more")
    current.reporter.result({"image": str(image), "verdict": verified.verdict, **dataclasses.asdict(found)})
    if found.findings:
        count = len(found.findings) + found.more
        raise AssembleError(
            "the image is not what it should be",
            where=Place(file=str(image)),
            why=f"{count} findings" if count > 1 else "one finding",
        )
    if found.compared == "packages" and not packages_only:
        raise AssembleError(
            "the lock cannot tell whether this is the image that was built from it",
            where=Place(file=str(verified.lock)),
            why=f"it has recorded no such output, and files of a recipe are in no lock; only {found.packages} packages "
            "were compared, and they are those of the lock",
            hint="build it where you trust the build with assemble RECIPE.toml --record, and verify with that lock; "
            "or say --packages-only",
        )
    current.say(
        f"{image}: {found.areas} regions, {found.paths} paths and {found.packages} packages are as they should be"
        + _SAID[found.compared]
    )
