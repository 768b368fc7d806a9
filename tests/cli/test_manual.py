"""The manual page: it has all that ``--help`` has, and mandoc reads it."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from assembler.cli import environment
from assembler.cli.main import call, cli
from assembler.cli.manual import ENVIRONMENT, page
from tests.support.host_commands import need

ROOT = Path(__file__).parents[2]
KNOWN = ("STYLE: input text line longer", "WARNING: missing date")
"""There is no day on which it was made: it is the same for the same version."""


def mandoc(text: str, *arguments: str) -> str:
    done = subprocess.run(
        [need("mandoc", "mandoc"), *arguments], input=text, capture_output=True, text=True, check=False
    )
    return done.stdout


def rendered(text: str) -> str:
    """As somebody reads it, each run of blanks as one."""
    return " ".join(re.sub(".\b", "", mandoc(text, "-T", "utf8", "-O", "width=200")).split())


@pytest.fixture(scope="module")
def manual() -> str:
    return page(cli, cli.commands["build"])


def test_it_is_printed(manual: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["manual"]) == 0
    assert capsys.readouterr().out == manual


def test_mandoc_has_nothing_to_say(manual: str) -> None:
    found = [line for line in mandoc(manual, "-T", "lint").splitlines() if not any(each in line for each in KNOWN)]
    assert found == []


def test_it_has_what_help_has(manual: str) -> None:
    text = rendered(manual)
    assert "assemble - build a bootable image from a recipe" in text
    assert "assemble RECIPE.toml [OPTIONS] assemble COMMAND [ARGUMENTS]" in text
    context = click.Context(cli, info_name="assemble")
    for name, command in cli.commands.items():
        if command.hidden or name == "build":
            continue
        own = click.Context(command, parent=context, info_name=name)
        start = text.index(f"assemble {name} {' '.join(command.collect_usage_pieces(own))}".rstrip())
        for parameter in command.params:
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(own)):
                assert " ".join(" ".join(record).split()) in text[start:], (name, record)
        for paragraph in (command.help or "").replace("\b", "").split("\n\n"):
            assert " ".join(paragraph.split()) in text[start:], name


def test_it_has_the_commands_of_a_group(manual: str) -> None:
    text = rendered(manual)
    for usage in ("store status [OPTIONS]", "store export [OPTIONS] LOCK", "store import [OPTIONS] BUNDLE.tar"):
        assert f"assemble {usage}" in text
    assert "--older-than AGE" in text


@pytest.mark.parametrize("text", [".SH EVIL", "'quoted' \\fBbold\\fR", 'a ~ b ^ c `d` "e" --f-g', "line\n.br\nline"])
def test_text_is_no_request(text: str) -> None:
    group = click.Group("assemble", help=f"Summary.\n\n{text}", commands={"build": click.Command("build")})
    shown = page(group, group.commands["build"])
    assert " ".join(text.split()) in rendered(shown)
    assert mandoc(shown, "-T", "lint", "-W", "error") == ""


def test_every_variable_that_is_read_is_named() -> None:
    """In the page, and in the documentation."""
    source = Path(environment.__file__).read_text("utf-8")
    read = set(re.findall(r'"((?:ASSEMBLE|XDG)_[A-Z_]+|[A-Z]+_COLOR|HOME|PATH|TERM)"', source))
    assert len(read) > 8
    assert read <= {name for names, _ in ENVIRONMENT for name in names.split(", ")}
    text = (ROOT / "docs/command-line.md").read_text("utf-8")
    assert [name for name in sorted(read) if f"`{name}`" not in text] == []
