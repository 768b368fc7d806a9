"""Debconf's files: the templates of questions that packages bring, and answers as debconf-set-selections(1) reads them.

Both are read as debconf 1.5 reads them (Debconf/Template.pm, Debconf/Question.pm, debconf-set-selections), which judges
this in the tests; the specification is debconf-devel(7).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from assembler.errors import AssembleError, Place

MAX_TEMPLATES = 4 << 20
"""Bytes of a package's templates; the largest of Debian have some 700 kB, most of it translations."""
MAX_PRESEED = 1 << 20
"""Bytes of a file of answers."""
MAX_CHOICES = 2000
"""Choices that a question is judged by; the longest fixed list of Debian, of time zones, has 170."""
MAX_CONTINUED = 1000
"""Lines that one answer goes on over."""
_SPACE = " \t\n\r\f\v"
"""What debconf takes for white space, as it reads bytes."""
TYPES = ("select", "boolean", "string", "multiselect", "note", "password", "text", "title")
"""Types of questions that debconf-set-selections(1) takes; templates have `error` besides."""
_SEEN = "seen"
"""In the place of a type: what follows is no answer, but whether the question has been seen."""

_SELECTION = re.compile(r"\s*(\S+)\s+(\S+)\s+(\S+)(?:\s(.*))?", re.ASCII)
_FIELD = re.compile(r"([-_@.A-Za-z0-9]*):\s?(.*)", re.ASCII)
_SEPARATOR = re.compile(r"(\\[, ]|,\s+)", re.ASCII)
_VARIABLE = re.compile(r"(\\)?\$\{([^{}]+)\}")


class DebconfError(AssembleError):
    """A file of templates or answers that debconf does not take, or an answer that it would not use."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a package asks."""

    name: str
    type: str
    """One of `TYPES`, ``error``, or what the package says; empty when it says none."""
    fields: Mapping[str, str] = field(repr=False)
    """The first lines of all fields by lower-case name, translations among them: ``default``, ``choices-de.utf-8``."""
    extended: Mapping[str, str] = field(repr=False)
    """The further lines of those that have some, as paragraphs."""
    choices: tuple[str, ...] | None
    """The values of a select or multiselect, untranslated; None where the package fills them in by itself, or there are
    more than `MAX_CHOICES`."""

    @property
    def default(self) -> str:
        """The value without an answer."""
        return self.fields.get("default", "")


@dataclass(frozen=True, slots=True)
class Selection:
    """One answer."""

    owner: str
    question: str
    type: str
    value: str = field(repr=False)
    line: int
    """1-based number of the first line that it is on; 0 for none."""

    @property
    def sets_seen(self) -> bool:
        """Whether it says that the question has been seen, or not, instead of answering it."""
        return self.type == _SEEN

    def __str__(self) -> str:
        return f"{self.owner} {self.question} {self.type} {self.value}\n"


def elements(value: str) -> tuple[str, ...]:
    """The elements of a list of choices, or of a multiselect's value: separated by comma and space, either escaped
    by a backslash.
    """
    found, item = [], ""
    for index, piece in enumerate(_SEPARATOR.split(value)):
        if not index % 2:
            item += piece
        elif piece.startswith("\\"):
            item += piece[1]
        else:
            found.append(item)
            item = ""
    return (*found, item) if item else tuple(found)


def read_templates(data: bytes, where: Place) -> list[Template]:
    """The templates in a file of that name. Raises DebconfError for what debconf dies of, and for a very large one.

    What is no UTF-8, as translations of old can be, comes with replacement characters.
    """
    if len(data) > MAX_TEMPLATES:
        raise DebconfError("the templates are absurdly large", where=where, why=f"more than {MAX_TEMPLATES} bytes")
    found = []
    for number, stanza in enumerate(re.split(r"\n\n+", data.decode("utf-8", "replace").strip("\n")), 1):
        if stanza:
            found.append(_template(stanza, number, where))
    return found


def _template(stanza: str, number: int, where: Place) -> Template:
    fields, extended = stanza_fields(stanza, number, where)
    choices = _choices(fields.get("choices-c", fields.get("choices", "")))
    return Template(fields["template"], fields.get("type", ""), fields, extended, choices)


def stanza_fields(stanza: str, number: int, where: Place) -> tuple[dict[str, str], dict[str, str]]:
    """The first lines of the fields of a template, and the further lines of those that have some, by lower-case name.

    `number` is told in errors. Raises DebconfError for what debconf dies of.
    """
    fields: dict[str, str] = {}
    further: dict[str, list[str]] = {}
    name = ""
    for line in stanza.split("\n"):
        if match := _FIELD.match(line):
            name = match[1].lower()
            if name and name in fields:
                raise DebconfError(f"template {number} has {name[:80]!r} twice", where=where)
            fields[name] = match[2].rstrip(_SPACE)
            further[name] = []
        elif not line.startswith(tuple(_SPACE)):
            raise DebconfError(f"template {number} has a line that is no field", where=where, why=repr(line[:80]))
        elif name:
            further[name].append(line[1:])
    if not fields.get("template"):
        raise DebconfError(f"template {number} has no name", where=where)
    return fields, {key: text for key, lines in further.items() if (text := _paragraphs(lines))}


def _choices(text: str) -> tuple[str, ...] | None:
    if any(not escape for escape, _ in _VARIABLE.findall(text)):
        return None
    found = elements(_VARIABLE.sub(lambda one: one[0][1:], text))
    return found if len(found) <= MAX_CHOICES else None


def _paragraphs(lines: list[str]) -> str:
    """Further lines as text: a lone dot is an empty line, lines that are indented stay lines."""
    pieces: list[str] = []
    end = ""
    for line in lines:
        text = line.rstrip(_SPACE)
        if line == ".":
            text = "\n\n"
        elif line.startswith(tuple(_SPACE)):
            text = ("\n" if end and end not in "\n " else "") + text + "\n"
        elif end and end not in "\n ":
            text = f" {text}"
        pieces.append(text)
        end = text[-1:] or end
    return "".join(pieces).rstrip("\n")


@dataclass(frozen=True, slots=True)
class Preseed:
    """A file of answers."""

    selections: tuple[Selection, ...]
    errors: tuple[DebconfError, ...]
    """Lines that debconf-set-selections(1) fails on, each with its place."""
    unknown: tuple[DebconfError, ...]
    """Lines that it passes over with a warning, as it does not know the type."""


def read_preseed(data: bytes, name: str) -> Preseed:
    """The answers in a file that is called `name` in errors. It is UTF-8, and perhaps has CR LF at the ends of lines.

    Raises DebconfError for what is no text, and for a very large one.
    """
    if len(data) > MAX_PRESEED:
        why = f"more than {MAX_PRESEED >> 20} MiB"
        raise DebconfError("the file of answers is too large", where=Place(file=name), why=why)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DebconfError(
            "the file of answers is not UTF-8", where=Place(file=name, line=line), hint="save the file as UTF-8"
        ) from error
    return read_selections(text, name)


def read_selections(text: str, name: str) -> Preseed:
    """The answers in a text; see `read_preseed`. Raises DebconfError for one that goes on over very many lines."""
    found, errors, unknown = list[Selection](), list[DebconfError](), list[DebconfError]()
    for line, content in _logical_lines(text, name):
        match = _SELECTION.match(content)
        where = Place(file=name, line=line)
        if match is None:
            hint = "OWNER QUESTION TYPE VALUE, as debconf-set-selections(1) takes it"
            errors.append(DebconfError("this line is no answer", where=where, hint=hint))
        elif match[3] not in (*TYPES, _SEEN):
            hint = f"it is one of {', '.join(TYPES)}"
            unknown.append(DebconfError("the type is not known", where=where, hint=hint))
        else:
            found.append(Selection(match[1], match[2], match[3], match[4] or "", line))
    return Preseed(tuple(found), tuple(errors), tuple(unknown))


def _logical_lines(text: str, name: str) -> Iterator[tuple[int, str]]:
    """The lines with something on them, joined where a backslash at the end says so, each with its first's number."""
    lines = text.removesuffix("\n").split("\n") if text else []
    at = 0
    while at < len(lines):
        first, line = at, lines[at].removesuffix("\r")
        # Not of a last line, whose backslash stays.
        while line.endswith("\\") and at + 1 < len(lines):
            at += 1
            line = line[:-1] + lines[at].removesuffix("\r")
            if at - first > MAX_CONTINUED:
                why = f"more than {MAX_CONTINUED} lines"
                raise DebconfError("an answer is too long", where=Place(file=name, line=first + 1), why=why)
        at += 1
        content = line.lstrip(_SPACE)
        if content and not content.startswith("#"):
            yield first + 1, line
