"""``assemble store import``: what a bundle brings."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.progress import amount
from assembler.cli.session import Session, options, session, store_option
from assembler.errors import AssembleError, Place

if TYPE_CHECKING:
    from assembler.api import Imported

_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command(
    "import", short_help="Bring what a bundle has into the store, each object when it is what its lock names."
)
@click.argument("bundle", type=_FILE, metavar="BUNDLE.tar")
@click.option("--lock", type=_FILE, metavar="FILE", help="Take what this lock names, whatever the bundle's own does.")
@click.option(
    "--write-lock",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the bundle's lock here, where nothing may be.",
)
@store_option
@options
def import_(bundle: Path, *, lock: Path | None, write_lock: Path | None, store: Path | None, **common: Any) -> None:
    """Bring the objects in BUNDLE.tar, which assemble store export has written, into the store. Each of them has to be
    named by the lock and to have the size and the digest that the lock says; nothing else of it is taken. What is
    missing or superfluous is named. The exit status is 1 when something is missing.
    """
    with session(store=store, **common) as current:
        from assembler import api  # noqa: PLC0415  slow; --help need not wait

        _tell(current, bundle, api.import_bundle(bundle, current.workspace(), lock=lock, write=write_lock))


def _tell(current: Session, bundle: Path, found: "Imported") -> None:
    for digest in found.superfluous:
        current.reporter.warn(f"the bundle has an object that the lock does not name, and it is left out: {digest}")
    if found.more:
        current.reporter.warn(f"and {found.more} more")
    if found.missing:
        raise AssembleError(
            f"{len(found.missing)} of the objects that the lock names are neither in the bundle nor in the store",
            where=Place(file=str(bundle)),
            details=found.missing,
            hint="export it again where they are, or build once without --offline",
        )
    current.say(f"{bundle}: {found.added} objects added, {found.present} were there, {amount(found.size, 'B')}")
    current.reporter.result(
        {
            "bundle": str(bundle),
            "added": found.added,
            "present": found.present,
            "size": found.size,
            "superfluous": len(found.superfluous) + found.more,
        }
    )
