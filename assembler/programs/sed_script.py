r"""Scripts of sed, as GNU sed 4.9 reads them.

Commands: ``{ } = a b c d D g G h H i n N p P q r s t T x y :`` and comments. What a text, a regular expression or a
replacement may have is said at each. Not computed, as scripts of packages do not have them: ``e F l R w W z v``, the
flags ``e m w`` of ``s``, changes of case in replacements (``\U``), characters by number.
"""

from dataclasses import dataclass, field

from assembler.programs.characters import Locale
from assembler.programs.regex import Regex, Work, regex
from assembler.programs.regex_syntax import Dialect
from assembler.shell.streams import Refused

_PLAIN = frozenset("{}=dDgGhHnNpPx")
_ESCAPES = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SPECIAL = frozenset(".*[]^$\\+?(){}|&\n")
"""What a regular expression may take for more than itself, and so no delimiter that is quoted there."""
_MAX_COMMANDS = 5000


@dataclass(slots=True)
class Address:
    """Which lines: a kind of ``number``, ``last``, ``regex``, ``step`` (`number` and each `step` lines after it),
    and for the second ``plus`` (so many lines after) and ``multiple``.
    """

    kind: str
    number: int = 0
    step: int = 0
    regex: Regex | None = None
    """None for the one that was used last."""


@dataclass(slots=True)
class Substitution:
    """What ``s`` does."""

    regex: Regex | None
    replacement: list[str | int]
    """Texts, and numbers of groups; 0 is the whole match."""
    every: bool = False
    prints: bool = False
    number: int = 0


@dataclass(slots=True)
class Command:
    """A command with its addresses."""

    name: str
    first: Address | None = None
    second: Address | None = None
    negated: bool = False
    text: str = ""
    """The text of ``a``, ``c`` and ``i`` with its newline, the label of a jump, the file of ``r``."""
    target: int = -1
    """Where a block ends, or a jump leads to."""
    status: int = 0
    substitution: Substitution | None = None
    table: dict[str, str] = field(default_factory=dict)
    """What ``y`` puts for characters."""


def parsed(script: str, *, extended: bool, locale: Locale, work: Work) -> list[Command]:
    """The commands of a script. Raises Refused for errors and for what is not computed."""
    if script == "#n" or script.startswith("#n\n"):
        raise Refused("a script of sed that begins with #n")
    return _Parser(script, extended=extended, locale=locale, work=work).program()


class _Parser:
    def __init__(self, script: str, *, extended: bool, locale: Locale, work: Work) -> None:
        self.text = script
        self.at = 0
        self.extended = extended
        self.locale = locale
        self.work = work
        self.commands: list[Command] = []

    def refused(self, what: str) -> Refused:
        return Refused(f"a script of sed with {what}", why=self.text)

    def next(self) -> str:
        """The next character, "" at the end."""
        char = self.text[self.at : self.at + 1]
        self.at += 1
        return char

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def blanks(self, more: str = "") -> None:
        while self.peek() and self.peek() in " \t" + more:
            self.at += 1

    def program(self) -> list[Command]:
        blocks: list[Command] = []
        labels: dict[str, int] = {}
        while True:
            self.blanks("\n;\r\v\f")
            if not self.peek():
                break
            if self.peek() == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
                continue
            if len(self.commands) >= _MAX_COMMANDS:
                raise self.refused("too many commands")
            command = self.command()
            if command.name == "{":
                blocks.append(command)
            elif command.name == "}":
                if not blocks or command.first is not None:
                    raise self.refused("a brace in the wrong place")
                blocks.pop().target = len(self.commands)
            elif command.name == ":":
                if command.text in labels or command.first is not None or command.negated:
                    raise self.refused("a label twice, or for some lines")
                labels[command.text] = len(self.commands)
            self.commands.append(command)
        if blocks:
            raise self.refused("a brace that is not closed")
        for command in self.commands:
            if command.name in {"b", "t", "T"}:
                if command.text and command.text not in labels:
                    raise self.refused("a jump to nowhere")
                command.target = labels[command.text] if command.text else len(self.commands)
        return self.commands

    def command(self) -> Command:
        command = Command("")
        command.first = self.address()
        if command.first is not None:
            self.blanks()
            if self.peek() == ",":
                self.at += 1
                self.blanks()
                command.second = self.address(second=True)
                if command.second is None:
                    raise self.refused("an address that is missing")
                self.blanks()
            ranged = command.second is not None and command.second.kind == "regex"
            if command.first.kind == "number" and command.first.number == 0 and not ranged:
                raise self.refused("the address 0")
        if self.peek() == "!":
            self.at += 1
            command.negated = True
            self.blanks()
        name = command.name = self.next()
        if name and name in _PLAIN:
            if name != "{":
                self.end()
        elif name and name in "aci":
            command.text = self.lines()
        elif name and name in ":btT":
            command.text = self.label()
            if name == ":" and not command.text:
                raise self.refused("a label without a name")
            if name != ":":
                # Another command may follow a label on its line.
                self.end()
        elif name == "q":
            self.quit(command)
        elif name == "r":
            self.blanks()
            end = self.text.find("\n", self.at)
            end = len(self.text) if end < 0 else end
            command.text = self.text[self.at : end]
            self.at = end
            if not command.text:
                raise self.refused("a file without a name")
        elif name == "s":
            command.substitution = self.substitution()
        elif name == "y":
            command.table = self.table()
        else:
            raise self.refused(f"the command {name!r}")
        return command

    def quit(self, command: Command) -> None:
        if command.second is not None:
            raise self.refused("two addresses of q")
        self.blanks()
        digits = self.digits()
        command.status = int(digits or "0")
        if command.status > 255:
            raise self.refused("a status that is too high")
        self.end()

    def end(self) -> None:
        """What comes after a command."""
        self.blanks()
        if self.peek() in {"", "\n", ";"}:
            self.at += 1
        elif self.peek() not in {"}", "#"}:
            raise self.refused("more after a command")

    def digits(self) -> str:
        start = self.at
        while self.peek().isascii() and self.peek().isdigit():
            self.at += 1
        if self.at - start > 9:
            raise self.refused("a number that is too high")
        return self.text[start : self.at]

    def address(self, *, second: bool = False) -> Address | None:
        char = self.peek()
        if char in {"/", "\\"}:
            self.at += 1
            delimiter = self.next() if char == "\\" else char
            text = self.delimited(delimiter, pattern=True)
            self.blanks()
            icase = False
            while self.peek() in {"I", "M"}:
                if self.next() == "M":
                    raise self.refused("lines within lines")
                icase = True
                self.blanks()
            return Address("regex", regex=self.regex(text, icase=icase))
        if char == "$":
            self.at += 1
            return Address("last")
        if second and char in {"+", "~"} and char:
            self.at += 1
            self.blanks()
            number = int(self.digits() or "0")
            if number == 0:
                raise self.refused("an address of no lines")
            return Address("plus" if char == "+" else "multiple", step=number)
        digits = self.digits()
        if not digits:
            return None
        self.blanks()
        if self.peek() == "~":
            self.at += 1
            self.blanks()
            step = int(self.digits() or "0")
            if second or step == 0:
                raise self.refused("a step of no lines")
            return Address("step", number=int(digits), step=step)
        return Address("number", number=int(digits))

    def label(self) -> str:
        self.blanks()
        start = self.at
        while self.peek() and self.peek() not in " \t\n;":
            if self.peek() in "{}#\r":
                if self.at == start and self.peek() == "}":
                    # Before 4.9 it would have been part of a label.
                    raise self.refused("a jump at the end of a block")
                raise self.refused("an unusual label")
            self.at += 1
        return self.text[start : self.at]

    def lines(self) -> str:
        r"""The text of a, c and i, behind ``\`` and a newline, behind ``\``, or on the same line."""
        self.blanks()
        if not self.peek():
            raise self.refused("a text that is missing")
        found: list[str] = []
        if self.peek() == "\\":
            self.at += 1
            start = self.at
            self.blanks()
            if self.peek() == "\n":
                self.at += 1
            else:
                self.at = start
                first = self.next()
                if not first:
                    # "$a\" ends the last line.
                    return ""
                if first == "\\":
                    raise self.refused("a text that begins with a backslash")
                found.append(first)
        while (char := self.next()) not in {"", "\n"}:
            if char != "\\":
                found.append(char)
                continue
            char = self.next()
            if not char or char in "cdox":
                raise self.refused("a text with characters by number")
            found.append(_ESCAPES.get(char, char))
        return "".join(found) + "\n"

    def delimited(self, delimiter: str, *, pattern: bool) -> str:
        r"""What is before the next delimiter, still with its backslashes, but for one before a delimiter."""
        if not delimiter or delimiter in "\n\\" or not delimiter.isascii():
            raise self.refused("an unusual delimiter")
        found: list[str] = []
        while (char := self.next()) != delimiter:
            if char in {"", "\n"}:
                raise self.refused("an expression that does not end")
            if char == "[" and pattern:
                found.append(self.bracket())
            elif char != "\\":
                found.append(char)
            else:
                char = self.next()
                if char == "":
                    raise self.refused("a backslash at its end")
                if char == delimiter and (delimiter in _SPECIAL or delimiter.isalnum()):
                    raise self.refused("a delimiter that is quoted and means something")
                found.append(char if char == delimiter else "\\" + char)
        return "".join(found)

    def bracket(self) -> str:
        """The rest of a bracket expression, in which delimiters mean nothing."""
        start = self.at
        at = start + self.text.startswith("^", start)
        at += self.text.startswith("]", at)
        while at < len(self.text) and self.text[at] != "]":
            if self.text[at] == "\n":
                raise self.refused("an expression that does not end")
            if self.text.startswith(("[:", "[.", "[="), at):
                close = self.text.find(self.text[at + 1] + "]", at + 2)
                if close < 0:
                    raise self.refused("a bracket that does not end")
                at = close + 1
            at += 1
        if at >= len(self.text):
            raise self.refused("a bracket that does not end")
        self.at = at + 1
        return "[" + self.text[start : self.at]

    def regex(self, text: str, *, icase: bool) -> Regex | None:
        if text == "":
            if icase:
                raise self.refused("flags of an empty expression")
            return None
        found: list[str] = []
        at = 0
        while at < len(text):
            if text[at] != "\\":
                found.append(text[at])
                at += 1
                continue
            char = text[at + 1 : at + 2]
            if char == "\n" or (char and char in "cdox"):
                raise self.refused("characters by number")
            found.append(_ESCAPES.get(char, "\\" + char))
            at += 2
        dialect = Dialect(self.locale, extended=self.extended, icase=icase)
        return regex("".join(found), dialect, self.work)

    def substitution(self) -> Substitution:
        delimiter = self.next()
        pattern = self.delimited(delimiter, pattern=True)
        replacement = self.replacement(self.delimited_replacement(delimiter))
        found = Substitution(None, replacement)
        icase = False
        while True:
            self.blanks()
            char = self.peek()
            if char in {"", "\n", ";"}:
                self.at += 1
                break
            if char in {"}", "#"}:
                break
            if char.isascii() and char.isdigit():
                if found.number:
                    raise self.refused("two numbers")
                found.number = int(self.digits())
                if found.number == 0:
                    raise self.refused("the number 0")
                continue
            self.at += 1
            if char in "iI":
                icase = True
            elif char == "g" and not found.every:
                found.every = True
            elif char == "p" and not found.prints:
                found.prints = True
            else:
                raise self.refused(f"the flag {char!r} of s")
        found.regex = self.regex(pattern, icase=icase)
        highest = max((part for part in replacement if isinstance(part, int)), default=0)
        if highest > (found.regex.groups if found.regex is not None else 0):
            raise self.refused("a group that is not there")
        return found

    def delimited_replacement(self, delimiter: str) -> str:
        text = self.delimited(delimiter, pattern=False)
        if delimiter == "&" and "&" in text:
            raise self.refused("an unusual delimiter")
        return text

    def replacement(self, text: str) -> list[str | int]:
        found: list[str | int] = []
        at = 0

        def add(char: str) -> None:
            if found and isinstance(found[-1], str):
                found[-1] += char
            else:
                found.append(char)

        while at < len(text):
            char = text[at]
            at += 1
            if char == "&":
                found.append(0)
            elif char != "\\":
                add(char)
            else:
                char = text[at : at + 1]
                at += 1
                if char.isascii() and char.isdigit():
                    found.append(int(char))
                elif char in {"", *"LUElucdox"} or not char.isascii():
                    raise self.refused(f"\\{char} in a replacement")
                else:
                    add(_ESCAPES.get(char, char))
        return found

    def table(self) -> dict[str, str]:
        delimiter = self.next()
        sides = [self.characters(self.delimited(delimiter, pattern=False)) for _ in range(2)]
        self.end()
        if len(sides[0]) != len(sides[1]) or len(set(sides[0])) != len(sides[0]):
            raise self.refused("a translation of something else than characters")
        return dict(zip(*sides, strict=True))

    def characters(self, text: str) -> list[str]:
        found: list[str] = []
        at = 0
        while at < len(text):
            char = text[at]
            at += 1
            if char == "\\":
                char = {"\\": "\\", "n": "\n", "t": "\t"}.get(text[at : at + 1], "")
                at += 1
                if not char:
                    raise self.refused("a translation of something else than characters")
            found.append(char)
        return found
