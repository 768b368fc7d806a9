"""``--profile``: every command that takes a recipe has it, and both builds of ``reproduce``."""

from pathlib import Path
from typing import Any

import click
import pytest

from assembler import api
from assembler.api.reproduce import _options
from assembler.cli.main import call
from assembler.cli.session import recipe_options, session
from assembler.recipe.given import Arguments


@click.command()
@recipe_options
def shown(args: Arguments, **common: Any) -> None:
    with session(as_json=False, quiet=True, verbose=False, **common) as current:
        click.echo(current.recipe(Path("r.toml"), args).load().recipe.name)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSEMBLE_STORE", str(tmp_path / "store"))
    Path("r.toml").write_text("name = 'x'\n[profile.a]\n[profile.b]\n")


def test_it_may_be_repeated_and_its_order_counts(capsys: pytest.CaptureFixture[str]) -> None:
    shown.main([], standalone_mode=False)
    shown.main(["--profile", "b", "--profile", "a"], standalone_mode=False)
    assert capsys.readouterr().out == "x\nx-b-a\n"


@pytest.mark.parametrize("command", [[], ["check"], ["lock"], ["reproduce"], ["shell"], ["show"]], ids=" ".join)
def test_every_command_that_takes_a_recipe_has_it(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*command, "./r.toml", "--profile", "c\x1b"]) == 1
    told = capsys.readouterr().err
    assert "the recipe has no profile c\\x1b" in told
    assert "it has: a, b" in told


def test_the_lock_that_is_missing_is_the_one_of_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["lock", "r.toml", "--check", "--profile", "a"]) == 1
    assert "x-a.lock.toml" in capsys.readouterr().err


def test_both_builds_of_reproduce_have_it() -> None:
    options = _options(api.RecipeFile(path=Path("r.toml"), profiles=("b", "a"), scripts="auto"))
    assert options == ["--profile", "b", "--profile", "a", "--scripts", "auto"]
