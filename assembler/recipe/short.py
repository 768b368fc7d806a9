"""Short forms of values in a recipe, which become the long ones before they are typed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from assembler.recipe.parameters import words
from assembler.recipe.shapes import SHAPE_ERROR

_VALUES: tuple[JsonSchemaValue, ...] = (
    {"type": "string"},
    {"type": "boolean"},
    {"type": "array", "items": {"type": "string"}},
)


@dataclass(frozen=True, slots=True)
class AnswerText:
    """Annotates the text of a debconf answer: true and false are a boolean's, an array is a multiselect's."""

    def read(self, value: Any) -> str:
        """The text as debconf has it. Raises PydanticCustomError for what is no answer."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return ", ".join(each.replace(",", "\\,") for each in value)
        if not isinstance(value, str):
            raise PydanticCustomError(
                SHAPE_ERROR,
                "is not an answer",
                {"hint": "a string, true or false, an array of strings, or a table with value and type"},
            )
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        text, *others = _VALUES
        return {"anyOf": [handler(schema) | text, *others]}


@dataclass(frozen=True, slots=True)
class NumberOrText:
    """Annotates a text that is a number, often: that is written without quotes, then."""

    def read(self, value: Any) -> Any:
        """The text."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(schema) | {"type": "string"}, {"type": "integer"}]}


@dataclass(frozen=True, slots=True)
class OrValue:
    """Annotates a table with a `value`: that alone stands for the table."""

    def read(self, value: Any) -> Any:
        """The table."""
        return value if isinstance(value, dict | BaseModel) else {"value": value}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [*_VALUES, handler(schema)]}


@dataclass(frozen=True, slots=True)
class ByOwnName:
    """Annotates a table of file names: an array of them stands for one that has each by its last part."""

    def read(self, value: Any) -> Any:
        """The table."""
        if isinstance(value, dict):
            return value
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            hint = 'as ["files/app.conf"], or { "app.conf" = "files/app.conf" }'
            raise PydanticCustomError(SHAPE_ERROR, "must be an array of file names, or a table", {"hint": hint})
        return {target: name for _, target, name in brought(value) if target}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "array", "items": {"type": "string"}}, handler(schema)]}


@dataclass(frozen=True, slots=True)
class OrWords:
    """Annotates an array of kernel parameters: a text stands for those in it."""

    def read(self, value: Any) -> Any:
        """The array."""
        return words(value) if isinstance(value, str) else value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


def brought(files: Any) -> Iterator[tuple[str | int, str, str]]:
    """What ``files`` of a step says in either form: its key there, the path below `ASSEMBLE_FILES`, the host's name.

    That path is empty where the host's name has no last part. What is no string is passed over.
    """
    pairs: Any = files.items() if isinstance(files, dict) else enumerate(files) if isinstance(files, list) else ()
    for key, name in pairs:
        if isinstance(name, str):
            yield key, key if isinstance(key, str) else own_name(name), name


def own_name(name: str) -> str:
    """The last part of a host file's name; empty when it has none."""
    last = PurePosixPath(name.removeprefix("builtin:")).name
    return "" if last == ".." else last
