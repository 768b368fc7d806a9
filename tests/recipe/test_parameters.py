"""The kernel command line: a list or a text, what recipes on top do to it, and what it cannot have."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.boot.grub_config import parameters
from assembler.errors import Problems
from assembler.recipe.load import load
from assembler.recipe.parameters import name_of, words
from assembler.recipe.shapes import KernelParameter
from assembler.recipe.shown import shown


def cmdline(directory: Path, *recipes: str, **arguments: str) -> list[str]:
    """That of the last of `recipes`, each on top of the one before."""
    for number, text in enumerate(recipes):
        below = f"extends = '{number - 1}.toml'\n" if number else "name = 'x'\n"
        (directory / f"{number}.toml").write_text(below + text)
    return load(directory / f"{len(recipes) - 1}.toml", arguments).recipe.livecd.cmdline


def wrong(directory: Path, *recipes: str, **arguments: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        cmdline(directory, *recipes, **arguments)
    return [str(error).removeprefix(f"{directory}/") for error in caught.value.errors]


TEXT = """livecd.cmdline = 'quiet  a.b="c d" console=tty0 '"""
LIST = """livecd.cmdline = ["quiet", 'a.b="c d"', "console=tty0"]"""


@pytest.mark.parametrize("below", [TEXT, LIST])
@pytest.mark.parametrize("quoted", ["'x y=1'", "['x', 'y=1']", "['x y=1']"])
def test_a_text_is_the_list_of_its_words(tmp_path: Path, below: str, quoted: str) -> None:
    have = ["quiet", 'a.b="c d"', "console=tty0"]
    assert cmdline(tmp_path, below) == have
    assert cmdline(tmp_path, below, f"livecd.cmdline_add = {quoted}") == [*have, "x", "y=1"]
    assert cmdline(tmp_path, below, f"livecd.cmdline = {quoted}") == ["x", "y=1"]
    assert cmdline(tmp_path, "", f"livecd.cmdline_add = {quoted}") == ["x", "y=1"]


@pytest.mark.parametrize("below", [TEXT, LIST])
def test_what_is_taken_away_by_name_or_as_it_is(tmp_path: Path, below: str) -> None:
    for less in ("['quiet', 'a.b']", "'quiet a.b'", """['quiet a.b="c d"']"""):
        assert cmdline(tmp_path, below, f"livecd.cmdline_remove = {less}") == ["console=tty0"]
    assert wrong(tmp_path, below, "livecd.cmdline_remove = ['console=tty1', 'a', 'quit']") == [
        "1.toml:2:26 livecd.cmdline_remove[0]: no recipe below has it in cmdline (did you mean console=tty0?)",
        "1.toml:2:42 livecd.cmdline_remove[1]: no recipe below has it in cmdline (leave it out)",
        "1.toml:2:47 livecd.cmdline_remove[2]: no recipe below has it in cmdline (did you mean quiet?)",
    ]


def test_of_two_the_last_counts_so_one_may_be_added_again(tmp_path: Path) -> None:
    more = "livecd.cmdline_add = ['console=ttyS0', 'console=tty0']"
    assert cmdline(tmp_path, LIST, more)[-2:] == ["console=ttyS0", "console=tty0"]
    assert cmdline(tmp_path, LIST, more, "livecd.cmdline_remove = ['console']") == ["quiet", 'a.b="c d"']


def test_an_argument_may_be_several(tmp_path: Path) -> None:
    below = "args.MORE = ''\nlivecd.cmdline = 'quiet ${MORE}'"
    more = "livecd.cmdline_add = ['x=${MORE}', '${MORE}']"
    assert cmdline(tmp_path, below) == ["quiet"]
    assert cmdline(tmp_path, below, more, MORE='a "b c"') == ["quiet", "a", '"b c"', "x=a", '"b c"', "a", '"b c"']


def test_what_is_no_parameter_is_told_where_it_stands(tmp_path: Path) -> None:
    more = "livecd.cmdline_add = ['ok', 'a=\"b c', 3]\nrootfs.hostname = 'x'"
    assert [error.partition(" (")[0] for error in wrong(tmp_path, LIST, more)] == [
        "1.toml:2:29 livecd.cmdline_add[1]: 'a=\"b c' is not a kernel parameter",
        "1.toml:2:39 livecd.cmdline_add[2]: must be a string, not an integer",
    ]
    (error,) = wrong(tmp_path, "livecd.cmdline = 'a é'")
    assert error.startswith("0.toml:2:8 livecd.cmdline: 'é' is not a kernel parameter")
    (error,) = wrong(tmp_path, "livecd.cmdline = 3")
    assert error.startswith("0.toml:2:8 livecd.cmdline: must be an array, not an integer")
    (error,) = wrong(tmp_path, LIST, "livecd.cmdline_add = 3")
    assert error.endswith("livecd.cmdline_add: must be an array")


@pytest.mark.parametrize("name", ["livecd.label", "livecd.state", "livecd.medium"])
def test_what_the_boot_menu_sets_is_refused(tmp_path: Path, name: str) -> None:
    for text in (f"'quiet {name}=x'", f"['quiet', '{name}=x']", f"['quiet', '\"{name}=x y\"']"):
        (error,) = wrong(tmp_path, f"livecd.cmdline = {text}")
        assert f"{name} is set by the image itself" in error
    assert cmdline(tmp_path, f"livecd.cmdline = 'livecd.wait=60 x.{name}=1'") == ["livecd.wait=60", f"x.{name}=1"]


@given(st.text(alphabet=' ab="', max_size=20))
def test_they_are_taken_apart_as_the_boot_loader_does(text: str) -> None:
    found = words(text)
    assert words(" ".join(found)) == found
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    if text.count('"') % 2 == 0:
        assert [each.replace('"', "") for each in found] == parameters(text)
        (shape,) = KernelParameter.__metadata__  # type: ignore[attr-defined]
        assert all(re.fullmatch(shape.pattern, each) for each in found)
    assert all(name_of(each) == each.replace('"', "").split("=")[0] for each in found)


def test_each_is_shown_with_where_it_comes_from(tmp_path: Path) -> None:
    cmdline(tmp_path, LIST, "args.MORE = 'a=1 b=2'\nlivecd.cmdline_add = ['x', '${MORE}', 'y=${MORE}']")
    found = shown(load(tmp_path / "1.toml"))
    assert found.values["livecd"]["cmdline"][3:] == ["x", "a=1", "b=2", "y=a=1", "b=2"]
    origins = [found.origins["livecd", "cmdline", index] for index in range(8)]
    assert [(each.spot.line, each.arguments) for each in origins[2:]] == [(2, ()), (3, ()), *[(3, ("MORE",))] * 4]
