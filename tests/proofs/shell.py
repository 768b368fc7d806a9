"""Compare the shell that scripts are carried out with, with a real dash, program by program.

Programs are drawn at random by a grammar that is weighted as maintainer scripts are; each is carried out by the assembler
on a tree in memory, and by dash in an empty directory. What they print, their exit status and the files that they leave
have to be the same. What is refused is counted. With --record the first programs, and what dash made of them, are written
to tests/shell/data/dash.jsonl, which a quick test reads.

    scripts/shell [--seed N] [--number N] [--record]
"""

import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from assembler.shell.evaluate import INITIAL, Shell, parsed
from assembler.shell.process import Process
from assembler.shell.state import State, World
from assembler.shell.streams import NOWHERE, Budget, Pipe, Refused
from assembler.tree.staging import Kind, Tree
from tests.support.command import ROOT, arguments
from tests.support.toolboxes import ALL, own_tools

RECORDED = ROOT / "tests" / "shell" / "data" / "dash.jsonl"
_ARGUMENTS = ("configure", "", "a b", "*.c")
_FILES = {
    "one": "first line\nsecond  line\n\ttabbed\n",
    "two.c": "x=1\ny='a b'\n",
    "d/three.c": "no newline",
    "d/.hidden": "",
}
_SECONDS = 5
_SHOWN = 'while read a; do echo "<$a>"; done'


@dataclass(frozen=True)
class Result:
    """What became of a program."""

    status: int
    output: str
    files: dict[str, str]


@dataclass
class Program:
    """Draws a program."""

    rng: random.Random
    depth: int = 0
    loops: int = 0
    functions: list[str] = field(default_factory=list)

    def pick(self, *choices: tuple[int, Callable[[], str]]) -> str:
        weights = [weight for weight, _ in choices]
        return self.rng.choices([make for _, make in choices], weights)[0]()

    def one(self, *texts: str) -> str:
        return self.rng.choice(texts)

    # --- words -------------------------------------------------------------------------------------------------------

    def name(self) -> str:
        return self.one("a", "b", "c", "x", "list")

    def literal(self) -> str:
        return self.one(
            "foo", "bar", "-n", "x y", "", "a:b:c", "*", "?", "[ab]*", "one", "two.c", "d/*", "*.c", "d/three.c", "1", "0", "07",
            "10", "a\\tb", "--", "é", "~", "%s", "a*b", "=", "!", "$", "\\", "#", "d", "/", "nope/*", "  lead", "trail  ",
            "1.2-3", "-e", "-x", "a\nb", "[!a]*", "[[:alpha:]]*", "[a-c]x", "x]", "{a,b}", ":", "a::b", ":a", "/usr/bin",
        )  # fmt: skip

    def plain(self) -> str:
        """An unquoted word without anything special."""
        return self.one(
            "foo", "bar", "one", "two.c", "*", "*.c", "d/*", "?", "1", "2", "a:b", "-n", "d", "nope*", "[ot]*", "x=1"
        )

    def single(self) -> str:
        return "'" + self.literal().replace("'", "") + "'"

    def double(self) -> str:
        parts = [self.inner() for _ in range(self.rng.choice((0, 1, 1, 2, 3)))]
        return '"' + "".join(parts) + '"'

    def inner(self) -> str:
        return self.pick(
            (4, lambda: self.one("foo", " ", "a b", "*", "\\$x", "\\\\", "'", "\\a", "~", '\\"', ":", "#", "=")),
            (5, lambda: self.parameter(quoted=True)),
            (1, lambda: self.substitution(quoted=True)),
            (1, self.arithmetic),
        )

    def parameter(self, *, quoted: bool) -> str:
        name = self.pick(
            (6, self.name), (2, lambda: self.one("1", "2", "3", "4", "5")), (2, lambda: self.one("@", "*")), (1, lambda: self.one("#", "?")),
        )  # fmt: skip
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
            operand = self.one("foo", "", "a b", "$a", "${b:-z}", "'q'", "*", "\\$", "x\\}y")
        else:
            operand = self.one(
                "foo", "", "a b", "$a", '"$b"', "'q r'", '"$@"', "*.c", "${b:-z}", '"a  b"', "$x$a", "\\*"
            )
        return f"${{{name}{operator}{operand}}}"

    def substitution(self, *, quoted: bool = False) -> str:
        if self.depth > 3:
            return "x"
        self.depth += 1
        inner = self.pick(
            (3, lambda: f"echo {self.words(2)}"), (1, lambda: "cat one"), (1, lambda: f"printf '%s\\n' {self.words(2)}"),
            (1, lambda: self.block(1)), (1, lambda: "false"), (1, lambda: f"exit {self.rng.choice((0, 1, 3))}"),
            (1, lambda: f"echo {self.word()} | cat"), (1, lambda: "printf 'a b\\n\\n\\n'"),
        )  # fmt: skip
        self.depth -= 1
        if self.rng.random() < 0.25 and not set(inner) & set("`\\$\"'"):
            return f"`{inner}`"
        return f"$({inner})" if not inner.startswith("(") else f"$( {inner})"

    def arithmetic(self) -> str:
        return f"$(({self.expression(2)}))"

    def expression(self, depth: int) -> str:
        if not depth:
            return self.one("1", "2", "0", "7", "010", "0x1f", "a", "$#", "-3", "x", "100", "c")
        left, right = self.expression(depth - 1), self.expression(depth - 1)
        return self.pick(
            (
                5,
                lambda: (
                    f"{left} {self.one('+', '-', '*', '/', '%', '<', '<=', '>', '==', '!=', '&', '|', '^', '&&', '||', '<<')} {right}"
                ),
            ),
            (1, lambda: f"({left})"),
            (1, lambda: f"!{left}"),
            (1, lambda: f"{left} ? {right} : 5"),
            (1, lambda: f"{self.name()} {self.one('=', '+=', '-=')} {right}"),
            (1, lambda: left),
        )

    def word(self) -> str:
        parts = [self.part() for _ in range(self.rng.choice((1, 1, 1, 1, 2, 2, 3)))]
        return "".join(parts)

    def part(self) -> str:
        return self.pick(
            (5, self.plain), (2, self.single), (5, self.double), (5, lambda: self.parameter(quoted=False)),
            (1, self.substitution), (1, self.arithmetic), (1, lambda: self.one("\\*", "\\ ", "\\$", "\\a", "~", "~/x", "\\\n")),
        )  # fmt: skip

    def words(self, most: int = 3) -> str:
        return " ".join(self.word() for _ in range(self.rng.randint(0, most)))

    # --- commands ----------------------------------------------------------------------------------------------------

    def simple(self) -> str:
        return self.pick(
            (6, lambda: f"echo {self.words()}"),
            (
                3,
                lambda: (
                    f"printf {self.one(chr(39) + '[%s]' + chr(92) + 'n' + chr(39), chr(39) + '%s-%s;' + chr(39), '%d', chr(34) + '%5s|%-4s|' + chr(34))} {self.words()}"
                ),
            ),
            (6, lambda: f"{self.name()}={self.word()}"),
            (1, lambda: f"{self.name()}={self.word()} {self.name()}={self.word()}"),
            (3, self.test),
            (1, lambda: self.one("true", "false", ":", ": ${x:=def}")),
            (2, lambda: f"set -- {self.words()}"),
            (1, lambda: f"set {self.one('-e', '+e', '-u', '+u', '-f', '+f', '-eu')}"),
            (1, lambda: self.one("shift", "shift || true", "[ $# = 0 ] || shift")),
            (
                1,
                lambda: (
                    f"IFS={self.one(':', chr(39) + ' :' + chr(39), chr(39) * 2, chr(34) + ' ' + chr(34))}; echo {self.words()}; unset IFS"
                ),
            ),
            (1, lambda: f"unset {self.name()}"),
            (1, lambda: f"export {self.name()}={self.word()}"),
            (
                1,
                lambda: (
                    f"eval {self.one('echo $a', chr(34) + 'b=$a' + chr(34), chr(39) + 'echo $x' + chr(39), 'false', 'set -e')}"
                ),
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
        names = " ".join(self.name() for _ in range(self.rng.randint(1, 3)))
        raw = self.one("", "-r ")
        return self.pick(
            (1, lambda: f"read {raw}{names} <one; echo $?"),
            (1, lambda: f"while read {raw}{names}; do {self.block(1)}; done <one"),
            (
                1,
                lambda: (
                    f"read {raw}{names} <<END\n{self.one('a b c', ' lead  trail ', 'a:b:c', 'x' + chr(92) + 'y z', '$a $b', chr(92) + chr(10) + 'q')}\nEND\necho {names}"
                ),
            ),
            (
                1,
                lambda: (
                    f'printf \'{self.one("a b c", "a:b::c:", " x ", "no")}\' | while IFS={self.one(":", "", chr(39) + " :" + chr(39))} read {raw}{names} || [ -n "$a" ]; do echo "[${names.split()[-1]}]"; a=; done'
                ),
            ),
            (
                1,
                lambda: (
                    f'IFS=: read {raw}{names} <<END\n{self.one("a:b:c", ":a", "a::b:", "a : b : c ", "")}\nEND\nfor i in {names}; do eval echo "[\\$$i]"; done'
                ),
            ),
        )

    def test(self) -> str:
        operand = self.word if self.rng.random() < 0.4 else self.double
        inner = self.pick(
            (3, lambda: f"{operand()} {self.one('=', '!=')} {operand()}"),
            (3, lambda: f"{self.one('-n', '-z')} {operand()}"),
            (2, lambda: f"{self.one('-e', '-f', '-d', '-s', '-x', '-r', '-L')} {self.one('one', 'd', 'nofile', 'd/.hidden', 'two.c', '$a', chr(34) * 2)}"),
            (2, lambda: f"{self.one('1', '$#', '$a', '02', '-1')} {self.one('-eq', '-ne', '-lt', '-ge')} {self.one('1', '$#', '3', chr(34) + '$b' + chr(34))}"),
            (1, lambda: f"{operand()}"),
            (1, lambda: f"! {self.one('-n', '-z', '-e')} {operand()}"),
            (1, lambda: f"{self.one('-n', '-z')} {self.double()} {self.one('-a', '-o')} {self.double()} = {self.double()}"),
        )  # fmt: skip
        return f"[ {inner} ]" if self.rng.random() < 0.8 else f"test {inner}"

    def redirected(self, command: str) -> str:
        return command + " " + self.one(
            ">out", ">>out", "2>/dev/null", ">/dev/null 2>&1", ">&2", ">d/new", ">nodir/x", "<one", "<nofile", "2>&1", ">$a", '>"$x"', "3>out >&3", ">out 2>&1", ">&-",
        )  # fmt: skip

    def command(self) -> str:
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
        return self.one("", f"else {self.block(1)}; ", f"elif {self.condition()}; then {self.block(1)}; ")

    def condition(self) -> str:
        return self.pick(
            (4, self.test), (1, lambda: self.one("true", "false", "! false", "command -v nosuch >/dev/null")), (1, self.command),
            (1, lambda: f"{self.test()} {self.one('&&', '||')} {self.test()}"),
        )  # fmt: skip

    def looped(self) -> str:
        self.loops += 1
        made = self.block(2)
        self.loops -= 1
        return made

    def case(self) -> str:
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
        return f"cat {self.one('', '>out ')}<<{self.one('-', '')}{self.one('END', chr(39) + 'END' + chr(39))}\n{body}END\necho {self.word()}"

    def block(self, most: int) -> str:
        return self.one("; ", "\n").join(self.command() for _ in range(self.rng.randint(1, most)))


def drawn(rng: random.Random) -> str:
    """A program."""
    lines = [rng.choice(("set -e", "set -e", "", "set -eu"))]
    program = Program(rng)
    lines += [program.command() for _ in range(rng.randint(1, 5))]
    return "\n".join(line for line in lines if line) + "\n" + rng.choice(("", "echo end $?\n"))


# --- both ways -------------------------------------------------------------------------------------------------------


def evaluated(text: str) -> Result:
    """What the assembler makes of a program. Raises Refused."""
    tree, budget = Tree(), Budget()
    for path, content in _FILES.items():
        tree.write(f"/w/{path}", content.encode(), parents=True)
    tree.write("/usr/bin/cat", b"", 0o755, parents=True)
    output = Pipe(budget)
    world = World(tree, budget, lambda name, _path: {"cat": _cat}.get(name))
    variables = {**INITIAL, "PATH": "/usr/bin", "HOME": "/root"}
    state = State(
        world, variables, {"PATH", "HOME"}, arguments=list(_ARGUMENTS), name="script",
        streams={0: NOWHERE, 1: output, 2: NOWHERE}, directory="/w",
    )  # fmt: skip
    status = Shell(state).script(parsed(text))
    files = {
        path.removeprefix("/w/"): tree.read(path).decode("latin-1")
        for path, inode in tree.walk("/w")
        if inode.kind is Kind.FILE
    }
    return Result(status, output.data.decode("latin-1"), files)


def _cat(process: Process) -> int:
    status = 0
    for name in process.arguments or ["-"]:
        if name == "-":
            process.print(process.read().decode("latin-1"))
        elif process.tree.is_file(process.place(name)):
            process.print(process.tree.read(process.place(name)).decode("latin-1"))
        else:
            if process.complains:
                raise Refused("a message of cat is read")
            status = 1
    return status


def real(text: str, dash: Sequence[str]) -> Result | None:
    """What dash makes of a program; None when it does not come to an end, or says what this machine is like."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for path, content in _FILES.items():
            (directory / path).parent.mkdir(exist_ok=True)
            (directory / path).write_text(content)
        script = Path(f"{name}.sh")
        script.write_bytes(text.encode("latin-1"))
        try:
            done = subprocess.run(
                [*dash, str(script), *_ARGUMENTS], cwd=directory, env={"PATH": "/usr/bin", "HOME": "/root"}, timeout=_SECONDS,
                stdin=subprocess.DEVNULL, capture_output=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None
        finally:
            script.unlink()
        files = {
            str(path.relative_to(directory)): path.read_bytes().decode("latin-1")
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }
    # A pattern that came to look at the root of this machine.
    return None if b"/proc" in done.stdout else Result(done.returncode, done.stdout.decode("latin-1"), files)


def differences(found: Result, expected: Result) -> Iterator[str]:
    """What differs, a line each."""
    if found.status != expected.status:
        yield f"--- status {found.status}, really {expected.status}"
    if found.output != expected.output:
        yield f"--- prints {found.output!r}\n    really {expected.output!r}"
    for path in sorted(found.files.keys() | expected.files.keys()):
        if found.files.get(path) != expected.files.get(path):
            yield f"--- {path}: {found.files.get(path)!r}\n    really {expected.files.get(path)!r}"


def programs(seed: int) -> Iterator[str]:
    """Programs of a seed, without end."""
    rng = random.Random(seed)  # noqa: S311  no secret
    while True:
        yield drawn(rng).encode("utf-8").decode("latin-1")


def main() -> int:
    """Compare, and tell what differs; returns the exit status."""
    parser = arguments("shell", __doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=3000)
    parser.add_argument("--record", action="store_true", help="write what the quick test compares with")
    options = parser.parse_args()
    dash = own_tools(ALL).command("dash")
    counts: Counter[str] = Counter()
    recorded: list[str] = []
    for text in islice(programs(options.seed), options.number):
        expected = real(text, dash)
        if expected is None:
            counts["not to be compared"] += 1
            continue
        try:
            found = evaluated(text)
        except Refused as error:
            counts[f"refused: {error.what}"] += 1
            continue
        counts["evaluated"] += 1
        recorded.append(json.dumps([text, expected.status, expected.output, expected.files]))
        if found != expected:
            counts["different"] += 1
            print(f"--- different\n{text}", *differences(found, expected), "", sep="\n")
    if options.record:
        RECORDED.write_text("".join(f"{each}\n" for each in recorded))
    for name, count in sorted(counts.items()):
        print(f"{count:6} {name}")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
