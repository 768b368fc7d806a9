"""A word of the shell as the parts that it is expanded from (POSIX.1-2017 XCU 2.2 and 2.6; dash 0.5.12)."""

import re
from dataclasses import dataclass
from functools import lru_cache

from assembler.shell.tokens import ParseError, Scanner


@dataclass(frozen=True, slots=True)
class Text:
    """Characters that stand for themselves; if `quoted`, they are never split, nor part of a pattern."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """``$name`` or ``${name operator operand}``; the operator ``length`` is that of ``${#name}``."""

    name: str
    operator: str
    operand: tuple["Part", ...]
    quoted: bool


@dataclass(frozen=True, slots=True)
class Substitution:
    """``$(source)``, or the same between backquotes, their escapes resolved."""

    source: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``$((expression))``."""

    expression: tuple["Part", ...]
    quoted: bool


@dataclass(frozen=True, slots=True)
class Home:
    """A tilde that stands for the home directory of `user`, or of whoever runs the script if that is empty."""

    user: str


Part = Text | Parameter | Substitution | Arithmetic | Home
_ALL = Parameter("@", "", (), quoted=True)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#?$!-]")
_BRACED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]")
_LENGTH = re.compile(r"#([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])\}")
_OPERATOR = re.compile(r":?[-+=?]|%%?|##?")
_SIMPLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_TILDE = re.compile(r"~([A-Za-z0-9._-]*)(?=[/:]|\Z)")


class _Parts(Scanner):
    def all(self, *, tilde: bool) -> tuple[Part, ...]:
        """The parts of a whole word."""
        found: list[Part] = []
        if tilde and (match := _TILDE.match(self.text)) is not None:
            self.position = match.end()
            found.append(Home(match.group(1)))
        found += self.parts("", quoted=False)
        return tuple(found)

    def parts(self, closer: str, *, quoted: bool, escaped: str = '$`"\\') -> list[Part]:
        """The parts up to `closer` (empty: the end of the text), which is moved over.

        If `quoted`, a backslash quotes one of `escaped` alone.
        """
        found: list[Part] = []
        text, plain = self.text, self.position
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ParseError("nested too deeply")

        def flush() -> None:
            if plain < self.position:
                found.append(Text(text[plain : self.position], quoted))

        while self.position < len(text):
            char = text[self.position]
            if char == closer:
                flush()
                self.position += 1
                self.depth -= 1
                return found
            special = char in "$`\\" or (char == '"' and '"' in escaped) or (char == "'" and not quoted)
            if not special or (char == "$" and not self._is_dollar()):
                self.position += 1
                continue
            flush()
            if char == "\\":
                found += self._backslash(escaped if quoted else "")
            elif char == "'":
                end = text.index("'", self.position + 1)
                found.append(Text(text[self.position + 1 : end], quoted=True))
                self.position = end + 1
            elif char == '"':
                if quoted:
                    found += self._quotes_within(closer)
                    plain = self.position
                    continue
                self.position += 1
                inside = self.parts('"', quoted=True)
                # Quotes round $@ alone are none: no arguments are no field then.
                found += inside if inside == [_ALL] else [Text("", quoted=True), *inside]
            else:
                found.append(self._dollar(quoted=quoted) if char == "$" else self._backquotes(quoted=quoted))
            plain = self.position
        if closer:
            raise ParseError(f"no closing {closer}")
        flush()
        self.depth -= 1
        return found

    def _quotes_within(self, closer: str) -> list[Part]:
        """What stands in quotes within ``${...}`` that is in quotes itself: these quotes only go."""
        behind = Scanner(self.text, self.position)
        behind.piece(quoted=True)
        inside = _SIMPLE.sub("", self.text[self.position + 1 : behind.position - 1])
        if closer != "}" or re.search(r'["\\`@]|\$[{(]', inside):
            raise ParseError("quotes within quotes")
        self.position += 1
        return self.parts('"', quoted=True)

    def _backslash(self, escaped: str) -> list[Part]:
        """What a backslash comes to; `escaped` are the characters that it quotes, empty for all."""
        following = self.text[self.position + 1 : self.position + 2]
        self.position += 1 + len(following)
        if following == "\n":
            return []
        if following and (not escaped or following in escaped):
            return [Text(following, quoted=True)]
        return [Text("\\" + following, quoted=True)]

    def _is_dollar(self) -> bool:
        text, behind = self.text, self.position + 1
        return text.startswith(("(", "{"), behind) or _NAME.match(text, behind) is not None

    def _dollar(self, *, quoted: bool) -> Part:
        text = self.text
        self.position += 1
        if text.startswith("((", self.position):
            start = self.position + 2
            end = Scanner(text, self.position + 1, self.depth)
            end.until(")", quoted=False)
            if text[end.position - 2] != ")":
                raise ParseError("a command substitution that looks like arithmetic")
            self.position = end.position
            inner = _Parts(text[start : end.position - 2], depth=self.depth)
            return Arithmetic(tuple(inner.parts("", quoted=True, escaped='$`"\\')), quoted)
        if text.startswith("(", self.position):
            start = self.position + 1
            end = Scanner(text, start, self.depth)
            end.until(")", quoted=False)
            self.position = end.position
            return Substitution(text[start : end.position - 1], quoted)
        if not text.startswith("{", self.position):
            match = _NAME.match(text, self.position)
            if match is None:
                raise ParseError("a dollar without a name")
            self.position = match.end()
            return Parameter(match.group(), "", (), quoted)
        self.position += 1
        if (length := _LENGTH.match(text, self.position)) is not None:
            self.position = length.end()
            return Parameter(length.group(1), "length", (), quoted)
        match = _BRACED.match(text, self.position)
        if match is None:
            raise ParseError("a bad substitution")
        self.position = match.end()
        operator = _OPERATOR.match(text, self.position)
        if operator is None:
            if not text.startswith("}", self.position):
                raise ParseError("a bad substitution")
            self.position += 1
            return Parameter(match.group(), "", (), quoted)
        self.position = operator.end()
        if match.group() == "#":
            raise ParseError("an operator on the number of arguments")
        removes = operator.group()[0] in "%#"
        inside = quoted and not removes
        operand = self.parts("}", quoted=inside, escaped='$`"\\}')
        return Parameter(match.group(), operator.group(), tuple(operand), quoted)

    def _backquotes(self, *, quoted: bool) -> Part:
        start = self.position + 1
        self.piece(quoted=quoted)
        escaped = '$`\\\\"' if quoted else "$`\\\\"
        # A backslash before a newline goes, whatever is quoted within.
        source = re.sub(rf"\\(?:\n|([{escaped}]))", r"\1", self.text[start : self.position - 1])
        return Substitution(source, quoted)


_MAX_DEPTH = 60


@lru_cache(maxsize=8192)
def parse_word(word: str, *, assigned: bool = False) -> tuple[Part, ...]:
    """The parts of a word as written; one that is `assigned` may have tildes behind colons.

    Raises ParseError for what is not understood.
    """
    if assigned and re.search(r":~", word):
        raise ParseError("a tilde behind a colon")
    return _Parts(word).all(tilde=True)


@lru_cache(maxsize=1024)
def parse_document(body: str) -> tuple[Part, ...]:
    """The parts of a here-document whose delimiter is not quoted. Raises ParseError."""
    return tuple(_Parts(body).parts("", quoted=True, escaped="$`\\"))
