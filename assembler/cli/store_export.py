"""``assemble store export``: a lock with all that it names, in one file."""

from pathlib import Path
from typing import Any

import click

from assembler.cli.progress import amount
from assembler.cli.session import network_options, options, session


@click.command(short_help="Write a lock and all that it names into one file, for a machine without a network.")
@click.argument("lock", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="LOCK")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it here."
)
@network_options
@options
def export(lock: Path, *, out: Path, offline: bool, store: Path | None, jobs: int | None, **common: Any) -> None:
    """Write LOCK (as node.lock.toml) and exactly the objects that it names into a tar archive: packages, indices and
    what is signed, upstream files, container images, and the tools, compilers and machine that build. With it, a build
    with --offline needs no network. What the store does not have is fetched before. One lock gives the same bytes
    everywhere.
    """
    with session(store=store, jobs=jobs, **common) as current:
        from assembler import api  # noqa: PLC0415  slow; --help need not wait

        made = api.export_bundle(lock, out, current.workspace(offline=offline))
        current.say(f"{made.path}: {made.objects} objects, {amount(made.size, 'B')}")
        current.reporter.result({"path": str(made.path), "objects": made.objects, "size": made.size})
