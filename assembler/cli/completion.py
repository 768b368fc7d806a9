"""``assemble completion``: command lines completed by the shell, through click's ``_ASSEMBLE_COMPLETE``.

The script of a shell asks ``assemble`` itself what can follow. The answer has a line for each possibility: its kind, a
tab, its text, a tab, what it is. Kinds are ``plain`` (the text itself), ``file``, ``dir``, and ``suffix`` (files whose
names end with the text): names of files are left to the shell, which knows about quoting.
"""

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, split_arg_string

from assembler.errors import AssembleError
from assembler.image.names import LAYERS

LINE = "_ASSEMBLE_LINE"
"""The variable by which a script says what has been typed, up to the cursor."""


class _Completion(ShellComplete):
    """What is the same for all shells; the script of each lies in completions/."""

    def source(self) -> str:
        """The script."""
        return (files("assembler.cli") / "completions" / f"assemble.{self.name}").read_text("utf-8")

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the one that it is at the end of."""
        line = os.environ.get(LINE, "")
        words = split_arg_string(line)[1:]
        if not words or line[-1:].isspace():
            return words, ""
        return words[:-1], words[-1]

    def format_completion(self, item: CompletionItem) -> str:
        """A line."""
        parts = (" ".join(str(part).split()) for part in (item.type, item.value, item.help or ""))
        return "\t".join(parts).encode("utf-8", "replace").decode()  # of a name that is no UTF-8, its start is nothing


@add_completion_class
class _Bash(_Completion):
    name = "bash"


@add_completion_class
class _Zsh(_Completion):
    name = "zsh"


@add_completion_class
class _Fish(_Completion):
    name = "fish"


_SHELLS: dict[str, type[_Completion]] = {shell.name: shell for shell in (_Bash, _Zsh, _Fish)}


def recipes(context: click.Context, parameter: click.Parameter | None, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001  click's
    """Recipe files, and the names of recipes that come along, for ``shell_complete`` of an argument."""
    from assembler.recipe import builtin  # noqa: PLC0415  no other call needs it this early

    names = [name for each in builtin.recipes() if (name := builtin.PREFIX + each).startswith(incomplete)]
    return [*map(CompletionItem, names), CompletionItem(".toml", type="suffix")]


def layers(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001  click's
    """Names of layers, for ``shell_complete`` of an option."""
    return [CompletionItem(layer) for layer in LAYERS if layer.startswith(incomplete)]


def profiles(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001  click's
    """Names of the profiles of the recipe that stands before, for ``shell_complete`` of an option."""
    from assembler.recipe.load import profiles_of  # noqa: PLC0415  no other call needs it this early

    # An option without its value keeps click from giving arguments their names.
    recipe = context.params.get("recipe") or next(iter(context.args), None)
    try:
        names = profiles_of(Path(recipe)) if recipe else []
    except AssembleError:
        names = []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def main_form(group: click.Group, context: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """What the first word can be besides a command: an option of ``build``, or a recipe."""
    if incomplete.startswith("-"):
        build = group.commands["build"]
        with build.make_context("build", [], parent=context, resilient_parsing=True) as own:
            yield from build.shell_complete(own, incomplete)
    else:
        yield from recipes(context, None, incomplete)


@click.command(short_help="Print the script that completes command lines in a shell.")
@click.argument("shell", type=click.Choice(sorted(_SHELLS)), metavar="SHELL")
def completion(shell: str) -> None:
    r"""Print the script by which SHELL completes command lines of assemble.

    \b
    bash:  eval "$(assemble completion bash)"              in ~/.bashrc
    zsh:   eval "$(assemble completion zsh)"               in ~/.zshrc, after compinit
    fish:  assemble completion fish | source               in ~/.config/fish/config.fish
    """
    root = click.get_current_context().find_root().command
    click.echo(_SHELLS[shell](root, {}, "assemble", "_ASSEMBLE_COMPLETE").source(), nl=False)
