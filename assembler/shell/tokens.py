"""The tokens of a script: words as they are written, operators, newlines, and the bodies of here-documents."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from assembler.shell.syntax import Redirect


class ParseError(ValueError):
    """Text outside the grammar; the message says where."""


_BLANK = re.compile(r"(?:[ \t]+|\\\n|#[^\n]*)*")
"""What stands between tokens; a comment begins where a token could."""
_OPERATOR = re.compile(r"([0-9]+(?=[<>]))?(<<-|&&|\|\||;;|<<|>>|>&|<&|>\||<>|[;&|()<>])")
"""A number in front counts only for a redirection."""
_META = frozenset(" \t\n;&|<>()")
_REMOVES = re.compile(r"\$\{(?:\w+|[@*#?$!-])[%#]")
"""``${x%...}``: quotes in its pattern are quotes, whatever the whole is in."""
_PLAIN = re.compile(r"[^ \t\n;&|<>()\\'\"$`]+")
_JOINS = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
"""A backslash at the end of a line that is not quoted itself."""
MAX_DEPTH = 100
"""Compound commands within one another; a script that nests deeper is hostile."""


@dataclass(slots=True)
class Token:
    """A word, an operator or a newline."""

    kind: str
    """``word``, ``operator``, ``newline``, ``end``."""
    text: str
    descriptor: str = ""
    """The number in front of a redirection."""
    line: int = 0
    """Where it begins, from 1."""


def _match(pattern: re.Pattern[str], text: str, position: int) -> re.Match[str]:
    """The match of a pattern that always matches."""
    match = pattern.match(text, position)
    assert match is not None
    return match


class Scanner:
    """A place in a text, and how to get from there over what is quoted or substituted."""

    def __init__(self, text: str, position: int = 0, depth: int = 0) -> None:
        self.text = text
        self.position = position
        self.depth = depth
        self.joins: list[int] = []
        """Where a backslash before a newline, which joins two lines, was moved over."""

    def piece(self, *, quoted: bool) -> None:
        """Move over one quoted or substituted piece of a word, which is `quoted` itself, or over one character."""
        text, char = self.text, self.text[self.position]
        if char == "\\":
            if text.startswith("\\\n", self.position):
                self.joins.append(self.position)
            self.position += 2
            if self.position > len(text):
                raise ParseError("a backslash at the end")
        elif char == "'" and not quoted:
            end = text.find("'", self.position + 1)
            if end < 0:
                raise ParseError("a single quote without an end")
            self.position = end + 1
        elif char == '"':
            self.position += 1
            self.until('"', quoted=True)
        elif char == "`":
            self.position += 1
            while self.position < len(text) and text[self.position] != "`":
                self.position += 2 if text[self.position] == "\\" else 1
            self._expect_end("`")
        elif text.startswith("$(", self.position):
            # What joins lines in there is part of that text: a here-document may keep it.
            joins = len(self.joins)
            self.position += 2
            self.until(")", quoted=False)
            del self.joins[joins:]
        elif text.startswith("${", self.position):
            removes = _REMOVES.match(text, self.position) is not None
            self.position += 2
            self.until("}", quoted=quoted and not removes)
        else:
            self.position += 1

    def until(self, closer: str, *, quoted: bool) -> None:
        """Move behind `closer`, over quotes, substitutions and balanced parentheses."""
        text = self.text
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ParseError("nested too deeply")
        while self.position < len(text) and text[self.position] != closer:
            char = text[self.position]
            if char == "\\" or char in '`$"' or (char == "'" and not quoted):
                self.piece(quoted=quoted)
            elif char == "(" and closer == ")":
                self.position += 1
                self.until(")", quoted=False)
            elif char == "#" and closer == ")" and text[self.position - 1] in " \t\n":
                # A comment inside a command substitution may hold an unmatched quote.
                end = text.find("\n", self.position)
                self.position = len(text) if end < 0 else end
            else:
                self.position += 1
        self.depth -= 1
        self._expect_end(closer)

    def _expect_end(self, closer: str) -> None:
        if self.position >= len(self.text):
            raise ParseError(f"no closing {closer}")
        self.position += 1


class Tokens(Scanner):
    """The tokens of a script, with one of look-ahead."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.pending: list[list[str]] = []
        """Here-documents whose bodies begin at the next newline: [delimiter, operator, body, "quoted" or nothing]."""
        self._counted, self._line = 0, 1
        """The line at a position; what is before it is not counted again."""
        self._ahead: list[tuple[int, int]] = []
        """Where here-documents were taken out, and their lines."""
        self.token = self._read()

    def _read(self) -> Token:
        text = self.text
        self.position = _match(_BLANK, text, self.position).end()
        while self._ahead and self._ahead[0][0] <= self.position:
            self._line += self._ahead.pop(0)[1]
        self._line += text.count("\n", self._counted, self.position)
        self._counted = self.position
        line = self._line
        if self.position >= len(text):
            if self.pending:
                raise ParseError("a here-document without an end")
            return Token("end", "")
        if text[self.position] == "\n":
            self.position += 1
            self.read_documents()
            return Token("newline", "\n")
        if operator := _OPERATOR.match(text, self.position):
            self.position = operator.end()
            return Token("operator", operator.group(2), operator.group(1) or "", line)
        return Token("word", self._word(), line=line)

    def _word(self) -> str:
        start, text, size = self.position, self.text, len(self.text)
        self.joins.clear()
        while self.position < size and text[self.position] not in _META:
            if match := _PLAIN.match(text, self.position):
                self.position = match.end()
            else:
                self.piece(quoted=False)
        # A backslash before a newline joins lines and is not part of the word.
        ends = [*self.joins, self.position]
        return "".join(
            text[begin:end] for begin, end in zip([start, *(at + 2 for at in self.joins)], ends, strict=True)
        )

    def read_documents(self) -> None:
        """Read the bodies of here-documents that are pending, which begin here."""
        for document in self.pending:
            delimiter, operator = document[0], document[1]
            quoted = document[3] == "quoted"
            lines = []
            joined = ""
            while True:
                if self.position >= len(self.text):
                    raise ParseError("a here-document without an end")
                end = self.text.find("\n", self.position)
                end = len(self.text) if end < 0 else end
                line = self.text[self.position : end]
                self.position = end + 1
                if operator == "<<-" and not joined:
                    line = line.lstrip("\t")
                joined += line
                if not quoted and _JOINS.search(line):
                    # The next line belongs to this one: it is no delimiter by itself.
                    joined = joined[:-1]
                    lines.append(line + "\n")
                    continue
                if joined == delimiter:
                    break
                lines.append(line + "\n")
                joined = ""
            document[2] = "".join(lines)
        self.pending.clear()

    def skipped(self, position: int, lines: int) -> None:
        """Note that `lines` of what stands at `position`, ahead, are taken out."""
        self._ahead.append((position, lines))

    def next(self) -> Token:
        """The current token; reads the one after it."""
        token = self.token
        self.token = self._read()
        return token

    def newlines(self) -> None:
        """Skip newlines."""
        while self.token.kind == "newline":
            self.next()

    def is_word(self, text: str) -> bool:
        """Whether the current token is the unquoted word `text`."""
        return self.token.kind == "word" and self.token.text == text

    def expect(self, text: str) -> None:
        """Read the word or operator `text`."""
        if self.token.text != text or self.token.kind not in {"word", "operator"}:
            raise ParseError(f"expected {text!r}, found {self.token.text!r} at byte {self.position}")
        self.next()


def with_bodies(
    redirects: Sequence[Redirect], documents: Sequence[tuple[int, list[str]]], parser: Tokens
) -> tuple[Redirect, ...]:
    """The redirections, here-documents filled in. Their bodies begin behind the newline that ends the line."""
    if any(document in parser.pending for _, document in documents):
        parser.position = _read_pending(parser)
    result = list(redirects)
    for position, document in documents:
        result[position] = replace(result[position], body=document[2])
    return tuple(result)


def _read_pending(parser: Tokens) -> int:
    """Read here-document bodies ahead of the rest of the line that names them; returns where the parser stands."""
    here = parser.position
    end = parser.text.find("\n", here)
    if end < 0:
        raise ParseError("a here-document without an end")
    parser.position = end + 1
    parser.read_documents()
    behind = parser.position
    parser.skipped(end + 1, parser.text.count("\n", end + 1, behind))
    # Cut the bodies out of the text, so that the newline is followed by what comes after them.
    parser.text = parser.text[: end + 1] + parser.text[behind:]
    return here


def unquote_delimiter(word: str) -> str:
    """The text that ends a here-document whose redirection names `word`."""
    return re.sub(r"[\\'\"]", "", word)
