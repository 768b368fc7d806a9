"""Commands that calculate, sort, look for files or call others, drawn at random as maintainer scripts have them."""

import random
from collections.abc import Callable

from tests.proofs.shown_commands import FILES, GROUPS, PATHS, USERS, Draw

_ACTIONS = (
    "", "", "", "-print", "-print0", "-delete", "-print -delete", "-exec rm -rf '{}' \\;", "-exec chmod 600 {} +",
    "-exec cat {} \\;",
    "-printf '%p %f %h %P %m\\n'", "-printf '%U:%G %y %d %l\\n'", "-prune -printf %u.%g", "-print -quit", "-quit",
    "-exec basename {} \\;", "-exec nosuch {} \\;",
    "-exec wc -l {} +", "-o -print", "-exec rm -f {} \\; -print", "-exec chmod 755 {} \\;",
)  # fmt: skip
_BITS = (
    "644",
    "-644",
    "/111",
    "0644",
    "-4000",
    "/6000",
    "-u+x",
    "/u+s,g+s",
    "-100",
    "600",
    "-g=w",
    "u=rw",
    "7777",
    "/0",
    "-0",
    "+x",
    "/u=x",
)
_INTEGERS = ("1", "2", "3", "5", "0", "-1", "-2", "10", "12", "01", "1.5", "x", "100")
_PATTERNS = (
    "'*.conf'",
    "a",
    "'*'",
    "'?'",
    "'*.c*'",
    "sub",
    "'.*'",
    "'[a-f]*'",
    "none",
    "'*a*'",
    "'f.*'",
    "'S*'",
    "'*.[ct]*'",
    "a/",
    "''",
)
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
_EXPRESSIONS = (
    "'.*'", "a", "'\\(.*\\)\\..*'", "'[0-9]*'", "'[0-9][0-9]*$'", "'\\([a-z]*\\)'", "'.*-\\(.*\\)'", "''", "'a\\|b'",
    "'b\\+'", "'\\(x\\)*'",
    "'[[:digit:]]\\{1,3\\}'", "'.'", "'*a'", "'^a'", "'a.b$'", "'\\(a\\)\\(.\\)'", "'[^-]*'", "'.\\(3\\)'", "'[a'",
    "'x*'",
)  # fmt: skip
_OPERATORS = ("+", "-", "'*'", "/", "%", "'<'", "'<='", "=", "==", "!=", "'>='", "'>'", "'|'", "'&'", "+", "-", ":")
_INTEGERS = ("1", "2", "3", "5", "0", "-1", "-2", "10", "12", "01", "1.5", "x", "100")
_PATTERNS = (
    "'*.conf'",
    "a",
    "'*'",
    "'?'",
    "'*.c*'",
    "sub",
    "'.*'",
    "'[a-f]*'",
    "none",
    "'*a*'",
    "'f.*'",
    "'S*'",
    "'*.[ct]*'",
    "a/",
    "''",
)
_PATTERNS = (
    "'*.conf'",
    "a",
    "'*'",
    "'?'",
    "'*.c*'",
    "sub",
    "'.*'",
    "'[a-f]*'",
    "none",
    "'*a*'",
    "'f.*'",
    "'S*'",
    "'*.[ct]*'",
    "a/",
    "''",
)
_SETS = (
    "a-z", "A-Z", "'[:upper:]'", "'[:lower:]'", "'\\n'", "' '", "'[a-z]'", "'[A-Z]'", ",", "':'", "abc", "xyz",
    "'[:space:]'",
    "'[:alnum:]'", "'[:punct:]'", "'[:digit:]'", "0-9", "'\\012'", "'\\0'", "'\\t '", "''", "-", "_", "a-",
    "'[:print:]'", "z-a",
    "'\\-x'", "aab", "'\\\\'", "'[:blank:]'", "'[:cntrl:]'", "'[:xdigit:]'", "'[:alpha:]'", "'[:nope:]'", "'[a*]'",
    "'\\r'",
)  # fmt: skip
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
_TOPS = (
    "d",
    "d",
    ".",
    "d/",
    "ld",
    "ld/",
    "none",
    "a",
    "e",
    "d/sub",
    "sg",
    "/w/d",
    "la",
    "dang",
    "./d",
    "abs/",
    "'sp ace'",
    "d//",
    "./-x",
    "loop/",
)
_WHOLE = ("'*/sub/*'", "d/sub", "'d/*'", "'*f*'", "./a", "'./?'", "'*.conf'")
_BITS = (
    "644",
    "-644",
    "/111",
    "0644",
    "-4000",
    "/6000",
    "-u+x",
    "/u+s,g+s",
    "-100",
    "600",
    "-g=w",
    "u=rw",
    "7777",
    "/0",
    "-0",
    "+x",
    "/u=x",
)


def more(draw: Draw) -> dict[str, Callable[[], str]]:
    """What draws a command, by program."""
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

        if rng.random() < 0.3:
            return f"expr {part(3)} {one(('', '+ 1 ', '= 2 '))}: {one(_EXPRESSIONS)}"
        return f"expr {part(0)}"

    def seq() -> str:
        options = draw.options(("-w", "-s ,", "-s ''"))
        return f"seq {options} {' '.join(rng.choices(_INTEGERS, k=rng.choice((0, 1, 1, 2, 2, 3, 4))))}"

    def ls() -> str:
        options = draw.options(
            (
                "-1",
                "-a",
                "-A",
                "-d",
                "-r",
                "-1d",
                "-L",
                "-L -1",
                "-L >/dev/null",
                "-l",
                "-l >/dev/null",
                ">/dev/null",
                "-lhi >/dev/null",
            )
        )
        return f"ls {options} {draw.some(tuple(path for path in PATHS if path not in {'..', '/', '//', 'abs/../..'}))}"

    def digest() -> str:
        name = one(("md5sum", "sha256sum", "sha1sum", "md5sum"))
        files = draw.some(FILES)
        if rng.random() < 0.6:
            return draw.fed(f"{name} {draw.options(('-b', '-t'))} {files}")
        wrong = one(("", "", "", " | tr a0 b1", " | tr 1 1"))
        lead = f"{name} {draw.some(('a', 'b', 'num', 'empty', 'd/f.conf', 'kv'))} 2>/dev/null"
        gone = one(("", "", "rm=1; ", "echo >>kv; "))
        check = f"{name} -c {draw.options(('--status', '--quiet'))}"
        if rng.random() < 0.3:
            return f"{lead}{wrong} >sum; {gone}{check} sum"
        return f"{lead}{wrong} | {check} {one(('', '-'))}"

    def test() -> str:
        return one((
            f"-name {one(_PATTERNS)}", f"-name {one(_PATTERNS)}",
            f"-type {one(('f', 'd', 'l', 'f', 'd', 'f,l', 'x'))}", f"-perm {one(_BITS)}",
            f"-path {one(_WHOLE)}", "-empty", f"-user {one(USERS)}", f"-group {one(GROUPS)}", "-true", "-false",
            "-nouser", "-nogroup",
            f"-size {one(('0', '+0', '-1', '1', '+1c', '14c', '-2k', '1k'))}", f"-iname {one(_PATTERNS)}",
            "-executable ", "-xtype l", "-xtype f",
            "-uid 0", "-uid +3", "-gid -5", "-prune", "-newer a", f"! -name {one(_PATTERNS)}", "-type f -empty",
        ))  # fmt: skip

    def tests(depth: int) -> str:
        kind = rng.random()
        if depth > 2 or kind < 0.5:
            return test()
        if kind < 0.75:
            return f"{tests(depth + 1)} {one(('', '-a', '', '-and'))} {tests(depth + 1)}"
        if kind < 0.87:
            return f"{tests(depth + 1)} {one(('-o', '-or', '-o', ','))} {tests(depth + 1)}"
        return one(
            (
                f"'(' {tests(depth + 1)} ')'",
                f"! {tests(depth + 1)}",
                f"-not {tests(depth + 1)}",
                f"'(' {tests(depth + 1)}",
            )
        )

    def find() -> str:
        starts = draw.some(_TOPS, (0, 1, 1, 1, 1, 2))
        depth = one(
            (
                "",
                "",
                "-maxdepth 1",
                "-mindepth 1",
                "-maxdepth 0",
                "-mindepth 1 -maxdepth 1",
                "-xdev",
                "-depth",
                "-maxdepth 2",
            )
        )
        action = one(_ACTIONS)
        command = f"find {starts} {depth} {tests(0) if rng.random() < 0.9 else ''} {action}"
        return rng.choice((command, f"{command} | sort", f"{command} >/dev/null", f"{command} | wc -l"))

    def xargs() -> str:
        source = one(
            (
                "printf 'a b\\nd/f.conf  num\\n'",
                "printf 'a\\0sp ace\\0'",
                "cat a",
                "cat empty",
                "echo 'x y'",
                "cat p sp",
            )
        )
        options = draw.options(
            ("-r", "-0", "-n 1", "-n2", "-I{}", "-I {}", "-d '\\n'", "--no-run-if-empty", "-0r", "-r0")
        )
        command = one(
            (
                "cat",
                "wc -l",
                "basename -a",
                "dirname --",
                "rm -f",
                "chmod 600",
                "nosuch",
                "head -n 1 --",
                "basename {} .conf",
                "cat {}",
                "",
                "",
            )
        )
        return f"{source} | xargs {options} {command}"

    def surroundings() -> str:
        return one((
            "printenv HOME", "printenv HOME NOPE PATH", "printenv NOPE", "printenv >/dev/null", "uname", "uname -s",
            "uname -so", "uname -o",
            "uname -r >/dev/null", "uname x", "uname -m", "date >/dev/null", "date -u +%s >/dev/null", "sleep 0",
            "sleep", "sleep x", "sleep 0.001s",
            "sync", "sync a", "sync -d a d", "sync nofile a", "sync -d", "sync -f a", "sync -df a", "flock 9",
            "flock -w 10 9 9>new && echo y", "{ flock -n 9 && flock -x 9 && echo y; } 9<a", "flock -u 9 9>a",
            "flock -w x 9 9>new", "flock 9 9<d/f.conf 8<&9", "/usr/bin/echo a 'b\\\\n'",
            "/usr/bin/echo -n x", "/usr/bin/echo -ne x",
            "/usr/bin/echo -nE -x y", "/usr/bin/true x",
            "/usr/bin/false", "A=b printenv A", "A= printenv A B", "X=y /usr/bin/printenv X", "/usr/bin/echo",
            "/usr/bin/echo --", "/usr/bin/echo - n",
        ))  # fmt: skip

    return {
        "surroundings": surroundings, "find": find, "xargs": xargs,
        "tr": tr, "sort": sort, "expr": lambda: formed() if rng.random() < 0.7 else expr(), "seq": seq, "ls": ls,
        "digest": digest,
    }  # fmt: skip


_OF_FILES = Draw(random.Random(0)).programs()  # noqa: S311  for the names
_OTHERS = ("sort", "find", "digest", "tr", "expr", "seq", "ls", "xargs", "surroundings", "find", "cut", "head")
PROGRAMS = (*_OF_FILES, *_OTHERS)
"""What commands are about; some twice, as there is more to them."""


def drawn(rng: random.Random, only: str = "") -> str:
    """A command line; `only` of one program."""
    draw = Draw(rng)
    programs = {**draw.programs(), **more(draw)}
    return programs[only or rng.choice(PROGRAMS)]()
