"""The archives that a recipe takes packages from: deb822 sources, as in sources.list(5)."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from operator import attrgetter
from urllib.parse import unquote

from assembler.addresses import without_logins
from assembler.debian.deb822 import Deb822Error, Field, Paragraph
from assembler.debian.documents import paragraphs
from assembler.errors import AssembleError, Place, Problems
from assembler.recipe.debs import root_of
from assembler.recipe.names import BEGIN, DIRECTORY, FINGERPRINT, WORD

_FILE = "debian.sources"
_SUITES = "Suites"
_FIELDS = ("Types", "URIs", _SUITES, "Components", "Architectures", "Signed-By", "Enabled", "Check-Valid-Until")
_FLAT = "flat"
_YES, _NO = frozenset({"yes", "true", "1", "on"}), frozenset({"no", "false", "0", "off"})


class SourcesError(AssembleError):
    """The sources of a recipe are not what sources.list(5) describes, or ask for what is not supported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One stanza."""

    uris: tuple[str, ...]
    """Roots of archives without a slash at the end; empty when the mirror is chosen while fetching."""
    suites: tuple[str, ...]
    """Suites, or directories of flat archives, which end with a slash."""
    components: tuple[str, ...]
    """None with a flat archive."""
    architectures: tuple[str, ...]
    """Only for these; empty for all that are asked for."""
    signed_by: tuple[str, ...]
    """Fingerprints of certificates in upper-case hex that must have signed; empty for any that is trusted."""
    key: str
    """Certificates to trust for this stanza, and no others, ASCII-armored; empty for those of the assembler."""
    check_valid_until: bool
    """Whether an archive past its Valid-Until is refused."""
    where: Place
    """Where the recipe says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One suite of one archive."""

    id: str
    """Unique among the archives of a recipe: the suite, or ``flat``, and a number when there are several of it."""
    root: str
    """``debian`` or ``debian-security``, whose mirrors are chosen while fetching, or a URI."""
    suite: str
    source: Source

    @property
    def place(self) -> Place:
        """For errors: where the recipe says it, with its id."""
        where = self.source.where
        return where if where.key else replace(where, key=self.id)

    @property
    def flat(self) -> bool:
        """Whether it has neither suites nor components: see `release_directory`."""
        return self.suite.endswith("/")

    @property
    def directory(self) -> str:
        """Where its Release is, below its root; see `release_directory`."""
        return release_directory(self.suite)


def release_directory(suite: str) -> str:
    """Where the Release of `suite` is, below the root of its archive: in ``dists``, but for a flat archive, whose
    `suite` is a path with a slash at its end (sources.list(5)).
    """
    return posixpath.normpath(suite.strip("/") or ".") if suite.endswith("/") else f"dists/{suite}"


def parse_sources(text: str) -> tuple[Source, ...]:
    """The stanzas of `text` that are enabled and are for binary packages.

    Raises Problems, holding a SourcesError for each line that is wrong, and when there is none.
    """
    found: list[Source] = []
    problems: list[SourcesError] = []
    try:
        for paragraph in paragraphs(text):
            reader = _Reader(paragraph)
            source = reader.source()
            problems += sorted(reader.problems, key=lambda error: error.where.line)
            if source:
                found.append(source)
    except Deb822Error as error:
        place = Place(file=_FILE, line=error.line)
        problems.append(SourcesError(str(error), where=place, hint=_hint_for_line(text.split("\n")[error.line - 1])))
    if not problems and not found:
        problems.append(
            SourcesError(
                "there is no archive to take packages from",
                where=Place(file=_FILE),
                hint="add a stanza with Types: deb, Suites and Components, or leave debian.sources out",
            )
        )
    if problems:
        raise Problems(problems)
    return tuple(found)


def _hint_for_line(line: str) -> str:
    """What to do about a `line` that is no field."""
    if re.match(r"deb(?:-src)?\s", line):
        return "this is the style of one line; write a stanza: Types: deb, URIs:, Suites: and Components:, a line each"
    if re.match(r"-----BEGIN |-----END |[A-Za-z0-9+/=]{4,}$", line) or not line.strip():
        return "each line of a certificate begins with a blank, and an empty one is ` .`"
    return ""


def archives(sources: Sequence[Source]) -> tuple[Archive, ...]:
    """Every suite of every source, in their order. One that is there twice has the components of both.

    Raises SourcesError when it is there with other options.
    """
    result: dict[tuple[str, str], Archive] = {}
    for source in sources:
        for suite in source.suites:
            implied = "debian-security" if suite.endswith("-security") else "debian"
            for root in source.uris or (implied,):
                if known := result.get((root, suite)):
                    result[root, suite] = _together(known, source)
                    continue
                stem = _stem(suite)
                number = 1 + sum(_stem(other.suite) == stem for other in result.values())
                name = stem if number == 1 else f"{stem}-{number}"
                result[root, suite] = Archive(id=name, root=root, suite=suite, source=source)
    return tuple(result.values())


def _stem(suite: str) -> str:
    """What the id of an archive with `suite` begins with."""
    return _FLAT if suite.endswith("/") else suite


def _together(known: Archive, source: Source) -> Archive:
    """`known`, with the components of `source`, too."""
    options = attrgetter("architectures", "signed_by", "key", "check_valid_until")
    if options(known.source) != options(source):
        raise SourcesError(
            f"{known.suite} is there twice, with other options",
            where=source.where,
            hint="say the same of its architectures, its keys and Check-Valid-Until, or leave one of them out",
        )
    components = tuple(dict.fromkeys((*known.source.components, *source.components)))
    return replace(known, source=replace(known.source, components=components))


def root(uri: str) -> str:
    """What a lock calls the archive at `uri`, as a recipe has it."""
    if uri.startswith("file:"):
        return root_of(unquote("/" + uri.removeprefix("file:").lstrip("/")))
    return uri.rstrip("/")


def signers(text: str) -> tuple[tuple[str, ...], str]:
    """What a recipe's ``signed_by`` says: fingerprints, or certificates in ASCII armor; one of them is empty."""
    if text.lstrip().startswith(BEGIN):
        return (), text
    return tuple(dict.fromkeys(word.upper() for word in text.replace(",", " ").split())), ""


class _Reader:
    """Reads one stanza and collects what is wrong with it."""

    def __init__(self, paragraph: Paragraph) -> None:
        self._paragraph = paragraph
        self._line = min(field.line for field in paragraph.values())
        self.problems: list[SourcesError] = []

    def _wrong(self, what: str, field: Field | None = None, hint: str = "") -> None:
        place = Place(file=_FILE, line=field.line if field else self._line, key=field.name if field else "")
        self.problems.append(SourcesError(what, where=place, hint=hint))

    def _yes(self, name: str) -> bool:
        field = self._paragraph.get(name)
        if field is None:
            return True
        word = " ".join(field.words).lower()
        if word not in _YES | _NO:
            self._wrong(f"{word!r} is neither yes nor no", field)
        return word not in _NO

    def _words(self, name: str, *, needed: bool) -> tuple[str, ...]:
        field = self._paragraph.get(name.lower())
        if field is None:
            if needed:
                self._wrong(f"{name} is missing")
            return ()
        if not field.words:
            self._wrong("it is empty", field)
        for word in field.words:
            if not re.fullmatch(WORD, word) and not (name == _SUITES and re.fullmatch(DIRECTORY, word)):
                self._wrong(f"{word!r} is not a name", field)
        return tuple(dict.fromkeys(field.words))

    def _suites_and_components(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        suites = self._words(_SUITES, needed=True)
        flat = [suite for suite in suites if suite.endswith("/")]
        if not flat:
            return suites, self._words("Components", needed=True)
        if len(flat) < len(suites):
            self._wrong(
                f"{flat[0]} is a directory, and others are suites",
                self._paragraph["suites"],
                "give archives without suites a stanza of their own",
            )
        if field := self._paragraph.get("components"):
            self._wrong("a directory has no components", field, "leave it out, or the slash at the end of Suites")
        if "uris" not in self._paragraph:
            self._wrong("URIs is missing")
        return suites, ()

    def _uris(self) -> tuple[str, ...]:
        field = self._paragraph.get("uris")
        if field is None:
            return ()
        for uri in field.words:
            if not re.fullmatch(r"https?://[^/\s]+(/\S*)?|file:(//)?/[^/\s]\S*", uri):
                hint = "directories of this machine are named as file:///srv/archive" if uri.startswith("copy:") else ""
                self._wrong(f"{without_logins(uri)!r} is not an http or https address", field, hint)
        return tuple(dict.fromkeys(map(root, field.words)))

    def _signed_by(self) -> tuple[tuple[str, ...], str]:
        field = self._paragraph.get("signed-by")
        if field is None:
            return (), ""
        if next(filter(None, field.lines), "") == BEGIN:
            start = field.lines.index(BEGIN)
            return (), "\n".join(field.lines[start:]) + "\n"
        words = " ".join(field.lines).replace(",", " ").split()
        for word in words:
            if not re.fullmatch(FINGERPRINT, word):
                self._wrong(
                    f"{word!r} is not a fingerprint",
                    field,
                    "give the 40 hex digits of a certificate, or the certificate itself in ASCII armor; a keyring file "
                    "of the host is no part of the recipe, and Debian's own archive needs no Signed-By",
                )
        if not words:
            self._wrong("it is empty", field)
        return tuple(dict.fromkeys(word.upper() for word in words)), ""

    def source(self) -> Source | None:
        """The stanza; None when it is disabled, only for sources, or wrong (see `problems`)."""
        for field in self._paragraph.values():
            known = {name.lower() for name in _FIELDS}
            if field.name.lower() not in known and not field.name.lower().startswith("x-"):
                near = get_close_matches(field.name, _FIELDS, 1)
                self._wrong("it is not supported here", field, f"did you mean {near[0]}?" if near else "")
        types = self._words("Types", needed=True)
        for word in set(types) - {"deb", "deb-src"}:
            self._wrong(f"{word!r} is neither deb nor deb-src", self._paragraph["types"])
        signed_by, key = self._signed_by()
        suites, components = self._suites_and_components()
        source = Source(
            uris=self._uris(),
            suites=suites,
            components=components,
            architectures=self._words("Architectures", needed=False),
            signed_by=signed_by,
            key=key,
            check_valid_until=self._yes("check-valid-until"),
            where=Place(file=_FILE, line=self._line),
        )
        enabled = self._yes("enabled")
        return source if enabled and "deb" in types and not self.problems else None
