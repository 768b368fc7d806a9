"""``assemble store status``: how much is in the store."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.progress import amount
from assembler.cli.session import Session, options, session, store_option

if TYPE_CHECKING:
    from assembler.api import Usage

_NANOSECONDS = 1_000_000_000


@click.command(short_help="Say how much is in the store, of what kind, and when it was used.")
@store_option
@options
def status(*, store: Path | None, **common: Any) -> None:
    """Say where the store is, and for each kind of what is in it: how many there are, their size, and the days on which
    the one was used last that is unused for the longest time, and the one that was used most recently.
    """
    with session(store=store, **common) as current:
        from assembler import api  # noqa: PLC0415  slow; --help need not wait

        found = api.store_status(current.workspace())
        current.say(f"{found.root}: {amount(found.size, 'B')}")
        table(current, found.kinds)
        if found.builds:
            current.say(f"in use at present by {found.builds}")
        current.reporter.result(
            {"root": str(found.root), "size": found.size, "builds": found.builds, "kinds": as_values(found.kinds)}
        )


def table(current: Session, kinds: "Sequence[Usage]") -> None:
    """A line for each of `kinds`."""
    width = max((len(kind.kind) for kind in kinds), default=0)
    for kind in kinds:
        used = f"{_day(kind.oldest)} to {_day(kind.newest)}"
        current.say(f"  {kind.kind:<{width}}  {kind.number:>7}  {amount(kind.size, 'B'):>9}  used {used}")


def as_values(kinds: "Sequence[Usage]") -> list[dict[str, Any]]:
    """The same for programs, with times as RFC 3339 has them."""
    return [
        dataclasses.asdict(kind) | {"oldest": _moment(kind.oldest), "newest": _moment(kind.newest)} for kind in kinds
    ]


def _moment(nanoseconds: int) -> str:
    return f"{datetime.fromtimestamp(nanoseconds // _NANOSECONDS, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _day(nanoseconds: int) -> str:
    return _moment(nanoseconds)[:10]
