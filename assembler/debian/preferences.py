"""Which of several versions of a package is the candidate: priorities of archives, and pins, as in apt_preferences(5).

Without pins every version has priority 500; those of an archive whose Release says ``NotAutomatic`` have 1, or 100 when
it says ``ButAutomaticUpgrades``, too, as Debian's backports do. The highest priority wins, then the highest version.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

AUTOMATIC, BACKPORTS, NOT_AUTOMATIC = 500, 100, 1

_RELEASE = {"a": "suite", "n": "codename", "v": "version", "o": "origin", "l": "label", "c": "component"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An index of packages, as what its archive says of itself. All may be empty but the priority."""

    id: str = ""
    """Of its archive in the lock."""
    suite: str = ""
    """The Release's ``Suite``, which apt calls archive (``a=``)."""
    codename: str = ""
    version: str = ""
    origin: str = ""
    label: str = ""
    component: str = ""
    site: str | None = ""
    """The host that the recipe names; empty for files of this machine, None when the mirror is chosen while fetching.
    """
    priority: int = AUTOMATIC
    """What its versions have without a pin."""

    def is_release(self, name: str) -> bool:
        """Whether it is called `name`, as ``PACKAGE/NAME`` asks (apt-get(8)); an archive without a name by its id."""
        return name.lower() in {self.suite.lower(), self.codename.lower(), self.id}


@dataclass(frozen=True, slots=True)
class Pin:
    """A record of preferences: a priority for versions of packages."""

    names: tuple[str, ...]
    """Of binary packages, or ``src:`` and that of a source package, with ``*`` and ``?`` for what may stand there.
    ``*`` alone makes it a general one, which counts where no other does."""
    what: str
    """``release a=stable``, ``version 5.10*`` or ``origin deb.example.org``; see recipe/shapes.py."""
    priority: int
    """Not 0."""

    @property
    def general(self) -> bool:
        """Whether it is for all packages."""
        return "*" in self.names

    def is_of(self, name: str, source: str) -> bool:
        """Whether it names the package `name`, built from `source`."""
        return any(
            _matches(source, wanted.removeprefix("src:")) if wanted.startswith("src:") else _matches(name, wanted)
            for wanted in self.names
        )

    def is_of_version(self, version: str) -> bool:
        """Whether it is for this version wherever it comes from."""
        kind, _, value = self.what.partition(" ")
        return kind == "version" and _is_version(version, value)

    def is_in(self, listing: Listing) -> bool:
        """Whether it is for what `listing` has."""
        kind, _, value = self.what.partition(" ")
        if kind == "origin":
            site = value.strip('"')
            return _matches(listing.site or "", site) and (listing.site is not None or site != "")
        if kind == "version":
            return False
        if value == "*":
            return True
        if "=" not in value:
            if value[0].isdigit():
                return _is_version(listing.version, value)
            return _matches(listing.suite, value) or _matches(listing.codename, value)
        parts = [part.partition("=") for part in value.split(",")]
        return all(_has(listing, key.strip(), wanted.strip()) for key, _, wanted in parts)


def _has(listing: Listing, key: str, wanted: str) -> bool:
    value = getattr(listing, _RELEASE[key])
    return _is_version(value, wanted) if key == "v" else _matches(value, wanted)


def _matches(text: str, pattern: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower())


def _is_version(version: str, pattern: str) -> bool:
    """As apt has it: a ``*`` at the end makes the rest a beginning, in which another ``*`` is no pattern any more."""
    beginning = pattern.removesuffix("*")
    if beginning != pattern and version.lower().startswith(beginning.lower()):
        return True
    return _matches(version, beginning)


@dataclass(frozen=True, slots=True)
class Policy:
    """The priorities of versions in some indices."""

    listings: tuple[Listing, ...]
    """In the order of the indices."""
    pins: Sequence[Pin] = ()

    def priority(self, name: str, version: str, source: str, indices: Iterable[int]) -> int:
        """That of a version of a package which is in the `indices`, by their numbers.

        The first pin that names the package decides; then, for each index, the first general one.
        """
        there = [self.listings[number] for number in indices]
        for pin in self.pins:
            named = not pin.general and pin.is_of(name, source)
            if named and (pin.is_of_version(version) or any(map(pin.is_in, there))):
                return pin.priority
        return max(self._of(listing) for listing in there)

    def _of(self, listing: Listing) -> int:
        return next((pin.priority for pin in self.pins if pin.general and pin.is_in(listing)), listing.priority)
