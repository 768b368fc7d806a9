"""JSON Schema: where a value is not what a schema asks for, in words for people.

The library jsonschema holds values against schemas of draft 4, as cloud-init has it do (cloudinit/config/schema.py):
bytes, YAML's ``!!binary``, are strings; what stands beside ``$ref`` counts; keywords of other drafts do not, whatever
``$schema`` says. References stay within the schema. The schema may be anybody's: what looking costs is bounded.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

Path = tuple[str | int, ...]
"""Keys and indices that lead to a value."""
Schema = Mapping[str, Any]

MOST_STEPS = 1_000_000
"""How many keywords a value is held against, at most."""
_FORMATS = ("date", "email", "ipv4", "ipv6", "regex", "time", "uuid")
"""Formats that the library knows by itself, as in images; for others it needs further packages."""
_OF_KEYS = ("patternProperties", "additionalProperties")
_KINDS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "null": ("nothing", (type(None),)),
    "boolean": ("true or false", (bool,)),
    "integer": ("a whole number", (int,)),
    "number": ("a number", (int, float)),
    "string": ("a string", (str, bytes)),
    "array": ("a list", (list,)),
    "object": ("a mapping", (dict,)),
}
_WHAT: Mapping[str, str] = {
    "enum": "this is none of what it may be",
    "exclusiveMaximum": "this is not less than {}",
    "exclusiveMinimum": "this is not more than {}",
    "format": "this is no {}",
    "maxItems": "this has more than {} items",
    "maxLength": "this has more than {} characters",
    "maxProperties": "this has more than {} keys",
    "maximum": "this is more than {}",
    "minItems": "this has less than {} items",
    "minLength": "this has less than {} characters",
    "minProperties": "this has less than {} keys",
    "minimum": "this is less than {}",
    "not": "this is what is not allowed here",
    "oneOf": "this is two things at once, of which one is allowed",
    "pattern": "this does not look like {}",
    "propertyNames": "this key is not a string",
    "uniqueItems": "this has something twice",
}
"""What is wrong, by the keyword that says so, with what the keyword asks for."""


class SchemaError(ValueError):
    """A schema that cannot be used: it is none of draft 4, refers to others, or goes round in circles."""


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


def failures(schema: Schema, value: Any) -> list[Failure]:
    """All that is wrong with `value`; of alternatives (``oneOf``, ``anyOf``), what is wrong with the likeliest.

    Raises SchemaError for a schema that cannot be used, and when looking takes too long.
    """
    from jsonschema.exceptions import SchemaError as NoSchema  # noqa: PLC0415  it takes time, and only seeds need it
    from referencing.exceptions import Unresolvable  # noqa: PLC0415  as above

    try:
        return _told(_validator(schema).iter_errors(value))
    except SchemaError:
        raise
    except NoSchema as error:
        raise SchemaError(f"the schema is none of draft 4, at {error.json_path[:200]}") from error
    except Unresolvable as error:
        raise SchemaError(f"the schema refers to {str(error.ref)[:200]}, which it does not have") from error
    except RecursionError as error:
        raise SchemaError("the schema's references go round in circles") from error
    except re.error as error:
        raise SchemaError(f"the schema has a pattern that is none: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # As for a reference to what is no schema.
        raise SchemaError(f"a part of the schema is no schema ({type(error).__name__})") from error


def _validator(schema: Schema) -> "Validator":
    """What holds values against `schema`. It fetches nothing: its registry has no way to."""
    from jsonschema import Draft4Validator, FormatChecker, ValidationError  # noqa: PLC0415  as above
    from jsonschema.validators import create  # noqa: PLC0415  as above
    from referencing import Registry  # noqa: PLC0415  as above

    steps = iter(range(MOST_STEPS))

    def bounded(keyword: str, look: Any) -> Any:
        def check(validator: Any, wanted: Any, value: Any, schema: Schema) -> Iterator[ValidationError]:
            if next(steps, None) is None:
                raise SchemaError("holding the value against the schema takes too long")
            # The library holds patterns against any key and against bytes, which Python does not allow.
            if keyword == "pattern" and isinstance(value, bytes):
                yield ValidationError("")
                return
            if "patternProperties" in schema and keyword in _OF_KEYS and isinstance(value, dict):
                others = [key for key in value if not isinstance(key, str)]
                value = {key: inside for key, inside in value.items() if isinstance(key, str)}
                for key in others if keyword == "patternProperties" else ():
                    yield ValidationError("", validator="propertyNames", path=[key], instance=key)
            yield from look(validator, wanted, value, schema) or ()

        return check

    rules: Any = deepcopy(Draft4Validator.META_SCHEMA)
    rules["properties"] |= {"$defs": rules["properties"]["definitions"], "$ref": {"type": "string"}}
    made = create(
        meta_schema=rules,
        validators={name: bounded(name, look) for name, look in Draft4Validator.VALIDATORS.items()},
        type_checker=Draft4Validator.TYPE_CHECKER.redefine("string", lambda _, one: isinstance(one, str | bytes)),
    )
    made.check_schema(schema)
    return made(schema, registry=Registry(), format_checker=FormatChecker(_FORMATS))


def _told(errors: Iterable["ValidationError"]) -> list[Failure]:
    return list({(one.path, one.what): one for error in errors for one in _failures(error)}.values())


def _failures(error: "ValidationError") -> list[Failure]:
    keyword, path, value = str(error.validator), tuple(error.absolute_path), cast("Any", error.instance)
    wanted, schema = cast("Any", error.validator_value), cast("Any", error.schema)
    if error.context:
        context = sorted(error.context, key=lambda one: int(one.relative_schema_path[0]))
        alternatives = groupby(context, key=lambda one: one.relative_schema_path[0])
        return _likeliest([_told(group) for _, group in alternatives], value, path)
    match keyword:
        case "type":
            types = wanted if isinstance(wanted, list) else [wanted]
            return [_wrong_kind(value, path, [_KINDS[str(one)][0] for one in types])]
        case "required":
            missing = [key for key in wanted if key not in value]
            return [Failure(path, keyword, f"the key {key} is missing", value, (key,)) for key in missing]
        case "additionalProperties":
            known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
            more = [key for key in value if key not in known and not any(re.search(one, str(key)) for one in patterns)]
            return [Failure((*path, key), keyword, "unknown key", key, tuple(map(str, known))) for key in more]
        case "enum":
            return [Failure(path, keyword, _WHAT[keyword], value, tuple(map(_json, wanted)))]
        case "minItems" | "minProperties" | "minLength" if wanted == 1:
            return [Failure(path, keyword, "this is empty", value)]
        case "minimum" | "maximum" if schema.get(f"exclusive{keyword.capitalize()}"):
            keyword = f"exclusive{keyword.capitalize()}"
    what = _WHAT.get(keyword, f"this is not what {keyword} allows")
    return [Failure(path, keyword, what.format(wanted), value)]


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
        return [Failure(path, "enum", _WHAT["enum"], value, allowed)]
    return min(of_kind, key=lambda found: _unlikely(found, path))


def _is_at(failure: Failure, path: Path, keyword: str) -> bool:
    return failure.path == path and failure.keyword == keyword


def _unlikely(found: Sequence[Failure], path: Path) -> tuple[int, int, int]:
    named = sum(one.keyword == "enum" and len(one.path) == len(path) + 1 for one in found)
    return named, len(found), -max(len(one.path) for one in found)


def _wrong_kind(value: Any, path: Path, wanted: Iterable[str]) -> Failure:
    *most, last = unlike = tuple(dict.fromkeys(wanted))
    text = f"{', '.join(most)} or {last}" if most else last
    return Failure(path, "type", f"this is {kind(value)}, not {text}", value, unlike)


def kind(value: Any) -> str:
    """What a value of YAML or JSON is, in words."""
    if isinstance(value, bool):
        return _json(value)
    other = "a date" if isinstance(value, date) else f"a {type(value).__name__}"
    return next((text for text, types in _KINDS.values() if isinstance(value, types)), other)


def _json(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
