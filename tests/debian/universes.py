"""Small universes, written as short stanzas; what every stanza needs besides is filled in.

A field whose value is ``-`` is left out.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent / "data" / "solver-cases.toml"


def packages_file(text: str) -> bytes:
    """A Packages file of stanzas of which only ``Package`` and what matters need be written."""
    stanzas = []
    for stanza in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.strip().splitlines())
        defaults = {"Version": "1", "Architecture": "all", "Priority": "optional"}
        fields = {"Package": fields["Package"]} | defaults | fields
        fields |= {
            "Filename": f"./{fields['Package']}_{fields['Version']}_{fields['Architecture']}.deb",
            "Size": "1000",
            "SHA256": hashlib.sha256(stanza.encode()).hexdigest(),
        }
        stanzas.append("".join(f"{key}: {value}\n" for key, value in fields.items() if value != "-"))
    return "\n".join(stanzas).encode()


@dataclass(frozen=True)
class Case:
    """A rule of apt's, the packages that show it, and what apt was seen to choose."""

    rule: str
    indices: tuple[bytes, ...]
    wanted: tuple[str, ...]
    recommends: bool
    chosen: tuple[str, ...]
    """``name`` or ``name=version``, sorted; empty when apt refuses."""
    error: str
    """What we say then."""


def cases() -> list[Case]:
    """All recorded cases."""
    return [
        Case(
            case["rule"],
            tuple(packages_file(text) for text in case["archives"]),
            tuple(case["wanted"]),
            case.get("recommends", False),
            tuple(case.get("chosen", ())),
            case.get("error", ""),
        )
        for case in tomllib.loads(CASES.read_text())["case"]
    ]
