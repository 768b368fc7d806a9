"""Statements written in one canonical form.

It has no comments, one command a line, one space between words, and here-documents in full. Two scripts with the same
canonical form are the same program.
"""

from collections.abc import Sequence

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
from assembler.shell.tokens import unquote_delimiter


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
            documents.append(redirect.body + unquote_delimiter(redirect.target) + "\n")
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
        case GroupCommand():
            opener, closer = ("(", ")") if statement.subshell else ("{", "}")
            text = f"{opener}\n{_nested(statement.body, documents)}{closer}"
            return text + _redirections(statement.redirects, documents)
        case Background():
            return f"{_inline(statement.body, documents)} &"
        case Function():
            return f"{statement.name}() {_inline(statement.body, documents)}"
