"""``assemble manual``: the manual page, made of the commands themselves, so that it says what ``--help`` says."""

import inspect
import textwrap
from collections.abc import Iterable, Iterator

import click

from assembler import __version__

EXIT_STATUSES = (
    ("0", "What was asked for was done, and nothing was found wrong."),
    ("1", "An error, which was explained; or what was compared differs, or what was verified is wrong."),
    ("2", "The command line was wrong."),
    ("130", "Interrupted with Ctrl-C."),
    ("143", "Ended by SIGTERM."),
)
ENVIRONMENT = (
    ("ASSEMBLE_CONFIG", "The configuration file, instead of config.toml in the user's directory for such files."),
    ("ASSEMBLE_LOCK_TIMEOUT", "Seconds to wait for what another build holds in the store."),
    ("ASSEMBLE_MIRROR", "Base address of the Debian archive, for recipes that name none."),
    ("ASSEMBLE_SNAPSHOT", "Base addresses of archives of what Debian's archives once held, separated by spaces."),
    ("ASSEMBLE_STORE", "The directory for downloads and results, as with --store."),
    ("FORCE_COLOR, NO_COLOR", "Use colours, or none, whatever standard error is."),
    ("HOME, XDG_CACHE_HOME, XDG_CONFIG_HOME", "Where the user's directories are."),
    ("PATH", "Where QEMU and the host's own compilers are looked for; entries that are not absolute do not count."),
    ("TERM", "With dumb, progress is lines and no bars."),
    ("http_proxy, https_proxy, no_proxy", "Proxies, as curl(1) reads them."),
)
FILES = (
    ("~/.cache/assembler", "The store: downloads and results. It may be deleted at any time."),
    ("~/.config/assembler/config.toml", "Mirrors, logins and the source of the tools that build."),
    ("~/.netrc", "Logins for servers that the configuration file does not have."),
    ("NAME.lock.toml", "Beside a recipe: every input of the image NAME by digest."),
    ("out/", "What was built, unless --out names another directory; manifest.json says what it is."),
)


def page(group: click.Group, main_form: click.Command) -> str:
    """The page in the language of man(7), for `group` whose main form is the command `main_form`."""
    return "\n".join(_page(group, main_form)) + "\n"


def _page(group: click.Group, main_form: click.Command) -> Iterator[str]:
    context = click.Context(group, info_name="assemble", **group.context_settings)
    yield f'.TH ASSEMBLE 1 "" "assembler {__version__}" "User Commands"'
    yield ".SH NAME"
    summary, *more = _paragraphs(group)
    yield f"assemble \\- {_escaped(_small(summary))}"
    yield ".SH SYNOPSIS"
    yield ".B assemble\nRECIPE.toml [OPTIONS]\n.br\n.B assemble\nCOMMAND [ARGUMENTS]"
    yield ".SH DESCRIPTION"
    yield from _prose([*more, *_paragraphs(main_form), (group.epilog or "").strip()])
    yield ".SH OPTIONS"
    yield from _options(main_form, context, without=_HELP)
    yield from _options(group, context)
    yield ".SH COMMANDS"
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and command is not main_form and not command.hidden:
            yield from _commands(command, name, context)
    for title, entries in (("EXIT STATUS", EXIT_STATUSES), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        yield f".SH {title}"
        yield from _entries(entries)


def _commands(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    """A command, and those that it is a group of."""
    context = click.Context(command, parent=parent, info_name=name)
    yield from _command(command, context)
    if isinstance(command, click.Group):
        for each, under in command.commands.items():
            yield from _commands(under, each, context)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_escaped(f'{context.command_path} {usage}')}"
    yield from _prose(_paragraphs(command))
    yield from _options(command, context, without=_HELP)


def _options(command: click.Command, context: click.Context, without: frozenset[str] = frozenset()) -> Iterator[str]:
    options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
    records = [each.get_help_record(context) for each in options if not without & set(each.opts)]
    yield from _entries([record for record in records if record])


def _entries(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, meaning in entries:
        yield f".TP\n.B {_escaped(name)}\n{_filled(meaning)}"


def _paragraphs(command: click.Command) -> list[str]:
    return [part for part in inspect.cleandoc(command.help or "").split("\n\n") if part]


def _prose(paragraphs: list[str]) -> Iterator[str]:
    for index, paragraph in enumerate(filter(None, paragraphs)):
        if index:
            yield ".PP"
        if paragraph.startswith("\b\n"):
            yield f".nf\n{_escaped(paragraph[2:])}\n.fi"
        else:
            yield _filled(paragraph)


def _small(sentence: str) -> str:
    """A sentence as what follows a name."""
    return f"{sentence[0].lower()}{' '.join(sentence[1:].split()).rstrip('.')}"


_HELP = frozenset({"--help"})
"""What every command has, and is told once."""
_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "~": r"\(ti", "^": r"\(ha", '"': r"\(dq"}


def _filled(text: str) -> str:
    """A paragraph, in lines that are not long."""
    return _escaped("\n".join(textwrap.wrap(text, 72, break_long_words=False, break_on_hyphens=False)))


def _escaped(text: str) -> str:
    """Text as it is, nothing of which is a request or becomes another character when it is typeset."""
    lines = "".join(_SPECIAL.get(one, one) for one in text).splitlines()
    return "\n".join(rf"\&{line}" if line.startswith(".") else line for line in lines)


@click.command(short_help="Print the manual page.")
def manual() -> None:
    """Print the manual page, assemble(1): assemble manual | man -l -"""
    root = click.get_current_context().find_root().command
    assert isinstance(root, click.Group)
    click.echo(page(root, root.commands["build"]), nl=False)
