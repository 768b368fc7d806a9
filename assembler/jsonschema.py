"""JSON Schema: where a value is not what a schema asks for, in words for people.

Follows JSON Schema draft 4 (draft-zyp-json-schema-04, draft-fge-json-schema-validation-00) in the keywords that schemas
of configuration files use, with one difference: what stands beside ``$ref`` counts, too, as it does for cloud-init. A
schema with any other keyword is refused, as part of it would count for nothing. References stay within the schema.

The schema may be anybody's: what looking costs is bounded.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

Path = tuple[str | int, ...]
"""Keys and indices that lead to a value."""
Schema = Mapping[str, Any]

MOST_STEPS = 2_000_000
"""How often a value is held against a part of a schema, at most."""
_REFERENCES = 64
"""References that lead to one another, at most."""
_LONGEST_TEXT = 10_000
"""Characters of a text that are held against a pattern."""

_ANNOTATIONS = frozenset(
    ["$schema", "$id", "id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "label",
     "hidden", "deprecated", "deprecated_version", "deprecated_description", "changed", "changed_version",
     "changed_description", "new", "new_version", "new_description", "prefixItems"]
)  # fmt: skip
"""Keywords that say nothing of values. ``prefixItems`` is one of a later draft, which draft 4 passes over."""
_TYPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "null": ("nothing", lambda value: value is None),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "number": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "string": ("a string", lambda value: isinstance(value, str | bytes)),  # bytes: YAML's !!binary
    "array": ("a list", lambda value: isinstance(value, list)),
    "object": ("a mapping", lambda value: isinstance(value, dict)),
}


class SchemaError(ValueError):
    """A schema that cannot be used: it has unknown keywords, or goes round in circles."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that a schema does not allow."""

    path: Path
    """The value, or the key in a mapping."""
    keyword: str
    """The keyword of the schema that says so."""
    what: str
    """A sentence without a full stop. It tells types and keys, and nothing of texts, which may be secrets."""
    found: Any = None
    """The value, or the key."""
    expected: tuple[str, ...] = ()
    """Keys, types or values that are allowed there; empty where they cannot be counted."""


def kind(value: Any) -> str:
    """What a value of YAML or JSON is, in words."""
    found = next((text for text, fits in _TYPES.values() if fits(value)), "")
    if isinstance(value, bool):
        return str(value).lower()
    return found or ("a date" if isinstance(value, date) else f"a {type(value).__name__}")


def failures(schema: Schema, value: Any) -> list[Failure]:
    """All that is wrong with `value`; of alternatives (``oneOf``, ``anyOf``), what is wrong with the likeliest.

    Raises SchemaError for a schema that cannot be used, and when looking takes too long.
    """
    try:
        found = _Validator(schema).failures(schema, value, ())
    except (AttributeError, LookupError, TypeError) as error:
        raise SchemaError("a part of the schema is not what its keyword says") from error
    return list({(one.path, one.what): one for one in found}.values())


class _Validator:
    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._steps = 0
        self._references = 0
        _require_known(schema)

    def failures(self, schema: Any, value: Any, path: Path) -> list[Failure]:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise SchemaError("holding the value against the schema takes too long")
        if isinstance(schema, bool):
            return [] if schema else [Failure(path, "false", "nothing is allowed here", value)]
        found: list[Failure] = []
        for keyword, wanted in schema.items():
            if check := _CHECKS.get(keyword):
                found += check(self, wanted, value, path, schema)
        return found

    def reference(self, target: str, value: Any, path: Path, _: Schema) -> list[Failure]:
        self._references += 1
        if self._references > _REFERENCES:
            raise SchemaError("the schema's references go round in circles")
        found = self.failures(_resolved(self._root, target), value, path)
        self._references -= 1
        return found

    def all_of(self, schemas: Sequence[Any], value: Any, path: Path, _: Schema) -> list[Failure]:
        return [failure for schema in schemas for failure in self.failures(schema, value, path)]

    def any_of(self, schemas: Sequence[Any], value: Any, path: Path, _: Schema) -> list[Failure]:
        alternatives = []
        for schema in schemas:
            found = self.failures(schema, value, path)
            if not found:
                return []
            alternatives.append(found)
        return _likeliest(alternatives, value, path)

    def one_of(self, schemas: Sequence[Any], value: Any, path: Path, _: Schema) -> list[Failure]:
        alternatives = [self.failures(schema, value, path) for schema in schemas]
        fitting = sum(not found for found in alternatives)
        if fitting > 1:
            return [Failure(path, "oneOf", "this is two things at once, of which one is allowed", value)]
        return [] if fitting else _likeliest(alternatives, value, path)

    def properties(self, properties: Mapping[str, Any], value: Any, path: Path, _: Schema) -> list[Failure]:
        if not isinstance(value, dict):
            return []
        inside = ((key, schema) for key, schema in properties.items() if key in value)
        return [failure for key, schema in inside for failure in self.failures(schema, value[key], (*path, key))]

    def patterns(self, patterns: Mapping[str, Any], value: Any, path: Path, _: Schema) -> list[Failure]:
        if not isinstance(value, dict):
            return []
        return [
            failure
            for pattern, schema in patterns.items()
            for key, inside in value.items()
            if _matches(pattern, key)
            for failure in self.failures(schema, inside, (*path, key))
        ]

    def additional(self, allowed: Any, value: Any, path: Path, schema: Schema) -> list[Failure]:
        if not isinstance(value, dict) or allowed is True:
            return []
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        more = [key for key in value if key not in known and not any(_matches(each, key) for each in patterns)]
        if allowed is False:
            return [
                Failure((*path, key), "additionalProperties", "unknown key", key, tuple(map(str, known)))
                for key in more
            ]
        return [failure for key in more for failure in self.failures(allowed, value[key], (*path, key))]

    def items(self, items: Any, value: Any, path: Path, schema: Schema) -> list[Failure]:
        if not isinstance(value, list):
            return []
        if not isinstance(items, list):
            return [one for index, item in enumerate(value) for one in self.failures(items, item, (*path, index))]
        more = schema.get("additionalItems", True)
        each = [*items, *[more] * max(0, len(value) - len(items))]
        return [
            one
            for index, (item, inside) in enumerate(zip(value, each, strict=False))
            for one in self.failures(inside, item, (*path, index))
        ]

    def negation(self, schema: Any, value: Any, path: Path, _: Schema) -> list[Failure]:
        if self.failures(schema, value, path):
            return []
        return [Failure(path, "not", "this is what is not allowed here", value)]


def _type(wanted: Any, value: Any, path: Path, _: Schema) -> Iterator[Failure]:
    types = wanted if isinstance(wanted, list) else [wanted]
    if not any(_TYPES[one][1](value) for one in types):
        yield _wrong_kind(value, path, [_TYPES[one][0] for one in types])


def _wrong_kind(value: Any, path: Path, wanted: Iterable[str]) -> Failure:
    unlike = tuple(dict.fromkeys(wanted))
    return Failure(path, "type", f"this is {kind(value)}, not {_or(unlike)}", value, unlike)


def _or(texts: Sequence[str]) -> str:
    *most, last = texts
    return f"{', '.join(most)} or {last}" if most else last


def _enum(wanted: Sequence[Any], value: Any, path: Path, _: Schema) -> Iterator[Failure]:
    if not any(_same(one, value) for one in wanted):
        yield Failure(path, "enum", "this is none of what it may be", value, tuple(map(_json, wanted)))


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _json(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _required(wanted: Sequence[str], value: Any, path: Path, _: Schema) -> Iterator[Failure]:
    if isinstance(value, dict):
        for key in wanted:
            if key not in value:
                yield Failure(path, "required", f"the key {key} is missing", value, (key,))


def _at_least(what: str, measure: Callable[[Any], int | float | None]) -> "_Plain":
    def check(wanted: Any, value: Any, path: Path, _: Schema) -> Iterator[Failure]:
        size = measure(value)
        if size is not None and size < wanted:
            empty = wanted == 1 and not size and not isinstance(value, int | float)
            yield Failure(path, "least", "this is empty" if empty else what.format(wanted), value)

    return check


def _at_most(what: str, measure: Callable[[Any], int | float | None]) -> "_Plain":
    def check(wanted: Any, value: Any, path: Path, _: Schema) -> Iterator[Failure]:
        size = measure(value)
        if size is not None and size > wanted:
            yield Failure(path, "most", what.format(wanted), value)

    return check


def _length_of(of: type[list[Any]] | type[dict[Any, Any]] | type[str]) -> Callable[[Any], int | None]:
    return lambda value: len(value) if isinstance(value, of) else None


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _unique(wanted: bool, value: Any, path: Path, _: Schema) -> Iterator[Failure]:  # noqa: FBT001  a keyword's value
    if not wanted or not isinstance(value, list):
        return
    seen = set()
    for index, item in enumerate(value):
        mark = repr(item)
        if mark in seen:
            yield Failure((*path, index), "uniqueItems", "this is in the list twice", item)
        seen.add(mark)


def _pattern(wanted: str, value: Any, path: Path, _: Schema) -> Iterator[Failure]:
    if isinstance(value, str) and not _matches(wanted, value):
        yield Failure(path, "pattern", f"this does not look like {wanted}", value)


def _matches(pattern: str, value: Any) -> bool:
    return re.search(pattern, str(value)[:_LONGEST_TEXT]) is not None


def _format(wanted: str, value: Any, path: Path, _: Schema) -> Iterator[Failure]:
    check = _FORMATS.get(wanted)
    if check is None or not isinstance(value, str):
        return
    try:
        check(value)
    except ValueError as error:
        yield Failure(path, "format", f"this is no {wanted}", value, (str(error)[:100],))


_FORMATS: Mapping[str, Callable[[str], object]] = {
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "date": date.fromisoformat,
}
"""Formats that are looked at; draft 4 leaves it open which are. They raise ValueError."""

_Plain = Callable[[Any, Any, Path, Schema], Iterator[Failure]]
_Check = Callable[[_Validator, Any, Any, Path, Schema], Iterable[Failure]]


def _plain(check: _Plain) -> _Check:
    return lambda _, wanted, value, path, schema: check(wanted, value, path, schema)


_CHECKS: Mapping[str, _Check] = {
    "$ref": _Validator.reference,
    "allOf": _Validator.all_of,
    "anyOf": _Validator.any_of,
    "oneOf": _Validator.one_of,
    "not": _Validator.negation,
    "properties": _Validator.properties,
    "patternProperties": _Validator.patterns,
    "additionalProperties": _Validator.additional,
    "items": _Validator.items,
    "type": _plain(_type),
    "enum": _plain(_enum),
    "required": _plain(_required),
    "pattern": _plain(_pattern),
    "format": _plain(_format),
    "uniqueItems": _plain(_unique),
    "minItems": _plain(_at_least("this has less than {} items", _length_of(list))),
    "maxItems": _plain(_at_most("this has more than {} items", _length_of(list))),
    "minProperties": _plain(_at_least("this has less than {} keys", _length_of(dict))),
    "maxProperties": _plain(_at_most("this has more than {} keys", _length_of(dict))),
    "minLength": _plain(_at_least("this has less than {} characters", _length_of(str))),
    "maxLength": _plain(_at_most("this has more than {} characters", _length_of(str))),
    "minimum": _plain(_at_least("this is less than {}", _number)),
    "maximum": _plain(_at_most("this is more than {}", _number)),
}
_WITH_ITEMS = frozenset(["additionalItems"])
"""Keywords that count where another one does."""


def _likeliest(alternatives: Sequence[list[Failure]], value: Any, path: Path) -> list[Failure]:
    """What is wrong with the alternative that is meant most likely: one for values of this kind, and if something in
    it says which it is (``type: bond``), that one; then the one with the least that is wrong, deepest inside.
    """
    of_kind = [found for found in alternatives if not any(_is_at(one, path, "type") for one in found)]
    if not of_kind:
        wanted = [text for found in alternatives for one in found if _is_at(one, path, "type") for text in one.expected]
        return [_wrong_kind(value, path, wanted)]
    if all(len(found) == 1 and _is_at(found[0], path, "enum") for found in of_kind):
        allowed = tuple(dict.fromkeys(text for found in of_kind for text in found[0].expected))
        return [Failure(path, "enum", "this is none of what it may be", value, allowed)]
    return min(of_kind, key=lambda found: _unlikely(found, path))


def _is_at(failure: Failure, path: Path, keyword: str) -> bool:
    return failure.path == path and failure.keyword == keyword


def _unlikely(found: Sequence[Failure], path: Path) -> tuple[int, int, int]:
    named = sum(one.keyword == "enum" and len(one.path) == len(path) + 1 for one in found)
    return named, len(found), -max(len(one.path) for one in found)


def _resolved(root: Schema, target: str) -> Any:
    """The part of a schema at a JSON pointer within it (RFC 6901)."""
    if not target.startswith("#"):
        raise SchemaError(f"the schema refers to another: {target}")
    found: Any = root
    for part in target[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or key not in found:
            raise SchemaError(f"the schema refers to {target}, which it does not have")
        found = found[key]
    return found


def _require_known(schema: Any) -> None:
    """Raise SchemaError for a schema that is none, or has keywords that nobody would look at."""
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, bool):
            continue
        if not isinstance(part, Mapping):
            raise SchemaError("a part of the schema is no schema")
        if unknown := sorted(part.keys() - _CHECKS.keys() - _ANNOTATIONS - _WITH_ITEMS):
            raise SchemaError(f"the schema has keywords that are not known here: {', '.join(map(str, unknown))}")
        if [] in (part.get("allOf"), part.get("anyOf"), part.get("oneOf")):
            raise SchemaError("the schema has alternatives, and none of them")
        pending += _parts(part)
        for pattern in (*part.get("patternProperties", ()), *([part["pattern"]] if "pattern" in part else [])):
            _require_pattern(pattern)
        types = part.get("type", [])
        if unknown := [str(one) for one in (types if isinstance(types, list) else [types]) if one not in _TYPES]:
            raise SchemaError(f"the schema has types that are not known here: {', '.join(unknown)}")


def _parts(schema: Schema) -> list[Any]:
    """The schemas that are directly within one."""
    found: list[Any] = []
    for keyword in ("$defs", "definitions", "properties", "patternProperties"):
        found += schema.get(keyword, {}).values()
    for keyword in ("allOf", "anyOf", "oneOf"):
        found += schema.get(keyword, [])
    items = schema.get("items", [])
    found += items if isinstance(items, list) else [items]
    return found + [
        schema[keyword] for keyword in ("additionalProperties", "additionalItems", "not") if keyword in schema
    ]


def _require_pattern(pattern: Any) -> None:
    try:
        re.compile(pattern)
    except (re.error, TypeError, RecursionError) as error:
        raise SchemaError(f"the schema has a pattern that is none: {error}") from error
