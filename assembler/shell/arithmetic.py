"""Arithmetic expressions of the shell (POSIX.1-2017 XCU 2.6.4) in 64 bits with sign, as dash 0.5.12 has them."""

import re
from collections.abc import Callable

_BLANKS = " \t\n"
_TOKEN = re.compile(
    r"[ \t\n]*(?:(0[xX][0-9A-Fa-f]+|[0-9]+)|([A-Za-z_]\w*)|"
    r"(<<=|>>=|&&|\|\||<<|>>|[<>=!]=|[-+*/%&|^]=|[-+*/%<>=!~&|^?:()]))",
    re.ASCII,
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", "<=", ">", ">="), ("<<", ">>"), ("+", "-"),
    ("*", "/", "%"),
)  # fmt: skip
_MAX_DEPTH = 50


class ArithmeticError_(ValueError):  # noqa: N801  the name without the bar is Python's
    """An expression that is wrong; the shell ends with status 2."""


class ArithmeticRefused(ValueError):
    """An expression whose result is not known here."""


def _wrapped(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


class _Evaluator:
    def __init__(self, text: str, get: Callable[[str], str | None], put: Callable[[str, str], None]) -> None:
        self.tokens: list[str] = []
        position = 0
        while text[position:].strip(_BLANKS):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ArithmeticError_(f"arithmetic expression: {text.strip()!r}")
            self.tokens.append(next(part for part in match.groups() if part is not None))
            position = match.end()
        self.position = 0
        self.depth = 0
        self.get, self.put = get, put

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise ArithmeticError_("arithmetic expression: it ends too early")
        self.position += 1
        return token

    def assignment(self, *, active: bool) -> int:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ArithmeticRefused("an arithmetic expression that is nested too deeply")
        try:
            name = self.peek()
            following = self.tokens[self.position + 1] if self.position + 1 < len(self.tokens) else ""
            if _is_name(name) and following in _ASSIGNMENTS:
                self.position += 2
                right = self.assignment(active=active)
                if not active:
                    return 0
                if following != "=":
                    right = _apply(following[:-1], self._value(name), right)
                self.put(name, str(right))
                return right
            return self.conditional(active=active)
        finally:
            self.depth -= 1

    def conditional(self, *, active: bool) -> int:
        condition = self.binary(0, active=active)
        if self.peek() != "?":
            return condition
        self.take()
        first = self.assignment(active=active and condition != 0)
        if self.take() != ":":
            raise ArithmeticError_("arithmetic expression: a colon is missing")
        second = self.conditional(active=active and condition == 0)
        return first if condition else second

    def binary(self, level: int, *, active: bool) -> int:
        if level == len(_LEVELS):
            return self.unary(active=active)
        left = self.binary(level + 1, active=active)
        while self.peek() in _LEVELS[level]:
            operator = self.take()
            # What does not count is read without effect.
            counts = active and not (operator == "&&" and not left) and not (operator == "||" and left)
            right = self.binary(level + 1, active=counts)
            if operator in {"&&", "||"}:
                left = int(bool(left) and bool(right)) if operator == "&&" else int(bool(left) or bool(right))
            elif active:
                left = _apply(operator, left, right)
        return left

    def unary(self, *, active: bool) -> int:
        token = self.take()
        if token in {"+", "-", "!", "~"}:
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise ArithmeticRefused("an arithmetic expression that is nested too deeply")
            value = self.unary(active=active)
            self.depth -= 1
            return {"+": value, "-": _wrapped(-value), "!": int(not value), "~": ~value}[token]
        if token == "(":  # noqa: S105  a token of the expression
            value = self.assignment(active=active)
            if self.take() != ")":
                raise ArithmeticError_("arithmetic expression: a parenthesis is missing")
            return value
        if token[0].isdigit():
            return _number(token)
        if _is_name(token):
            return self._value(token) if active else 0
        raise ArithmeticError_(f"arithmetic expression: {token!r} is unexpected")

    def _value(self, name: str) -> int:
        text = self.get(name)
        if text is None or not text:
            return 0
        stripped = text.strip(" \t\n\v\f\r")
        if not stripped:
            return 0
        sign = -1 if stripped.startswith("-") else 1
        digits = stripped[1:] if stripped[:1] in {"-", "+"} else stripped
        if not re.fullmatch(r"0[xX][0-9A-Fa-f]+|[0-9]+", digits):
            raise ArithmeticError_(f"Illegal number: {text}")
        return _wrapped(sign * _number(digits))


_ASSIGNMENTS = frozenset({"=", "*=", "/=", "%=", "+=", "-=", "<<=", ">>=", "&=", "^=", "|="})


def _is_name(token: str) -> bool:
    return re.fullmatch(r"[A-Za-z_]\w*", token, re.ASCII) is not None


def _number(text: str) -> int:
    if text[:2].lower() == "0x":
        value = int(text, 16)
    elif text.startswith("0") and len(text) > 1:
        if not re.fullmatch(r"[0-7]+", text):
            raise ArithmeticError_(f"arithmetic expression: {text!r} is no number")
        value = int(text, 8)
    else:
        value = int(text)
    if value >= 1 << 63:
        raise ArithmeticRefused("a number of more than 63 bits")
    return value


def _apply(operator: str, left: int, right: int) -> int:
    if operator in {"/", "%"}:
        if right == 0:
            raise ArithmeticError_("arithmetic expression: division by zero")
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return _wrapped(quotient if operator == "/" else left - quotient * right)
    if operator in {"<<", ">>"}:
        if not 0 <= right < 64:
            raise ArithmeticRefused("a shift by a number of bits for which nothing is defined")
        return _wrapped(left << right if operator == "<<" else left >> right)
    results: dict[str, Callable[[], int]] = {
        "+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right,
        "&": lambda: left & right, "|": lambda: left | right, "^": lambda: left ^ right,
        "==": lambda: int(left == right), "!=": lambda: int(left != right), "<": lambda: int(left < right),
        "<=": lambda: int(left <= right), ">": lambda: int(left > right), ">=": lambda: int(left >= right),
    }  # fmt: skip
    return _wrapped(results[operator]())


def evaluate(text: str, get: Callable[[str], str | None], put: Callable[[str, str], None]) -> int:
    """The value of an expression, parameters already expanded.

    `get` gives the text of a variable, None for one that is not set; `put` is told what the expression assigns. Raises
    ArithmeticError_ and ArithmeticRefused.
    """
    evaluator = _Evaluator(text, get, put)
    if not evaluator.tokens:
        return 0
    value = evaluator.assignment(active=True)
    if evaluator.peek():
        raise ArithmeticError_(f"arithmetic expression: {evaluator.peek()!r} is unexpected")
    return value
