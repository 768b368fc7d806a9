"""What the JSON schema of an image's own cloud-init refuses, with what is probably meant.

Specification: the schemas that cloud-init ships (cloudinit/config/schemas), which `cloud-init schema` checks with.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from assembler.jsonschema import Failure, failures
from assembler.recipe.document import did_you_mean
from assembler.recipe.shapes import quoted
from assembler.seed.network import NetworkConfig
from assembler.seed.texts import Document, SeedError

_FEW = 12
"""Keys or values that a hint lists at most."""
_ELSEWHERE = {
    "network": "cloud-init takes it from a file of its own: cloudinit.network_config",
    "network-config": "cloud-init takes it from a file of its own: cloudinit.network_config",
    "instance-id": "it belongs into meta-data: cloudinit.meta_data",
    "local-hostname": "it belongs into meta-data: cloudinit.meta_data; here it is hostname",
    "public-keys": "in user-data it is ssh_authorized_keys",
    "passwd": "it belongs to an entry of users; for the default user it is password",
    "sudo": "it belongs to an entry of users",
    "shell": "it belongs to an entry of users",
}
"""Keys that people write at the top, and where they belong."""
_UNLISTED = frozenset(["loopback", "infiniband"])
"""Types of version 1 that cloud-init handles, and its schema leaves out."""


def check(document: Document, schema: Mapping[str, Any]) -> list[SeedError]:
    """All that the schema has against a cloud-config. Raises SchemaError when the schema cannot be used."""
    found = failures(schema, document.value)
    return [document.error(one.path, _what(one), hint=_hint(one, document, schema)) for one in found]


def check_network(config: NetworkConfig, schema: Mapping[str, Any]) -> list[SeedError]:
    """The same of a network-config, which cloud-init looks at without the key ``network`` around it."""
    own = f"network_config_version{config.version}"
    if own in schema.get("$defs", {}):
        schema = {"$defs": schema["$defs"], "$ref": f"#/$defs/{own}"}
    found = [one for one in failures(schema, config.value) if not (_of_unlisted(one, config) or _of_number(one))]
    return [
        config.document.error((*config.path, *one.path), _what(one), hint=_hint(one, config.document, schema))
        for one in found
    ]


def _of_unlisted(failure: Failure, config: NetworkConfig) -> bool:
    """Whether it is of an item whose type cloud-init handles, or speaks of, while its schema does not list it."""
    match failure.path:
        case ("wifis",):
            return True
        case ("config", int(index), *_):
            return config.value["config"][index].get("type") in _UNLISTED
        case _:
            return False


def _of_number(failure: Failure) -> bool:
    """Whether it asks for a string where a number is written, which cloud-init writes out in the same way."""
    number = isinstance(failure.found, int) and not isinstance(failure.found, bool)
    return failure.keyword == "type" and number and "a string" in failure.expected


def _what(failure: Failure) -> str:
    if failure.keyword == "enum" and isinstance(failure.found, str):
        return f"{quoted(failure.found)} is none of what it may be"
    return failure.what


def _hint(failure: Failure, document: Document, schema: Mapping[str, Any]) -> str:
    match failure.keyword:
        case "additionalProperties":
            return _of_unknown(failure, document, schema)
        case "type":
            return _of_kind(failure)
        case "enum":
            near = did_you_mean(failure.found, failure.expected) if isinstance(failure.found, str) else ""
            return near or _listed("one of ", failure.expected)
        case "required":
            return f"add {failure.expected[0]}:"
        case "minItems" | "minProperties" | "minLength" if not failure.found:
            return "remove the key, or put something below it"
        case _:
            return ""


def _of_unknown(failure: Failure, document: Document, schema: Mapping[str, Any]) -> str:
    key = str(failure.path[-1])
    if len(failure.path) > 1:
        return did_you_mean(key, failure.expected) or _listed("it takes ", failure.expected)
    if key in _ELSEWHERE:
        return _ELSEWHERE[key]
    top = document.value if isinstance(document.value, dict) else {}
    around = next((one for one in top if one != key and key in _inside(schema, str(one))), "")
    if around:
        return f"indent it: it belongs into an entry of {around}"
    return did_you_mean(key, failure.expected) or "cloud-init has no such key"


def _inside(schema: Mapping[str, Any], key: str) -> frozenset[str]:
    """The keys that entries of the list or mapping `key` may have, where the schema says so directly."""
    found: set[str] = set()
    for part in schema.get("$defs", {}).values():
        inside = part.get("properties", {}).get(key, {})
        for one in (inside, inside.get("items", {})):
            if isinstance(one, Mapping):
                found |= one.get("properties", {}).keys()
    return frozenset(found)


def _of_kind(failure: Failure) -> str:
    value, wanted = failure.found, failure.expected
    if value is None:
        return "remove the key, or give it a value"
    if isinstance(value, bool) and "a string" in wanted:
        return "YAML reads yes, no, on, off, true and false as truth values: put it in quotes"
    if isinstance(value, dict) and "a string" in wanted:
        return 'YAML reads "key: value" as a mapping: put the whole line in quotes'
    if isinstance(value, dict) and "a list" in wanted:
        return "begin each entry with a dash: - key: value"
    if isinstance(value, int | float) and "a string" in wanted:
        mode = str(failure.path[-1]) == "permissions"
        return 'put it in quotes: "0644"' if mode else "put it in quotes"
    if isinstance(value, str) and "a list" in wanted:
        return "write a list: [a, b], or a line with a dash for each"
    if isinstance(value, str) and {"true or false", "a whole number"} & set(wanted):
        return "write it without quotes"
    return ""


def _listed(before: str, names: Sequence[str]) -> str:
    return f"{before}{', '.join(sorted(names))}" if 0 < len(names) <= _FEW else ""
