"""Relations between packages, as the control fields hold them (Debian policy 7, deb-control(5))."""

import re
from dataclasses import dataclass
from functools import lru_cache

from assembler.errors import AssembleError, Place

MOST_ALTERNATIVES = 1000
"""In one group of a relation field; Debian's longest has 22."""
FIELDS = ("Pre-Depends", "Depends", "Conflicts", "Breaks", "Recommends", "Suggests")
"""The fields that choosing packages looks at, in the order in which apt does."""

_RELATION = re.compile(
    r"""\s*+ (?P<name>[A-Za-z0-9][A-Za-z0-9+.-]*+) (?> (?: : (?P<qualifier>[a-z0-9-]++) )? )
        \s*+ (?> (?: \( \s*+ (?P<operator><<|<=|=|>=|>>|<|>) \s*+ (?P<version>[^\s()=<>]++) \s*+ \) )? )
        \s*+ (?> (?: \[ (?P<architectures>[^][]*+) \] )? )
        \s*+ (?> (?: <[^<>]*+> \s*+ )* ) """,
    re.VERBOSE,
)
"""Nothing in it is tried a second time: many blanks would take a power of their number.

Groups are atomic: possessive ones are wrong in Python before 3.11.4 when a round fails.
"""
# Old forms that dpkg and apt still read; they include equality in spite of their looks.
_OLD_OPERATORS = {"<": "<=", ">": ">="}


@dataclass(frozen=True, slots=True)
class Relation:
    """One package that a relation field names, with what is asked of it."""

    name: str
    operator: str = ""
    """``<< <= = >= >>``, empty when any version will do."""
    version: str = ""
    qualifier: str = ""
    """What follows the name's colon: ``any``, ``native``, an architecture."""
    architectures: tuple[str, ...] = ()
    """An architecture restriction list (source fields only), each as ``amd64`` or ``!amd64``."""

    def __str__(self) -> str:
        text = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        return f"{text} ({self.operator} {self.version})" if self.operator else text

    def target(self, architecture: str) -> str:
        """What to look up for it on `architecture`: its name, with the qualifier unless that says the same."""
        return self.name if self.qualifier in {"", "native", architecture} else f"{self.name}:{self.qualifier}"


def _relation(text: str) -> Relation:
    match = _RELATION.fullmatch(text)
    if match is None:
        raise AssembleError(
            f"cannot read the package relation `{text.strip()[:200]}`", why="it is not of the form `name (>= version)`"
        )
    name, qualifier, operator, version, architectures = match.groups()
    return Relation(
        name,
        _OLD_OPERATORS.get(operator, operator) or "",
        version or "",
        qualifier or "",
        tuple(architectures.split()) if architectures else (),
    )


@lru_cache(maxsize=1 << 15)
def _alternatives(text: str) -> tuple[Relation, ...]:
    return tuple(_relation(part) for part in text.split("|"))


def parse_relations(text: str, *, package: str = "") -> tuple[tuple[Relation, ...], ...]:
    """The groups of a relation field: all of them are asked for, and of each group one alternative.

    Empty members (a trailing comma) are skipped. `package` is what an error names.

    :raises AssembleError: when a member is no relation.
    """
    if any(part.count("|") >= MOST_ALTERNATIVES for part in text.split(",")):
        why = f"it has more than {MOST_ALTERNATIVES} alternatives"
        raise AssembleError("cannot read a package relation", why=why, where=Place(package=package))
    try:
        return tuple(_alternatives(part) for part in text.split(",") if part and not part.isspace())
    except AssembleError as error:
        raise AssembleError(error.what, why=error.why, where=Place(package=package)) from None
