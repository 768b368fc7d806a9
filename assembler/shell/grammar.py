"""A parser for the part of the POSIX shell language that maintainer scripts are written in.

It yields statements whose words are kept as written. What it does not know (here: arithmetic commands, coprocesses,
anything past POSIX.1-2017 XCU 2) raises :class:`ParseError`; nothing is ever guessed.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from assembler.shell.syntax import (
    AndOr,
    Background,
    Block,
    Case,
    For,
    Function,
    GroupCommand,
    If,
    Pipeline,
    Redirect,
    Simple,
    Statement,
    While,
)
from assembler.shell.tokens import MAX_DEPTH, ParseError, Tokens, unquote_delimiter, with_bodies

_REDIRECTS = frozenset({"<<-", "<<", ">>", ">&", "<&", ">|", "<>", "<", ">"})
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_CLOSERS = frozenset({"then", "else", "elif", "fi", "do", "done", "esac", "}", ")", ";;"})


class _Grammar(Tokens):
    """Recursive descent over the tokens of a script."""

    def block(self, closers: frozenset[str]) -> Block:
        """Statements up to one of `closers`, which is left unread."""
        statements: list[Statement] = []
        self.depth += 1
        if self.depth > MAX_DEPTH:
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
                self.next()
                statements[-1] = Background(statements[-1])
            elif self.token.kind not in {"newline", "end"} and self.token.text not in closers:
                raise ParseError(f"unexpected {self.token.text!r} at byte {self.position}")
        self.depth -= 1
        return tuple(statements)

    def and_or(self) -> Statement:
        """``a && b || c``, left to right."""
        left, length = self.pipeline(), 0
        while self.token.kind == "operator" and self.token.text in {"&&", "||"}:
            length += 1
            if length > MAX_DEPTH:  # each nests what was before
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
        compound: dict[str, Callable[[], If | Case | For | While | GroupCommand]] = {
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
            return GroupCommand(subshell=True, body=body, redirects=self.redirects())
        return self.simple()

    def simple(self) -> Statement:
        """Assignments, words and redirections; or a function definition."""
        assignments: list[tuple[str, str]] = []
        words: list[str] = []
        redirects: list[Redirect] = []
        documents: list[tuple[int, list[str]]] = []
        line = self.token.line
        while True:
            if self.token.kind == "word":
                match = None if words else _ASSIGNMENT.match(self.token.text)
                if self.token.text == "{" and len(words) == 2 and words[0] == "function" and not assignments:
                    return self._function(words[1], bash=True)
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
                and (len(words) == 1 or (len(words) == 2 and words[0] == "function"))
                and not assignments
                and not redirects
            ):
                return self._function(words[-1], bash=len(words) == 2)
            else:
                break
        if not assignments and not words and not redirects:
            raise ParseError(f"unexpected {self.token.text!r} at byte {self.position}")
        return Simple(tuple(assignments), tuple(words), with_bodies(redirects, documents, self), line)

    def _function(self, name: str, *, bash: bool) -> Function:
        if not _FUNCTION_NAME.match(name):
            raise ParseError(f"{name!r} is no name for a function")
        if not self.is_word("{"):
            self.next()
            self.expect(")")
        self.newlines()
        if bash and not self.is_word("{"):
            raise ParseError(f"a function {name!r} that is no group")
        return Function(name, self.command(), bash)

    def _redirect(self, redirects: list[Redirect], documents: list[tuple[int, list[str]]]) -> None:
        descriptor, operator = self.token.descriptor, self.token.text
        # The delimiter must be known before the newline behind it is read, so register it between the two reads.
        target = self._read()
        if target.kind != "word":
            raise ParseError(f"a redirection to {target.text!r}")
        if operator in {"<<", "<<-"}:
            quoted = "quoted" if any(char in target.text for char in "'\"\\") else ""
            document = [unquote_delimiter(target.text), operator, "", quoted]
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
        return with_bodies(redirects, documents, self)

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
        return Case(word.text, tuple(arms), line=word.line)

    def for_command(self) -> For:
        """``for``, ``do``, ``done``."""
        line = self.next().line
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
        return For(name, None if words is None else tuple(words), body, line=line)

    def while_command(self) -> While:
        """``while`` or ``until``."""
        keyword = self.next().text
        condition = self.block(frozenset({"do"}))
        self.expect("do")
        body = self.block(frozenset({"done"}))
        self.expect("done")
        return While(keyword, condition, body)

    def brace_group(self) -> GroupCommand:
        """``{ ...; }``."""
        self.next()
        body = self.block(frozenset({"}"}))
        self.expect("}")
        return GroupCommand(subshell=False, body=body)


def parse_script(text: str) -> Block:
    """The statements of a script. Raises ParseError."""
    parser = _Grammar(text)
    block = parser.block(frozenset())
    if parser.token.kind != "end":
        raise ParseError(f"unexpected {parser.token.text!r} at byte {parser.position}")
    return block
