"""What dpkg knows of packages while scripts are carried out: a seam between its programs and who configures them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

_RELATIONS = (
    "Depends", "Pre-Depends", "Recommends", "Suggests", "Breaks", "Conflicts", "Provides", "Replaces", "Enhances",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """A package as dpkg's status file has it at this moment."""

    fields: Mapping[str, str]
    """Its fields as text with undecodable bytes as surrogates, in the order in which dpkg writes them, ``Status`` and
    ``Conffiles`` too. Further lines of a value begin with a space; a value with nothing in its first line begins with a
    newline. None is at the end."""
    files: Sequence[str] = ()
    """The lines of its list of files (``info/*.list``), from ``/.``."""

    @property
    def name(self) -> str:
        """Without its architecture."""
        return self.fields["Package"]

    @property
    def architecture(self) -> str:
        """As in its field."""
        return self.fields.get("Architecture", "")

    @property
    def status(self) -> tuple[str, str, str]:
        """What is wanted, the error flag, and the status: ``install ok installed``."""
        want, flag, status = self.fields.get("Status", "unknown ok not-installed").split(" ")
        return want, flag, status

    @property
    def is_installed(self) -> bool:
        """Whether there is anything of it."""
        return self.status[2] != "not-installed"


class Packages(Protocol):
    """All packages, at the moment when a script runs."""

    @property
    def architecture(self) -> str:
        """That of dpkg itself: ``amd64``."""

    def known(self) -> Sequence[Known]:
        """The packages that the status file has, in any order, each once."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Packages that do not change."""

    architecture: str
    packages: Sequence[Known] = field(default=())

    def known(self) -> Sequence[Known]:
        """See :class:`Packages`."""
        return self.packages


def mentioned(packages: Sequence[Known]) -> set[str]:
    """The names that fields of packages mention: dpkg knows these too, as not installed."""
    found: set[str] = set()
    for package in packages:
        for name in _RELATIONS:
            for relation in re.split(r"[,|]", package.fields.get(name, "")):
                match = re.match(r"\s*([^\s(:]+)", relation)
                if match:
                    found.add(match.group(1))
        found.update(name.partition(":")[0] for name in package.fields.get("Triggers-Awaited", "").split())
    return found


def known_by_text(text: str) -> list[Known]:
    """Packages by the text of a status file, without files."""
    return [Known(fields_of(stanza)) for stanza in re.split(r"\n\n+", text.strip("\n")) if stanza]


def fields_of(stanza: str) -> dict[str, str]:
    """The fields of a stanza, as :class:`Known` has them."""
    found: dict[str, str] = {}
    name = ""
    for line in stanza.split("\n"):
        if line[:1] in {" ", "\t"}:
            found[name] += f"\n{line}"
        elif line:
            name, _, value = line.partition(":")
            found[name] = value.strip(" ")
    return found
