"""What every command needs around its work: settings, options that all have, a reporter."""

import contextlib
import dataclasses
import functools
import logging
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from assembler import __version__
from assembler.cli import environment
from assembler.cli.completion import profiles as completed_profiles
from assembler.cli.debug import debugging
from assembler.cli.progress import Base, JsonReporter, LineReporter, TerminalReporter, ascii_json
from assembler.printable import printable, printable_lines
from assembler.recipe.given import Arguments
from assembler.store.routes import NO_ROUTES, Routes

if TYPE_CHECKING:
    from assembler.api import RecipeFile, Workspace
    from assembler.recipe.model import Scripts

_LOG = logging.getLogger(__name__)

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command under way."""

    settings: environment.Settings
    reporter: Base
    json: bool
    """Whether standard output belongs to events."""
    profiles: tuple[str, ...] = ()
    """Profiles of the recipe that count."""
    project: Path | None = None
    allow_read: tuple[Path, ...] = ()
    """What a recipe may read, as :func:`assembler.recipe.load.load` takes it."""
    scripts: "Scripts | None" = None
    """What becomes of maintainer scripts instead of what the recipe says."""
    hidden: set[str] = field(default_factory=set, repr=False)
    """Secrets, as far as they are known: what is logged does not show them."""

    def workspace(self, *, offline: bool = False) -> "Workspace":
        """What the user's environment and options are to the work."""
        from assembler.api import Workspace  # noqa: PLC0415  slow; --help need not wait
        from assembler.cli.configuration import read_routes, read_tool_source  # noqa: PLC0415  the same

        settings = self.settings
        path, required = settings.configuration, settings.configured

        def routes() -> Routes:
            found = read_routes(path, settings.values, required=required) if path else NO_ROUTES
            self.hidden.update(*((login.password, login.token, login.header) for login in found.logins.values()))
            self.hidden.discard("")
            return found

        return Workspace(
            store=settings.store,
            trust_store=settings.trust_store,
            patience=settings.lock_timeout,
            offline=offline,
            mirror=settings.mirror,
            snapshots=settings.snapshots,
            routes=routes,
            tool_source=lambda: read_tool_source(path, required=required),
            search=settings.search,
            jobs=settings.jobs,
            architecture=settings.architecture,
            reporter=self.reporter,
        )

    def recipe(self, path: Path, args: Mapping[str, str]) -> "RecipeFile":
        """A recipe with its arguments, and what the user lets it read."""
        from assembler.api import RecipeFile  # noqa: PLC0415  slow; --help need not wait

        shown = args.open if isinstance(args, Arguments) else frozenset(args)
        self.hidden.update(value for name, value in args.items() if name not in shown)
        return RecipeFile(
            path=path,
            args=args,
            profiles=self.profiles,
            project=self.project,
            allow_read=self.allow_read,
            scripts=self.scripts,
        )

    def say(self, text: str) -> None:
        """A line of the command's result, for people; printable, whatever is in it."""
        if not self.json:
            click.echo(printable(text))

    def quote(self, text: str) -> None:
        """Lines of another program, for people; printable, and set apart from lines of our own."""
        for line in printable_lines(text):
            self.say(f"  {line}")

    def show(self, document: str) -> None:
        """A JSON document as it is, but for escapes where a terminal or a CI service would obey its strings."""
        if self.json:
            return
        lines = document.replace("\r", " ").replace("\t", " ").split("\n")
        shown = ("".join(one if one.isprintable() else ascii_json(one)[1:-1] for one in line) for line in lines)
        click.echo("\n".join(shown).replace("##", r"#\u0023"))


def options(command: Command) -> Command:
    """Add the options that every command has; they arrive as keyword arguments for `session`."""
    for option in (
        click.option(
            "--debug", is_flag=True, help="Log on standard error what is asked, decided and reused; no secrets."
        ),
        click.option("-v", "--verbose", is_flag=True, help="Also show what is being worked on."),
        click.option("-q", "--quiet", is_flag=True, help="Show warnings and errors only."),
        click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one a line, on standard output."),
    ):
        command = option(command)
    return command


def store_option(command: Command) -> Command:
    """Add ``--store`` and ``--trust-store``."""
    for option in (
        click.option("--trust-store", is_flag=True, help="Take the store though other users can write to it."),
        click.option(
            "--store",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIRECTORY",
            help="Keep downloads and results here.  [default: ~/.cache/assembler]",
        ),
    ):
        command = option(command)
    return command


def network_options(command: Command) -> Command:
    """Add ``--store``, ``--trust-store``, ``--offline`` and ``--jobs``."""
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
            # What has not the look of a name may be a password.
            shown = f"'{name}'" if re.fullmatch("[A-Z][A-Z0-9_]*", name) else "what is given"
            raise click.BadParameter(f"{shown} is not {parameter.metavar}", context, parameter)
        if not _unicode(text):
            raise click.BadParameter("what is given is not UTF-8", context, parameter)
        given[name] = value
    return given


def _unicode(text: str) -> bool:
    """Whether an argument of the command line is text, and not bytes in disguise (PEP 383)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_LONGEST = 1 << 20
"""Bytes of a file with an argument's value."""


def _read_argument(name: str, path: str) -> str:
    """The text in the file `path`, or on standard input (-), without the line feed at its end; a terminal is asked."""
    if path == "-" and sys.stdin.isatty():
        return str(click.prompt(name, hide_input=True, err=True))
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as stream:
            data = stream.read(_LONGEST + 1)
    except OSError as error:
        why = error.strerror or str(error)
        raise click.BadParameter(f"the value of {name} cannot be read from {path}: {why}") from error
    if len(data) > _LONGEST:
        raise click.BadParameter(f"the value of {name} in {path} has more than {_LONGEST >> 20} MiB")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"the value of {name} in {path} is not UTF-8") from error


_arg_file = click.option(
    "--arg-file",
    "arg_files",
    multiple=True,
    metavar="NAME=PATH",
    callback=_arguments,
    help="Give an argument the text in a file, or standard input (-), without its last line feed: for secrets,"
    " which --arg would show to every user of this machine.",
)


def _read_arguments(files: Mapping[str, str]) -> dict[str, str]:
    """The values in `files`, by name."""
    if list(files.values()).count("-") > 1:
        raise click.UsageError("--arg-file: standard input has one value only")
    return {name: _read_argument(name, path) for name, path in files.items()}


def secret_options(command: Command) -> Command:
    """Add ``--arg-file NAME=PATH`` alone; what is given arrives as `args`, `Arguments`."""

    @functools.wraps(command)
    def with_arguments(*positional: Any, arg_files: dict[str, str], **others: Any) -> Any:
        return command(*positional, args=Arguments(_read_arguments(arg_files)), **others)

    return cast("Command", _arg_file(with_arguments))


def recipe_options(command: Command) -> Command:
    """Add what commands that take a recipe have in common.

    ``--arg NAME=VALUE`` and ``--arg-file NAME=PATH`` arrive together as `args`, `Arguments`, and what the recipe may
    read as keyword arguments for `session`; so do ``--profile`` and ``--scripts``, when they are given.
    """

    @functools.wraps(command)
    def with_arguments(
        *positional: Any,
        args: dict[str, str],
        arg_files: dict[str, str],
        profiles: tuple[str, ...],
        scripts: str | None,
        **others: Any,
    ) -> Any:
        given = Arguments(args)
        given.open = frozenset(args)
        if both := sorted(args.keys() & arg_files.keys()):
            raise click.UsageError(f"{both[0]} is given both with --arg and with --arg-file")
        given.update(_read_arguments(arg_files))
        others |= {"profiles": profiles} if profiles else {}
        others |= {"scripts": scripts} if scripts else {}
        return command(*positional, args=given, **others)

    for option in (
        click.option(
            "--scripts",
            type=click.Choice(["auto", "computed", "executed"]),
            help="Do with packages' maintainer scripts as if the recipe's rootfs.scripts said so.",
        ),
        click.option(
            "--allow-read",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="Let the recipe read this file, or what is below this directory, too. May be repeated.",
        ),
        click.option(
            "--project",
            type=click.Path(file_okay=False, exists=True, path_type=Path),
            metavar="DIRECTORY",
            help="Let the recipe read what is below this directory.  [default: the directory that it is in]",
        ),
        _arg_file,
        click.option(
            "--arg",
            "args",
            multiple=True,
            metavar="NAME=VALUE",
            callback=_arguments,
            help="Give the recipe's argument NAME another value. May be repeated.",
        ),
        click.option(
            "--profile",
            "profiles",
            multiple=True,
            metavar="NAME",
            shell_complete=completed_profiles,
            help="Lay the recipe's tables [profile.NAME] over it, in the order given. May be repeated.",
        ),
    ):
        with_arguments = option(with_arguments)
    return cast("Command", with_arguments)


@contextmanager
def session(
    *,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool = False,
    store: Path | None = None,
    trust_store: bool = False,
    jobs: int | None = None,
    profiles: Sequence[str] = (),
    project: Path | None = None,
    allow_read: Sequence[Path] = (),
    scripts: "Scripts | None" = None,
) -> Iterator[Session]:
    """What a command has around its work; main.py tells of the error that ends it."""
    settings = dataclasses.replace(environment.read(store), trust_store=trust_store)
    if jobs:
        settings = dataclasses.replace(settings, jobs=jobs)
    hidden: set[str] = set()
    with (
        debugging(hidden, wanted=debug),
        _reporter(settings, as_json=as_json, quiet=quiet, verbose=verbose, debug=debug) as reporter,
    ):
        _LOG.debug("assembler %s, Python %s, store %s", __version__, platform.python_version(), settings.store)
        yield Session(
            settings=settings,
            reporter=reporter,
            json=as_json,
            profiles=tuple(profiles),
            project=project,
            allow_read=tuple(allow_read),
            scripts=scripts,
            hidden=hidden,
        )


def _reporter(settings: environment.Settings, *, as_json: bool, quiet: bool, verbose: bool, debug: bool) -> Base:
    if as_json:
        return JsonReporter(sys.stdout)
    terminal = sys.stderr.isatty()
    if quiet or debug or not terminal or settings.dumb:
        color = terminal if settings.color is None else settings.color
        return LineReporter(sys.stderr, quiet=quiet, verbose=verbose, color=color)
    from rich.console import Console  # noqa: PLC0415  a tenth of a second, for terminals only

    return TerminalReporter(Console(stderr=True, no_color=settings.color is False), verbose=verbose)
