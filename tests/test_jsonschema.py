"""JSON Schema: keyword by keyword, and which of several alternatives is spoken of.

On tens of thousands of documents that were made from cloud-init's own schemas, the verdict was that of the library
jsonschema 4.26; here every keyword has an example of each verdict.
"""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler import jsonschema
from assembler.jsonschema import SchemaError, failures, kind


def told(schema: dict[str, Any], value: Any) -> list[tuple[tuple[str | int, ...], str]]:
    return [(one.path, one.what) for one in failures(schema, value)]


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"type": "string"}, ["", "a", b"a"], [1, None, True, [], {}, dt.date(2001, 1, 1)]),
        ({"type": "integer"}, [0, -3], [True, 1.0, "1"]),
        ({"type": "number"}, [0, 1.5], [False, "1"]),
        ({"type": "boolean"}, [True, False], [0, 1, "true", None]),
        ({"type": "null"}, [None], [0, "", False]),
        ({"type": "array"}, [[]], [{}, "a", ()]),
        ({"type": "object"}, [{}], [[], "a"]),
        ({"type": ["string", "null"]}, ["a", None], [1]),
        ({"enum": ["a", 1, None]}, ["a", 1, None], ["b", True, 0]),
        ({"enum": [True]}, [True], [1, "true"]),
        ({"required": ["a"]}, [{"a": None}, "not a mapping"], [{}]),
        ({"properties": {"a": {"type": "string"}}}, [{}, {"a": ""}, {"b": 1}], [{"a": 1}]),
        ({"patternProperties": {"^x-": {"type": "string"}}}, [{"x-a": ""}, {"a": 1}], [{"x-a": 1}]),
        ({"additionalProperties": False, "properties": {"a": {}}}, [{"a": 1}], [{"b": 1}, {1: 1}]),
        ({"additionalProperties": False, "patternProperties": {"^b": {}}}, [{"bc": 1}], [{"cb": 1}]),
        ({"additionalProperties": {"type": "string"}}, [{"a": ""}], [{"a": 1}]),
        ({"items": {"type": "string"}}, [[], ["a"], "a"], [[1], ["a", 1]]),
        ({"items": [{"type": "string"}]}, [[], ["a"], ["a", 1]], [[1]]),
        ({"items": [{"type": "string"}], "additionalItems": False}, [["a"]], [["a", 1]]),
        ({"items": [{}], "additionalItems": {"type": "string"}}, [[1, "a"]], [[1, 2]]),
        ({"minItems": 1}, [[1], "", {}], [[]]),
        ({"maxItems": 1}, [[1]], [[1, 2]]),
        ({"uniqueItems": True}, [[1, 2], [1, True], [[1], [2]]], [[1, 1], [{"a": 1}, {"a": 1}]]),
        ({"uniqueItems": False}, [[1, 1]], []),
        ({"minProperties": 1}, [{"a": 1}, []], [{}]),
        ({"maxProperties": 1}, [{"a": 1}], [{"a": 1, "b": 2}]),
        ({"minLength": 2}, ["ab", 1], ["a"]),
        ({"maxLength": 2}, ["ab"], ["abc"]),
        ({"minimum": 2}, [2, "1", True], [1, 1.9]),
        ({"maximum": 2}, [2], [3]),
        ({"pattern": "^a"}, ["ab", 1], ["ba"]),
        ({"format": "ipv4"}, ["192.0.2.1", 1], ["192.0.2", "a"]),
        ({"format": "date"}, ["2001-01-01"], ["tomorrow"]),
        ({"format": "uri"}, ["whatever"], []),
        ({"allOf": [{"type": "string"}, {"minLength": 1}]}, ["a"], ["", 1]),
        ({"anyOf": [{"type": "string"}, {"minLength": 1}]}, ["", "a", 1], []),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, ["", 1], [None]),
        ({"oneOf": [{"type": "string"}, {"minLength": 1}]}, ["", 1], ["a"]),
        ({"not": {"type": "string"}}, [1], ["a"]),
        ({"$ref": "#/$defs/a~1b", "minLength": 1, "$defs": {"a/b": {"type": "string"}}}, ["a"], [1, ""]),
        ({"properties": {"a": False, "b": True}}, [{"b": 1}], [{"a": 1}]),
        ({"description": "a", "default": 1, "deprecated": True, "prefixItems": [{"x": 1}]}, [1], []),
    ],
)
def test_keywords(schema: dict[str, Any], right: list[Any], wrong: list[Any]) -> None:
    assert [failures(schema, value) for value in right] == [[] for _ in right]
    assert all(failures(schema, value) for value in wrong)


def test_all_that_is_wrong_is_told_with_where() -> None:
    schema = {
        "properties": {"a": {"items": {"type": "string"}}, "b": {"type": "boolean"}},
        "required": ["c"],
        "additionalProperties": False,
    }
    assert told(schema, {"a": ["x", 1, None], "b": "x", "d": 1}) == [
        (("a", 1), "this is a whole number, not a string"),
        (("a", 2), "this is nothing, not a string"),
        (("b",), "this is a string, not true or false"),
        ((), "the key c is missing"),
        (("d",), "unknown key"),
    ]


def test_the_same_is_told_once() -> None:
    assert len(told({"allOf": [{"type": "string"}, {"type": "string"}]}, 1)) == 1


NAMED = {
    "anyOf": [
        {"properties": {"type": {"enum": ["bond"]}, "of": {"type": "array"}}, "required": ["type", "of"]},
        {"properties": {"type": {"enum": ["vlan"]}, "id": {"type": "integer"}}, "required": ["type", "id"]},
    ]
}
FORMS = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        # One that says which it is.
        (NAMED, {"type": "vlan", "id": "x"}, [(("id",), "this is a string, not a whole number")]),
        (NAMED, {"type": "bond"}, [((), "the key of is missing")]),
        # The one of its kind, with what is wrong inside.
        (FORMS, ["a", 1], [((1,), "this is a whole number, not a string")]),
        # None of its kind: all of them.
        (FORMS, {}, [((), "this is a mapping, not a string, a list or nothing")]),
        ({"oneOf": [{"enum": ["a"]}, {"enum": ["b"]}]}, "c", [((), "this is none of what it may be")]),
        ({"oneOf": [{"type": "string"}, {}]}, "a", [((), "this is two things at once, of which one is allowed")]),
    ],
)
def test_the_likeliest_of_several(schema: dict[str, Any], value: Any, expected: list[Any]) -> None:
    assert told(schema, value) == expected


def test_values_of_several_alternatives_are_named_together() -> None:
    (one,) = failures({"oneOf": [{"enum": ["a", True]}, {"enum": ["b", None]}]}, "c")
    assert one.expected == ("a", "true", "b", "null")


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"if": {}}, "keywords that are not known here: if"),
        ({"properties": {"a": {"oneOf": [{"contains": {}}]}}}, "keywords that are not known here: contains"),
        ({"type": "text"}, "types that are not known here: text"),
        ({"pattern": "("}, "a pattern that is none"),
        ({"patternProperties": {"(": {}}}, "a pattern that is none"),
        ({"properties": {"a": 1}}, "is no schema"),
        ({"oneOf": []}, "alternatives, and none of them"),
        ({"properties": [1]}, "not what its keyword says"),
        ({"required": 1}, "not what its keyword says"),
        ({"$ref": "https://example.org/x"}, "refers to another"),
        ({"$ref": "#/$defs/none"}, "which it does not have"),
        ({"$ref": "#"}, "go round in circles"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}, "go round in circles"),
    ],
)
def test_schemas_that_are_of_no_use(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        failures(schema, {"a": "a"})


def test_a_schema_that_takes_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonschema, "MOST_STEPS", 1000)
    two: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        two = {"anyOf": [two, two]}
    with pytest.raises(SchemaError, match="takes too long"):
        failures(two, 1)


def test_kinds() -> None:
    values: list[Any] = [None, True, 1, 1.5, "", [], {}, dt.date(2001, 1, 1), {1}]
    assert [kind(value) for value in values] == [
        "nothing", "true", "a whole number", "a number", "a string", "a list", "a mapping", "a date", "a set",
    ]  # fmt: skip


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
_SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {}, optional={"type": st.sampled_from(["string", "array", "object"]), "minLength": st.just(1)}
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "oneOf": st.lists(inner, min_size=1, max_size=3),
            "items": inner,
            "properties": st.dictionaries(st.text(max_size=2), inner, max_size=2),
            "additionalProperties": st.booleans(),
        },
    ),
    max_leaves=8,
)


@given(_SCHEMAS, _VALUES)
def test_every_failure_has_a_place_in_the_value(schema: dict[str, Any], value: Any) -> None:
    for one in failures(schema, value):
        inside = value
        for part in one.path:
            inside = inside[part]
        assert one.what
