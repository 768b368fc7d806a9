"""What dpkg knows of packages while scripts are carried out: a seam between its programs and who configures them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from assembler.debian.version import compare
from assembler.shell.streams import Refused

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


def version_of(packages: Packages | None, name: str) -> str:
    """The version of a package that dpkg knows at this moment; empty when it does not, or nothing is known."""
    known = packages.known() if packages else ()
    return next((package.fields.get("Version", "") for package in known if package.name == name), "")


def is_before(packages: Packages | None, name: str, last: str, first: str, *, otherwise: bool = False) -> bool:
    """Whether a package is of a version before a change: `last` is the last one that is known not to have it, `first`
    the first that has.

    `otherwise` is the answer where nothing is known of the package: it should be that for trixie. Raises Refused for a
    version between the two.
    """
    version = version_of(packages, name)
    if not version:
        return otherwise
    # Later uploads of the same upstream version do not have it either.
    if compare(version, last) > 0 and not version.startswith(last) and compare(version, first) < 0:
        raise Refused(f"what {name} of this version does", why=version)
    return compare(version, first) < 0


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
