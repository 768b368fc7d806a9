"""awk, of which Debian's base system has mawk: after mawk 1.3.4 (20200120 of bookworm, 20250131 of trixie).

A small part of the language (`awk_syntax.py`), for the options ``-F`` and ``-v``. It reads bytes. Numbers are whole;
what would print others, or depends on how a number is written, is refused, and so are fields and records that are
separated by anything else than blanks, one character or a plain expression.
"""

import re
from contextlib import suppress

from assembler.programs.awk_syntax import Node, Rule, parsed, string
from assembler.programs.awk_values import HOLDS, UNSET, Value, as_number, calculated, number_of, read_value
from assembler.programs.characters import Locale
from assembler.programs.regex import Regex, Work
from assembler.programs.regex_syntax import Alternatives, Dialect, Group, Repeat, Sequence, parse
from assembler.programs.regex_syntax import Node as Expression
from assembler.programs.text_input import contents
from assembler.shell.process import Process, Program
from assembler.shell.streams import NOWHERE, Opened, Refused

_BYTES = Locale(utf8=False)
_COST = 32
_FORMAT = re.compile(r"%(-?)([0-9]{0,3})([sd%])")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z_0-9]*=")
_FIXED = frozenset({"RS", "NR", "NF", "FNR", "FILENAME", "CONVFMT", "OFMT", "SUBSEP", "RSTART", "RLENGTH", "ENVIRON"})
"""Variables that are not assigned here."""
_UNREAD = _FIXED - {"NR", "NF", "FNR", "FILENAME"}


class _Exit(Exception):
    """``exit``."""


class _Next(Exception):
    """``next``."""


class _Awk:
    def __init__(self, process: Process, rules: list[Rule], work: Work) -> None:
        self.process = process
        self.rules = rules
        self.work = work
        self.variables: dict[str, Value] = {"FS": Value(" "), "OFS": Value(" "), "ORS": Value("\n")}
        self.record = ""
        self.fields: list[str] | None = []
        """None as long as nobody has asked for them."""
        self.count = 0
        self.file_count = 0
        self.name = ""
        self.status = 0
        self.expressions: dict[str, Regex] = {}

    # --- running -----------------------------------------------------------------------------------------------------

    def run(self, operands: list[str]) -> int:
        with suppress(_Exit):
            self.all("BEGIN")
            if any(rule.when != "BEGIN" for rule in self.rules):
                for name in operands or ["-"]:
                    try:
                        self.file(name)
                    except FileNotFoundError:
                        self.process.complain(f"mawk: cannot open {name}")
                        return 2
        with suppress(_Exit):
            self.all("END")
        return self.status

    def all(self, when: str) -> None:
        for rule in self.rules:
            if rule.when == when and rule.action is not None:
                self.do(rule.action)

    def file(self, name: str) -> None:
        try:
            data = self.process.read() if name == "-" else contents(self.process, name)
        except IsADirectoryError as error:
            raise Refused("awk reads a directory", why=name) from error
        source = self.process.streams.get(0, NOWHERE)
        if b"\0" in data or (name == "-" and isinstance(source, Opened) and len(data) >= 1 << 12):
            # Where its input is left depends on how it reads.
            raise Refused("what awk reads", why=name)
        self.name = name
        self.file_count = 0
        lines = data.decode("latin-1").split("\n")
        if lines[-1] == "":
            lines.pop()
        for line in lines:
            self.count += 1
            self.file_count += 1
            self.set_record(line)
            self.work.spend(len(line))
            try:
                self.each()
            except _Next:
                continue

    def each(self) -> None:
        for rule in self.rules:
            if isinstance(rule.when, str):
                continue
            self.work.spend(_COST)
            if rule.when is not None and not self.true(rule.when):
                continue
            if rule.action is None:
                self.print(self.record + self.variables["ORS"].text)
            else:
                self.do(rule.action)

    def print(self, text: str) -> None:
        self.process.print(text)

    def do(self, node: Node) -> None:
        self.work.spend(_COST)
        if node.kind == "block":
            for part in node.parts:
                self.do(part)
        elif node.kind == "if":
            if self.true(node.parts[0]):
                self.do(node.parts[1])
            elif len(node.parts) > 2:
                self.do(node.parts[2])
        elif node.kind == "print":
            parts = [self.value(part).text for part in node.parts] if node.parts else [self.record]
            self.print(self.variables["OFS"].text.join(parts) + self.variables["ORS"].text)
        elif node.kind == "printf":
            self.print(self.formatted([self.value(part) for part in node.parts]))
        elif node.kind == "next":
            raise _Next
        elif node.kind == "exit":
            if node.parts:
                self.status = as_number(self.value(node.parts[0])) & 0xFF
            raise _Exit
        else:
            self.value(node.parts[0])

    def formatted(self, values: list[Value]) -> str:
        text, *rest = [value.text for value in values]
        if "%" in _FORMAT.sub("", text):
            raise Refused("a format of awk", why=text)
        pending = list(reversed(values[1:]))

        def put(found: re.Match[str]) -> str:
            left, width, kind = found.groups()
            if kind == "%":
                if left or width:
                    raise Refused("a format of awk", why=text)
                return "%"
            if not pending:
                raise Refused("a format of awk without its value", why=text)
            value = pending.pop()
            shown = str(as_number(value)) if kind == "d" else value.text
            if width.startswith("0"):
                if kind != "d" or left or shown.startswith("-"):
                    raise Refused("a format of awk", why=text)
                return shown.rjust(int(width), "0")
            size = int(width or "0")
            return shown.ljust(size) if left else shown.rjust(size)

        made = _FORMAT.sub(put, text)
        if pending:
            raise Refused("a format of awk with too many values", why=" ".join(rest))
        return made

    # --- records -----------------------------------------------------------------------------------------------------

    def set_record(self, text: str) -> None:
        self.record = text
        self.fields = None

    def split(self) -> list[str]:
        if self.fields is None:
            self.fields = self.parts(self.record, self.variables["FS"].text)
        return self.fields

    def parts(self, text: str, separator: str) -> list[str]:
        if separator == " ":
            return [part for part in re.split(r"[ \t\n]+", text) if part]
        if not text:
            return []
        if len(separator) == 1:
            if separator in "\\^$.[]|()*+?{}" or not separator.isascii():
                if separator == "|":
                    return text.split(separator)
                raise Refused("a separator of awk", why=separator)
            return text.split(separator)
        expression = self.expression(separator)
        if "^" in separator or expression.whole(""):
            raise Refused("a separator of awk", why=separator)
        found: list[str] = []
        start = 0
        while (span := expression.search(text, start)) is not None:
            found.append(text[start : span[0]])
            start = span[1]
        return [*found, text[start:]]

    def field(self, number: int) -> Value:
        if number < 0:
            raise Refused("a field of awk before the first")
        if number == 0:
            return read_value(self.record)
        fields = self.split()
        # What is not there is text, other than what was never set.
        return read_value(fields[number - 1]) if number <= len(fields) else Value("")

    # --- values ------------------------------------------------------------------------------------------------------

    def expression(self, text: str) -> Regex:
        found = self.expressions.get(text)
        if found is None:
            if (
                "{" in text
                or "}" in text
                or re.search(r"\\[^.\\/\"$^*+?()\[\]|&-]|\[[^]]*\\", text)
                or not text.isascii()
            ):
                raise Refused("an expression of awk", why=text)
            plain = text.replace("\\/", "/").replace('\\"', '"').replace("\\&", "&").replace("\\-", "-")
            node, groups = parse(plain, Dialect(_BYTES, extended=True))
            if plain and _has_nothing(node):
                raise Refused("an expression of awk with an empty part", why=text)
            found = self.expressions[text] = Regex(node, groups=groups, locale=_BYTES, work=self.work)
        return found

    def check(self, node: Node) -> None:
        """Read all expressions, whether they are come to or not: an error in one ends the program before it begins."""
        if node.kind == "regex":
            self.expression(node.text)
        for part in node.parts:
            self.check(part)

    def pattern(self, node: Node) -> Regex:
        return self.expression(node.text if node.kind == "regex" else self.value(node).text)

    def true(self, node: Node) -> bool:
        value = self.value(node)
        if value.doubtful:
            raise Refused("awk asks whether what might be a number is true", why=value.text)
        return value.text != "" if value.is_text else value.number != 0

    def compared(self, left: Value, right: Value) -> int:
        if left.is_text or right.is_text:
            for value in (left, right):
                if not value.text.isascii():
                    raise Refused("awk compares text beyond ASCII")
                if value.doubtful:
                    raise Refused("awk compares what might be a number", why=value.text)
            return (left.text > right.text) - (left.text < right.text)
        first, second = as_number(left), as_number(right)
        return (first > second) - (first < second)

    def value(self, node: Node) -> Value:
        """What an expression is."""
        self.work.spend(4)
        kind, parts = node.kind, node.parts
        if kind == "number":
            if "." in node.text:
                raise Refused("a number of awk", why=node.text)
            return number_of(int(node.text))
        if kind == "string":
            return Value(node.text)
        if kind == "regex":
            return number_of(int(self.expression(node.text).found(self.record)))
        if kind == "name":
            return self.variable(node.text)
        if kind == "field":
            return self.field(as_number(self.value(parts[0])))
        if kind == "group":
            return self.value(parts[0])
        if kind in {"and", "or"}:
            first_holds = self.true(parts[0])
            decides = first_holds == (kind == "or")
            return number_of(int(first_holds if decides else self.true(parts[1])))
        if kind == "not":
            return number_of(int(not self.true(parts[0])))
        if kind == "negative":
            return number_of(-as_number(self.value(parts[0])))
        if kind == "match":
            text = self.value(parts[0]).text
            return number_of(int(self.pattern(parts[1]).found(text) == (node.text == "~")))
        if kind == "compare":
            order = self.compared(self.value(parts[0]), self.value(parts[1]))
            return number_of(int(HOLDS[node.text](order)))
        if kind == "join":
            text = self.value(parts[0]).text + self.value(parts[1]).text
            self.process.budget.spend(len(text))
            return Value(text)
        if kind == "arithmetic":
            first, second = (as_number(self.value(part)) for part in parts)
            return number_of(calculated(node.text, first, second))
        if kind == "assign":
            return self.assigned(node)
        if kind == "step":
            before = as_number(self.value(parts[0]))
            self.put(parts[0], number_of(before + (1 if node.text == "++" else -1)))
            return number_of(before)
        return self.call(node)

    def variable(self, name: str) -> Value:
        if name in _UNREAD:
            raise Refused(f"{name} of awk")
        if name == "NF":
            return number_of(len(self.split()))
        if name in {"NR", "FNR"}:
            return number_of(self.count if name == "NR" else self.file_count)
        return Value(self.name) if name == "FILENAME" else self.variables.get(name, UNSET)

    def assigned(self, node: Node) -> Value:
        target, source = node.parts
        value = self.value(source)
        if node.text != "=":
            value = number_of(calculated(node.text[0], as_number(self.value(target)), as_number(value)))
        self.put(target, value)
        return value

    def put(self, target: Node, value: Value) -> None:
        """Assign to a variable or a field."""
        if target.kind == "name":
            if target.text in _FIXED or (target.text == "FS" and self.count):
                raise Refused(f"an assignment to {target.text} of awk")
            self.variables[target.text] = value
            return
        number = as_number(self.value(target.parts[0]))
        if number == 0:
            self.set_record(value.text)
            return
        fields = self.split()
        if not 0 < number <= len(fields) + 100:
            raise Refused("an assignment to a field of awk")
        fields += [""] * (number - len(fields))
        fields[number - 1] = value.text
        self.record = self.variables["OFS"].text.join(fields)
        self.process.budget.spend(len(self.record))

    def call(self, node: Node) -> Value:
        name, parts = node.text, node.parts
        if name in {"sub", "gsub"}:
            return self.substituted(node)
        if name == "int":
            return self.whole(parts[0])
        values = [self.value(part).text for part in parts] or [self.record]
        if not all(map(str.isascii, values)):
            raise Refused(f"{name} of awk with text beyond ASCII")
        if name == "length":
            return number_of(len(values[0]))
        if name == "index":
            return number_of(values[0].find(values[1]) + 1)
        if name in {"tolower", "toupper"}:
            return Value(values[0].lower() if name == "tolower" else values[0].upper())
        first = as_number(self.value(parts[1]))
        size = as_number(self.value(parts[2])) if len(parts) > 2 else len(values[0])
        if first < 1 or size < 0:
            raise Refused("substr of awk from before the start")
        return Value(values[0][first - 1 : first - 1 + size])

    def whole(self, node: Node) -> Value:
        """``int``, of a quotient too."""
        while node.kind == "group":
            node = node.parts[0]
        if node.kind != "arithmetic" or node.text != "/":
            return number_of(as_number(self.value(node)))
        first, second = (as_number(self.value(part)) for part in node.parts)
        if second == 0:
            raise Refused("a division of awk by nothing")
        quotient = abs(first) // abs(second)
        return number_of(quotient if (first < 0) == (second < 0) else -quotient)

    def substituted(self, node: Node) -> Value:
        """``sub`` and ``gsub``."""
        target = node.parts[2] if len(node.parts) > 2 else Node("field", (Node("number", (), "0"),))
        if target.kind not in {"name", "field"}:
            raise Refused("sub of awk on a value")
        expression = self.pattern(node.parts[0])
        replacement = self.value(node.parts[1]).text
        if "\\" in replacement or expression.whole(""):
            raise Refused("sub of awk with a backslash, or of nothing", why=replacement)
        text = self.value(target).text
        found: list[str] = []
        start = count = 0
        while (count == 0 or node.text == "gsub") and (span := expression.search(text, start)) is not None:
            if span[0] == span[1]:
                raise Refused("sub of awk of nothing")
            count += 1
            matched = text[span[0] : span[1]]
            found += [text[start : span[0]], replacement.replace("&", matched)]
            self.process.budget.spend(len(found[-1]))
            start = span[1]
        if count:
            self.put(target, Value("".join(found) + text[start:]))
        return number_of(count)


def _has_nothing(node: Expression) -> bool:
    """Whether a part of an expression is empty, which is an error for mawk."""
    if isinstance(node, Sequence | Alternatives):
        return not node.parts or any(map(_has_nothing, node.parts))
    return _has_nothing(node.node) if isinstance(node, Group | Repeat) else False


def _options(process: Process) -> tuple[dict[str, Value], list[str]]:
    """Variables that options assign, and the other words."""
    variables: dict[str, Value] = {}
    words = list(reversed(process.arguments))
    while words:
        word = words.pop()
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            words.append(word)
            break
        option, value = word[1], word[2:]
        if option not in "Fv" or (not value and not words):
            raise Refused("an option of awk", why=word)
        value = value or words.pop()
        if option == "F":
            if value in {"t", ""}:
                raise Refused("a separator of awk", why=value)
            variables["FS"] = Value(string(value, value))
            continue
        if not _ASSIGNMENT.match(value):
            raise Refused("an option of awk", why=word)
        name, _, value = value.partition("=")
        if name in _FIXED:
            raise Refused(f"an assignment to {name} of awk")
        variables[name] = read_value(string(value, value))
    return variables, list(reversed(words))


def awk(process: Process) -> int:
    """``awk`` and ``mawk``. Raises Refused."""
    if {name for name in process.environment if name.startswith(("MAWK", "WHINY", "POSIXLY"))}:
        raise Refused("awk with variables that change how it works")
    variables, words = _options(process)
    if not words:
        raise Refused("awk without a program")
    if any(_ASSIGNMENT.match(word) for word in words[1:]):
        raise Refused("awk with an assignment for a file")
    run = _Awk(process, parsed(words[0]), Work(process.budget))
    run.variables |= variables
    for rule in run.rules:
        for node in (rule.when, rule.action):
            if isinstance(node, Node):
                run.check(node)
    return run.run(words[1:])


PROGRAMS: dict[str, Program] = {"awk": awk, "mawk": awk}
