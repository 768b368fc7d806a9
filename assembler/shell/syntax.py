"""A parser for the part of the POSIX shell language that maintainer scripts are written in.

It yields a tree of statements whose words are kept as written, and writes that tree back in one canonical form: no
comments, one command a line, one space between words, here-documents in full. Two scripts with the same canonical form
are the same program. What it does not know (here: arithmetic commands, coprocesses, anything past POSIX.1-2017 XCU 2)
raises :class:`ParseError`; nothing is ever guessed.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace


class ParseError(ValueError):
    """Text outside the grammar; the message says where."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirection: ``2`` ``>`` ``/dev/null``. For a here-document `body` is its text and `target` the delimiter."""

    descriptor: str
    operator: str
    target: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple command: assignments, words as written (with their quotes), redirections."""

    assignments: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by ``|``, or one command after ``!``."""

    negated: bool
    commands: tuple["Statement", ...]


@dataclass(frozen=True, slots=True)
class AndOr:
    """``left && right`` or ``left || right``."""

    operator: str
    left: "Statement"
    right: "Statement"


@dataclass(frozen=True, slots=True)
class If:
    """Branches of (condition, body), and the else part (empty for none)."""

    branches: tuple[tuple["Block", "Block"], ...]
    otherwise: "Block"
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """``case word in``: arms of (patterns, body)."""

    word: str
    arms: tuple[tuple[tuple[str, ...], "Block"], ...]
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class For:
    """``for name in words``; `words` is None without ``in``."""

    name: str
    words: tuple[str, ...] | None
    body: "Block"
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class While:
    """``while`` or ``until`` (`keyword`)."""

    keyword: str
    condition: "Block"
    body: "Block"
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """``{ ...; }`` or, with `subshell`, ``( ... )``."""

    subshell: bool
    body: "Block"
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """The definition of `name`."""

    name: str
    body: "Statement"


Statement = Simple | Pipeline | AndOr | If | Case | For | While | Group | Function
Block = tuple[Statement, ...]

_BLANK = re.compile(r"(?:[ \t]+|\\\n|#[^\n]*)*")
"""What stands between tokens; a comment begins where a token could."""
_OPERATOR = re.compile(r"([0-9]+(?=[<>]))?(<<-|&&|\|\||;;|<<|>>|>&|<&|>\||<>|[;&|()<>])")
"""A number in front counts only for a redirection."""
_REDIRECTS = frozenset({"<<-", "<<", ">>", ">&", "<&", ">|", "<>", "<", ">"})
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_META = frozenset(" \t\n;&|<>()")
_PLAIN = re.compile(r"[^ \t\n;&|<>()\\'\"$`]+")
_CLOSERS = frozenset({"then", "else", "elif", "fi", "do", "done", "esac", "}", ")", ";;"})
_MAX_DEPTH = 100
"""Compound commands within one another; a script that nests deeper is hostile."""


@dataclass(slots=True)
class _Token:
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


def parse(text: str) -> Block:
    """The statements of a script. Raises ParseError."""
    parser = _Parser(text)
    block = parser.block(frozenset())
    if parser.token.kind != "end":
        raise ParseError(f"unexpected {parser.token.text!r} at byte {parser.position}")
    return block


class _Parser:
    """Recursive descent with one token of look-ahead."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.pending: list[list[str]] = []
        """Here-documents whose bodies begin at the next newline: [delimiter, operator, body]."""
        self.depth = 0
        self.token = self._read()

    # --- tokens --------------------------------------------------------------------------------------------------

    def _read(self) -> _Token:
        text = self.text
        self.position = _match(_BLANK, text, self.position).end()
        if self.position >= len(text):
            if self.pending:
                raise ParseError("a here-document without an end")
            return _Token("end", "")
        if text[self.position] == "\n":
            self.position += 1
            self._here_documents()
            return _Token("newline", "\n")
        if operator := _OPERATOR.match(text, self.position):
            self.position = operator.end()
            return _Token("operator", operator.group(2), operator.group(1) or "")
        return _Token("word", self._word())

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
        if self.depth > _MAX_DEPTH:
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

    def next(self) -> _Token:
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

    # --- grammar -------------------------------------------------------------------------------------------------

    def block(self, closers: frozenset[str]) -> Block:
        """Statements up to one of `closers`, which is left unread."""
        statements: list[Statement] = []
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ParseError("nested too deeply")
        while True:
            while self.token.kind == "newline":
                self.next()
            if self.token.kind == "end" or self.token.text in closers:
                break
            if self.token.text in _CLOSERS and self.token.kind in {"word", "operator"}:
                raise ParseError(f"unexpected {self.token.text!r} at byte {self.position}")
            statements.append(self.and_or())
            if self.token.kind == "operator" and self.token.text == ";":
                self.next()
            elif self.token.kind == "operator" and self.token.text == "&":
                raise ParseError("a background command")
            elif self.token.kind not in {"newline", "end"} and self.token.text not in closers:
                raise ParseError(f"unexpected {self.token.text!r} at byte {self.position}")
        self.depth -= 1
        return tuple(statements)

    def and_or(self) -> Statement:
        """``a && b || c``, left to right."""
        left, length = self.pipeline(), 0
        while self.token.kind == "operator" and self.token.text in {"&&", "||"}:
            length += 1
            if length > _MAX_DEPTH:  # each nests what was before
                raise ParseError("nested too deeply")
            operator = self.next().text
            self.newlines()
            left = AndOr(operator, left, self.pipeline())
        return left

    def pipeline(self) -> Statement:
        """``! a | b``."""
        negated = self.is_word("!")
        if negated:
            self.next()
        commands = [self.command()]
        while self.token.kind == "operator" and self.token.text == "|":
            self.next()
            self.newlines()
            commands.append(self.command())
        return Pipeline(negated, tuple(commands)) if negated or len(commands) > 1 else commands[0]

    def command(self) -> Statement:
        """One command, simple or compound."""
        compound: dict[str, Callable[[], If | Case | For | While | Group]] = {
            "if": self.if_command,
            "case": self.case_command,
            "for": self.for_command,
            "while": self.while_command,
            "until": self.while_command,
            "{": self.brace_group,
        }
        if self.token.kind == "word" and self.token.text in compound:
            statement = compound[self.token.text]()
            return replace(statement, redirects=self.redirects())
        if self.token.kind == "operator" and self.token.text == "(":
            self.next()
            body = self.block(frozenset({")"}))
            self.expect(")")
            return Group(subshell=True, body=body, redirects=self.redirects())
        return self.simple()

    def simple(self) -> Statement:
        """Assignments, words and redirections; or a function definition."""
        assignments: list[tuple[str, str]] = []
        words: list[str] = []
        redirects: list[Redirect] = []
        documents: list[tuple[int, list[str]]] = []
        while True:
            if self.token.kind == "word":
                match = None if words else _ASSIGNMENT.match(self.token.text)
                if match:
                    assignments.append((match.group(1), match.group(2)))
                else:
                    words.append(self.token.text)
                self.next()
            elif self.token.kind == "operator" and self.token.text in _REDIRECTS:
                self._redirect(redirects, documents)
            elif (
                self.token.kind == "operator"
                and self.token.text == "("
                and len(words) == 1
                and not assignments
                and not redirects
            ):
                return self._function(words[0])
            else:
                break
        if not assignments and not words and not redirects:
            raise ParseError(f"unexpected {self.token.text!r} at byte {self.position}")
        return Simple(tuple(assignments), tuple(words), _with_bodies(redirects, documents, self))

    def _function(self, name: str) -> Function:
        if not _FUNCTION_NAME.match(name):
            raise ParseError(f"{name!r} is no name for a function")
        self.next()
        self.expect(")")
        self.newlines()
        return Function(name, self.command())

    def _redirect(self, redirects: list[Redirect], documents: list[tuple[int, list[str]]]) -> None:
        descriptor, operator = self.token.descriptor, self.token.text
        # The delimiter must be known before the newline behind it is read, so register it between the two reads.
        target = self._read()
        if target.kind != "word":
            raise ParseError(f"a redirection to {target.text!r}")
        if operator in {"<<", "<<-"}:
            document = [_unquote_delimiter(target.text), operator, ""]
            self.pending.append(document)
            documents.append((len(redirects), document))
        redirects.append(Redirect(descriptor, operator, target.text))
        self.token = self._read()

    def redirects(self) -> tuple[Redirect, ...]:
        """The redirections behind a compound command."""
        redirects: list[Redirect] = []
        documents: list[tuple[int, list[str]]] = []
        while self.token.kind == "operator" and self.token.text in _REDIRECTS:
            self._redirect(redirects, documents)
        return _with_bodies(redirects, documents, self)

    def if_command(self) -> If:
        """``if``, ``elif``, ``else``, ``fi``."""
        branches = []
        self.next()
        while True:
            condition = self.block(frozenset({"then"}))
            self.expect("then")
            branches.append((condition, self.block(frozenset({"elif", "else", "fi"}))))
            if not self.is_word("elif"):
                break
            self.next()
        otherwise: Block = ()
        if self.is_word("else"):
            self.next()
            otherwise = self.block(frozenset({"fi"}))
        self.expect("fi")
        return If(tuple(branches), otherwise)

    def case_command(self) -> Case:
        """``case``, arms, ``esac``."""
        self.next()
        word = self.next()
        if word.kind != "word":
            raise ParseError("case without a word")
        self.newlines()
        self.expect("in")
        arms = []
        while True:
            self.newlines()
            if self.is_word("esac"):
                break
            if self.token.kind == "operator" and self.token.text == "(":
                self.next()
            patterns = [self.next().text]
            while self.token.kind == "operator" and self.token.text == "|":
                self.next()
                patterns.append(self.next().text)
            self.expect(")")
            body = self.block(frozenset({";;", "esac"}))
            arms.append((tuple(patterns), body))
            if self.token.text == ";;":
                self.next()
        self.expect("esac")
        return Case(word.text, tuple(arms))

    def for_command(self) -> For:
        """``for``, ``do``, ``done``."""
        self.next()
        name = self.next().text
        if not _NAME.match(name):
            raise ParseError(f"{name!r} is no name for a variable")
        self.newlines()
        words: list[str] | None = None
        if self.is_word("in"):
            self.next()
            words = []
            while self.token.kind == "word":
                words.append(self.next().text)
        if self.token.text == ";":
            self.next()
        self.newlines()
        self.expect("do")
        body = self.block(frozenset({"done"}))
        self.expect("done")
        return For(name, None if words is None else tuple(words), body)

    def while_command(self) -> While:
        """``while`` or ``until``."""
        keyword = self.next().text
        condition = self.block(frozenset({"do"}))
        self.expect("do")
        body = self.block(frozenset({"done"}))
        self.expect("done")
        return While(keyword, condition, body)

    def brace_group(self) -> Group:
        """``{ ...; }``."""
        self.next()
        body = self.block(frozenset({"}"}))
        self.expect("}")
        return Group(subshell=False, body=body)


def _with_bodies(
    redirects: Sequence[Redirect], documents: Sequence[tuple[int, list[str]]], parser: _Parser
) -> tuple[Redirect, ...]:
    """The redirections, here-documents filled in. Their bodies begin behind the newline that ends the line."""
    if any(document in parser.pending for _, document in documents):
        parser.position = _read_pending(parser)
    result = list(redirects)
    for position, document in documents:
        result[position] = replace(result[position], body=document[2])
    return tuple(result)


def _read_pending(parser: _Parser) -> int:
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


def _unquote_delimiter(word: str) -> str:
    return re.sub(r"[\\'\"]", "", word)


# --- writing back ------------------------------------------------------------------------------------------------


def render(block: Sequence[Statement]) -> str:
    """The canonical text of statements, each line ended by a newline."""
    return "".join(_lines(statement) for statement in block)


def _lines(statement: Statement) -> str:
    documents: list[str] = []
    text = _inline(statement, documents)
    return text + "\n" + "".join(documents)


def _nested(block: Block, documents: list[str]) -> str:
    return "".join(_inline(statement, documents) + "\n" + _take(documents) for statement in block)


def _take(documents: list[str]) -> str:
    text = "".join(documents)
    documents.clear()
    return text


def _redirections(redirects: Sequence[Redirect], documents: list[str]) -> str:
    parts = []
    for redirect in redirects:
        parts.append(f" {redirect.descriptor}{redirect.operator}{redirect.target}")
        if redirect.operator in {"<<", "<<-"}:
            documents.append(redirect.body + _unquote_delimiter(redirect.target) + "\n")
    return "".join(parts)


def _inline(statement: Statement, documents: list[str]) -> str:
    match statement:
        case Simple():
            parts = [f"{name}={value}" for name, value in statement.assignments]
            parts += statement.words
            return (" ".join(parts) + _redirections(statement.redirects, documents)).strip()
        case Pipeline():
            text = " | ".join(_inline(command, documents) for command in statement.commands)
            return f"! {text}" if statement.negated else text
        case AndOr():
            left, right = _inline(statement.left, documents), _inline(statement.right, documents)
            return f"{left} {statement.operator} {right}"
        case If():
            text = ""
            for index, (condition, body) in enumerate(statement.branches):
                keyword = "elif" if index else "if"
                text += f"{keyword} {_nested(condition, documents)}then\n{_nested(body, documents)}"
            if statement.otherwise:
                text += f"else\n{_nested(statement.otherwise, documents)}"
            return f"{text}fi{_redirections(statement.redirects, documents)}"
        case Case():
            text = f"case {statement.word} in\n"
            for patterns, body in statement.arms:
                text += f"{'|'.join(patterns)})\n{_nested(body, documents)};;\n"
            return f"{text}esac{_redirections(statement.redirects, documents)}"
        case For():
            words = "" if statement.words is None else " ".join((" in", *statement.words))
            body_text = _nested(statement.body, documents)
            return f"for {statement.name}{words}\ndo\n{body_text}done{_redirections(statement.redirects, documents)}"
        case While():
            condition_text, body_text = _nested(statement.condition, documents), _nested(statement.body, documents)
            text = f"{statement.keyword} {condition_text}do\n{body_text}done"
            return text + _redirections(statement.redirects, documents)
        case Group():
            opener, closer = ("(", ")") if statement.subshell else ("{", "}")
            text = f"{opener}\n{_nested(statement.body, documents)}{closer}"
            return text + _redirections(statement.redirects, documents)
        case Function():
            return f"{statement.name}() {_inline(statement.body, documents)}"
