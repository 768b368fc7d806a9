"""``assemble``: the main form builds a recipe, other commands have names. Decides the exit status.

0 success, 1 an error that was explained, 2 wrong usage, 130 interrupted by Ctrl-C, 143 by SIGTERM.
"""

import io
import logging
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from assembler import __version__
from assembler.cli import environment, rendering
from assembler.cli.audit import audit
from assembler.cli.build import build
from assembler.cli.check import check
from assembler.cli.completion import completion, main_form
from assembler.cli.diff import diff
from assembler.cli.init import init
from assembler.cli.licences import show
from assembler.cli.lock import lock
from assembler.cli.manual import manual
from assembler.cli.rebuild import rebuild
from assembler.cli.run import run
from assembler.cli.sbom import sbom
from assembler.cli.schema import schema
from assembler.cli.verify import verify
from assembler.errors import AssembleError
from assembler.printable import printable_lines

INTERRUPTED, TERMINATED = 130, 143


class Assemble(click.Group):
    """A group of commands whose first argument, when it is none of them, belongs to ``build``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``build`` before anything that names no command and asks for nothing of the group."""
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
    callback=show,
    help="Show on which terms this goes out, and exit.",
)
def cli() -> None:
    """Build a bootable image from a recipe: no root, no containers, the same bytes on every host.

    Begin with: assemble builtin:livecd.toml, then assemble run; or assemble init, for a recipe of your own.
    Recipes that come along are builtin:NAME.toml; their locks are in the working directory.
    """


for _command in (init, build, run, lock, check, schema, verify, diff, rebuild, audit, sbom, completion, manual):
    cli.add_command(_command)


def call(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit status and has told the user everything."""
    try:
        status: Any = cli.main(list(arguments), prog_name="assemble", standalone_mode=False)
    except click.ClickException as error:
        # It repeats what was given, file names of others included.
        said = io.StringIO()
        error.show(said)
        click.echo("\n".join(printable_lines(said.getvalue())), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except AssembleError as error:
        return _fail(error)
    except MemoryError:
        return _fail(AssembleError("out of memory", hint="use fewer processors: --jobs 1"))
    except OSError as error:
        return _fail(rendering.from_os_error(error) or rendering.from_defect(error))
    except Exception as error:  # noqa: BLE001  the last resort: whatever it is, it gets explained
        return _fail(rendering.from_defect(error))
    return status if isinstance(status, int) else 0


def _fail(error: AssembleError) -> int:
    click.echo(rendering.text(error), err=True, color=environment.color())
    return 1


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  signal(2) gives both
    # As an exception, so that everything on the way out is put away.
    raise SystemExit(TERMINATED)


def silence_libraries() -> None:
    """Keep what libraries log or warn of, which may be strangers' text as it came, off standard error."""
    logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def main() -> NoReturn:
    """The program."""
    silence_libraries()
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(call(sys.argv[1:]))
