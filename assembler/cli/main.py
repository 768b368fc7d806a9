"""``assemble``: the main form builds a recipe, other commands have names. Decides the exit status.

0 success, 1 an error that was explained, 2 wrong usage, 130 interrupted by Ctrl-C, 143 by SIGTERM.
"""

import io
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from assembler import __version__
from assembler.cli import environment, rendering
from assembler.cli.build import build
from assembler.cli.check import check
from assembler.cli.completion import completion, main_form
from assembler.cli.diff import diff
from assembler.cli.init import init
from assembler.cli.licences import show as show_licences
from assembler.cli.lock import lock
from assembler.cli.manual import manual
from assembler.cli.progress import JsonReporter
from assembler.cli.rebuild import rebuild
from assembler.cli.reproduce import reproduce
from assembler.cli.run import run
from assembler.cli.sbom import sbom
from assembler.cli.schema import schema
from assembler.cli.shell import shell
from assembler.cli.show import show
from assembler.cli.store import store
from assembler.cli.verify import verify
from assembler.errors import AssembleError
from assembler.printable import printable_lines

INTERRUPTED, TERMINATED = 130, 143
ALIASES = {"audit": "reproduce"}
"""Former names of commands."""


class UnreadError(Exception):
    """Nobody reads standard output any more."""


class Assemble(click.Group):
    """A group of commands whose first argument, when it is none of them, belongs to ``build``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``build`` before anything that names no command and asks for nothing of the group."""
        if args and args[0] in ALIASES:
            args = [ALIASES[args[0]], *args[1:]]
        own = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        if args and args[0] not in self.commands and args[0] not in own:
            args = ["build", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands, and what the main form begins with."""
        found = {
            item.value: item for item in (*super().shell_complete(ctx, incomplete), *main_form(self, ctx, incomplete))
        }
        return list(found.values())

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; click would end the process when nobody reads what it prints."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise UnreadError from error

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Both forms."""
        formatter.write_usage(ctx.command_path, "RECIPE.toml [OPTIONS]")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGUMENTS]", prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of the main form, those of the group, then the commands."""
        with formatter.section("Options of the main form"):
            own = [parameter for parameter in build.params if isinstance(parameter, click.Option)]
            formatter.write_dl([record for option in own if (record := option.get_help_record(ctx))])
        with formatter.section("Other options"):
            formatter.write_dl([record for option in self.get_params(ctx) if (record := option.get_help_record(ctx))])
        self.format_commands(ctx, formatter)


@click.group(
    cls=Assemble,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A recipe whose name is that of a command is given with a directory: assemble ./lock",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.option(
    "--licences",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_licences,
    help="Show on which terms this goes out, and exit.",
)
def cli() -> None:
    """Build a bootable image from a recipe: no root, no containers, the same bytes on every host.

    Begin with: assemble builtin:livecd.toml, then assemble run; or assemble init, for a recipe of your own.
    Recipes that come along are builtin:NAME.toml; their locks are in the working directory.
    """


for _command in (
    init,
    build,
    run,
    lock,
    check,
    show,
    shell,
    schema,
    verify,
    diff,
    rebuild,
    reproduce,
    sbom,
    store,
    completion,
    manual,
):
    cli.add_command(_command)


def call(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit status and has told the user everything, and programs by an event."""
    told = _Told(_wants_events(arguments))
    try:
        status: Any = cli.main(list(arguments), prog_name="assemble", standalone_mode=False)
    except click.ClickException as error:
        return told.wrong_usage(error)
    except (click.Abort, KeyboardInterrupt):
        return told.ended("interrupted", INTERRUPTED, shown=True)
    except Terminated:
        return told.ended("terminated", TERMINATED)
    except UnreadError:
        return told.ended("nobody reads standard output", 1)
    except AssembleError as error:
        return told.failed(error)
    except MemoryError:
        return told.failed(AssembleError("out of memory", hint="use fewer processors: --jobs 1"))
    except OSError as error:
        return told.failed(rendering.from_os_error(error) or rendering.from_defect(error))
    except Exception as error:  # noqa: BLE001  the last resort: whatever it is, it gets explained
        return told.failed(rendering.from_defect(error))
    return status if isinstance(status, int) else 0


def _wants_events(arguments: Sequence[str]) -> bool:
    """Whether a command line, which may be wrong, has ``--json``."""
    return "--json" in arguments[: arguments.index("--") if "--" in arguments else None]


class _Told:
    """Tells how a command ended other than well: people on standard error, programs by an event."""

    def __init__(self, events: bool) -> None:  # noqa: FBT001  the one thing that it is about
        self._events = events

    def failed(self, error: AssembleError) -> int:
        """An error that is explained."""
        self._event(error)
        self._show(rendering.text(error))
        return 1

    def wrong_usage(self, error: click.ClickException) -> int:
        """Something wrong with the command line itself."""
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help says what there is" if context else ""
        self._event(AssembleError(error.format_message(), hint=hint))
        # It repeats what was given, file names of others included.
        said = io.StringIO()
        error.show(said)
        self._show("\n".join(printable_lines(said.getvalue())))
        return error.exit_code

    def ended(self, what: str, status: int, *, shown: bool = False) -> int:
        """An end from outside."""
        self._event(AssembleError(what))
        if shown:
            self._show(what)
        return status

    def _event(self, error: AssembleError) -> None:
        if self._events:
            try:
                JsonReporter(sys.stdout).error(error)
            except (OSError, ValueError):
                # Standard output is closed or full: better there than nowhere.
                with suppress(OSError, ValueError):
                    JsonReporter(sys.stderr).error(error)

    @staticmethod
    def _show(text: str) -> None:
        with suppress(OSError, ValueError):
            click.echo(text, err=True, color=environment.color())


class Terminated(SystemExit):
    """SIGTERM has come."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  signal(2) gives both
    # As an exception, so that everything on the way out is put away.
    raise Terminated(TERMINATED)


def silence_libraries() -> None:
    """Keep what libraries log or warn of, which may be strangers' text as it came, off standard error."""
    logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def main() -> NoReturn:
    """The program."""
    silence_libraries()
    signal.signal(signal.SIGTERM, _terminate)
    status = call(sys.argv[1:])
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        # What could not be written is not tried once more at the very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = status or 1
    sys.exit(status)
