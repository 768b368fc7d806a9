"""Draws calls of programs that work on text, for tests/proofs/text.py."""

import random
from dataclasses import dataclass

from tests.proofs.text_pools import (
    AWK,
    AWK_PATTERNS,
    AWK_TEXTS,
    BASIC,
    CHARACTERS,
    EXTENDED,
    FIXED,
    GREP_OPTIONS,
    SCRIPTS,
    SCRIPTS_EXTENDED,
    SETS,
    TEXTS,
)

_LOCALES = ("C.UTF-8", "C.UTF-8", "C.UTF-8", "C")
_PLACES = ("one", "one", "one", "two", "two", "link", "d/three", "hard", "d/link")
_FAILING = ("none", "d", "dangling", "one/x", "d/")


@dataclass(frozen=True)
class Call:
    """A call of a program. A character of a word is a byte."""

    program: str
    words: tuple[str, ...]
    locale: str
    source: int
    """Which of TEXTS is the standard input, and what is in the files one and two."""
    one: int
    two: int


class Draw:
    """Draws parts of a call."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def one(self, *choices: str) -> str:
        """One of several."""
        return self.rng.choice(choices)

    def some(self, part: float) -> bool:
        """Whether something that happens in this part of all cases does."""
        return self.rng.random() < part

    def files(self) -> list[str]:
        """Operands."""
        found = self.rng.choices(_PLACES, k=self.rng.choice((0, 0, 1, 1, 1, 2, 3)))
        if self.some(0.05):
            found.insert(self.rng.randint(0, len(found)), self.one(*_FAILING))
        if self.some(0.03):
            found.append("-")
        return found

    # --- regular expressions -----------------------------------------------------------------------------------------

    def pattern(self, *, extended: bool) -> str:
        """A regular expression."""
        if self.some(0.3):
            return self.one(*(EXTENDED if extended else BASIC))
        text = self._alternatives(extended, 0)
        if self.some(0.25):
            text = "^" + text
        if self.some(0.2):
            text += "$"
        return text

    def _alternatives(self, extended: bool, depth: int) -> str:  # noqa: FBT001
        bar = "|" if extended else "\\|"
        number = self.rng.choices((1, 2, 3), (85, 12, 3))[0]
        return bar.join(self._sequence(extended, depth) for _ in range(number))

    def _sequence(self, extended: bool, depth: int) -> str:  # noqa: FBT001
        number = self.rng.choices((0, 1, 2, 3, 4), (2, 30, 35, 23, 10))[0]
        return "".join(self._piece(extended, depth) for _ in range(number))

    def _piece(self, extended: bool, depth: int) -> str:  # noqa: FBT001
        kind = self.rng.random()
        if kind < 0.04:
            return self.one("\\<", "\\>", "\\b", "\\b", "^", "$")
        if kind < 0.18 and depth < 2:
            inside = self._alternatives(extended, depth + 1)
            atom = f"({inside})" if extended else f"\\({inside}\\)"
        elif kind < 0.34:
            atom = self.one(*SETS)
        elif kind < 0.5:
            atom = self.one(".", ".", ".", "\\s", "\\S", "\\w", "\\W")
        else:
            atom = self.one(*CHARACTERS)
            if extended:
                atom = "x" if atom == "{" else atom
        if self.some(0.35):
            atom += self.rng.choices(self._repeats(extended), (50, 12, 12, 4, 4, 3, 2, 2))[0]
        return atom

    @staticmethod
    def _repeats(extended: bool) -> tuple[str, ...]:  # noqa: FBT001
        if extended:
            return ("*", "+", "?", "{2}", "{1,}", "{1,2}", "{0,1}", "**")
        return ("*", "\\+", "\\?", "\\{2\\}", "\\{1,\\}", "\\{1,2\\}", "\\{0,1\\}", "**")

    # --- grep --------------------------------------------------------------------------------------------------------

    def grep(self) -> tuple[str, list[str]]:
        """A call of grep."""
        program = self.rng.choices(("grep", "egrep", "fgrep"), (90, 7, 3))[0]
        words: list[str] = []
        extended = program == "egrep"
        fixed = program == "fgrep"
        if program == "grep":
            kind = self.rng.choices(("", "-E", "-F", "-G"), (60, 25, 12, 3))[0]
            extended, fixed = kind == "-E", kind == "-F"
            words += [kind] if kind else []
        for _ in range(self.rng.choice((0, 1, 1, 2, 2, 3))):
            words.append(self.one(*GREP_OPTIONS))
        patterns = [
            self.one(*FIXED) if fixed or self.some(0.1) else self.pattern(extended=extended)
            for _ in range(self.rng.choices((1, 2, 3), (92, 6, 2))[0])
        ]
        operands = self.files()
        if len(patterns) > 1 or self.some(0.12):
            for pattern in patterns:
                words += [self.one("-e", "--regexp"), pattern] if self.some(0.7) else [f"-e{pattern}"]
        elif self.some(0.02):
            words += ["-f", "two"]
        else:
            operands.insert(0, patterns[0])
        if self.some(0.05):
            words.append("--")
        if self.some(0.1):
            words, operands = operands[:1], [*words, *operands[1:]]
        return program, [*words, *operands]

    # --- sed ---------------------------------------------------------------------------------------------------------

    def sed(self) -> tuple[str, list[str]]:
        """A call of sed."""
        extended = self.some(0.3)
        words = [self.one("-E", "-r", "--regexp-extended")] if extended else []
        if self.some(0.3):
            words.append(self.one("-n", "-n", "-n", "--quiet"))
        edits = self.some(0.35)
        if edits:
            words.append(self.one("-i", "-i", "-i", "-i.bak", "--in-place", "-i_old", "--in-place=~"))
        if self.some(0.05):
            words.append("-s")
        self.rng.shuffle(words)
        if words and self.some(0.1) and len(words[0]) == 2 and len(words) > 1 and words[1].startswith("-i"):
            words[:2] = [words[0] + words[1][1:]] if not words[1].startswith("--") else words[:2]
        files = self.files()
        if edits:
            files = files or ["one"]
        scripts = [self.script(extended=extended) for _ in range(self.rng.choice((1, 1, 1, 1, 2, 3)))]
        if len(scripts) > 1 or self.some(0.4):
            for script in scripts:
                words += [f"-e{script}"] if self.some(0.1) else ["-e", script]
            if self.some(0.1):
                words, files = files, words
            return "sed", [*words, *files]
        return "sed", [*words, scripts[0], *files]

    def script(self, *, extended: bool) -> str:
        """A script of sed."""
        if self.some(0.25):
            return self.one(*(SCRIPTS_EXTENDED if extended and self.some(0.5) else SCRIPTS))
        number = self.rng.choices((1, 2, 3, 4), (75, 17, 5, 3))[0]
        return self.one(";", "; ", "\n").join(self.command(extended, 0) for _ in range(number))

    def command(self, extended: bool, depth: int) -> str:  # noqa: FBT001
        """A command of sed with its addresses."""
        address = self.addresses(extended) if self.some(0.45) else ""
        kind = self.rng.random()
        if kind < 0.62:
            return f"{address}{self.substitution(extended)}"
        if kind < 0.7 and depth < 2:
            inside = "; ".join(self.command(extended, depth + 1) for _ in range(self.rng.randint(1, 3)))
            return f"{address}{{{inside}{self.one(';', ' ;', chr(10))}}}"
        if kind < 0.78:
            text = self.one("text", "  text", "two\\\nlines", "tab\\there", "a\\\\b", "new\\nline", "x=1 # no", "é", "")
            form = self.one(f" {text}", f"\\\n{text}", f"\\{text}", text)
            return f"{address}{self.one('a', 'i', 'c')}{form}\n"
        if kind < 0.8:
            return f"{address}r {self.one('two', 'none', 'd/three', 'one')}\n"
        if kind < 0.82:
            return f"{address}y/{self.one('abc/xyz', 'o/0', 'aé/éa', ':/' + chr(92) + 'n', 'ab/ba')}/"
        if kind < 0.84:
            return f"{address}q{self.one('', '', ' 3', '1')}"
        if kind < 0.86:
            return f":x;{self.substitution(extended).rstrip('gpI0123')};tx"
        return address + self.one(
            "p", "d", "d", "d", "p", "n", "N", "G", "H", "h", "x", "g", "=", "P", "D", "b", "t", "$!N", "$!d", "!p",
            "T", "n;d", "N;P;D", "{p;d}", "H;x",
        )  # fmt: skip

    def addresses(self, extended: bool) -> str:  # noqa: FBT001
        """Which lines."""
        text = self.address(extended)
        if self.some(0.3):
            text += self.one(",", ",", ", ") + (
                self.address(extended) if self.some(0.8) else self.one("+1", "+2", "~2", "~3")
            )
        if self.some(0.2):
            text += self.one("!", " !", "! ")
        return text + self.one("", "", " ")

    def address(self, extended: bool) -> str:  # noqa: FBT001
        """A line, or several."""
        kind = self.rng.random()
        if kind < 0.45:
            pattern = self.pattern(extended=extended).replace("\n", "")
            if self.some(0.2) and "," not in pattern and "|" not in pattern:
                return f"\\{(mark := self.one(',', '|', '#'))}{pattern.replace(mark, '')}{mark}"
            return f"/{self.quoted(pattern, '/')}/{self.one('', '', '', '', 'I')}"
        if kind < 0.6:
            return "$"
        if kind < 0.65:
            return self.one("1~2", "0~3", "2~2", "0,/a/", "0,/^root/", "//")
        return self.one("1", "1", "2", "3", "4", "10")

    @staticmethod
    def quoted(pattern: str, delimiter: str) -> str:
        """A pattern with delimiters quoted."""
        return pattern.replace("\\" + delimiter, delimiter).replace(delimiter, "\\" + delimiter)

    def substitution(self, extended: bool) -> str:  # noqa: FBT001
        """The command s."""
        delimiter = self.rng.choices("/|,#:@%!_&", (60, 15, 8, 5, 3, 3, 2, 2, 2, 3))[0]
        pattern = self.pattern(extended=extended).replace("\n", "") if self.some(0.97) else ""
        groups = pattern.count("(") if extended else pattern.count("\\(")
        parts = [
            "",
            "x",
            "&",
            "[&]",
            " ",
            "foo",
            "\\n",
            "\\t",
            "\\&",
            "#",
            "a b",
            "=",
            "é",
            "\\/",
            "$",
            "^",
            '"',
            "\\\n",
            ".",
            "*",
        ]
        parts += [f"\\{number}" for number in range(1, min(groups, 9) + 1)] * 3
        replacement = "".join(self.rng.choices(parts, k=self.rng.choice((0, 1, 1, 2, 3))))
        if delimiter == "/" or self.some(0.5):
            pattern, replacement = self.quoted(pattern, delimiter), self.quoted(replacement, delimiter)
        flags = self.rng.choices(("", "g", "p", "gp", "2", "I", "3g", "gI", "w"), (45, 30, 8, 4, 4, 4, 2, 2, 1))[0]
        return f"s{delimiter}{pattern}{delimiter}{replacement}{delimiter}{flags}"

    # --- awk ---------------------------------------------------------------------------------------------------------

    def awk(self) -> tuple[str, list[str]]:
        """A call of awk."""
        words: list[str] = []
        if self.some(0.35):
            separator = self.one(":", ":", "=", "\\t", ",", " ", "|", "[ :]", ": *", ";", "[.]", "/", ", ")
            words += ["-F", separator] if self.some(0.5) else [f"-F{separator}"]
        if self.some(0.15):
            words += ["-v", self.one("v=foo", "v=2", "v=", "v=a b", "v=^r", "v=02", "v=x\\ty")]
        program = self.one(*AWK) if self.some(0.3) else self.one("\n", "; ", " ").join(
            self.rule() for _ in range(self.rng.choice((1, 1, 1, 2, 3)))
        )  # fmt: skip
        return "awk", [*words, program, *self.files()]

    def rule(self) -> str:
        """A rule of awk."""
        kind = self.rng.random()
        if kind < 0.1:
            return f"{self.one('BEGIN', 'END')} {self.block()}"
        when = self.condition() if kind < 0.7 else ""
        return f"{when} {self.block()}" if self.some(0.85) or not when else when

    def block(self) -> str:
        """An action."""
        number = self.rng.choice((1, 1, 1, 2, 2, 3))
        return self.one("{{ {} }}", "{{{}}}").format(
            self.one("; ", "\n", ";").join(self.statement() for _ in range(number))
        )

    def statement(self) -> str:
        """A statement of awk."""
        kind = self.rng.random()
        if kind < 0.45:
            values = [self.expression() for _ in range(self.rng.choice((0, 1, 1, 1, 2, 3)))]
            return "print " + self.one(", ", ",", " ").join(values)
        if kind < 0.52:
            form = self.one("%s\\n", "%d %s\\n", "%5s|\\n", "%-5s|%s\\n", "%03d\\n", "%%\\n", "x\\n")
            values = [self.expression() for _ in range(form.count("%") if "%%" not in form else 0)]
            return ", ".join([f'printf "{form}"', *values])
        if kind < 0.7:
            return self.one("x", "y", "n", "$2", "$1", "$0", "n") + self.one("=", "=", " = ", "+=") + self.expression()
        if kind < 0.75:
            return self.one("n++", "n--", "x++")
        if kind < 0.83:
            target = self.one("", "", ", x", ", $2", ", $1")
            what = f"/{self.regex()}/" if self.some(0.7) else self.one('"foo"', '":"', '"LANG="', '"a"')
            return f"{self.one('sub', 'gsub')}({what}, {self.one('', ' ')}{self.one(*AWK_TEXTS)}{target})"
        if kind < 0.9:
            other = f" else {self.statement()}" if self.some(0.3) else ""
            body = self.block() if self.some(0.5) else self.statement() + (";" if other else "")
            return f"if ({self.condition()}) {body}{other}"
        return self.one("exit", "exit 1", "next", "exit n", "print", "print $0")

    def condition(self) -> str:
        """What is true or false."""
        kind = self.rng.random()
        if kind < 0.4:
            return f"/{self.regex()}/"
        if kind < 0.6:
            return f"{self.expression()} {self.one('~', '!~', '~')} {self.one(f'/{self.regex()}/', 'v', 'x')}"
        if kind < 0.85:
            operator = self.one("==", "==", "!=", "<", ">", ">=", "<=")
            return f"{self.expression()} {operator} {self.expression()}"
        if kind < 0.93:
            return f"{self.condition()} {self.one('&&', '||')} {self.condition()}"
        return self.one(
            "NR==1", "NF", "x", "!x", "NR>1", "n", "!n", "$1", "(NR==2)", "NF>2", f"!/{self.regex()}/", "NR % 2 == 0"
        )

    def expression(self) -> str:
        """A value."""
        return self.one(
            "$1", "$1", "$2", "$2", "$3", "$NF", "$0", "NF", "NR", "x", "y", "n", "v", "0", "1", "2", "10", *AWK_TEXTS,
            '$1 "-" $2', "n+1", "$(NF-1)", "length($1)", "length", 'index($0, "o")', "substr($1, 2)",
            "substr($0, 1, 3)", "toupper($1)", "FNR", "FILENAME", "$1 $2",
            "n * 2", "-1", "$9", "tolower($0)", "(NR + 1)", "$2 + 1", "-n",
        )  # fmt: skip

    def regex(self) -> str:
        """A regular expression of awk."""
        if self.some(0.5):
            return self.one(*AWK_PATTERNS)
        text = self.pattern(extended=True)
        for taken in ("\\w", "\\W", "\\s", "\\S", "\\b", "\\<", "\\>", "\\n", "é"):
            text = text.replace(taken, "a")
        return self.quoted(text, "/")


def drawn(rng: random.Random, program: str = "") -> Call:
    """A call, of `program` or any."""
    draw = Draw(rng)
    makers = {"grep": draw.grep, "sed": draw.sed, "awk": draw.awk}
    name, words = makers[program or rng.choice(sorted(makers))]()
    encoded = tuple(word.encode().decode("latin-1") for word in words)
    texts = range(len(TEXTS))
    return Call(name, encoded, rng.choice(_LOCALES), rng.choice(texts), rng.choice(texts), rng.choice(texts))
