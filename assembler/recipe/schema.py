"""The JSON Schema of recipe files (draft 2020-12), generated from the types, their defaults and docstrings.

It describes one file, not a whole recipe: a file may leave out what its base has, name its bases, and append to lists.
"""

import json
from typing import Any

from pydantic import BaseModel

from assembler.architecture import ARCHITECTURES
from assembler.recipe.model import Recipe
from assembler.recipe.shapes import PROFILE_NAME, REFERENCE
from assembler.recipe.strict import Strict
from assembler.recipe.tables import ADD, ARCHITECTURE, EXTENDS, PROFILE, REMOVE, appendable, reducible, table_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_EXTENDS = {
    "description": "Recipes that this one is laid over, relative to this file; builtin:NAME is one that comes with"
    " the assembler. Tables merge, everything else is"
    " replaced by the later file; LIST_add appends to a list instead.",
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}},
    ],
}
_ARCHITECTURE = (
    "What images of one architecture have otherwise: a table [architecture.NAME] holds what a recipe on"
    " top of this file could say."
)
_PROFILE = (
    "What whoever builds may ask for with --profile NAME: a table [profile.NAME] holds what a recipe on"
    " top of this file could say."
)
_CONDITIONAL = {ARCHITECTURE: "OfArchitecture", PROFILE: "Profile"}
"""The names of the schemas of tables with a condition."""


def schema() -> dict[str, Any]:
    """The schema as JSON values."""
    document = Recipe.model_json_schema()
    definitions = document.pop("$defs")
    for name, definition in definitions.items():
        _complete(_tables()[name], definition)
    _complete(Recipe, document)
    document.pop("required")
    inner = {name: value for name, value in document["properties"].items() if name != "arch"}
    definitions[_CONDITIONAL[ARCHITECTURE]] = _on_top(inner, "What images of one architecture have otherwise.")
    inner = {**document["properties"], ARCHITECTURE: _of_architectures()}
    definitions[_CONDITIONAL[PROFILE]] = _on_top(inner, "What whoever builds may ask for.")
    document["properties"] = {
        EXTENDS: _EXTENDS,
        **document["properties"],
        ARCHITECTURE: _of_architectures(),
        PROFILE: _profiles(),
    }
    document.update(title="Recipe of an image", description="What an image is to be; see the recipes beside this file.")
    return {"$schema": DIALECT, **document, "$defs": definitions}


def _on_top(properties: dict[str, Any], description: str) -> dict[str, Any]:
    """The schema of a table with a condition."""
    return {"type": "object", "description": description, "properties": properties, "additionalProperties": False}


def _of_architectures() -> dict[str, Any]:
    inner = {"$ref": f"#/$defs/{_CONDITIONAL[ARCHITECTURE]}"}
    tables = {"properties": dict.fromkeys(ARCHITECTURES, inner), "additionalProperties": False}
    return {"description": _ARCHITECTURE, "type": "object", **tables}


def _profiles() -> dict[str, Any]:
    inner = {"$ref": f"#/$defs/{_CONDITIONAL[PROFILE]}"}
    tables = {"patternProperties": {f"^(?:{PROFILE_NAME.pattern})$": inner}, "additionalProperties": False}
    return {"description": _PROFILE, "type": "object", **tables}


def text() -> str:
    """The schema as it is published and printed: two spaces, a final line feed."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _tables() -> dict[str, type[Strict]]:
    """Every table below a recipe by its name."""
    found: dict[str, type[Strict]] = {}
    pending: list[type[BaseModel]] = [Recipe]
    while pending:
        for field in pending.pop().model_fields.values():
            table = table_of(field.annotation)
            if table is not None and table.__name__ not in found:
                found[table.__name__] = table
                pending.append(table)
    return found


def _complete(table: type[Strict], definition: dict[str, Any]) -> None:
    """Turn the schema of a table's values into that of a table in a file."""
    properties: dict[str, Any] = {}
    for name, generated in definition["properties"].items():
        value = _tidy(generated)
        properties[name] = value
        if name in appendable(table):
            more = {key: part for key, part in value.items() if key != "default"}
            properties[name + ADD] = {**more, "description": f"Appended to the `{name}` of the recipes extended."}
        if name in reducible(table):
            taken = {"type": "array", "items": {"type": "string"}}
            properties[name + REMOVE] = {**taken, "description": f"Taken out of the `{name}` of the recipes extended."}
    definition["properties"] = properties


def _tidy(value: dict[str, Any]) -> dict[str, Any]:
    """One property: TOML has no null, titles only repeat names, and any string may hold a reference to an argument."""
    value = {key: part for key, part in value.items() if key != "title"}
    if {"type": "null"} in value.get("anyOf", ()):
        (value_type,) = (option for option in value.pop("anyOf") if option != {"type": "null"})
        value.update(value_type)
    if value.get("default") is None or isinstance(value["default"], dict):
        value.pop("default", None)
    if "description" in value:
        value["description"] = value["description"].replace("\n", " ")
    if "enum" in value:
        value["anyOf"] = [{"enum": value.pop("enum")}, {"pattern": REFERENCE}]
    if "patternProperties" in value:
        value["additionalProperties"] = False
        for inner in value["patternProperties"].values():
            if "patternProperties" in inner:
                inner["additionalProperties"] = False
    return value
