"""What ``--debug`` shows: a line on standard error for all that is asked, decided and reused; never a secret.

It is the standard library's logging, below the logger ``assembler``, which is silent otherwise.
"""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import click

from assembler.printable import printable
from assembler.recipe.given import without

_PACKAGE = logging.getLogger("assembler")


class _Lines(logging.Handler):
    """Shows records, `hidden` texts as ellipses."""

    def __init__(self, hidden: Collection[str]) -> None:
        super().__init__(logging.DEBUG)
        self._hidden = hidden

    def emit(self, record: logging.LogRecord) -> None:
        """Show one."""
        room = record.name.removeprefix("assembler.")
        click.echo(f"debug: {room}: {printable(without(record.getMessage(), self._hidden))}", err=True)


@contextmanager
def debugging(hidden: Collection[str], *, wanted: bool) -> Iterator[None]:
    """Within, everything that the package logs is shown, if that is `wanted`; `hidden` may grow meanwhile."""
    if not wanted:
        yield
        return
    lines, level = _Lines(hidden), _PACKAGE.level
    _PACKAGE.addHandler(lines)
    _PACKAGE.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        _PACKAGE.removeHandler(lines)
        _PACKAGE.setLevel(level)
