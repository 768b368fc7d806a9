"""Draws calls of programs that work on text, for tests/proofs/text.py."""

import random
from collections.abc import Sequence
from dataclasses import dataclass


def _listed(text: str) -> tuple[str, ...]:
    """Its lines, with tabs and spaces."""
    return tuple(text.strip("\n").replace("<T>", "\t").replace("<S>", " ").split("\n"))


TEXTS: Sequence[str] = (
    "",
    "\n",
    "foo",
    "foo\nbar\nbaz\n",
    "ab\nba\naab\nabab\nabc\n\nb a\na.b\n",
    '# a comment\nKEY=value\n  key = other value  \n#KEY=off\nEMPTY=\n\nLIST="a, b,c"\nPATH=/usr/bin:/bin\n',
    "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nman:x:6:12::/var/man:/bin/sh\n",
    "Package: foo\nStatus: install ok installed\nVersion: 1:2.3-4+b1\nDepends: libc6 (>= 2.3), bar | baz\n Text: x\n",
    "[global]\n   workgroup = WORKGROUP\n;  name = x\n\n[homes]\n\tbrowseable = no\n[printers]",
    "hosts:          files dns\npasswd:         files systemd # comment\ngroup: files\n\n# end\n",
    "a\tb\tc\n\ta b\n  a  b  c  \n\t\n \n",
    "en_US.UTF-8 UTF-8\n# de_DE.UTF-8 UTF-8\nnb_NO ISO-8859-1\n  fr_FR@euro ISO-8859-15\n",
    "é è\nnaïve café\n«quoted» — dash\nplain\nAÉ1_é\n",
    "aaa\nAAA\naAa\nfoo-bar foo_bar foo.bar\nfoobar\n",
    "1 2 3\n10 20 30\n192.168.1.10\n127.0.0.1 localhost\n2001:db8::1\n",
    "x\\y\n/a/b/c\n$HOME *star* [x] {y} (z) ^up a+b a?b a|b\n",
    "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n",
    "no newline at end\nlast",
    "foo foo foo\nfoofoo\nxfoo foox\nfoo\n",
)
"""What files may hold."""
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
            return self.one(*(_EXTENDED if extended else _BASIC))
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
            atom = self.one(*_SETS)
        elif kind < 0.5:
            atom = self.one(".", ".", ".", "\\s", "\\S", "\\w", "\\W")
        else:
            atom = self.one(*_CHARACTERS)
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
            words.append(self.one(*_GREP_OPTIONS))
        patterns = [
            self.one(*_FIXED) if fixed or self.some(0.1) else self.pattern(extended=extended)
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


_BASIC = _listed(r"""
^#
^[^#]
^KEY=
^ *key *=
^[# ]*KEY *=
^[[:space:]]*$
^$
^root:
^Status:.*installed
foo\|bar
\(^\| \)foo\( \|$\)
^[ <T>]*[\._\/a-zA-Z0-9]*[ <T>]*=[ <T>]*
^[ <T>]*\[.*\][ <T>]*$
foo.*bar
\bfoo\b
^.*$
^\[homes\]$
/bin/sh$
^\*
a*
^!
.*
.
^Version: *
\.UTF-8
[0-9]\{1,3\}\.
\<foo\>
\-6
^\(a\|b\)*$
\(a*\)b
x*
\$HOME
a+b
a?b
a|b
{y}
(z)
^*
^*x
\(*a\)
a^b
a$b
[[:digit:]]\+
^\([^:]*\):[^:]*:\([0-9]*\)
^[^#]*dns
""")
_EXTENDED = _listed(r"""
^(foo|bar)
^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$
^[ <T>]*\[homes\][ <T>]*$
^hosts:[^#]*\s(dns)(\s|#|$)
(^|/)(xscreensaver|sbin)
^ *KEY=
(a|b)+
^([[:space:]]*,)*[[:space:]]*$
^#?KEY=
foo[-_.]bar
a+b?
(ab)*
^(a|ab)(c|bcd)*$
x|y|
()
(a|)b
^\s*(#.*)?$
[^ ]+ +[^ ]+
(a*)+
(a*)*b
\$HOME
^([0-9]+\.[0-9]+).*
^(.*):(.*)$
^\[[_a-zA-Z0-9-]*\]$
foo+
\(z\)
\{y\}
a\+b
(foo|foobar)
^[a-z]+:
\bfoo
root|man
""")
_SETS = _listed(r"""
[ab]
[a-z]
[^a]
[[:space:]]
[^:]
[0-9]
[A-Za-z0-9_]
[^[:alnum:]]
[]x]
[a-]
[^[:space:]]
[[:upper:]]
[.]
[^/]
[[:alpha:]_]
[\n]
[*]
[\.]
[é]
[^é]
[ <T>]
[#; ]
[^ ]
""")
_CHARACTERS = _listed(r"""
a
b
o
foo
f
x
=
:
#
0
1
\.
\*
\[
-
_
/
,
KEY
e
é
\$
\^
\/
\-
\\
"
@
%
ab
fo
oo
s
n
{
}
]
<T>
<S>
""")
_GREP_OPTIONS = _listed("""
-q
-q
-q
-s
-v
-v
-i
-x
-w
-c
-n
-l
-o
-h
-H
-L
-qs
-sq
-qF
-m1
--quiet
--silent
--count
--line-number
-m2
--max-count=1
-on
-vc
-a
-iw
-ow
-qx
-wc
-vx
""")
_FIXED = (
    "foo", "a", "KEY", "ab", "", "a.b", "*star*", "[x]", "foo-bar", "x", "é", "files", "foo\nbar", "o f",
)  # fmt: skip


def drawn(rng: random.Random, program: str = "") -> Call:
    """A call, of `program` or any."""
    draw = Draw(rng)
    name, words = draw.grep()
    encoded = tuple(word.encode().decode("latin-1") for word in words)
    texts = range(len(TEXTS))
    return Call(program or name, encoded, rng.choice(_LOCALES), rng.choice(texts), rng.choice(texts), rng.choice(texts))
