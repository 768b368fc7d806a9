"""The reference of recipes: the published page is current, and its examples are recipes."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assembler.debian.sources import parse_sources
from assembler.recipe import reference
from assembler.recipe.checks import named_files, named_trees
from assembler.recipe.examples import EXAMPLES
from assembler.recipe.load import load
from assembler.recipe.model import Livecd, Recipe
from assembler.recipe.names import BEGIN
from assembler.recipe.strict import Strict
from assembler.recipe.tables import table_of

PAGE = Path(__file__).parents[2] / "docs/recipe.md"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
PIECES = [(name, text) for name, texts in EXAMPLES.items() for text in texts]


def tables(table: type[Strict] = Recipe) -> Iterator[type[Strict]]:
    """Every type of table in a recipe."""
    yield table
    for field in table.model_fields.values():
        if (inner := table_of(field.annotation)) is not None:
            yield from tables(inner)


def test_the_published_page_is_current() -> None:
    current = PAGE.read_text("utf-8") == reference.reference()
    assert current, "run: assemble schema --reference > docs/recipe.md"


@pytest.mark.parametrize(("name", "text"), PIECES, ids=[name for name, _ in PIECES])
def test_examples_load(name: str, text: str, tmp_path: Path) -> None:
    data = tomllib.loads(text)
    for file in (*(name for _, name in named_files(data)), *(name for _, _, name in named_trees(data))):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(CERTIFICATE if file.endswith(".crt") else "")
    (tmp_path / "overlay/etc").mkdir(parents=True)
    (tmp_path / "overlay/etc/issue").write_text("")
    (tmp_path / "kubernetes.asc").write_text(BEGIN)
    (tmp_path / "packages").mkdir(exist_ok=True)
    (tmp_path / "packages/tool_1.0_amd64.deb").write_bytes(b"test")
    path = tmp_path / "recipe.toml"
    path.write_text(text if "name" in data else f'name = "example"\n{text}')
    recipe = load(path).recipe
    assert parse_sources(recipe.debian.sources)
    assert name in PAGE.read_text("utf-8") or f"```toml\n{text}```" in PAGE.read_text("utf-8")


def test_every_key_has_an_example_and_a_place() -> None:
    page = PAGE.read_text("utf-8")
    found = [(table, key) for table in tables() for key in table.model_fields]
    assert len(found) > 60
    for table, key in found:
        if table_of(table.model_fields[key].annotation) is None:
            reference.example(table, key)
            assert any(line.startswith("### `") and line.endswith(f"{key}`") for line in page.splitlines()), key
    with pytest.raises(LookupError):
        reference.example(Recipe, "no_such_key")


def test_an_example_is_of_its_own_table() -> None:
    assert reference.example(Livecd, "timeout") == 5


@pytest.mark.parametrize(
    "line",
    [
        "### `livecd.timeout`\n\nAn integer from 0 to 60; default `1`; for example `5`.\n",
        '### `arch`\n\nOne of `"amd64"`, `"arm64"`; default `"amd64"`; for example `"arm64"`.\n',
        '### `name`\n\nAn image name; required; for example `"edge-node"`.\n',
        "### `rootfs.ids.users`\n\nA table; each key is an account, each value an integer from 100 to 59999;",
        "`packages_add` appends to the list of the recipes extended; `packages_remove` takes away from it.\n",
        "### `kubernetes.PART.source`\n",
        "Allowed: 64 hexadecimal digits in lower case, as sha256sum prints.\n",
        "### `rootfs.files`\n\nAn array of tables; default `[]`.\n",
    ],
)
def test_what_is_said_of_a_key(line: str) -> None:
    assert line in PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    ("value", "text"),
    [({}, "{}"), ({"a": [1, True]}, "{ a = [1, true] }"), ('"é\n', r'"\"é\n"'), ("", '""')],
)
def test_values_are_toml(value: Any, text: str) -> None:
    shown = reference.as_toml(value)
    assert shown == text
    assert tomllib.loads(f"key = {shown}") == {"key": value}
