"""``assemble store prune``: remove what nobody needs."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from assembler.cli.progress import amount
from assembler.cli.session import options, session, store_option
from assembler.cli.store_status import as_values, table
from assembler.errors import AssembleError

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_MULTIPLES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_LOCK = click.Path(dir_okay=False, exists=True, path_type=Path)


def _age(context: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,5})([hdw])", value)
    if not match:
        raise click.BadParameter(f"'{value}' is no age: as 12h, 30d or 8w", context, parameter)
    return int(match[1]) * _UNITS[match[2]]


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,15})([KMGT]?)B?", value)
    if not match:
        raise click.BadParameter(f"'{value}' is no size: as 500M or 20G", context, parameter)
    return int(match[1]) * _MULTIPLES[match[2]]


@click.command(short_help="Remove what nobody has used for long, or what certain locks do not need.")
@click.option("--older-than", metavar="AGE", callback=_age, help="Remove what was last used before that: 12h, 30d, 8w.")
@click.option(
    "--keep-size",
    metavar="SIZE",
    callback=_size,
    help="Remove what is unused for the longest time until this much is left: 500M, 20G.",
)
@click.option(
    "--keep",
    multiple=True,
    type=_LOCK,
    metavar="LOCK",
    help="Keep what this lock names and what is known to be made of it. May be repeated. Alone: remove all else.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_option
@options
def prune(
    *,
    older_than: timedelta | None,
    keep_size: int | None,
    keep: tuple[Path, ...],
    dry_run: bool,
    yes: bool,
    store: Path | None,
    **common: Any,
) -> None:
    """Say what of the store nobody needs, and remove it when that is confirmed.

    What a build uses at present stays, and so does what is used while this runs. Whatever is removed is fetched or made
    again when a build needs it.
    """
    if older_than is None and keep_size is None and not keep:
        raise click.UsageError("say what goes: --older-than, --keep-size, or what stays: --keep")
    with session(store=store, **common) as current:
        from assembler import api  # noqa: PLC0415  slow; --help need not wait

        workspace = current.workspace()
        since = datetime.now(UTC) - older_than if older_than is not None else None
        planned = api.plan_prune(workspace, api.PruneOptions(unused_since=since, keep_size=keep_size, keep=keep))
        values = {"root": str(planned.root), "planned": planned.size, "kinds": as_values(planned.kinds)}
        if planned.builds:
            current.say(f"in use at present by {planned.builds}: what was used since stays")
        if not planned.items:
            current.say(f"{planned.root}: there is nothing to remove; {amount(planned.left, 'B')} stay")
            current.reporter.result({**values, "removed": 0, "held": 0})
            return
        current.say(f"{planned.root}: {amount(planned.size, 'B')} to be removed, {amount(planned.left, 'B')} stay")
        table(current, planned.kinds)
        if dry_run:
            current.reporter.result({**values, "removed": 0, "held": 0})
            return
        if not yes:
            if current.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
                raise AssembleError("nothing was removed", why="nobody has confirmed it", hint="confirm it with --yes")
            click.confirm("Remove it?", abort=True, err=True)
        done = api.prune_store(workspace, planned)
        removed = sum(item.size for item in done.removed)
        current.say(f"removed {amount(removed, 'B')}")
        if done.held:
            current.say(f"{len(done.held)} stay, as they are in use or were used meanwhile")
        current.reporter.result({**values, "removed": removed, "held": len(done.held)})
