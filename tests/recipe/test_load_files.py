"""How many files a recipe may consist of."""

from pathlib import Path

import pytest

from assembler.errors import Problems
from assembler.recipe.extend import MAX_RECIPES
from assembler.recipe.load import load
from tests.recipe.test_load import write

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_recipe_of_too_many_files_is_told_once() -> None:
    def chain(count: int) -> Path:
        for number in range(count - 2):
            write(f"b{number}.toml", f"extends = 'b{number + 1}.toml'\n")
        write(f"b{count - 2}.toml", "")
        return write("r.toml", "extends = 'b0.toml'\nname = 'x'\n")

    assert load(chain(MAX_RECIPES), {}).recipe.name == "x"
    with pytest.raises(Problems) as caught:
        load(chain(MAX_RECIPES + 1), {})
    assert [error.what for error in caught.value.errors] == [f"a recipe has at most {MAX_RECIPES} files"]
    for number in range(MAX_RECIPES + 5):
        write(f"c{number}.toml", "")
    halves = [[f"c{number}.toml" for number in range(start, MAX_RECIPES + 5, 2)] for start in (0, 1)]
    for name, half in zip(("x.toml", "y.toml"), halves, strict=True):
        write(name, f"extends = {half}\n")
    with pytest.raises(Problems) as caught:
        load(write("r.toml", "extends = ['x.toml', 'y.toml']\nname = 'x'\n"), {})
    assert [error.what for error in caught.value.errors] == [f"a recipe has at most {MAX_RECIPES} files"]
