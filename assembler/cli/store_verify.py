"""``assemble store verify``: is what is in the store what it should be?"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.session import Session, options, session, store_option
from assembler.errors import AssembleError, Place

if TYPE_CHECKING:
    from assembler.api import StoreVerification


@click.command(short_help="Compare all that is in the store with what it should be.")
@click.option("--repair", is_flag=True, help="Remove what is damaged, so that it is fetched or made again.")
@store_option
@options
def verify(*, repair: bool, store: Path | None, **common: Any) -> None:
    """Read every object of the store and compare it with its digest; unpack packages and sources once more, and compare
    what comes of it with what lies there; read tools and results of steps, and compare them with what was noted when
    they were made. The exit status is 1 when something is damaged and was not removed.
    """
    with session(store=store, **common) as current:
        from assembler import api  # noqa: PLC0415  slow; --help need not wait

        _tell(current, api.verify_store(current.workspace(), repair=repair), current.settings.store)


def _tell(current: Session, verified: "StoreVerification", store: Path) -> None:
    found, gone = verified.found, set(verified.removed)
    for each in found.damaged:
        current.say(f"{each.item.path}: {each.why}{' (removed)' if each in gone else ''}")
    current.reporter.result(
        {
            "root": str(store),
            "objects": found.objects,
            "results": found.results,
            "unknown": found.unknown,
            "damaged": [
                {"path": str(each.item.path), "kind": each.item.kind, "why": each.why, "removed": each in gone}
                for each in found.damaged
            ],
        }
    )
    if left := len(found.damaged) - len(gone):
        raise AssembleError(
            "the store has something damaged",
            where=Place(file=str(store)),
            why=f"{left} of {found.objects + found.results} that were looked at",
            hint="a running build has it in use: try again when that is over"
            if gone
            else "--repair removes it unless a build has it in use, and then it is fetched or made again",
        )
    said = f"{store}: {found.objects} objects and {found.results} results "
    current.say(said + ("were looked at" if gone else "are as they should be"))
    if found.unknown:
        current.say(f"{found.unknown} results have nothing to be compared with")
