"""What every command needs around its work: settings, options that all have, a reporter."""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from assembler.cli import environment, rendering
from assembler.cli.configuration import read_routes
from assembler.cli.progress import Base, JsonReporter, LineReporter, TerminalReporter
from assembler.errors import AssembleError
from assembler.store.transport import Transport

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command under way."""

    settings: environment.Settings
    reporter: Base
    json: bool
    """Whether standard output belongs to events."""
    project: Path | None = None
    allow_read: tuple[Path, ...] = ()
    """What a recipe may read, as :func:`assembler.recipe.load.load` takes it."""

    def transport(self, *, offline: bool) -> Transport:
        """The way to the network, by the user's own routes."""
        settings = self.settings
        if offline or settings.configuration is None:
            return Transport(offline=offline, reporter=self.reporter)
        routes = read_routes(settings.configuration, settings.values, required=settings.configured)
        return Transport(reporter=self.reporter, routes=routes)

    def say(self, text: str) -> None:
        """A line of the command's result, for people."""
        if not self.json:
            click.echo(text)


def options(command: Command) -> Command:
    """Add the options that every command has; they arrive as keyword arguments for `session`."""
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Also show what is being worked on."),
        click.option("-q", "--quiet", is_flag=True, help="Show warnings and errors only."),
        click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one a line, on standard output."),
    ):
        command = option(command)
    return command


def store_option(command: Command) -> Command:
    """Add ``--store``."""
    return click.option(
        "--store",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="FOLDER",
        help="Keep downloads and results here.  [default: ~/.cache/assembler]",
    )(command)


def network_options(command: Command) -> Command:
    """Add ``--store``, ``--offline`` and ``--jobs``."""
    for option in (
        click.option("--jobs", type=click.IntRange(1, 256), help="Processors to use.  [default: all]"),
        click.option("--offline", is_flag=True, help="Use what the store has; open no connection."),
    ):
        command = option(command)
    return store_option(command)


def _arguments(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    given = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"'{text}' is not NAME=VALUE", context, parameter)
        given[name] = value
    return given


def recipe_options(command: Command) -> Command:
    """Add what commands that take a recipe have in common.

    ``--arg NAME=VALUE`` arrives as the dictionary `args`, and what the recipe may read as keyword arguments for
    `session`.
    """
    for option in (
        click.option(
            "--allow-read",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="Let the recipe read this file, or what is below this folder, too. May be repeated.",
        ),
        click.option(
            "--project",
            type=click.Path(file_okay=False, exists=True, path_type=Path),
            metavar="FOLDER",
            help="Let the recipe read what is below this folder.  [default: the folder that it is in]",
        ),
        click.option(
            "--arg",
            "args",
            multiple=True,
            metavar="NAME=VALUE",
            callback=_arguments,
            help="Give the recipe's argument NAME another value. May be repeated.",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def session(
    *,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    store: Path | None = None,
    jobs: int | None = None,
    project: Path | None = None,
    allow_read: Sequence[Path] = (),
) -> Iterator[Session]:
    """The surroundings of a command's work; its reporter is told of the error that ends it."""
    settings = environment.read(store)
    if jobs:
        settings = dataclasses.replace(settings, jobs=jobs)
    with _reporter(settings, as_json=as_json, quiet=quiet, verbose=verbose) as reporter:
        try:
            yield Session(
                settings=settings, reporter=reporter, json=as_json, project=project, allow_read=tuple(allow_read)
            )
        except AssembleError as error:
            reporter.error(error)
            raise
        except OSError as error:
            explained = rendering.from_os_error(error)
            if explained is None:
                raise
            reporter.error(explained)
            raise explained from error


def _reporter(settings: environment.Settings, *, as_json: bool, quiet: bool, verbose: bool) -> Base:
    if as_json:
        return JsonReporter(sys.stdout)
    terminal = sys.stderr.isatty()
    if quiet or not terminal or settings.dumb:
        color = terminal if settings.color is None else settings.color
        return LineReporter(sys.stderr, quiet=quiet, verbose=verbose, color=color)
    from rich.console import Console  # noqa: PLC0415  a tenth of a second, for terminals only

    return TerminalReporter(Console(stderr=True, no_color=settings.color is False), verbose=verbose)
