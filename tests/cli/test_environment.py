"""Settings from the environment."""

import os
from pathlib import Path

import pytest

from assembler.cli import environment
from assembler.errors import AssembleError


@pytest.mark.parametrize(
    ("environ", "store"),
    [
        ({"HOME": "/home/u"}, "/home/u/.cache/assembler"),
        ({"HOME": "/home/u", "XDG_CACHE_HOME": "/c"}, "/c/assembler"),
        ({"HOME": "/home/u", "XDG_CACHE_HOME": "relative"}, "/home/u/.cache/assembler"),
        ({"HOME": "/home/u", "XDG_CACHE_HOME": ""}, "/home/u/.cache/assembler"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/assembler"),
        ({"XDG_CACHE_HOME": "/c", "ASSEMBLE_STORE": "/s"}, "/s"),
    ],
)
def test_store(environ: dict[str, str], store: str) -> None:
    assert environment.read(environ=environ).store == Path(store)


def test_chosen_store_needs_no_home_and_is_absolute() -> None:
    assert environment.read(Path("x"), environ={}).store == Path.cwd() / "x"
    assert environment.read(environ={"ASSEMBLE_STORE": "x"}).store == Path.cwd() / "x"


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_no_home(environ: dict[str, str]) -> None:
    with pytest.raises(AssembleError, match="no home directory"):
        environment.read(environ=environ)


@pytest.mark.parametrize(
    ("environ", "color"),
    [
        ({}, None),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, None),
        ({"FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_color(environ: dict[str, str], color: bool | None) -> None:  # noqa: FBT001  a table
    assert environment.read(Path("x"), environ).color is color


@pytest.mark.parametrize("search", [":/p", "/p:", ".:/p", "/p::./bin", "bin:/p:../x", "~/bin:/p"])
def test_no_program_is_looked_for_in_the_working_directory(search: str) -> None:
    assert environment.read(Path("x"), {"PATH": search}).search == "/p"


def test_the_rest() -> None:
    settings = environment.read(Path("x"), {"ASSEMBLE_MIRROR": "http://m", "PATH": "/p", "TERM": "xterm"})
    assert settings.mirror == "http://m"
    assert settings.search == "/p"
    assert settings.dumb is False
    assert settings.jobs == len(os.sched_getaffinity(0))
    assert settings.architecture in {"amd64", "arm64"}
    assert environment.read(Path("x"), {}).dumb is True
    assert environment.read(Path("x"), {"TERM": "dumb"}).dumb is True
