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
_PLAIN = re.compile(r"[^ \t\n;&|<>()\\'\"$`]+")
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


def _match(pattern: re.Pattern[str], text: str, position: int) -> re.Match[str]:
    """The match of a pattern that always matches."""
    match = pattern.match(text, position)
    assert match is not None
    return match


class Tokens:
    """The tokens of a script, with one of look-ahead."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.pending: list[list[str]] = []
        """Here-documents whose bodies begin at the next newline: [delimiter, operator, body]."""
        self.depth = 0
        self.token = self._read()

    def _read(self) -> Token:
        text = self.text
        self.position = _match(_BLANK, text, self.position).end()
        if self.position >= len(text):
            if self.pending:
                raise ParseError("a here-document without an end")
            return Token("end", "")
        if text[self.position] == "\n":
            self.position += 1
            self._here_documents()
            return Token("newline", "\n")
        if operator := _OPERATOR.match(text, self.position):
            self.position = operator.end()
            return Token("operator", operator.group(2), operator.group(1) or "")
        return Token("word", self._word())

    def _word(self) -> str:
        start, text, size = self.position, self.text, len(self.text)
        while self.position < size and text[self.position] not in _META:
            if match := _PLAIN.match(text, self.position):
                self.position = match.end()
            else:
                self._piece()
        # A backslash before a newline joins lines and is not part of the word.
        return _unfold(text[start : self.position])

    def _piece(self) -> None:
        """Move over one quoted or substituted piece of a word."""
        text, char = self.text, self.text[self.position]
        if char == "\\":
            self.position += 2
            if self.position > len(text):
                raise ParseError("a backslash at the end")
        elif char == "'":
            end = text.find("'", self.position + 1)
            if end < 0:
                raise ParseError("a single quote without an end")
            self.position = end + 1
        elif char == '"':
            self.position += 1
            self._until('"', quoted=True)
        elif char == "`":
            self.position += 1
            while self.position < len(text) and text[self.position] != "`":
                self.position += 2 if text[self.position] == "\\" else 1
            self._expect_end("`")
        elif text.startswith("$(", self.position):
            self.position += 2
            self._until(")", quoted=False)
        elif text.startswith("${", self.position):
            self.position += 2
            self._until("}", quoted=False)
        else:
            self.position += 1

    def _until(self, closer: str, *, quoted: bool) -> None:
        """Move behind `closer`, over quotes, substitutions and balanced parentheses."""
        text = self.text
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ParseError("nested too deeply")
        while self.position < len(text) and text[self.position] != closer:
            char = text[self.position]
            if char == "\\" or char in '`$"' or (char == "'" and not quoted):
                self._piece()
            elif char == "(" and closer == ")":
                self.position += 1
                self._until(")", quoted=False)
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

    def _here_documents(self) -> None:
        for document in self.pending:
            delimiter, operator = document[0], document[1]
            lines = []
            while True:
                if self.position >= len(self.text):
                    raise ParseError("a here-document without an end")
                end = self.text.find("\n", self.position)
                end = len(self.text) if end < 0 else end
                line = self.text[self.position : end]
                self.position = end + 1
                if operator == "<<-":
                    line = line.lstrip("\t")
                if line == delimiter:
                    break
                lines.append(line + "\n")
            document[2] = "".join(lines)
        self.pending.clear()

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
    parser._here_documents()  # noqa: SLF001  the same module's parser
    behind = parser.position
    # Cut the bodies out of the text, so that the newline is followed by what comes after them.
    parser.text = parser.text[: end + 1] + parser.text[behind:]
    return here


def _unfold(word: str) -> str:
    """The word without backslash-newline pairs, except in single quotes."""
    if "\\\n" not in word:
        return word
    return re.sub(r"('[^']*')|\\\n", lambda match: match.group(1) or "", word)


def unquote_delimiter(word: str) -> str:
    """The text that ends a here-document whose redirection names `word`."""
    return re.sub(r"[\\'\"]", "", word)
