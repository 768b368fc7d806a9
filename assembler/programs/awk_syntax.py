"""The part of awk's language that scripts of packages use, read as mawk 1.3.4 does (POSIX.1-2017, awk).

Rules with ``BEGIN``, ``END``, expressions or nothing before their actions; ``print``, ``printf``, ``if``, ``exit``,
``next``, expressions without arrays and functions of their own. The rest is refused.
"""

import re
from dataclasses import dataclass, field

from assembler.shell.streams import Refused

_MAX_DEPTH = 30
_MAX_HEIGHT = 60
"""How far expressions and statements may be in one another."""
_WORDS = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_NUMBERS = re.compile(r"[0-9]+(\.[0-9]+)?")
_OPERATORS = (
    "&&", "||", "==", "!=", "<=", ">=", "!~", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "**", ">>",
    *"{}()[];,+-*/%^!<>|?:~$=",
)  # fmt: skip
_KEYWORDS = frozenset({
    "BEGIN", "END", "if", "else", "while", "for", "do", "break", "continue", "next", "nextfile", "exit", "return",
    "delete", "function", "in", "getline", "print", "printf",
})  # fmt: skip
FUNCTIONS = {
    "length": (0, 1), "sub": (2, 3), "gsub": (2, 3), "index": (2, 2), "substr": (2, 3), "tolower": (1, 1),
    "toupper": (1, 1), "int": (1, 1),
}  # fmt: skip
"""How many arguments functions may have."""
_UNKNOWN = frozenset({
    "split", "match", "sprintf", "system", "close", "fflush", "srand", "rand", "sin", "cos", "atan2", "exp",
    "log", "sqrt", "systime", "mktime", "strftime", "gensub",
})  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "/": "/"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a program: its kind is ``number``, ``string``, ``regex``, ``name``, ``newline``, ``end``, or itself."""

    kind: str
    text: str = ""


@dataclass(slots=True)
class Node:
    """An expression or a statement: what it is, what it is made of, and its text."""

    kind: str
    parts: tuple["Node", ...] = ()
    text: str = ""
    height: int = field(init=False, compare=False, default=1)

    def __post_init__(self) -> None:
        height = 1 + max((part.height for part in self.parts), default=0)
        if height > _MAX_HEIGHT:
            raise Refused("a program of awk with too much in one another")
        self.height = height


@dataclass(frozen=True, slots=True)
class Rule:
    """When (``BEGIN``, ``END``, or an expression, None for always) and what (None for printing the record)."""

    when: str | Node | None
    action: Node | None


def parsed(program: str) -> list[Rule]:
    """The rules of a program. Raises Refused."""
    return _Parser(_tokens(program), program).rules()


def string(text: str, what: str) -> str:
    """Text with the escapes of a string taken away. Raises Refused for those that are not plain."""
    found: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\":
            char = _ESCAPES.get(text[at : at + 1], "")
            at += 1
            if not char:
                raise Refused("an unusual escape in awk", why=what)
        found.append(char)
    return "".join(found)


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in " \t\r":
            at += 1
        elif text.startswith("\\\n", at):
            at += 2
        elif char == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif char == "\n":
            found.append(Token("newline"))
            at += 1
        elif char == '"':
            end = _closed(text, at, '"')
            found.append(Token("string", string(text[at + 1 : end], text)))
            at = end + 1
        elif char == "/" and (not found or found[-1].kind not in {"number", "string", "name", ")", "$", "++", "--"}):
            end = _closed(text, at, "/")
            found.append(Token("regex", text[at + 1 : end]))
            at = end + 1
        elif (word := _WORDS.match(text, at)) is not None:
            name = word.group()
            at = word.end()
            if name in _UNKNOWN:
                raise Refused(f"{name} of awk", why=_line(text, at))
            called = text.startswith("(", at) and name not in _KEYWORDS and name not in FUNCTIONS
            if called:
                raise Refused("a function of awk's own", why=_line(text, at))
            found.append(Token(name if name in _KEYWORDS or name in FUNCTIONS else "name", name))
        elif (number := _NUMBERS.match(text, at)) is not None:
            found.append(Token("number", number.group()))
            at = number.end()
            if text[at : at + 1].isalpha() or text.startswith(".", at):
                raise Refused("an unusual number in awk", why=_line(text, at))
        else:
            operator = next((operator for operator in _OPERATORS if text.startswith(operator, at)), None)
            if operator is None:
                raise Refused(f"{char!r} in awk", why=_line(text, at))
            found.append(Token(operator))
            at += len(operator)
    return [*found, Token("end")]


def _closed(text: str, start: int, delimiter: str) -> int:
    at = start + 1
    while at < len(text) and text[at] not in {delimiter, "\n"}:
        if delimiter == "/" and text[at] == "[" and "/" in text[at:].partition("]")[0]:
            raise Refused("a slash in brackets in awk", why=_line(text, start))
        at += 2 if text[at] == "\\" else 1
    if not text.startswith(delimiter, at):
        raise Refused("a string of awk that does not end", why=_line(text, start))
    return at


def _line(text: str, at: int) -> str:
    """The line of a program with what is at `at`."""
    begin = text.rfind("\n", 0, at) + 1
    return text[begin:].partition("\n")[0].strip()


class _Parser:
    def __init__(self, tokens: list[Token], text: str) -> None:
        self.tokens = tokens
        self.text = text
        self.at = 0
        self.depth = 0

    def refused(self, what: str) -> Refused:
        return Refused(f"a program of awk with {what}", why=self.text[:200])

    @property
    def kind(self) -> str:
        return self.tokens[self.at].kind

    def take(self, *kinds: str) -> Token | None:
        if self.kind not in kinds:
            return None
        self.at += 1
        return self.tokens[self.at - 1]

    def need(self, kind: str) -> Token:
        token = self.take(kind)
        if token is None:
            raise self.refused(f"{self.kind} instead of {kind}")
        return token

    def skip(self, *kinds: str) -> None:
        while self.take(*kinds):
            pass

    def rules(self) -> list[Rule]:
        found: list[Rule] = []
        self.skip("newline", ";")
        while self.kind != "end":
            when: str | Node | None = None
            if word := self.take("BEGIN", "END"):
                when = word.kind
            elif self.kind != "{":
                when = self.expression()
                if self.kind == ",":
                    raise self.refused("a range of records")
            start = self.at
            action = self.block() if self.kind == "{" else None
            if isinstance(when, str) and any(token.kind == "next" for token in self.tokens[start : self.at]):
                raise self.refused(f"next in {when}")
            if action is None and isinstance(when, str):
                raise self.refused("nothing to do")
            found.append(Rule(when, action))
            if action is None and self.kind not in {"end", "newline", ";"}:
                raise self.refused(f"{self.kind} after a rule")
            self.skip("newline", ";")
        return found

    def block(self) -> Node:
        self.need("{")
        statements: list[Node] = []
        self.skip("newline", ";")
        while not self.take("}"):
            statements.append(self.statement())
            self.skip("newline", ";")
        return Node("block", tuple(statements))

    def statement(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.refused("too much in one another")
        try:
            if self.kind == "{":
                return self.block()
            if self.take("if"):
                return self.condition()
            return self.ended(self.simple())
        finally:
            self.depth -= 1

    def condition(self) -> Node:
        self.need("(")
        parts = [self.expression()]
        self.need(")")
        self.skip("newline")
        parts.append(self.statement())
        start = self.at
        self.skip("newline")
        if self.take("else"):
            self.skip("newline")
            parts.append(self.statement())
        else:
            self.at = start
        return Node("if", tuple(parts))

    def ended(self, node: Node) -> Node:
        if self.kind not in {"newline", ";", "}"}:
            raise self.refused(f"{self.kind} after a statement")
        self.take("newline", ";")
        return node

    def simple(self) -> Node:
        if word := self.take("print", "printf"):
            parts: list[Node] = []
            if self.kind not in {"newline", ";", "}"}:
                parts = self.printed()
            if word.kind == "printf" and not parts:
                raise self.refused("a printf of nothing")
            return Node(word.kind, tuple(parts))
        if self.take("next"):
            return Node("next")
        if self.take("exit"):
            return Node("exit", () if self.kind in {"newline", ";", "}"} else (self.expression(),))
        return Node("do", (self.expression(),))

    def printed(self) -> list[Node]:
        """What print prints; with a parenthesis at its start it may be either a list or an expression."""
        start = self.at
        if self.take("("):
            parts = [self.expression()]
            while self.take(","):
                parts.append(self.expression())
            self.need(")")
            if self.kind in {"newline", ";", "}"}:
                return parts
            if len(parts) > 1:
                raise self.refused(f"{self.kind} after a list")
            self.at = start
        parts = [self.expression(plain=True)]
        while self.take(","):
            parts.append(self.expression(plain=True))
        return parts

    # --- expressions, from those that bind least ---------------------------------------------------------------------

    def expression(self, *, plain: bool = False) -> Node:
        """An expression; a `plain` one has no ``>``, which leads to a file."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.refused("too much in one another")
        node = self.either(plain=plain)
        if operator := self.take("=", "+=", "-="):
            if node.kind not in {"name", "field"}:
                raise self.refused("an assignment to a value")
            node = Node("assign", (node, self.expression(plain=plain)), operator.kind)
        elif self.kind in {"?", "*=", "/=", "%=", "^=", "|", ">>", "in", "getline"} or (plain and self.kind == ">"):
            raise self.refused(f"the operator {self.kind}")
        self.depth -= 1
        return node

    def either(self, *, plain: bool) -> Node:
        node = self.both(plain=plain)
        while self.take("||"):
            self.skip("newline")
            node = Node("or", (node, self.both(plain=plain)))
        return node

    def both(self, *, plain: bool) -> Node:
        node = self.match(plain=plain)
        while self.take("&&"):
            self.skip("newline")
            node = Node("and", (node, self.match(plain=plain)))
        return node

    def match(self, *, plain: bool) -> Node:
        node = self.comparison(plain=plain)
        while operator := self.take("~", "!~"):
            node = Node("match", (node, self.comparison(plain=plain)), operator.kind)
        return node

    def comparison(self, *, plain: bool) -> Node:
        node = self.concatenation()
        if operator := self.take("==", "!=", "<=", ">=", "<", *(() if plain else (">",))):
            node = Node("compare", (node, self.concatenation()), operator.kind)
        return node

    def concatenation(self) -> Node:
        node = self.sum()
        while self.kind in {"number", "string", "name", "$", "(", *FUNCTIONS}:
            node = Node("join", (node, self.sum()))
        return node

    def sum(self) -> Node:
        node = self.product()
        while operator := self.take("+", "-"):
            node = Node("arithmetic", (node, self.product()), operator.kind)
        return node

    def product(self) -> Node:
        node = self.unary()
        while operator := self.take("*", "%", "/"):
            node = Node("arithmetic", (node, self.unary()), operator.kind)
        if self.kind in {"^", "**"}:
            raise self.refused(f"the operator {self.kind}")
        return node

    def unary(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.refused("too much in one another")
        node = self.signed()
        self.depth -= 1
        return node

    def signed(self) -> Node:
        if self.take("!"):
            # It binds less than the operators that would come here, so only what cannot be taken otherwise is read.
            node = Node("not", (self.unary(),))
            if self.kind in {"~", "!~", "==", "!=", "<", ">", "<=", ">=", "+", "-", "*", "%"}:
                raise self.refused("a ! before an operator")
            return node
        if self.take("-"):
            return Node("negative", (self.unary(),))
        return self.postfix()

    def postfix(self) -> Node:
        node = self.primary()
        if operator := self.take("++", "--"):
            if node.kind not in {"name", "field"}:
                raise self.refused("an assignment to a value")
            return Node("step", (node,), operator.kind)
        return node

    def primary(self) -> Node:
        if self.take("("):
            node = self.expression()
            self.need(")")
            return Node("group", (node,))
        if self.take("$"):
            if self.kind == "$":
                raise self.refused("a field by a field")
            return Node("field", (self.primary(),))
        if token := self.take("number", "string", "regex", "name"):
            if token.kind == "name" and self.kind == "[":
                raise self.refused("an array")
            return Node(token.kind, (), token.text)
        if token := self.take(*FUNCTIONS):
            return self.call(token.kind)
        raise self.refused(f"an unexpected {self.kind}")

    def call(self, name: str) -> Node:
        parts: list[Node] = []
        low, high = FUNCTIONS[name]
        if self.take("("):
            if self.kind != ")":
                parts.append(self.expression())
                while self.take(","):
                    parts.append(self.expression())
            self.need(")")
        if not low <= len(parts) <= high:
            raise self.refused(f"a {name} of something else")
        return Node("call", tuple(parts), name)
