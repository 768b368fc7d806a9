"""What archives offer: Packages indices, split by name without reading more of them than is asked for.

Debian's main index has 68 000 stanzas in 56 MB. One pass of a regular expression notes where each begins and what it
provides; a stanza is parsed when somebody asks for its package. The bytes of the indices are kept, not copied.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from string import ascii_letters, digits
from typing import Final

from assembler.debian.deb822 import stanza
from assembler.debian.package import Candidate
from assembler.debian.preferences import AUTOMATIC, Listing, Policy
from assembler.debian.relations import FIELDS, Relation, parse_relations
from assembler.debian.version import version_key
from assembler.errors import AssembleError, Place
from assembler.lockfile import values

_LANDMARK = re.compile(rb"\n(Package|Provides|Essential): ([^\n]*(?:\n[ \t][^\n]*)*)")
_PRIORITIES: Final = {"required": 1, "important": 2, "standard": 3, "optional": 4, "extra": 5}
_NAME_BYTES: Final = frozenset(char.encode() for char in f"{ascii_letters}{digits}+.-")
_NEWLINE: Final = 10
# The fields in which apt meets package names, in its order of reading them.
_MENTIONS: Final = {
    name.encode(): order
    for order, name in enumerate(
        (
            "Package",
            "Pre-Depends",
            "Depends",
            "Conflicts",
            "Breaks",
            "Recommends",
            "Suggests",
            "Replaces",
            "Enhances",
            "Provides",
        )
    )
}
# apt holds itself to be essential, whatever its stanza says (pkgCacheGen::ForceEssential).
_FORCED_ESSENTIAL: Final = frozenset({"apt"})

_SHOWN: Final = 20
"""Alternatives in a message."""
MOST_WORK: Final = 50_000_000
"""Looks at one package for one relation, in choosing packages once: about ten seconds. GNOME and KDE together, with all
that they recommend, take 5 million; a node's image 0.2 million."""

Position = tuple[int, int]
"""Number of an index, and the offset of a stanza in it in bytes."""


class Dependency:
    """One group of a relation field: alternatives for what is asked for, a single relation for what is refused."""

    __slots__ = ("alternatives", "field", "hard", "negative", "targets")

    def __init__(self, field: str, alternatives: tuple[Relation, ...], architecture: str) -> None:
        self.field = field
        self.alternatives = alternatives
        self.negative = field in {"Conflicts", "Breaks"}
        """A package that may not be installed at the same time."""
        self.hard = self.negative or field in {"Depends", "Pre-Depends"}
        """Whether the package is broken without it."""
        self.targets = tuple(
            (relation.target(architecture), relation.operator, relation.version) for relation in alternatives
        )
        """Per alternative: what to look up in a :class:`Universe`, the operator, the version."""

    def __str__(self) -> str:
        more = len(self.alternatives) - _SHOWN
        return " | ".join(map(str, self.alternatives[:_SHOWN])) + (f" | {more} more" if more > 0 else "")


class Offer:
    """A version of a package in an index. Two offers are the same only if they are the same object."""

    __slots__ = ("_architecture", "_dependencies", "_provides", "candidate", "name", "position", "priority", "version")

    def __init__(self, candidate: Candidate, position: Position, architecture: str) -> None:
        self.candidate = candidate
        self.name = candidate.name
        self.version = candidate.version
        self.position = position
        priority = candidate.fields.get("Priority")
        self.priority = _PRIORITIES.get(priority, 5) if priority else 0
        """1 (required) to 5 (extra); 0 without one, which apt prefers to all others."""
        self._architecture = architecture
        self._dependencies: tuple[Dependency, ...] | None = None
        self._provides: tuple[tuple[str, str], ...] | None = None

    def __repr__(self) -> str:
        return f"{self.name} ({self.version})"

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        """Its relations in apt's order: Pre-Depends, Depends, Conflicts, Breaks, Recommends, Suggests."""
        if self._dependencies is None:
            self._dependencies = tuple(self._read_dependencies())
        return self._dependencies

    def _read_dependencies(self) -> Iterator[Dependency]:
        for field in FIELDS:
            if text := self.candidate.fields.get(field):
                for group in parse_relations(text, package=self.name):
                    if field in {"Conflicts", "Breaks"}:
                        # Alternatives make no sense there; each is refused for itself.
                        yield from (Dependency(field, (relation,), self._architecture) for relation in group)
                    else:
                        yield Dependency(field, group, self._architecture)

    @property
    def provides(self) -> tuple[tuple[str, str], ...]:
        """What it provides, as (name, version); the version is empty when none is given.

        Packages that are ``Multi-Arch: allowed`` provide ``name:any`` too, for themselves and all they provide.
        """
        if self._provides is None:
            self._provides = tuple(self._read_provides())
        return self._provides

    def _read_provides(self) -> Iterator[tuple[str, str]]:
        allowed = self.candidate.fields.get("Multi-Arch") == "allowed"
        if text := self.candidate.fields.get("Provides"):
            for relation, *_rest in parse_relations(text, package=self.name):
                if relation.operator not in {"", "="}:
                    continue
                name = relation.target(self._architecture)
                if allowed and not relation.qualifier:
                    yield f"{relation.name}:any", relation.version
                # A package that provides its own name and version says nothing new.
                if name != self.name or relation.version not in {"", self.version}:
                    yield name, relation.version
        if allowed:
            yield f"{self.name}:any", self.version


def _size(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):
        raise ValueError("its Size is no number of bytes")
    return int(text)


def check(candidate: Candidate) -> None:
    """Raise AssembleError unless every value of `candidate` that a lock names is one.

    A signature only says whose values they are. What is checked is what was chosen: one odd package does no harm to
    those who do not want it.
    """
    for field, value, shape in (
        ("Package", candidate.name, values.NAME),
        ("Version", candidate.version, values.VERSION),
        ("Architecture", candidate.architecture, values.ARCHITECTURE),
        ("Source", candidate.source, values.NAME),
        ("Source", candidate.source_version, values.VERSION),
        ("Filename", candidate.filename, values.PATH),
        ("SHA256", candidate.sha256, values.SHA256),
    ):
        if len(value) > values.LONGEST or not re.fullmatch(shape, value):
            raise _odd(candidate, f"its {field} is {value[:80]!a}")
    if not 0 < candidate.size <= values.LARGEST:
        raise _odd(candidate, f"its Size is {candidate.size}")


def _odd(candidate: Candidate, why: str) -> AssembleError:
    return AssembleError(
        "the archive has a package with values that are not valid",
        where=Place(file=candidate.archive, package=ascii(candidate.name[:80])[1:-1]),
        why=why,
        hint="do not take it from there, and tell whoever keeps the archive",
    )


def _stanza_start(data: bytes, place: int) -> int:
    gap = data.rfind(b"\n\n", 0, place)
    return gap + 2 if gap >= 0 else 0


def _mention_order(data: bytes, place: int, length: int) -> int | None:
    """The order of the field in which the bytes at `place` are a whole package name; None when they are not."""
    end = place + length
    if data[place - 1] not in b" ,|" or data[end : end + 1] in _NAME_BYTES or data[end : end + 4] == b":any":
        return None
    line = data.rfind(b"\n", 0, place) + 1
    while data[line : line + 1] in {b" ", b"\t"}:
        line = data.rfind(b"\n", 0, line - 1) + 1
    return _MENTIONS.get(data[line : data.find(b":", line)])


class Universe:
    """All packages of some archives for one architecture.

    As in apt, the candidate of a name is its version of the highest priority, and of several the highest, unless one is
    chosen; of equal versions, the one whose archive comes first.
    """

    def __init__(
        self,
        indices: Sequence[tuple[str, bytes]],
        architecture: str,
        chosen: Mapping[str, str] | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.architecture = architecture
        self._chosen = chosen or {}
        self._policy = policy
        self._indices = tuple(indices)
        self.work = 0
        """Looks since somebody last set this to 0; see `spend`."""
        self._stanzas: dict[str, list[Position]] = {}
        self._providing: dict[str, list[Position]] = {}
        self._essential: list[Position] = []
        self._offers: dict[str, tuple[Offer, ...]] = {}
        self._refused: dict[str, tuple[Offer, ...]] = {}
        """Versions of a priority below 0."""
        self._places: dict[Offer, list[int]] = {}
        """By their numbers, the indices that have an offer."""
        self._providers: dict[str, tuple[tuple[Offer, str], ...]] = {}
        self._mentions: dict[str, tuple[int, ...]] = {}
        for number, (archive, data) in enumerate(self._indices):
            try:
                self._scan(number, data)
            except UnicodeDecodeError as error:
                raise AssembleError(
                    "the package index is damaged", where=Place(file=archive), why="a name in it is not UTF-8"
                ) from error

    @classmethod
    def from_indices(
        cls,
        indices: Sequence[tuple[str, bytes]],
        architecture: str,
        chosen: Mapping[str, str] | None = None,
        policy: Policy | None = None,
    ) -> "Universe":
        """A universe of `indices`, each an archive's id and the bytes of its Packages file, decompressed.

        :param architecture: ``amd64``; stanzas of other architectures but ``all`` are passed over.
        :param chosen: versions by name that are the candidates, whatever others there are. One that no archive has
            says nothing.
        :param policy: the priorities of versions in these indices; without one all are equal.
        """
        return cls(indices, architecture, chosen, policy)

    def _scan(self, number: int, data: bytes) -> None:
        stanzas, providing = self._stanzas, self._providing
        here = (number, 0)
        # The landmark begins with the end of the line before, which the first line has not.
        first = _LANDMARK.match(b"\n" + data[: data.find(b"\n")])
        if first and first[1] == b"Package":
            stanzas.setdefault(first[2].decode(), []).append(here)
        for match in _LANDMARK.finditer(data):
            kind, value = match.groups()
            if kind == b"Package":
                start = match.start() + 1
                here = (number, start if data[start - 2] == _NEWLINE else _stanza_start(data, start))
                name = value.decode()
                if name in stanzas:
                    stanzas[name].append(here)
                else:
                    stanzas[name] = [here]
            elif kind == b"Provides":
                for part in value.decode().split(","):
                    name = part.strip().partition(" ")[0].partition("(")[0]
                    if name in providing:
                        providing[name].append(here)
                    else:
                        providing[name] = [here]
            elif value.strip() == b"yes":
                self._essential.append(here)

    def spend(self, looks: int) -> None:
        """Count work. Raises AssembleError when it has become too much: no archive for use takes as much."""
        self.work += looks
        if self.work > MOST_WORK:
            raise AssembleError(
                "choosing packages takes too long",
                why=f"after {MOST_WORK} looks at their relations there is no end",
                hint=f"leave out the archive with such relations; there are {', '.join(self.archives)}",
            )

    @property
    def archives(self) -> tuple[str, ...]:
        """The ids of the archives, in their order, each once."""
        return tuple(dict.fromkeys(archive for archive, _data in self._indices))

    @property
    def names(self) -> tuple[str, ...]:
        """Every package name, in the order of the indices; virtual packages are not among them."""
        return tuple(self._stanzas)

    @cached_property
    def essential(self) -> tuple[str, ...]:
        """The packages whose candidate says ``Essential: yes``, sorted."""
        found = {self._stanza_name(position) for position in self._essential}
        return tuple(
            sorted(
                name
                for name in found
                if (offer := self.offer(name)) and offer.candidate.fields.get("Essential") == "yes"
            )
        )

    def is_essential(self, name: str) -> bool:
        """Whether apt treats the package as essential: any version of it is, or it is apt."""
        return name in _FORCED_ESSENTIAL or any(
            offer.candidate.fields.get("Essential") == "yes" for offer in self.offers(name)
        )

    def is_important(self, name: str) -> bool:
        """Whether any version of the package is ``Protected`` (once called ``Important``), or it is apt."""
        return name in _FORCED_ESSENTIAL or any(
            "yes" in {offer.candidate.fields.get("Important"), offer.candidate.fields.get("Protected")}
            for offer in self.offers(name)
        )

    def offers(self, name: str) -> tuple[Offer, ...]:
        """The versions of a package, the candidate first, then the highest; empty when there is none."""
        offers = self._offers.get(name)
        if offers is None:
            offers = self._offers[name] = self._read_offers(name)
        return offers

    def versions(self, name: str) -> tuple[Offer, ...]:
        """The same, with those after them whose priority is below 0: they are taken where they are asked for."""
        offers = self.offers(name)
        return (*offers, *(offer for offer in self._refused.get(name, ()) if offer not in offers))

    def offer(self, name: str) -> Offer | None:
        """The version of a package that apt would install."""
        offers = self.offers(name)
        return offers[0] if offers else None

    def candidate(self, name: str) -> Candidate | None:
        """The package that apt would install for `name`; None when there is none of that name."""
        offer = self.offer(name)
        return offer.candidate if offer else None

    def providers(self, name: str) -> tuple[tuple[Offer, str], ...]:
        """The offers that provide `name` without being called so, and the versions (or none) they provide it in.

        All versions are in it, candidates or not; what was read last comes first, as apt keeps them.
        """
        providers = self._providers.get(name)
        if providers is None:
            providers = self._providers[name] = tuple(self._read_providers(name))
        return providers

    def _read_offers(self, name: str) -> tuple[Offer, ...]:
        """All versions but those that a priority below 0 keeps away."""
        found: dict[tuple[str, str], tuple[Offer, list[int]]] = {}
        for position in self._stanzas.get(name, ()):
            candidate = self._read_candidate(position)
            if candidate.name != name:
                raise self._damaged(position, f"it has another Package, too: {name}")
            if candidate.architecture not in {self.architecture, "all"}:
                continue
            offer = Offer(candidate, position, self.architecture)
            found.setdefault((candidate.version, candidate.sha256), (offer, []))[1].append(position[0])
        self._places.update(found.values())
        ranked = [(self._priority(offer, places), offer) for offer, places in found.values()]
        if len(ranked) > 1:
            # Stable: of equal versions, the first source stays first.
            ranked.sort(key=lambda each: version_key(each[1].version), reverse=True)
            ranked.sort(key=lambda each: -each[0])
            if name in self._chosen:
                ranked.sort(key=lambda each: each[1].version != self._chosen[name])
        self._refused[name] = tuple(offer for priority, offer in ranked if priority < 0)
        return tuple(offer for priority, offer in ranked if priority >= 0)

    def _priority(self, offer: Offer, places: Sequence[int]) -> int:
        if self._policy is None:
            return AUTOMATIC
        return self._policy.priority(offer.name, offer.version, offer.candidate.source, places)

    def is_chosen(self, name: str) -> bool:
        """Whether a version of it was chosen when the universe was made."""
        return name in self._chosen

    def choose(self, offer: Offer) -> None:
        """Have `offer` be the candidate of its name from now on."""
        offers = self.offers(offer.name)
        if offer not in offers:
            self._providers.clear()  # it provides something from now on
        self._offers[offer.name] = (offer, *(other for other in offers if other is not offer))

    def listings_of(self, offer: Offer) -> list[Listing]:
        """What the archives say of themselves that have this version; none without a policy."""
        if self._policy is None:
            return []
        return [self._policy.listings[number] for number in self._places[offer]]

    def _read_providers(self, name: str) -> Iterator[tuple[Offer, str]]:
        plain, _colon, qualifier = name.partition(":")
        positions = list(self._providing.get(name, ()))
        if qualifier:
            # `foo:any` is provided by packages that allow it, by their own names or by what they provide.
            positions += (*self._providing.get(plain, ()), *self._stanzas.get(plain, ()))
        for position in sorted(set(positions), reverse=True):
            for offer in self.offers(self._stanza_name(position)):
                if offer.position == position:
                    for provided, version in reversed(offer.provides):
                        if provided == name:
                            yield offer, version

    def _stanza(self, position: Position) -> bytes:
        number, start = position
        data = self._indices[number][1]
        end = data.find(b"\n\n", start)
        return data[start : end if end >= 0 else len(data)]

    def _stanza_name(self, position: Position) -> str:
        stanza = b"\n" + self._stanza(position)
        _before, field, rest = stanza.partition(b"\nPackage:")
        if not field:
            raise self._damaged(position, "it has no field Package")
        try:
            return rest.partition(b"\n")[0].strip().decode()
        except UnicodeDecodeError as error:
            raise self._damaged(position, "its Package is not UTF-8") from error

    def _read_candidate(self, position: Position) -> Candidate:
        try:
            fields = stanza(self._stanza(position).rstrip(b"\n").decode())
            source, _space, rest = fields.get("Source", fields["Package"]).partition(" ")
            return Candidate(
                name=fields["Package"],
                version=fields["Version"],
                architecture=fields["Architecture"],
                source=source,
                source_version=rest.strip(" ()") or fields["Version"],
                filename=fields["Filename"].removeprefix("./"),
                size=_size(fields["Size"]),
                sha256=fields["SHA256"],
                archive=self._indices[position[0]][0],
                fields=fields,
            )
        except KeyError as error:
            why = f"it has no field {error}"
        except ValueError as error:
            why = str(error)
        raise self._damaged(position, why)

    def _damaged(self, position: Position, why: str) -> AssembleError:
        archive = self._indices[position[0]][0]
        return AssembleError(
            "the package index is damaged",
            where=Place(file=archive),
            why=f"in the stanza at offset {position[1]}: {why}",
        )

    def first_mention(self, name: str) -> tuple[int, ...]:
        """When apt, reading the indices, first meets `name`: as itself, or in a relation of another package.

        A value that orders names. Where apt has no other reason to prefer one of several providers it takes the one
        that it met last, so this has to be known, if only for few names.
        """
        mention = self._mentions.get(name)
        if mention is None:
            mention = self._mentions[name] = self._find_mention(name)
        return mention

    def _find_mention(self, name: str) -> tuple[int, ...]:
        needle = name.encode()
        own = min(self._stanzas.get(name, ()), default=(len(self._indices), 0))
        for number, (_archive, data) in enumerate(self._indices[: own[0] + 1]):
            self.spend(len(data) >> 12)  # it is read fast
            limit = own[1] if number == own[0] else len(data)
            place = data.find(needle, 0, limit)
            while place >= 0:
                if _mention_order(data, place, len(needle)) is not None:
                    start = _stanza_start(data, place)
                    return (number, start, *self._first_in_stanza(data, start, needle))
                place = data.find(needle, place + 1, limit)
        return (*own, 0, 0)

    @staticmethod
    def _first_in_stanza(data: bytes, start: int, needle: bytes) -> tuple[int, int]:
        end = data.find(b"\n\n", start)
        stanza = b"\n" + data[start : end if end >= 0 else len(data)]
        found = []
        place = stanza.find(needle)
        while place >= 0:
            if (order := _mention_order(stanza, place, len(needle))) is not None:
                found.append((order, place))
            place = stanza.find(needle, place + 1)
        return min(found)
