"""``--scripts``: what becomes of maintainer scripts in one build, as if the recipe said so."""

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
        click.echo(current.recipe(Path("r.toml"), args).load().recipe.rootfs.scripts)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSEMBLE_STORE", str(tmp_path / "store"))
    Path("r.toml").write_text("name = 'x'\nrootfs.scripts = 'computed'\n")


@pytest.mark.parametrize(("options", "scripts"), [([], "computed"), (["--scripts", "auto"], "auto")])
def test_it_is_as_if_the_recipe_said_so(options: list[str], scripts: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown.main(options, standalone_mode=False)
    assert capsys.readouterr().out == f"{scripts}\n"


@pytest.mark.parametrize("command", [[], ["check"], ["lock"], ["reproduce"]])
def test_every_command_that_takes_a_recipe_has_it(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*command, "./r.toml", "--scripts", "none"]) == 2
    assert "'none' is not one of 'auto', 'computed', 'executed'" in capsys.readouterr().err


def test_both_builds_of_reproduce_have_it() -> None:
    assert _options(api.RecipeFile(path=Path("r.toml"))) == []
    assert _options(api.RecipeFile(path=Path("r.toml"), scripts="executed")) == ["--scripts", "executed"]
