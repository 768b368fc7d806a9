r"""What regular expressions are made of, and parsing them: POSIX.1-2017 (XBD 9.3, 9.4) with GNU's extensions.

Those are ``\+ \? \|`` in basic ones, ``\w \W \s \S \b \< \>`` in both. What POSIX leaves undefined, and GNU's
two matchers might take in different ways, is refused, and so are errors.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from assembler.programs.characters import CLASSES, Locale
from assembler.shell.streams import Refused

_MAX_DEPTH = 20
_MAX_COUNT = 255
_SPECIAL = frozenset(".*[]^$\\}")
"""Characters that a backslash makes ordinary, of which grep says nothing."""


class Where(Enum):
    """A place in the text."""

    START = "^"
    END = "$"
    WORD_START = "<"
    WORD_END = ">"
    WORD_EDGE = "b"


@dataclass(frozen=True, slots=True)
class Char:
    """One character out of a set."""

    points: frozenset[int] = frozenset()
    classes: tuple[str, ...] = ()
    negated: bool = False

    def has(self, point: int, locale: Locale) -> bool:
        """Whether a character is one of these. Raises Refused when that is not known."""
        if point in self.points:
            return not self.negated
        return any(locale.in_class(name, point) for name in self.classes) != self.negated


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One of several."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """So many times, without end for None."""

    node: "Node"
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """What parentheses enclose."""

    number: int
    node: "Node"


@dataclass(frozen=True, slots=True)
class Assertion:
    """Matches nothing, at some places."""

    where: Where


Node = Char | Sequence | Alternatives | Repeat | Group | Assertion


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which expressions they are."""

    locale: Locale
    extended: bool = False
    icase: bool = False
    strays: list[str] = field(default_factory=list)
    """Filled with the characters that have a backslash for no reason; grep prints a warning for each."""


def nullable(node: Node) -> bool:
    """Whether it may match nothing."""
    if isinstance(node, Char):
        return False
    if isinstance(node, Sequence):
        return all(map(nullable, node.parts))
    if isinstance(node, Alternatives):
        return any(map(nullable, node.parts))
    if isinstance(node, Repeat):
        return node.low == 0 or nullable(node.node)
    return nullable(node.node) if isinstance(node, Group) else True


def needed(node: Node) -> str:
    """Text that is in every match; empty when none is known."""
    found, run = "", ""
    for part in _flat(node):
        if isinstance(part, Assertion):
            continue
        if isinstance(part, Char):
            char = chr(next(iter(part.points))) if len(part.points) == 1 else ""
            run = run + char if char and not part.negated and not part.classes else ""
        else:
            run = ""
            if isinstance(part, Repeat) and part.low:
                found = max(found, needed(part.node), key=len)
        found = max(found, run, key=len)
    return found


def _flat(node: Node) -> Iterator[Node]:
    """What is one after the other in `node`, whatever groups it stands in."""
    if isinstance(node, Group):
        yield from _flat(node.node)
    elif isinstance(node, Sequence):
        for part in node.parts:
            yield from _flat(part)
    else:
        yield node


def _has_places(node: Node) -> bool:
    """Whether it depends on what is beside it."""
    if isinstance(node, Sequence | Alternatives):
        return any(map(_has_places, node.parts))
    return _has_places(node.node) if isinstance(node, Group | Repeat) else isinstance(node, Assertion)


def literal(text: str, dialect: Dialect) -> Node:
    """What matches `text` itself."""
    return Sequence(tuple(_one(char, dialect) for char in text))


def parse(pattern: str, dialect: Dialect) -> tuple[Node, int]:
    """The expression, and how many groups it has. Raises Refused."""
    parser = _Parser(pattern, dialect)
    node = parser.alternatives(0)
    if parser.at < len(pattern):
        raise Refused("a regular expression with a parenthesis too many", why=pattern)
    return node, parser.groups


def _one(char: str, dialect: Dialect) -> Char:
    if dialect.icase:
        if ord(char) >= 0x80:
            raise Refused("case is ignored in a regular expression with characters beyond ASCII")
        return Char(frozenset({ord(char.lower()), ord(char.upper())}))
    return Char(frozenset({ord(char)}))


class _Parser:
    def __init__(self, pattern: str, dialect: Dialect) -> None:
        self.text = pattern
        self.dialect = dialect
        self.at = 0
        self.groups = 0

    def refused(self, what: str) -> Refused:
        return Refused(f"a regular expression with {what}", why=self.text)

    def word(self) -> str:
        r"""The next operator or character, ``\`` and the character that it quotes; "" at the end."""
        if self.text.startswith("\\", self.at):
            if self.at + 1 == len(self.text):
                raise self.refused("a backslash at its end")
            return self.text[self.at : self.at + 2]
        return self.text[self.at : self.at + 1]

    def operator(self) -> str:
        """Which of ``( ) | { + ? *`` the next word is, in either kind of expression; "" for none."""
        word = self.word()
        if word == "*":
            return "*"
        if self.dialect.extended:
            return word if word and word in "()|{+?" else ""
        return word[1] if len(word) == 2 and word[1] in "()|{+?" else ""

    def alternatives(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise self.refused("too many parentheses in one another")
        parts = [self.sequence(depth)]
        while self.operator() == "|":
            self.at += len(self.word())
            parts.append(self.sequence(depth))
        return parts[0] if len(parts) == 1 else Alternatives(tuple(parts))

    def sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        first = True
        """Whether nothing but an anchor has come."""
        while self.word():
            operator = self.operator()
            if operator == "|" or (operator == ")" and (depth or not self.dialect.extended)):
                break
            anchor = self.anchor(first=not parts)
            if anchor is not None:
                parts.append(anchor)
                continue
            node = self.atom(operator, depth, first=first)
            first = False
            parts.append(self.repeated(node))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def anchor(self, *, first: bool) -> Assertion | None:
        word = self.word()
        extended = self.dialect.extended
        where: Where | None = None
        if word == "^" and (extended or first):
            where = Where.START
        elif word == "$" and (extended or self.is_last()):
            where = Where.END
        elif word in {"\\<", "\\>", "\\b"}:
            where = Where(word[1])
        if where is None:
            return None
        self.at += len(word)
        following = self.operator()
        if following in {"*", "+", "?", "{"} and not (word == "^" and following == "*" and not extended and first):
            raise self.refused("a place that is repeated")
        return Assertion(where)

    def is_last(self) -> bool:
        rest = self.text[self.at + 1 :]
        return not rest or rest.startswith(("\\)", "\\|"))

    def atom(self, operator: str, depth: int, *, first: bool) -> Node:
        word = self.word()
        self.at += len(word)
        if operator == "(":
            self.groups += 1
            number = self.groups
            inside = self.alternatives(depth + 1)
            if self.operator() != ")":
                raise self.refused("a parenthesis that is not closed")
            self.at += len(self.word())
            return Group(number, inside)
        if operator == "*" and first and not self.dialect.extended:
            return _one("*", self.dialect)
        if operator:
            raise self.refused(f"a {operator} in the wrong place")
        if word == "[":
            return self.bracket()
        if word == ".":
            return Char(negated=True)
        return self.escaped(word[1]) if len(word) == 2 else _one(word, self.dialect)

    def escaped(self, char: str) -> Char:
        if char in "wW":
            return Char(classes=("word",), negated=char == "W")
        if char in "sS":
            return Char(classes=("space",), negated=char == "S")
        if char.isalnum() or char in "`'" or not (char.isprintable() and char.isascii()):
            raise self.refused(f"\\{char}")
        if char not in _SPECIAL and not (self.dialect.extended and char in "(){|+?"):
            self.dialect.strays.append(char)
        return _one(char, self.dialect)

    def repeated(self, node: Node) -> Node:
        while (operator := self.operator()) in {"*", "+", "?", "{"}:
            self.at += len(self.word())
            if operator == "{":
                low, high = self.counts()
            else:
                low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[operator]
            if isinstance(node, Repeat):
                # An error for sed in basic expressions.
                raise self.refused("a repetition that is repeated")
            if (low, high) not in {(0, None), (0, 1)} and _has_places(node):
                # glibc loses some of them in its copies of what is repeated.
                raise self.refused("a place in what is counted")
            node = Repeat(node, low, high)
        return node

    def counts(self) -> tuple[int, int | None]:
        close = "}" if self.dialect.extended else "\\}"
        end = self.text.find(close, self.at)
        words = self.text[self.at : end].split(",") if end >= 0 else []
        if not 1 <= len(words) <= 2 or not all(word == "" or (word.isascii() and word.isdigit()) for word in words):
            raise self.refused("a { that counts nothing")
        if words[0] == "":
            raise self.refused("a count from nothing on")
        self.at = end + len(close)
        low = int(words[0])
        high = low if len(words) == 1 else int(words[1]) if words[1] else None
        if max(low, high or 0) > _MAX_COUNT or (high is not None and not low <= high > 0):
            raise self.refused("a count that is too high")
        return low, high

    def bracket(self) -> Char:
        text, at = self.text, self.at
        negated = text.startswith("^", at)
        at += negated
        start = at
        points: set[int] = set()
        classes: list[str] = []
        while True:
            if at >= len(text):
                raise self.refused("a bracket that is not closed")
            char = text[at]
            if char == "]" and at > start:
                break
            if char == "[" and text.startswith((".", "=", ":"), at + 1):
                name, at = self.class_name(at)
                classes.append(name)
                if text.startswith("-", at) and not text.startswith("-]", at):
                    raise self.refused("a range from a class")
                continue
            at += 1
            if not text.startswith("-", at) or text.startswith("-]", at):
                points.add(ord(char))
                continue
            last = text[at + 1 : at + 2]
            if last in {"", "["} or not (char + last).isascii() or ord(last) < ord(char) or char == "-":
                raise self.refused("a range that is not plain")
            points.update(range(ord(char), ord(last) + 1))
            at += 2
            if text.startswith("-", at) and not text.startswith("-]", at):
                raise self.refused("a range from the end of another")
        if at - start >= 2 and text[start] == text[at - 1] and text[start] in ":.=":
            raise self.refused("a class without its brackets")
        self.at = at + 1
        return self.folded(frozenset(points), tuple(classes), negated=negated)

    def class_name(self, at: int) -> tuple[str, int]:
        end = self.text.find(":]", at + 2)
        name = self.text[at + 2 : end]
        if self.text[at + 1] != ":" or end < 0 or name not in CLASSES or name == "word":
            raise self.refused("an unknown class")
        return name, end + 2

    def folded(self, points: frozenset[int], classes: tuple[str, ...], *, negated: bool) -> Char:
        if self.dialect.icase:
            if any(point >= 0x80 for point in points):
                raise Refused("case is ignored in a regular expression with characters beyond ASCII")
            letters = CLASSES["alpha"]
            points |= {point ^ 0x20 for point in points if point in letters}
            classes = tuple("alpha" if name in {"upper", "lower"} else name for name in classes)
        return Char(points, classes, negated)
