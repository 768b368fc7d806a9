"""What is wrong with a value by a schema, in words, and schemas that are of no use."""

import subprocess
import sys
from datetime import date
from typing import Any

import pytest

from assembler.jsonschema import Failure, SchemaError, failures


def said(schema: dict[str, Any], value: Any) -> list[str]:
    return [f"{'/'.join(map(str, one.path))}: {one.what}" for one in failures(schema, value)]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": ["string", "null"]}, date(2026, 1, 2), ": this is a date, not a string or nothing"),
        ({"type": "integer"}, True, ": this is true, not a whole number"),
        ({"type": "string", "$ref": "#/$defs/a", "$defs": {"a": {}}}, 1, ": this is a whole number, not a string"),
        ({"items": {"minLength": 1}}, ["a", ""], "1: this is empty"),
        ({"minProperties": 2}, {"a": 1}, ": this has less than 2 keys"),
        ({"minimum": 3, "exclusiveMinimum": True}, 3, ": this is not more than 3"),
        ({"maximum": 3}, 4, ": this is more than 3"),
        ({"properties": {"a": {"format": "date"}}}, {"a": "2026-02-30"}, "a: this is no date"),
        ({"uniqueItems": True}, ["a", "b", "a"], ": this has something twice"),
        ({"multipleOf": 2}, 3, ": this is not what multipleOf allows"),
        ({"oneOf": [{}, {"type": "string"}]}, "a", ": this is two things at once, of which one is allowed"),
        ({"not": {"required": ["a"]}}, {"a": 1}, ": this is what is not allowed here"),
        ({"pattern": "^a"}, b"b", ": this does not look like ^a"),
        ({"patternProperties": {"^a$": {}}, "additionalProperties": False}, {"a": 1, 2: 3}, "2: this key is not a str"),
        ({"anyOf": [{"type": "array"}, {"type": "string"}]}, {}, ": this is a mapping, not a list or a string"),
        ({"anyOf": [{"enum": ["a"]}, {"enum": [None, True]}]}, "b", ": this is none of what it may be"),
    ],
)  # fmt: skip
def test_failures(schema: dict[str, Any], value: Any, expected: str) -> None:
    assert said(schema, value)[0].startswith(expected)


def test_all_that_is_wrong_is_told_and_each_once() -> None:
    schema = {"required": ["a", "b"], "properties": {"c": {}}, "additionalProperties": False}
    assert said(schema, {"x": 1, "y": 2}) == [
        ": the key a is missing", ": the key b is missing", "x: unknown key", "y: unknown key",
    ]  # fmt: skip


def test_of_alternatives_the_likeliest_is_told() -> None:
    bond = {"properties": {"type": {"enum": ["bond"]}, "mode": {"type": "string"}}, "required": ["mode"]}
    vlan = {"properties": {"type": {"enum": ["vlan"]}, "id": {"type": "integer"}}}
    schema = {"items": {"oneOf": [vlan, bond, {"type": "null"}]}}
    assert said(schema, [{"type": "bond", "mode": 1, "id": "x"}]) == ["0/mode: this is a whole number, not a string"]
    allowed = failures({"anyOf": [{"enum": ["a"]}, {"enum": [None, True]}]}, "b")
    assert allowed == [Failure((), "enum", "this is none of what it may be", "b", ("a", "null", "true"))]


def test_texts_are_not_told() -> None:
    keywords: list[dict[str, Any]]
    keywords = [{"pattern": "^a"}, {"format": "ipv4"}, {"enum": ["a"]}, {"type": "null"}, {"maxLength": 1}, {"not": {}}]
    for keyword in keywords:
        assert "s3cret" not in "".join(said({"oneOf": [{"type": "array"}, keyword]}, "s3cret"))
        assert said(keyword, "s3cret")


def test_bytes_are_strings() -> None:
    assert failures({"type": "string", "minLength": 1}, b"a") == []


def test_keywords_of_later_drafts_say_nothing_as_for_cloud_init() -> None:
    later = {"$schema": "http://json-schema.org/draft-07/schema#", "const": 1, "prefixItems": [{"type": "null"}]}
    assert failures({**later, "deprecated": True}, [2]) == []


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"$defs": {"a": {"type": "text"}}}, r"none of draft 4, at \$\['\$defs'\].a.type"),
        ({"pattern": "("}, r"none of draft 4, at \$.pattern"),
        ({"patternProperties": {"(": {}}}, "a pattern that is none"),
        ({"$ref": "http://192.0.2.1/a.json"}, "refers to http://192.0.2.1/a.json, which it does not have"),
        ({"$ref": "#/$defs/a"}, r"refers to /\$defs/a, which it does not have"),
        ({"$ref": "#/allOf/x", "allOf": [{}]}, "a part of the schema is no schema"),
        ({"$ref": "#/title", "title": "a"}, "a part of the schema is no schema"),
        ({"$ref": "#"}, "go round in circles"),
        ({"$defs": {**{f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}, "a40": {}},
          "$ref": "#/$defs/a0"}, "takes too long"),
    ],
)  # fmt: skip
def test_schemas_of_no_use(schema: dict[str, Any], expected: str) -> None:
    with pytest.raises(SchemaError, match=expected):
        failures(schema, {"a": 1})


def test_the_library_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, assembler.api, assembler.seed.examine; sys.exit('jsonschema' in sys.modules)"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
