"""What ``openssl req`` asks for: the fields of a name, as its configuration has them (config(5ssl))."""

import re
from collections.abc import Callable, Mapping, Sequence

_SECTION = re.compile(r"\[\s*(\w+)\s*\]")
_SETTING = re.compile(r"([\w.:]+)\s*=\s*(.*)")
_BESIDES = re.compile(r".*_(?:default|min|max|value)|SET-.*")
"""Settings that say more of a field."""
_NAMES = frozenset({
    *("C", "ST", "L", "O", "OU", "CN", "countryName", "stateOrProvinceName", "localityName", "organizationName"),
    *("organizationalUnitName", "commonName", "emailAddress"),
})  # fmt: skip
_ATTRIBUTES = frozenset({"challengePassword", "unstructuredName"})
_COUNTRIES = frozenset({"C", "countryName"})
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_VALUE = re.compile(r"[A-Za-z0-9_.,:@ *()'-]{1,64}")
_SEED = "$ENV::HOME/.rnd"
"""Where it may keep what its random numbers start from."""
_OTHERWISE = frozenset({"input_password", "output_password", "encrypt_rsa_key", "encrypt_key", "prompt"})


def asks(
    text: str,
    typed: Callable[[], str],
    *,
    subject: str | None,
    batch: bool,
    certificate: bool,
    sections: Sequence[str] = (),
) -> str:
    """What would keep ``openssl req`` from making a request, or a `certificate`; empty for nothing.

    `text` is its configuration, `typed` tells what it reads if it asks, `subject` is what -subj says, and `sections`
    are named by options.
    """
    settings = settings_of(text)
    request = settings.get("req", {})
    named = [*sections, *(request[key] for key in ("x509_extensions", "req_extensions") if key in request)]
    silent = request.get("prompt") == "no"
    if (
        settings.get("default", {}).get("RANDFILE", _SEED) != _SEED
        or "RANDFILE" in request
        or (request.keys() - ({"prompt"} if silent else set())) & _OTHERWISE
        or "distinguished_name" not in request
        or any(name not in settings for name in named)
    ):
        return "with a configuration that is not understood"
    if subject is not None:
        parts = [part.partition("=") for part in subject.split("/")[1:]]
        whole = subject.startswith("/") and all(equals for _, equals, _ in parts)
        return "" if whole and _is_name([(name, value) for name, _, value in parts]) else "with this subject"
    fields = settings.get(request["distinguished_name"], {})
    if silent:
        return "" if _is_name(list(fields.items())) and all(fields.values()) else "with this configuration"
    asked = [name for name in fields if not _BESIDES.fullmatch(name)]
    attributes = {} if certificate else settings.get(request.get("attributes", ""), {})
    further = [name for name in attributes if not _BESIDES.fullmatch(name)]
    answers = [""] * len([*asked, *further]) if batch else typed().split("\n")[:-1]
    if len(answers) < len(asked) + len(further) or not set(further) <= _ATTRIBUTES:
        return "asks for more than it is told"
    fields = {**fields, **attributes}
    told = [
        (name, "" if answer == "." else answer or fields.get(f"{name}_default", ""))
        for name, answer in zip([*asked, *further], answers, strict=False)
    ]
    # It asks again for what is too short or too long.
    fitting = all(not answer or _fits(answer, fields, name) for name, answer in told)
    return "" if fitting and _is_name(told[: len(asked)]) else "is told what it may not take"


def _fits(answer: str, fields: Mapping[str, str], name: str) -> bool:
    ends = [fields.get(f"{name}_{end}", otherwise) for end, otherwise in (("min", "0"), ("max", "64"))]
    return all(map(str.isdecimal, ends)) and int(ends[0]) <= len(answer) <= int(ends[1])


def _is_name(parts: Sequence[tuple[str, str]]) -> bool:
    """Whether a name of these parts can be made, in which those without a value are left out."""
    named = [(re.sub(r"\A[0-9]\.", "", name), value) for name, value in parts]
    return any(value for _, value in named) and all(
        name in _NAMES and (not value or (_COUNTRY if name in _COUNTRIES else _VALUE).fullmatch(value) is not None)
        for name, value in named
    )


def settings_of(text: str) -> dict[str, dict[str, str]]:
    """The settings by section; none where a line is not understood, or names another file."""
    found: dict[str, dict[str, str]] = {"default": {}}
    here = found["default"]
    for line in text.splitlines():
        plain = line.partition("#")[0].strip()
        if not plain:
            continue
        if section := _SECTION.fullmatch(plain):
            here = found.setdefault(section[1], {})
        elif (
            (setting := _SETTING.fullmatch(plain))
            and not plain.endswith("\\")
            and not setting[1].startswith(".")
            and setting[1] != "oid_file"
        ):
            here[setting[1]] = setting[2].strip()
        else:
            return {}
    return found
