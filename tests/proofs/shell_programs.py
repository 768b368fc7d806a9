"""Programs for a shell, drawn at random by a grammar that is weighted as maintainer scripts are."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

_SHOWN = 'while read a; do echo "<$a>"; done'


_SHOW = 'show() { printf \'<%s>\' "$#" "$@"; echo; }\n'
_OPERATORS = ("+", "-", "*", "/", "%", "<", "<=", ">", "==", "!=", "&", "|", "^", "&&", "||", "<<")
_FORMATS = ("'[%s]\\n'", "'%s-%s;'", "%d", '"%5s|%-4s|"')
_SEPARATORS = (":", "' :'", "''", '" "')
_EVALUATED = ("echo $a", '"b=$a"', "'echo $x'", "false", "set -e")
_LINES = ("a b c", " lead  trail ", "a:b:c", "x\\y z", "$a $b", "\\\nq")
_PATHS = ("one", "d", "nofile", "d/.hidden", "two.c", "$a", '""')
_NUMBERS = ("1", "$#", "3", '"$b"')
_DELIMITERS = ("END", "'END'")


@dataclass
class Program:
    """Draws a program."""

    rng: random.Random
    depth: int = 0
    loops: int = 0
    functions: list[str] = field(default_factory=list)

    def pick(self, *choices: tuple[int, Callable[[], str]]) -> str:
        """One of these, by weight."""
        weights = [weight for weight, _ in choices]
        return self.rng.choices([make for _, make in choices], weights)[0]()

    def one(self, *texts: str) -> str:
        """One of these."""
        return self.rng.choice(texts)

    # --- words -------------------------------------------------------------------------------------------------------

    def name(self) -> str:
        """The name of a variable."""
        return self.one("a", "b", "c", "x", "list")

    def literal(self) -> str:
        """Text that is quoted."""
        return self.one(
            "foo",
            "bar",
            "-n",
            "x y",
            "",
            "a:b:c",
            "*",
            "?",
            "[ab]*",
            "one",
            "two.c",
            "d/*",
            "*.c",
            "d/three.c",
            "1",
            "0",
            "07",
            "10",
            "a\\tb",
            "--",
            "é",
            "~",
            "%s",
            "a*b",
            "=",
            "!",
            "$",
            "\\",
            "#",
            "d",
            "/",
            "nope/*",
            "  lead",
            "trail  ",
            "1.2-3",
            "-e",
            "-x",
            "a\nb",
            "[!a]*",
            "[[:alpha:]]*",
            "[a-c]x",
            "x]",
            "{a,b}",
            ":",
            "a::b",
            ":a",
            "/usr/bin",
        )

    def plain(self) -> str:
        """An unquoted word without anything special."""
        return self.one(
            "foo", "bar", "one", "two.c", "*", "*.c", "d/*", "?", "1", "2", "a:b", "-n", "d", "nope*", "[ot]*", "x=1"
        )

    def single(self) -> str:
        """In single quotes."""
        return "'" + self.literal().replace("'", "") + "'"

    def double(self) -> str:
        """In double quotes."""
        parts = [self.inner() for _ in range(self.rng.choice((0, 1, 1, 2, 3)))]
        return '"' + "".join(parts) + '"'

    def inner(self) -> str:
        """A part of what is in double quotes."""
        return self.pick(
            (4, lambda: self.one("foo", " ", "a b", "*", "\\$x", "\\\\", "'", "\\a", "~", '\\"', ":", "#", "=")),
            (5, lambda: self.parameter(quoted=True)),
            (1, self.substitution),
            (1, self.arithmetic),
        )

    def parameter(self, *, quoted: bool) -> str:
        """An expansion of a parameter."""
        name = self.pick(
            (6, self.name),
            (2, lambda: self.one("1", "2", "3", "4", "5")),
            (2, lambda: self.one("@", "*")),
            (1, lambda: self.one("#", "?")),
        )
        if self.rng.random() < 0.5:
            return f"${name}" if self.rng.random() < 0.7 else f"${{{name}}}"
        operator = self.one("-", ":-", "+", ":+", "=", ":=", "%", "%%", "#", "##", "length", ":-", "%", "?", ":?")
        if operator == "length":
            return f"${{#{name}}}"
        if name in "?#@*" and operator[-1] in "%#=?":
            operator = ":-"
        if operator[-1] in "%#":
            operand = self.one(
                "*", "?", "a*", "*b", "o", "*.", ".*", ":*", "*:", "'*'", "[a-f]*", "$x", '"$b"', "/*", "*/", "\\*", ""
            )
        elif quoted:
            operand = self.one(
                "foo",
                "",
                "a b",
                "$a",
                "${b:-z}",
                "'q'",
                "*",
                "\\$",
                "x\\}y",
                '"$a"',
                '"a  *"',
                'q "${b} ${x}" r',
                '"a}b"',
                "$-",
            )
        else:
            operand = self.one(
                "foo", "", "a b", "$a", '"$b"', "'q r'", '"$@"', "*.c", "${b:-z}", '"a  b"', "$x$a", "\\*"
            )
        return f"${{{name}{operator}{operand}}}"

    def substitution(self) -> str:
        """The output of a command."""
        if self.depth > 3:
            return "x"
        self.depth += 1
        inner = self.pick(
            (3, lambda: f"echo {self.words(2)}"),
            (1, lambda: "cat one"),
            (1, lambda: f"printf '%s\\n' {self.words(2)}"),
            (1, lambda: self.block(1)),
            (1, lambda: "false"),
            (1, lambda: f"exit {self.rng.choice((0, 1, 3))}"),
            (1, lambda: f"echo {self.word()} | cat"),
            (1, lambda: "printf 'a b\\n\\n\\n'"),
        )
        self.depth -= 1
        if self.rng.random() < 0.25 and not set(inner) & set("`\\$\"'"):
            return f"`{inner}`"
        return f"$({inner})" if not inner.startswith("(") else f"$( {inner})"

    def arithmetic(self) -> str:
        """The value of an expression."""
        return f"$(({self.expression(2)}))"

    def expression(self, depth: int) -> str:
        """An expression of so many levels."""
        if not depth:
            return self.one("1", "2", "0", "7", "010", "0x1f", "a", "$#", "-3", "x", "100", "c")
        left, right = self.expression(depth - 1), self.expression(depth - 1)
        return self.pick(
            (
                5,
                lambda: f"{left} {self.one(*_OPERATORS)} {right}",
            ),
            (1, lambda: f"({left})"),
            (1, lambda: f"!{left}"),
            (1, lambda: f"{left} ? {right} : 5"),
            (1, lambda: f"{self.name()} {self.one('=', '+=', '-=')} {right}"),
            (1, lambda: left),
        )

    def word(self) -> str:
        """A word of one part or more."""
        parts = [self.part() for _ in range(self.rng.choice((1, 1, 1, 1, 2, 2, 3)))]
        return "".join(parts)

    def part(self) -> str:
        """A part of a word."""
        return self.pick(
            (5, self.plain),
            (2, self.single),
            (5, self.double),
            (5, lambda: self.parameter(quoted=False)),
            (1, self.substitution),
            (1, self.arithmetic),
            (1, lambda: self.one("\\*", "\\ ", "\\$", "\\a", "~", "~/x", "\\\n")),
            (1, lambda: self.one('"$@"', '"$*"', "$@", "$*", '"${@}"', '${1+"$@"}')),
        )

    def words(self, most: int = 3) -> str:
        """Words, perhaps none."""
        return " ".join(self.word() for _ in range(self.rng.randint(0, most)))

    # --- commands ----------------------------------------------------------------------------------------------------

    def simple(self) -> str:
        """A simple command."""
        return self.pick(
            (3, lambda: f"echo {self.words()}"),
            (5, lambda: f"show {self.words()}"),
            (
                3,
                lambda: f"printf {self.one(*_FORMATS)} {self.words()}",
            ),
            (6, lambda: f"{self.name()}={self.word()}"),
            (1, lambda: f"{self.name()}={self.word()} {self.name()}={self.word()}"),
            (3, self.test),
            (1, lambda: self.one("true", "false", ":", ": ${x:=def}")),
            (2, lambda: f"set -- {self.words()}"),
            (1, lambda: "set --"),
            (1, lambda: f"set {self.one('-e', '+e', '-u', '+u', '-f', '+f', '-eu', '-C', '+C', '-o noclobber', '-a')}"),
            (1, lambda: 'show "$-"'),
            (1, lambda: self.one("shift", "shift || true", "[ $# = 0 ] || shift")),
            (
                1,
                lambda: f"IFS={self.one(*_SEPARATORS)}; echo {self.words()}; unset IFS",
            ),
            (1, lambda: f"unset {self.name()}"),
            (1, lambda: f"export {self.name()}={self.word()}"),
            (
                1,
                lambda: f"eval {self.one(*_EVALUATED)}",
            ),
            (1, self.reading),
            (
                1,
                lambda: (
                    f"cat {self.one('one', 'nofile', '')} {self.one('', '2>/dev/null', '</dev/null')}"
                    if self.rng.random() < 0.8
                    else "cat two.c one"
                ),
            ),
            (1, lambda: f"{self.name()}={self.word()} {self.one('cat one', 'eval echo $a', 'echo $a', ':')}"),
            (
                1,
                lambda: self.one(
                    "command -v cat",
                    "command -v nosuch",
                    "nosuch",
                    "command echo hi",
                    "command false",
                    "nosuch 2>/dev/null || echo no",
                    "command -v echo",
                ),
            ),
            (1, lambda: self.one("exit", f"exit {self.rng.choice((0, 1, 2, 7))}", "return 0", "return")),
            (
                1,
                lambda: self.one(
                    "trap 'echo bye' EXIT", "trap - EXIT", "trap 'x=1' 0", "trap 'exit 4' EXIT", "trap '' INT"
                ),
            ),
            (
                1,
                lambda: self.one(
                    ". ./two.c; echo $x",
                    ". ./nofile",
                    ". ./one",
                    "cd d",
                    "cd nodir",
                    "umask 027",
                    "cd d; cat three.c",
                    "umask",
                    "readonly c",
                    "read a",
                    "local a",
                ),
            ),
            (2 if self.functions else 0, lambda: f"{self.rng.choice(self.functions)} {self.words(2)}"),
            (1 if self.loops else 0, lambda: self.one("break", "continue", "break 2", "[ $# = 0 ] && break")),
        )

    def reading(self) -> str:
        """Something that reads lines."""
        names = " ".join(self.name() for _ in range(self.rng.randint(1, 3)))
        raw = self.one("", "-r ")
        return self.pick(
            (1, lambda: f"read {raw}{names} <one; echo $?"),
            (1, lambda: f"while read {raw}{names}; do {self.block(1)}; done <one"),
            (
                1,
                lambda: f"read {raw}{names} <<END\n{self.one(*_LINES)}\nEND\necho {names}",
            ),
            (
                1,
                lambda: (
                    f"printf '{self.one('a b c', 'a:b::c:', ' x ', 'no')}' | while IFS={self.one(*_SEPARATORS)}"
                    f' read {raw}{names} || [ -n "$a" ]; do echo "[${names.split()[-1]}]"; a=; done'
                ),
            ),
            (
                1,
                lambda: (
                    f"IFS=: read {raw}{names} <<END\n{self.one('a:b:c', ':a', 'a::b:', 'a : b : c ', '')}\nEND\n"
                    f'for i in {names}; do eval echo "[\\$$i]"; done'
                ),
            ),
        )

    def test(self) -> str:
        """A question to test."""
        operand = self.word if self.rng.random() < 0.4 else self.double
        inner = self.pick(
            (3, lambda: f"{operand()} {self.one('=', '!=')} {operand()}"),
            (3, lambda: f"{self.one('-n', '-z')} {operand()}"),
            (
                2,
                lambda: f"{self.one('-e', '-f', '-d', '-s', '-x', '-r', '-L')} {self.one(*_PATHS)}",
            ),
            (
                2,
                lambda: (
                    f"{self.one('1', '$#', '$a', '02', '-1')} {self.one('-eq', '-ne', '-lt', '-ge')} "
                    f"{self.one(*_NUMBERS)}"
                ),
            ),
            (1, lambda: f"{operand()}"),
            (1, lambda: f"! {self.one('-n', '-z', '-e')} {operand()}"),
            (
                1,
                lambda: (
                    f"{self.one('-n', '-z')} {self.double()} {self.one('-a', '-o')} {self.double()} = {self.double()}"
                ),
            ),
        )
        return f"[ {inner} ]" if self.rng.random() < 0.8 else f"test {inner}"

    def redirected(self, command: str) -> str:
        """A command with a redirection."""
        return (
            command
            + " "
            + self.one(
                ">out",
                ">>out",
                "2>/dev/null",
                ">/dev/null 2>&1",
                ">&2",
                ">d/new",
                ">nodir/x",
                "<one",
                "<nofile",
                "2>&1",
                ">$a",
                '>"$x"',
                "3>out >&3",
                ">out 2>&1",
                ">&-",
            )
        )

    def command(self) -> str:
        """A command of any kind."""
        if self.depth > 2:
            return self.simple()
        self.depth += 1
        made = self.pick(
            (12, self.simple),
            (2, lambda: self.redirected(self.simple())),
            (2, lambda: f"{self.command()} {self.one('&&', '||')} {self.command()}"),
            (2, lambda: f"if {self.condition()}; then {self.block(2)}; {self.otherwise()}fi"),
            (1, lambda: f"for {self.name()} in {self.words()}; do {self.looped()}; done"),
            (1, lambda: f"for {self.name()}; do {self.looped()}; done"),
            (1, lambda: f"i=0; while [ $i -lt {self.rng.randint(0, 3)} ]; do i=$((i+1)); {self.looped()}; done"),
            (1, lambda: f"until {self.one('true', 'echo once', '[ -n x ]')}; do {self.looped()}; done"),
            (2, self.case),
            (1, lambda: f"( {self.block(2)} )"),
            (1, lambda: f"{{ {self.block(2)}; }}{self.one('', ' >out', ' 2>/dev/null', ' | cat', ' <one')}"),
            (1, lambda: f"! {self.simple()}"),
            (1, lambda: f"{self.simple()} | {self.one('cat', 'read a', _SHOWN, self.simple())}"),
            (1, self.function),
            (1, self.document),
        )
        self.depth -= 1
        return made

    def otherwise(self) -> str:
        """Other branches of an if."""
        return self.one("", f"else {self.block(1)}; ", f"elif {self.condition()}; then {self.block(1)}; ")

    def condition(self) -> str:
        """A condition."""
        return self.pick(
            (4, self.test),
            (1, lambda: self.one("true", "false", "! false", "command -v nosuch >/dev/null")),
            (1, self.command),
            (1, lambda: f"{self.test()} {self.one('&&', '||')} {self.test()}"),
        )

    def looped(self) -> str:
        """The body of a loop."""
        self.loops += 1
        made = self.block(2)
        self.loops -= 1
        return made

    def case(self) -> str:
        """A case."""
        arms = []
        for _ in range(self.rng.randint(1, 3)):
            pattern = self.one(
                "foo",
                "*",
                "a*",
                "'*'",
                "foo|bar",
                "[a-f]*",
                "$a",
                '"$a"',
                "*.c",
                "?",
                "''",
                "-*",
                "configure",
                "\\*",
                "a\\ b",
                "*:*",
                "[!a]*",
                "1|2",
            )
            arms.append(f"{self.one('', '(')}{pattern}) {self.one(self.block(1), '', self.block(1))} ;;")
        return f"case {self.word()} in {' '.join(arms)} esac"

    def function(self) -> str:
        """A function, and a call of it."""
        name = self.one("f", "g", "fail")
        before, self.functions = self.functions, []
        loops, self.loops = self.loops, 0
        body = self.block(2)
        self.functions, self.loops = before, loops
        if name not in self.functions:
            self.functions.append(name)
        local = self.one("", "local a; ", 'local x="$1"; ', "local a=$2 b; ")
        leave = self.one("", "; return 3", "; return", "; return $#")
        return f"{name}() {{ {local}{body}{leave}; }}; {name} {self.words(2)}"

    def document(self) -> str:
        """A here-document."""
        body = "".join(
            self.one(
                "text $a\n",
                "plain\n",
                '"quoted" $x\n',
                "$(echo sub) `echo old`\n",
                '\\$a \\\\ \\"\n',
                "\ttab ${b:-none}\n",
                "$((1+2))\n",
                "it's\n",
                "cont\\\n",
            )
            for _ in range(self.rng.randint(0, 3))
        )
        start = f"cat {self.one('', '>out ')}<<{self.one('-', '')}{self.one(*_DELIMITERS)}"
        return f"{start}\n{body}END\necho {self.word()}"

    def block(self, most: int) -> str:
        """Commands one after the other."""
        return self.one("; ", "\n").join(self.command() for _ in range(self.rng.randint(1, most)))


def drawn(rng: random.Random) -> str:
    """A program."""
    lines = [rng.choice(("set -e", "set -e", "", "set -eu"))]
    program = Program(rng)
    lines += [program.command() for _ in range(rng.randint(1, 5))]
    return _SHOW + "\n".join(line for line in lines if line) + "\n" + rng.choice(("", "echo end $?\n"))
