"""Validation errors in the words of TOML files, for people."""

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from assembler.recipe.document import did_you_mean
from assembler.recipe.shapes import SHAPE_ERROR, quoted
from assembler.recipe.strict import Strict
from assembler.recipe.tables import homes, keys, table_at
from assembler.toml.positions import Path as KeyPath

_TYPES = {
    "string_type": "a string",
    "int_type": "an integer",
    "bool_type": "true or false",
    "list_type": "an array",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_TOML = {str: "a string", bool: "a boolean", int: "an integer", float: "a float", list: "an array", dict: "a table"}


def explanations(error: ValidationError, root: type[Strict]) -> Iterator[tuple[KeyPath, str, str]]:
    """Everything that is wrong in a document of the type `root`: key path, cause and hint."""
    for details in error.errors(include_url=False):
        yield _explain(details, root)


def _explain(details: ErrorDetails, root: type[Strict]) -> tuple[KeyPath, str, str]:
    path: KeyPath = tuple(part for part in details["loc"] if part != "[key]")
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return path, "unknown key", _unknown(path, root)
    if kind == "missing":
        table = table_at(path[:-1], root)
        field = table.model_fields.get(str(path[-1])) if table else None
        meaning = (field.description if field else None) or ""
        return path, "is missing", meaning.split(". ")[0].replace("\n", " ").removesuffix(".")
    if kind == SHAPE_ERROR:
        return path, details["msg"], context["hint"]
    if kind == "literal_error":
        allowed = context["expected"].replace("'", "").replace(" or ", ", ")
        shown = quoted(value) if isinstance(value, str) else _TOML.get(type(value), "this")
        near = did_you_mean(value, allowed.split(", ")) if isinstance(value, str) else ""
        return path, f"{shown} is not one of {allowed}", near
    if kind in _TYPES:
        hint = "put it in brackets" if kind == "list_type" and isinstance(value, str) else ""
        hint = hint or ("put it in quotes" if kind == "string_type" and isinstance(value, int | float) else "")
        return path, f"must be {_TYPES[kind]}, not {_TOML.get(type(value), 'a date or time')}", hint
    return path, details["msg"].replace("Input should be", "must be"), ""


def _unknown(path: KeyPath, root: type[Strict]) -> str:
    key = str(path[-1])
    table = table_at(path[:-1], root)
    candidates = keys(table, root) if table else []
    near = did_you_mean(key, candidates)
    if near:
        return near
    tables = homes(key, root)
    if tables:
        return f"it belongs in [{tables[0]}]"
    return f"known here: {', '.join(candidates)}" if candidates else ""
