"""``assemble store``: the commands about what is kept between builds."""

import click

from assembler.cli.store_export import export
from assembler.cli.store_import import import_
from assembler.cli.store_prune import prune
from assembler.cli.store_status import status
from assembler.cli.store_verify import verify


@click.group(short_help="Look at, clean up, verify, export or import what is kept between builds.")
def store() -> None:
    """Look at the store, where downloads and results are kept between builds: how much is there, what of it can go,
    whether it is whole. A lock with all that it names goes from one store into another in one file.
    """


for _command in (status, prune, verify, export, import_):
    store.add_command(_command)
