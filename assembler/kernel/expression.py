"""Conditions of Kconfig: whether one holds in a configuration, and what is to blame when it does not."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:(?P<op>&&|\|\||!=|<=|>=|[()=<>!])|(?P<macro>\$\()|(?P<text>"[^"]*"|'[^']*')|(?P<name>[\w.-]+))"""
)


@dataclass(frozen=True, slots=True)
class Unmet:
    """A part of a condition that does not hold."""

    symbol: str
    """The symbol that it is about."""
    wanted: str
    """What it would have to be: ``y``, ``n``, or as a comparison ``="x"``."""


_Result = tuple[bool, list[Unmet]]
"""Whether it holds, and what would have to be otherwise for it to be otherwise."""
_OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def holds(text: str, values: Mapping[str, str]) -> bool:
    """Whether the condition `text` is anything but n in the configuration `values` (by symbol, without CONFIG_)."""
    return _Parser(text, values).parse()[0]


def unmet(text: str, values: Mapping[str, str]) -> list[Unmet]:
    """What of the condition `text` does not hold; nothing when it does as a whole."""
    met, blamed = _Parser(text, values).parse()
    return [] if met else blamed


class _Parser:
    """A recursive descent; what is no expression (a macro's arguments, say) counts as true."""

    def __init__(self, text: str, values: Mapping[str, str]) -> None:
        self._values = values
        self._tokens = _tokens(text)
        self._at = 0

    def parse(self) -> _Result:
        return self._or()

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next()
        self._at += 1
        return token

    def _or(self) -> _Result:
        return self._chain("||", self._and, lambda left, right: left or right)

    def _and(self) -> _Result:
        return self._chain("&&", self._not, lambda left, right: left and right)

    def _chain(self, operator: str, operand: Callable[[], _Result], join: Callable[[bool, bool], bool]) -> _Result:
        met, blamed = operand()
        while self._next() == operator:
            self._take()
            other, also = operand()
            joined = join(met, other)
            # To blame are those operands that are as the whole is.
            blamed = [*(blamed if met == joined else []), *(also if other == joined else [])]
            met = joined
        return met, blamed

    def _not(self) -> _Result:
        if self._next() == "!":
            self._take()
            met, blamed = self._not()
            return not met, blamed
        return self._atom()

    def _atom(self) -> _Result:
        token = self._take()
        if token == "(":  # noqa: S105  of an expression, not a password
            result = self._or()
            self._take()
            return result
        if token in {"", ")"}:
            return True, []
        if self._next() in {"=", "!=", "<", "<=", ">", ">="}:
            operator, other = self._take(), self._take()
            met = _compare(self._value(token), operator, self._value(other))
            return met, [Unmet(token, f"{_OPPOSITE[operator] if met else operator}{other}")]
        value = self._value(token)
        met = value != "n"
        if not token.isidentifier() or token in {"y", "n", "m"}:
            return met, []
        return met, [Unmet(token, "n" if met else "y")]

    def _value(self, token: str) -> str:
        if token.startswith(('"', "'")):
            return token[1:-1]
        if token in {"y", "m", "n", "$"} or not token.isidentifier():
            return "y" if token == "$" else token  # noqa: S105  the same
        return self._values.get(token, "n").strip('"')


def _tokens(text: str) -> list[str]:
    """The tokens of a condition; a macro is the one token ``$``."""
    found: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            at += 1
            continue
        at = match.end()
        if match["macro"]:
            depth = 1
            while at < len(text) and depth:
                depth += {"(": 1, ")": -1}.get(text[at], 0)
                at += 1
            found.append("$")
        else:
            found.append(match[match.lastgroup or 0])
    return found


def _compare(left: str, operator: str, right: str) -> bool:
    if operator in {"=", "!="}:
        return (left == right) == (operator == "=")
    try:
        one, other = int(left, 0), int(right, 0)
    except ValueError:
        return True
    return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[operator]
