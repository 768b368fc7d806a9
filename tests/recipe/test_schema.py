"""The JSON Schema: the published copy, and that it takes what the loader takes."""

import re
from pathlib import Path
from typing import Any

import pytest

from assembler.architecture import ARCHITECTURES
from assembler.recipe import schema
from assembler.recipe.load import load

RECIPES = Path(__file__).parents[2] / "recipes"


def test_published_copy_is_up_to_date() -> None:
    published = (RECIPES / "recipe.schema.json").read_text()
    assert published == schema.text(), "run: assemble schema > recipes/recipe.schema.json"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.name)
def test_recipes_name_the_schema_and_load(path: Path) -> None:
    if path.name.endswith(".lock.toml"):
        return
    assert path.read_text().startswith("#:schema recipe.schema.json\n")
    assert load(path).recipe.name


def properties(value: Any) -> Any:
    """Every schema of a property below `value`, with its name."""
    if isinstance(value, dict):
        for name, inner in value.get("properties", {}).items():
            yield name, inner
        for inner in value.values():
            yield from properties(inner)


def test_everything_is_described() -> None:
    document = schema.schema()
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["additionalProperties"] is False
    assert all(table["additionalProperties"] is False for table in document["$defs"].values())
    for name, inner in properties(document):
        assert inner.get("description") or "$ref" in inner, name
        assert "null" not in str(inner), name
        assert "title" not in inner, name


def test_lists_can_be_appended_to() -> None:
    rootfs = schema.schema()["$defs"]["Rootfs"]["properties"]
    lists = {
        name
        for name, inner in rootfs.items()
        if inner.get("type") == "array" and not name.endswith(("_add", "_remove"))
    }
    assert "packages" in lists
    assert {f"{name}_add" for name in lists} <= rootfs.keys()
    assert rootfs["packages_add"]["items"] == rootfs["packages"]["items"]
    assert "default" not in rootfs["packages_add"]
    assert {f"{name}_remove" for name in lists} - rootfs.keys() == {"run_remove", "trees_remove"}


def test_patterns_take_references_to_arguments() -> None:
    hostname = schema.schema()["$defs"]["Rootfs"]["properties"]["hostname"]["pattern"]
    assert re.search(hostname, "k8s-livecd")
    assert re.search(hostname, "${HOSTNAME}")
    assert not re.search(hostname, "a_b")


def test_a_file_may_leave_out_what_its_base_has() -> None:
    document = schema.schema()
    assert "required" not in document
    assert "extends" in document["properties"]
    assert document["$defs"]["File"]["required"] == ["path"]


def test_tables_with_a_condition_hold_what_a_recipe_on_top_could() -> None:
    document = schema.schema()
    properties, definitions = document["properties"], document["$defs"]
    assert properties["architecture"]["properties"].keys() == ARCHITECTURES.keys()
    (pattern,) = properties["profile"]["patternProperties"]
    assert re.search(pattern, "debug")
    assert not re.search(pattern, "De bug")
    everything = set(properties)
    assert set(definitions["Profile"]["properties"]) == everything - {"extends", "profile"}
    assert set(definitions["OfArchitecture"]["properties"]) == everything - {
        "extends", "profile", "architecture", "arch",
    }  # fmt: skip
    assert definitions["Profile"]["properties"]["rootfs"] == properties["rootfs"]
