"""Commands that print about files and text, drawn at random as maintainer scripts have them."""

import random
import re
import shlex
from collections.abc import Callable, Sequence

FILES = (
    "a", "b", "empty", "p", "p", "sp", "num", "dup", "kv", "odd", "ver", "many", "'sp ace'", "d", "none", "la",
    "dang", "./-x",
    "-", "/dev/null", "none/x", "a/x", "a/", "ld/f.conf", "loop", ".hid", "lslash", "a/.", "a/..", "/w/a", "''",
    "chain",
)  # fmt: skip
PATHS = (
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
_OPERATORS = ("+", "-", "'*'", "/", "%", "'<'", "'<='", "=", "==", "!=", "'>='", "'>'", "'|'", "'&'", "+", "-", ":")
_WHOLE = ("'*/sub/*'", "d/sub", "'d/*'", "'*f*'", "./a", "'./?'", "'*.conf'")
USERS = (
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
GROUPS = ("root", "man", "mail", "more", "staff", "none", "0", "12", "4", "44", "50", "nogroup", "99", "''", "sys")

_PROGRAMS = (
    "cat", "head", "tail", "wc", "cut", "uniq", "tee", "basename", "dirname", "readlink", "realpath", "mktemp",
    "stat",
    "getent", "id", "groups", "whoami",
)  # fmt: skip


class Draw:
    """Draws parts of commands, and commands."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def one(self, texts: Sequence[str]) -> str:
        """One of them."""
        return self.rng.choice(texts)

    def some(self, texts: Sequence[str], weights: Sequence[int] = (0, 1, 1, 1, 2, 3)) -> str:
        """A few of them, by how many there may be."""
        return " ".join(self.rng.choices(texts, k=self.rng.choice(weights)))

    def options(self, texts: Sequence[str]) -> str:
        """Some of them, each once."""
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

    def _cat(self) -> str:
        return self.fed(f"cat {self.options(('-u', '--'))} {self.some(FILES)}")

    def _ends(self, name: str) -> str:
        count = self.one(_COUNTS)
        number = self.rng.choice(
            (f"-n {count}", f"-n{count}", f"-n {count}", f"-c {count}", f"--lines={count}", "", f"-c{count}")
        )
        if self.rng.random() < 0.25:
            number = self.one(("-1", "-2", "-10", "-5", "-0"))
        return self.fed(f"{name} {number} {self.options(('-q', '-v', '--quiet'))} {self.some(FILES)}")

    def _head(self) -> str:
        return self._ends("head")

    def _tail(self) -> str:
        return self._ends("tail")

    def _wc(self) -> str:
        return self.fed(f"wc {self.options(('-l', '-l', '-w', '-c', '-m', '--lines', '-lw'))} {self.some(FILES)}")

    def _cut(self) -> str:
        unit = self.one(("-f", "-f", "-f", "-f", "-c", "-b", "--fields="))
        space = self.one(("", " ")) if not unit.endswith("=") else ""
        numbers = self.one(_LISTS) or "''"
        delimiter = self.one(
            ("-d:", "-d:", "-d :", "-d=", "'-d '", "-d' '", "-d,", "-d ab", "", "--delimiter=/", "-d.", "-d\\;")
        )
        more = self.options(("-s", "--output-delimiter=X", "--complement", "--output-delimiter=", "--only-delimited"))
        return self.fed(f"cut {delimiter} {unit}{space}{numbers} {more} {self.some(FILES, (0, 0, 1, 1, 2))}")

    def _uniq(self) -> str:
        return self.fed(f"uniq {self.options(('-c', '-d', '-u'))} {self.some(FILES, (0, 1, 1))}")

    def _tee(self) -> str:
        return self.fed(f"tee {self.options(('-a',))} {self.some((*PATHS, 'new', 'e/new', 'sg/new'), (0, 1, 1, 2))}")

    def _basename(self) -> str:
        names = (*_NAMES, ".conf", ".so", "b.conf", "f")
        options = self.options(("-a", "-s .conf", "-z", "--", "--suffix=.so"))
        return f"basename {options} {self.some(names, (0, 1, 1, 1, 2, 2, 3))}"

    def _dirname(self) -> str:
        return f"dirname {self.options(('-z', '--'))} {self.some(_NAMES)}"

    def _readlink(self) -> str:
        options = self.options(("-f", "-f", "-e", "-m", "-n", "-q", "-v", "-z"))
        return f"readlink {options} {self.some(PATHS)}"

    def _realpath(self) -> str:
        options = self.options(("-e", "-m", "-s", "-q", "--canonicalize-existing"))
        return f"realpath {options} {self.some(PATHS)}"

    def _mktemp(self) -> str:
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

    def _stat(self) -> str:
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
        return f"stat {self.options(('-L', '--dereference'))} {form} {self.some(PATHS)}"

    def _getent(self) -> str:
        if self.rng.random() < 0.5:
            return f"getent passwd {self.some(USERS, (0, 1, 1, 1, 1, 2))}"
        return f"getent group {self.some(GROUPS, (0, 1, 1, 1, 1, 2))}"

    def _id(self) -> str:
        options = self.options(("-u", "-g", "-G", "-n", "-un", "-gn", "-Gn", "-r", "-ru"))
        return f"id {options} {self.some(USERS, (0, 1, 1, 1, 2))}"

    def _groups(self) -> str:
        return f"groups {self.some(USERS, (0, 1, 1, 2))}"

    def _whoami(self) -> str:
        return f"whoami {self.some(USERS, (0, 0, 0, 1))}"

    def programs(self) -> dict[str, Callable[[], str]]:
        """What draws a command, by program."""
        return {name: getattr(self, f"_{name}") for name in _PROGRAMS}


def name_of(command: str) -> str:
    """The program that a command is about."""
    words = re.sub(r"^umask \d+; |[{;<|] *cat[^|]*$|^\{ ", "", command).split("|")[-1].split(";")[0].split()
    while words and "=" in words[0]:
        words.pop(0)
    return words[0] if words else ""
