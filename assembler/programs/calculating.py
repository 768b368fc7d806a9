"""expr, and seq of integers, after GNU coreutils 9.1 to 9.7."""

import re
from collections.abc import Callable

from assembler.programs.characters import Locale
from assembler.programs.inputs import Failure, ascii_only, options_of
from assembler.programs.regex import Work, regex
from assembler.programs.regex_syntax import Dialect
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused

_INTEGER = re.compile(r"-?[0-9]+", re.ASCII)
_DIGITS = 200
_MAX_DEPTH = 50
_RELATIONS: dict[str, Callable[[int], bool]] = {
    "<": lambda difference: difference < 0,
    "<=": lambda difference: difference <= 0,
    "=": lambda difference: difference == 0,
    "==": lambda difference: difference == 0,
    "!=": lambda difference: difference != 0,
    ">=": lambda difference: difference >= 0,
    ">": lambda difference: difference > 0,
}


class _Syntax(Failure):
    """Status 2."""


def expr(process: Process) -> int:
    """``expr``; of regular expressions, those whose matches and groups are certain (regex.py)."""
    words = list(process.arguments)
    if words[:1] == ["--"]:
        words.pop(0)
    elif words[:1] and words[0].startswith("--") and len(words) == 1:
        raise Refused("an option that is not computed", why=words[0])
    if "match" in words:
        raise Refused("expr match")
    if len(words) > 200:
        raise Refused("an expression of many words")
    if not words:
        process.complain("expr: missing operand")
        return 2
    try:
        value = _Expression(words, Work(process.budget)).run()
    except _Syntax as error:
        process.complain(f"expr: {error}")
        return 2
    process.print(f"{value}\n")
    return 1 if _is_null(value) else 0


def _is_null(value: str) -> bool:
    return re.fullmatch(r"-?0+|", value, re.ASCII) is not None


class _Expression:
    """expr.c's grammar, by descent; what is not asked for is read, but not evaluated."""

    def __init__(self, words: list[str], work: Work) -> None:
        self.words = words
        self.work = work
        self.at = 0
        self.depth = 0

    def run(self) -> str:
        value = self.either(evaluate=True)
        if self.at < len(self.words):
            raise _Syntax("syntax error")
        return value

    def next_is(self, *words: str) -> str:
        if self.at < len(self.words) and self.words[self.at] in words:
            self.at += 1
            return self.words[self.at - 1]
        return ""

    def either(self, *, evaluate: bool) -> str:
        left = self.both(evaluate=evaluate)
        while self.next_is("|"):
            right = self.both(evaluate=evaluate and _is_null(left))
            if _is_null(left):
                left = "0" if _is_null(right) else right
        return left

    def both(self, *, evaluate: bool) -> str:
        left = self.compared(evaluate=evaluate)
        while self.next_is("&"):
            right = self.compared(evaluate=evaluate and not _is_null(left))
            if _is_null(left) or _is_null(right):
                left = "0"
        return left

    def compared(self, *, evaluate: bool) -> str:
        left = self.sum(evaluate=evaluate)
        while operator := self.next_is(*_RELATIONS):
            right = self.sum(evaluate=evaluate)
            if not evaluate:
                continue
            if _INTEGER.fullmatch(left) and _INTEGER.fullmatch(right):
                difference = _value(left) - _value(right)
            else:
                difference = (left > right) - (left < right)
            left = str(int(_RELATIONS[operator](difference)))
        return left

    def sum(self, *, evaluate: bool) -> str:
        left = self.product(evaluate=evaluate)
        while operator := self.next_is("+", "-"):
            right = self.product(evaluate=evaluate)
            if evaluate:
                left = str(_value(left) + (_value(right) if operator == "+" else -_value(right)))
        return left

    def product(self, *, evaluate: bool) -> str:
        left = self.matched(evaluate=evaluate)
        while operator := self.next_is("*", "/", "%"):
            right = self.matched(evaluate=evaluate)
            if not evaluate:
                continue
            one, other = _value(left), _value(right)
            if operator == "*":
                left = str(one * other)
                continue
            if not other:
                raise _Syntax("division by zero")
            quotient = abs(one) // abs(other) * (1 if (one < 0) is (other < 0) else -1)
            left = str(quotient if operator == "/" else one - quotient * other)
        return left

    def matched(self, *, evaluate: bool) -> str:
        left = self.function(evaluate=evaluate)
        while self.next_is(":"):
            right = self.function(evaluate=evaluate)
            if evaluate:
                left = _matched(_ascii(left), _ascii(right), self.work)
        return left

    def function(self, *, evaluate: bool) -> str:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Refused("an expression that is deep")
        try:
            if self.next_is("length"):
                return str(len(_ascii(self.function(evaluate=evaluate))))
            if self.next_is("index"):
                whole, chars = _ascii(self.function(evaluate=evaluate)), _ascii(self.function(evaluate=evaluate))
                return str(next((at for at, char in enumerate(whole, 1) if char in chars), 0))
            if self.next_is("substr"):
                return self.part(evaluate=evaluate)
            return self.primary(evaluate=evaluate)
        finally:
            self.depth -= 1

    def part(self, *, evaluate: bool) -> str:
        whole = _ascii(self.function(evaluate=evaluate))
        start, length = self.function(evaluate=evaluate), self.function(evaluate=evaluate)
        if not (_INTEGER.fullmatch(start) and _INTEGER.fullmatch(length)):
            return ""
        first, size = _value(start), _value(length)
        return whole[first - 1 : first - 1 + size] if first > 0 and size > 0 else ""

    def primary(self, *, evaluate: bool) -> str:
        if self.at >= len(self.words):
            raise _Syntax("syntax error")
        if self.next_is("("):
            value = self.either(evaluate=evaluate)
            if not self.next_is(")"):
                raise _Syntax("syntax error")
            return value
        if self.next_is(")"):
            raise _Syntax("syntax error")
        if self.next_is("+") and self.at >= len(self.words):
            raise _Syntax("syntax error")
        self.at += 1
        return self.words[self.at - 1]


def _matched(text: str, pattern: str, work: Work) -> str:
    """What ``text : pattern`` gives: the first group of a match at the beginning, or the length of the match."""
    if "\n" in text or "\n" in pattern or pattern.startswith(("^", "*")):
        raise Refused("a regular expression of expr", why=pattern)
    found = regex(pattern, Dialect(Locale()), work)
    ends = found.ends(text, 0)
    groups = "\\(" in pattern
    if not ends:
        return "" if groups else "0"
    if not groups:
        return str(ends[-1])
    span = found.matched(text, (0, ends[-1]))[0]
    return "" if span is None else text[span[0] : span[1]]


def _value(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise _Syntax("non-integer argument")
    if len(text) > _DIGITS:
        raise Refused("an integer of many digits")
    return int(text)


def _ascii(text: str) -> str:
    ascii_only(text.encode("latin-1"), "an expression")
    return text


# --- seq ----------------------------------------------------------------------------------------------------------


def seq(process: Process) -> int:
    """``seq`` of integers, with ``-s`` and ``-w``."""
    words = list(process.arguments)
    first = next((at for at, word in enumerate(words) if re.match(r"-[0-9.]", word)), len(words))
    options, operands = options_of(process, "s|separator= w|equal-width", arguments=words[:first])
    operands += words[first:]
    if not 1 <= len(operands) <= 3 or (operands and first < len(words) and len(operands) > len(words[first:]) + 2):
        process.complain("seq: a missing or an extra operand")
        return 1
    if any(not re.fullmatch(r"0|-?[1-9][0-9]{0,15}", word) for word in operands):
        raise Refused("seq of what is no plain integer", why=" ".join(operands))
    numbers = [int(word) for word in operands]
    start = numbers[0] if len(numbers) > 1 else 1
    step = numbers[1] if len(numbers) > 2 else 1
    if not step:
        process.complain("seq: a step of nothing")
        return 1
    if "w" in options and (min(numbers) < 0 or step < 0):
        raise Refused("numbers below zero of the same width")
    values = range(start, numbers[-1] + (1 if step > 0 else -1), step)
    process.budget.spend(len(values) * 8)
    width = max(len(str(start)), len(str(numbers[-1]))) if "w" in options else 0
    if values:
        process.print(options.get("s", "\n").join(f"{value:0{width}}" for value in values) + "\n")
    return 0


PROGRAMS: dict[str, Program] = {"expr": expr, "seq": seq}
"""Programs by name."""
