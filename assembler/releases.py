"""Debian's releases: what they are called, which archives they consist of, who signs these, and names that differ.

One value for each. A recipe may name any archives (``debian.sources``); what is here is what holds when it names none,
what the assembler's own tools come from, and whose signatures are trusted where a source names no keys.

To add one: its value here and a line in `RELEASES`, and its certificates in debian/keys/; see docs/changing.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Key:
    """An OpenPGP certificate that comes with the assembler."""

    fingerprint: str
    """40 upper-case hex digits."""
    file: str
    """In debian/keys/."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianRelease:
    """One release."""

    name: str
    """As its suites are called: a codename, or a name that moves from one to the next."""
    version: str
    """Its number; empty as long as it has none."""
    suites: tuple[str, ...]
    """Of the main archive: the release itself, and what is added between its point releases."""
    security: str
    """The suite of the security archive."""
    components: tuple[str, ...] = ("main",)
    """Those that are taken when nobody says which."""
    keys: tuple[Key, ...]
    """All that sign its archives."""
    libarchive: str
    """The package with libarchive's library, whose name changes with its interface."""
    kernel_source: str
    """The package with the source of its kernel."""
    python: str
    """The package with the interpreter of Python, of the version that is its default."""

    @property
    def sources(self) -> str:
        """Its archives as deb822 sources, sources.list(5)."""
        components = " ".join(self.components)
        return "\n".join(
            f"Types: deb\nSuites: {suites}\nComponents: {components}\n"
            for suites in (" ".join(self.suites), self.security)
        )


_BOOKWORM = Key("B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8", "bookworm-automatic.asc")
_BOOKWORM_SECURITY = Key("05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0", "bookworm-security-automatic.asc")
_BOOKWORM_STABLE = Key("4D64FEC119C2029067D6E791F8D2585B8783D481", "bookworm-stable.asc")
_TRIXIE = Key("04B54C3CDCA79751B16BC6B5225629DF75B188BD", "trixie-automatic.asc")
_TRIXIE_SECURITY = Key("5E04A1E3223A19A20706E20F9904613D4CCE68C6", "trixie-security-automatic.asc")
_TRIXIE_STABLE = Key("41587F7DB8C774BCCF131416762F67A0B2C39DE4", "trixie-stable.asc")

BOOKWORM = DebianRelease(
    name="bookworm",
    version="12",
    suites=("bookworm", "bookworm-updates"),
    security="bookworm-security",
    # The archive's own key is that of the newest release, beside the one of the release before.
    keys=(_BOOKWORM, _BOOKWORM_SECURITY, _BOOKWORM_STABLE, _TRIXIE),
    libarchive="libarchive13",
    kernel_source="linux-source-6.1",
    python="python3.11-minimal",
)
TRIXIE = DebianRelease(
    name="trixie",
    version="13",
    suites=("trixie", "trixie-updates"),
    security="trixie-security",
    keys=(_BOOKWORM, _TRIXIE, _TRIXIE_SECURITY, _TRIXIE_STABLE),
    libarchive="libarchive13t64",
    kernel_source="linux-source-6.12",
    python="python3.13-minimal",
)
TESTING = DebianRelease(
    name="testing",
    version="",
    suites=("testing",),
    security="testing-security",
    # None of its own before it is stable.
    keys=(_BOOKWORM, _BOOKWORM_SECURITY, _TRIXIE, _TRIXIE_SECURITY),
    libarchive="libarchive13t64",
    python="python3.13-minimal",
    kernel_source="linux-source",  # a metapackage, as the version moves
)

RELEASES: Mapping[str, DebianRelease] = MappingProxyType({each.name: each for each in (BOOKWORM, TRIXIE, TESTING)})
"""All that there are, by name."""
DEFAULT = TRIXIE
"""Of images whose recipe names no archives, and of the assembler's own tools."""


def keys() -> dict[str, str]:
    """The files of all certificates by their fingerprints."""
    return {key.fingerprint: key.file for each in RELEASES.values() for key in each.keys}


def distribution(suite: str) -> str:
    """What os-release(5) calls the release that a suite of Debian is of, as ``debian-13``: ID and VERSION_ID."""
    for each in RELEASES.values():
        if suite in {*each.suites, each.security} or suite.startswith(f"{each.name}-"):
            return f"debian-{each.version or each.name}"
    return f"debian-{suite}"
