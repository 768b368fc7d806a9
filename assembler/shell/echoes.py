"""echo and printf as dash 0.5.12 has them: text whose characters are bytes."""

import re

from assembler.shell.state import ShellError
from assembler.shell.streams import Refused

_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_CONVERSION = re.compile(r"%(?:%|([-+ #0]*)(\*|[0-9]+)?(?:\.(\*|[0-9]*))?([a-zA-Z]))")
MAX_WIDTH = 1 << 12


class _Stop(Exception):
    """``\\c``: nothing more is printed."""


def _escaped(text: str, *, more_zero: bool) -> str:
    """Text with its escapes resolved; `more_zero`: as echo and %b have them, with a zero before octal digits, and ``\\c``.

    Raises _Stop with what came before ``\\c`` as its argument."""
    out: list[str] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char != "\\" or position + 1 == len(text):
            out.append(char)
            position += 1
            continue
        following = text[position + 1]
        octal = re.compile(r"0[0-7]{0,3}|[1-7][0-7]{0,2}" if more_zero else r"[0-7]{1,3}").match(text, position + 1)
        if following == "c" and more_zero:
            raise _Stop("".join(out))
        if octal:
            out.append(chr(int(octal.group(), 8) & 0xFF))
            position = octal.end()
        elif following in _SIMPLE:
            out.append(_SIMPLE[following])
            position += 2
        else:
            out.append(char + following)
            position += 2
    return "".join(out)


def echo(arguments: list[str]) -> str:
    """What echo prints: dash resolves escapes, and knows ``-n`` alone."""
    newline = "\n"
    words = list(arguments)
    if words[:1] == ["-n"]:
        newline = ""
        words.pop(0)
    try:
        return _escaped(" ".join(words), more_zero=True) + newline
    except _Stop as stop:
        return str(stop.args[0])


def printf(arguments: list[str]) -> tuple[str, int, list[str]]:
    """What printf prints, its exit status, and its messages. Raises ShellError for wrong usage."""
    words = list(arguments)
    if words[:1] == ["--"]:
        words.pop(0)
    if not words:
        raise ShellError("printf: usage: printf format [arg ...]")
    if words[0].startswith("-") and len(words[0]) > 1:
        raise Refused("printf with an option")
    writer = _Printf(words[0], words[1:])
    try:
        writer.run()
    except _Stop:
        pass
    return "".join(writer.out), 1 if writer.messages else 0, writer.messages


class _Printf:
    def __init__(self, form: str, arguments: list[str]) -> None:
        self.form = form
        self.arguments = arguments
        self.used = 0
        self.out: list[str] = []
        self.messages: list[str] = []

    def argument(self, otherwise: str = "") -> str:
        if self.used < len(self.arguments):
            self.used += 1
            return self.arguments[self.used - 1]
        self.used += 1
        return otherwise

    def run(self) -> None:
        while True:
            before = self.used
            self.once()
            if self.used == before or self.used >= len(self.arguments):
                return

    def once(self) -> None:
        position = 0
        form = self.form
        while position < len(form):
            char = form[position]
            if char == "\\":
                # One escape at a time: a percent sign that an escape makes is no conversion.
                match = re.compile(r"\\(?:[0-7]{1,3}|.|\Z)", re.DOTALL).match(form, position)
                text = match.group() if match else char
                if text == "\\c":
                    raise Refused("printf with \\c in its format")
                self.out.append(_escaped(text, more_zero=False))
                position += len(text)
            elif char == "%":
                conversion = _CONVERSION.match(form, position)
                if conversion is None:
                    raise Refused("a printf format that is not understood")
                position = conversion.end()
                self.out.append("%" if conversion.group() == "%%" else self.converted(conversion))
            else:
                self.out.append(char)
                position += 1

    def converted(self, conversion: re.Match[str]) -> str:
        flags, width, precision, letter = conversion.groups()
        if width == "*" or precision == "*":
            raise Refused("a printf format with a width that is an argument")
        if int(width or 0) > MAX_WIDTH or int(precision or 0) > MAX_WIDTH:
            raise Refused("a printf format with a great width")
        layout = f"%{flags}{width or ''}" + (f".{precision}" if precision is not None else "")
        if letter == "s":
            return _padded(self.argument(), layout)
        if letter == "b":
            try:
                return _padded(_escaped(self.argument(), more_zero=True), layout)
            except _Stop as stop:
                self.out.append(_padded(str(stop.args[0]), layout))
                raise
        if letter == "c":
            return _padded(self.argument()[:1], f"%{flags}{width or ''}")
        if letter in "diouxX":
            return self.number(layout, letter)
        raise Refused(f"the conversion %{letter} of printf")

    def number(self, layout: str, letter: str) -> str:
        text = self.argument("0")
        if text[:1] in {"'", '"'}:
            return layout_number(layout, letter, ord(text[1]) if len(text) > 1 else 0)
        match = re.match(r"\s*([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", text)
        value = 0
        if match:
            digits = match.group(2)
            base = 16 if digits[:2].lower() == "0x" else 8 if digits.startswith("0") and len(digits) > 1 else 10
            value = int(digits, base) * (-1 if match.group(1) == "-" else 1)
        if not text or match is None or match.end() < len(text):
            if not text:
                raise Refused("a number that is empty, for printf")
            self.messages.append(f"printf: {text}: expected numeric value")
        if not -(1 << 63) <= value < 1 << 63:
            raise Refused("a number that is too large for printf")
        return layout_number(layout, letter, value)


def layout_number(layout: str, letter: str, value: int) -> str:
    """A number as C's printf lays it out."""
    if letter in "ouxX" and value < 0:
        value += 1 << 64
    if letter == "o" and "#" in layout:
        raise Refused("an alternative form of octal numbers")
    return (layout + {"u": "d", "i": "d"}.get(letter, letter)) % value


def _padded(text: str, layout: str) -> str:
    if re.match(r"%[-+ #]*0", layout):
        raise Refused("text that printf fills with zeros")
    return (re.sub(r"[+ #]", "", layout) + "s") % text
