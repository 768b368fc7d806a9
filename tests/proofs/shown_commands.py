"""Commands that print about files and text, drawn at random as maintainer scripts have them."""

import random
import re
import shlex
from collections.abc import Callable, Sequence

_FILES = (
    "a", "b", "empty", "p", "p", "sp", "num", "dup", "kv", "odd", "ver", "many", "'sp ace'", "d", "none", "la",
    "dang", "./-x",
    "-", "/dev/null", "none/x", "a/x", "a/", "ld/f.conf", "loop", ".hid", "lslash", "a/.", "a/..", "/w/a", "''",
    "chain",
)  # fmt: skip
_PATHS = (
    "a", "b", "d", "d/", "ld", "ld/", "la", "la/", "dang", "dang/", "none", "none/", "none/x", "none/x/", "a/x",
    "a/", "a/.", "a/..",
    "d/..", "ld/..", "abs", "abs/..", "abs/../..", "loop", "loop/", "loop/x", "far", "lslash", "ldang", "ldang/x",
    "chain", ".", "..",
    "/", "//", "///w", "/w//d/./sub", "d/sub/back", "d/sub/back/up", "d/up", "''", "'sp ace'", ".hid", "d/sub/.k",
    "dup", "kv", "odd",
    "ver", "sg", "e", "/etc/passwd", "/tmp", "./-x", "ld/none", "ld/sub/g.conf", "../w/a", "none/../a", "e/../none",
    "dang/..", "empty",
)  # fmt: skip
_NAMES = (
    "/a/b.conf", "a", "a/", "/", "//", "///", "a//b//", "/usr/lib/x.so", ".", "..", "./a", "''", "a.conf", ".conf",
    "/a", "//a", "a/.",
    "'b c'", "-x", "/a/b/", "x/y/z.txt", "/etc//init.d/x", "é", "///a///",
)  # fmt: skip
_LISTS = (
    "1", "1", "1", "2", "2", "3", "1,3", "2-", "-2", "1-3", "2-3,5", "3,1", "1-1", "0", "", "x", "3-2", "1,,2",
    "1-2-3", "-", "7", "6-",
    "'1 3'", "1,2,3-", "2,2,1-2",
)  # fmt: skip
_COUNTS = (
    "1",
    "1",
    "1",
    "2",
    "3",
    "0",
    "5",
    "10",
    "29",
    "100",
    "-1",
    "-2",
    "-0",
    "-40",
    "+1",
    "+2",
    "+3",
    "+0",
    "+50",
    "x",
    "''",
    "1k",
)
_PRINTED = ("x y", "a:b:c", "A=1", "one\\ntwo", "q\\n", "", "\\n\\n", "3.4.5-1\\n")
_SETS = (
    "a-z", "A-Z", "'[:upper:]'", "'[:lower:]'", "'\\n'", "' '", "'[a-z]'", "'[A-Z]'", ",", "':'", "abc", "xyz",
    "'[:space:]'",
    "'[:alnum:]'", "'[:punct:]'", "'[:digit:]'", "0-9", "'\\012'", "'\\0'", "'\\t '", "''", "-", "_", "a-",
    "'[:print:]'", "z-a",
    "'\\-x'", "aab", "'\\\\'", "'[:blank:]'", "'[:cntrl:]'", "'[:xdigit:]'", "'[:alpha:]'", "'[:nope:]'", "'[a*]'",
    "'\\r'",
)  # fmt: skip
_KEYS = (
    "-k1",
    "-k2",
    "-k 2,2",
    "-k1,1",
    "-k2n",
    "-k 2nr",
    "-k1.2",
    "-k1.2,1.3",
    "-k2b,2",
    "-k 1,1r",
    "-k3,3",
    "-k0",
    "-k2,1",
    "-k1V",
    "-k1b",
)
_SORTED = ("a", "num", "dup", "kv", "ver", "p", "sp", "many", "empty", "b", "none", "odd", "-")
_TOKENS = (
    "1",
    "2",
    "0",
    "-1",
    "+",
    "-",
    "'*'",
    "/",
    "%",
    "'('",
    "')'",
    "=",
    "'|'",
    "'&'",
    "'<'",
    "a",
    "''",
    "length",
    "index",
    "substr",
    "abc",
)
_OPERANDS = (
    "1",
    "2",
    "0",
    "10",
    "-3",
    "007",
    "abc",
    "''",
    "b",
    "00",
    "-0",
    "a.b",
    "3.5",
    "-",
    "-a",
    "12345678901234567890",
    "x",
    "é",
)
_OPERATORS = ("+", "-", "'*'", "/", "%", "'<'", "'<='", "=", "==", "!=", "'>='", "'>'", "'|'", "'&'", "+", "-", ":")
_INTEGERS = ("1", "2", "3", "5", "0", "-1", "-2", "10", "12", "01", "1.5", "x", "100")
_USERS = (
    "root",
    "man",
    "mail",
    "daemon",
    "nogrp",
    "none",
    "0",
    "6",
    "8",
    "77",
    "same",
    "nobody",
    "12345",
    "''",
    "4",
    "+6",
    "66",
)
_GROUPS = ("root", "man", "mail", "more", "staff", "none", "0", "12", "4", "44", "50", "nogroup", "99", "''", "sys")

_PROGRAMS = (
    "cat", "head", "tail", "wc", "cut", "uniq", "tee", "basename", "dirname", "readlink", "realpath", "mktemp",
    "stat",
    "getent", "id", "groups", "whoami", "tr", "sort", "sort", "expr", "seq", "ls", "digest",
)  # fmt: skip


class _Draw:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def one(self, texts: Sequence[str]) -> str:
        return self.rng.choice(texts)

    def some(self, texts: Sequence[str], weights: Sequence[int] = (0, 1, 1, 1, 2, 3)) -> str:
        return " ".join(self.rng.choices(texts, k=self.rng.choice(weights)))

    def options(self, texts: Sequence[str]) -> str:
        return " ".join(self.rng.sample(texts, k=min(len(texts), self.rng.choice((0, 0, 1, 1, 1, 2)))))

    def fed(self, command: str) -> str:
        """A command with something for its standard input."""
        source = self.one(("a", "b", "empty", "p", "sp", "num", "dup", "kv", "many", "odd"))
        return self.rng.choices(
            (
                command,
                f"{command} <{source}",
                f"cat {source} {self.one(('b', 'num', ''))} | {command}",
                f"printf '{self.one(_PRINTED)}' | {command}",
                f"echo {self.one(('a b c', 'x:y', '', 'UPPER lower', '-n', '1,2,3'))} | {command}",
                f"{{ {command}; cat; }} <{source}",
                f"{command} <&- ",
            ),
            (8, 4, 3, 3, 3, 1, 0),
        )[0]

    # --- programs ----------------------------------------------------------------------------------------------------

    def cat(self) -> str:
        return self.fed(f"cat {self.options(('-u', '--'))} {self.some(_FILES)}")

    def ends(self, name: str) -> str:
        count = self.one(_COUNTS)
        number = self.rng.choice(
            (f"-n {count}", f"-n{count}", f"-n {count}", f"-c {count}", f"--lines={count}", "", f"-c{count}")
        )
        if self.rng.random() < 0.25:
            number = self.one(("-1", "-2", "-10", "-5", "-0"))
        return self.fed(f"{name} {number} {self.options(('-q', '-v', '--quiet'))} {self.some(_FILES)}")

    def head(self) -> str:
        return self.ends("head")

    def tail(self) -> str:
        return self.ends("tail")

    def wc(self) -> str:
        return self.fed(f"wc {self.options(('-l', '-l', '-w', '-c', '-m', '--lines', '-lw'))} {self.some(_FILES)}")

    def cut(self) -> str:
        unit = self.one(("-f", "-f", "-f", "-f", "-c", "-b", "--fields="))
        space = self.one(("", " ")) if not unit.endswith("=") else ""
        numbers = self.one(_LISTS) or "''"
        delimiter = self.one(
            ("-d:", "-d:", "-d :", "-d=", "'-d '", "-d' '", "-d,", "-d ab", "", "--delimiter=/", "-d.", "-d\\;")
        )
        more = self.options(("-s", "--output-delimiter=X", "--complement", "--output-delimiter=", "--only-delimited"))
        return self.fed(f"cut {delimiter} {unit}{space}{numbers} {more} {self.some(_FILES, (0, 0, 1, 1, 2))}")

    def uniq(self) -> str:
        return self.fed(f"uniq {self.options(('-c', '-d', '-u'))} {self.some(_FILES, (0, 1, 1))}")

    def tee(self) -> str:
        return self.fed(f"tee {self.options(('-a',))} {self.some((*_PATHS, 'new', 'e/new', 'sg/new'), (0, 1, 1, 2))}")

    def basename(self) -> str:
        names = (*_NAMES, ".conf", ".so", "b.conf", "f")
        options = self.options(("-a", "-s .conf", "-z", "--", "--suffix=.so"))
        return f"basename {options} {self.some(names, (0, 1, 1, 1, 2, 2, 3))}"

    def dirname(self) -> str:
        return f"dirname {self.options(('-z', '--'))} {self.some(_NAMES)}"

    def readlink(self) -> str:
        options = self.options(("-f", "-f", "-e", "-m", "-n", "-q", "-v", "-z"))
        return f"readlink {options} {self.some(_PATHS)}"

    def realpath(self) -> str:
        options = self.options(("-e", "-m", "-s", "-q", "--canonicalize-existing"))
        return f"realpath {options} {self.some(_PATHS)}"

    def mktemp(self) -> str:
        template = self.one(
            (
                "",
                "x.XXXXXX",
                "e/y.XXX",
                "sg/t.XXXXXXXX",
                "none/t.XXXX",
                "/tmp/foo.XXXXXXXXXX",
                "x.XX",
                "x",
                "e/y.XXXXXX.z",
            )
        )
        options = self.options(
            ("-d", "-u", "-q", "-t", "-p e", "-p none", "--tmpdir", "--tmpdir=sg", "-p ''", "--suffix=.c")
        )
        before = self.one(("", "", "TMPDIR=e ", "TMPDIR= ", "TMPDIR=/w/sg/ ", "umask 077; ", "umask 377; "))
        return f"{before}mktemp {options} {template}"

    def stat(self) -> str:
        form = self.one(
            (
                "%a",
                "%u",
                "%g",
                "%U",
                "%G",
                "%U:%G",
                "%a %u:%g %n",
                "%F",
                "%s",
                "%A",
                "%f",
                "%%a%n",
                "x",
                "%i",
                "%04a",
                "%",
                "a%",
            )
        )
        form = self.rng.choice(
            (
                f"-c '{form}'",
                f"-c '{form}'",
                f"--format='{form}'",
                f"-c{shlex.quote(form)}",
                "--printf='" + form + "\\n'",
            )
        )
        return f"stat {self.options(('-L', '--dereference'))} {form} {self.some(_PATHS)}"

    def getent(self) -> str:
        if self.rng.random() < 0.5:
            return f"getent passwd {self.some(_USERS, (0, 1, 1, 1, 1, 2))}"
        return f"getent group {self.some(_GROUPS, (0, 1, 1, 1, 1, 2))}"

    def id(self) -> str:
        options = self.options(("-u", "-g", "-G", "-n", "-un", "-gn", "-Gn", "-r", "-ru"))
        return f"id {options} {self.some(_USERS, (0, 1, 1, 1, 2))}"

    def groups(self) -> str:
        return f"groups {self.some(_USERS, (0, 1, 1, 2))}"

    def whoami(self) -> str:
        return f"whoami {self.some(_USERS, (0, 0, 0, 1))}"

    def programs(self) -> dict[str, Callable[[], str]]:
        return {name: getattr(self, name) for name in _PROGRAMS if hasattr(self, name)}


def _more(draw: _Draw) -> dict[str, Callable[[], str]]:
    """Programs that calculate."""
    one, rng = draw.one, draw.rng

    def tr() -> str:
        options = draw.options(("-d", "-s", "-c", "-t", "-C", "-cd", "-ds", "--delete"))
        return draw.fed(f"tr {options} {' '.join(rng.choices(_SETS, k=rng.choice((1, 1, 2, 2, 2, 2))))}")

    def sort() -> str:
        options = draw.options(("-u", "-r", "-n", "-V", "-f", "-b", "-s", "-nr", "-rn", "-c", "-uV", "-o new", "-o a"))
        keys = one(("", "", "", "-t: ", "-t= ", "-t ' ' ", "-t. ", "-t- ")) + one(("", "", "", *_KEYS, *_KEYS))
        if rng.random() < 0.2:
            keys += f" {one(_KEYS)}"
        return draw.fed(f"sort {options} {keys} {draw.some(_SORTED, (0, 1, 1, 2))}")

    def expr() -> str:
        return f"expr {' '.join(rng.choices(_TOKENS, k=rng.choice((0, 1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 7))))}"

    def formed() -> str:
        """An expression that is one."""

        def part(depth: int) -> str:
            kind = rng.random()
            if depth > 2 or kind < 0.4:
                return one(_OPERANDS)
            if kind < 0.85:
                return f"{part(depth + 1)} {one(_OPERATORS)} {part(depth + 1)}"
            if kind < 0.92:
                return f"'(' {part(depth + 1)} ')'"
            return one(
                (
                    f"length {part(3)}",
                    f"index {part(3)} {part(3)}",
                    f"substr {part(3)} {part(3)} {part(3)}",
                    f"+ {part(3)}",
                )
            )

        return f"expr {part(0)}"

    def seq() -> str:
        options = draw.options(("-w", "-s ,", "-s ''"))
        return f"seq {options} {' '.join(rng.choices(_INTEGERS, k=rng.choice((0, 1, 1, 2, 2, 3, 4))))}"

    def ls() -> str:
        options = draw.options(
            ("-1", "-a", "-A", "-d", "-r", "-1d", "-l", "-l >/dev/null", ">/dev/null", "-lhi >/dev/null")
        )
        return f"ls {options} {draw.some(tuple(path for path in _PATHS if path not in {'..', '/', '//', 'abs/../..'}))}"

    def digest() -> str:
        name = one(("md5sum", "sha256sum", "sha1sum", "md5sum"))
        files = draw.some(_FILES)
        if rng.random() < 0.6:
            return draw.fed(f"{name} {draw.options(('-b', '-t'))} {files}")
        wrong = one(("", "", "", " | tr a0 b1", " | tr 1 1"))
        lead = f"{name} {draw.some(('a', 'b', 'num', 'empty', 'd/f.conf', 'kv'))} 2>/dev/null"
        gone = one(("", "", "rm=1; ", "echo >>kv; "))
        check = f"{name} -c {draw.options(('--status', '--quiet'))}"
        if rng.random() < 0.3:
            return f"{lead}{wrong} >sum; {gone}{check} sum"
        return f"{lead}{wrong} | {check} {one(('', '-'))}"

    return {
        "tr": tr, "sort": sort, "expr": lambda: formed() if rng.random() < 0.7 else expr(), "seq": seq, "ls": ls, "digest": digest,
    }  # fmt: skip


def drawn(rng: random.Random, only: str = "") -> str:
    """A command line; `only` of one program."""
    draw = _Draw(rng)
    programs = {**draw.programs(), **_more(draw)}
    return programs[only or rng.choice(_PROGRAMS)]()


def name_of(command: str) -> str:
    """The program that a command is about."""
    words = re.sub(r"^umask \d+; |[{;<|] *cat[^|]*$|^\{ ", "", command).split("|")[-1].split(";")[0].split()
    while words and "=" in words[0]:
        words.pop(0)
    return words[0] if words else ""
