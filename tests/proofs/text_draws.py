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
            return self.one(*(_SCRIPTS_EXTENDED if extended and self.some(0.5) else _SCRIPTS))
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
        delimiter = self.rng.choices("/|,#:@%!_", (60, 15, 8, 5, 3, 3, 2, 2, 2))[0]
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
_SCRIPTS = _listed(
    r"""
s/^[ <T>]//g
s/ .*//
s/, */, /g;s/, *$//g
s/^\(...\).*/\1/
s/\b\(foo\)\b/[\1]/g
s/[: ].*//
s|^rabbit://||
s/\[//
s/\([0-9]*\)\.\([0-9]*\).*/\1 \* 100 + \2/
s/^[[:space:]]*//
s/^\.\///
s/^!\(.*\)/\1/p
/^#/d
/^[a-zA-Z]/!d;s/ *$//g
s/^Status: \(.*\) \(.*\) \(.*\)/\3/g
s/^Version: *//
/^[a-z][a-z]\s/!d;/^.[nc]/d;
s/^#*KEY=/# x enable\/disable\n#KEY=/
s|^ *KEY=.*|KEY="x"|
s/\.//g
s/^ *[a-zA-Z]/# &/
0,/^[# ]*nb_NO.*$/ s/^[# ]*\(nb_NO.*\)$/\1/
s/, /\n/g
s/.*\ //
/^[^#]*KEY=/s/=.*/='x'/
/^\(KEY=\)/{s///;p;q;}
1,10d
/^\[homes\]/,/^\[/d
/foo/,$d
$!d
$a\
$a text
1i # header
/^$/d
:a;N;$!ba;s/\n/ /g
:a;s/^\( *\)x/\1 /;ta
$!N;P;D
1!G;h;$!d
n;d
s/\(.*\)foo/\1bar/
s/a*/x/g
s/\([^:]*\):\([^:]*\):.*/\2 \1/
/^Package:/,/^$/{/^Status/p;}
s/\s\+/ /g;s/^ //;s/ $//
s/^\(#\?\)\([A-Z]*\)=\(.*\)$/\2=\1\3/
/root/s/:[^:]*$/:x/
y/abc/ABC/
s/x/a\/b/;s/[/]/-/g
/# a/,/EMPTY/s/=/ = /
"""
)
_SCRIPTS_EXTENDED = _listed(
    r"""
s/^([0-9]+\.[0-9]+).*/\1/p
s/^\s+//; s/\s+$//; s/  +/ /g
/^hosts:\s[^#]*$/ s/(\s)(dns(\s+\[[^]]+\])?)(\s|$)/\1resolve \[!UNAVAIL=return\] \2 /
/^passwd:\s.*#/ s/#/ systemd #/
/^group:\s[^#]*$/ s/$/ systemd/
s/^(#|;)? *(KEY|name) *=.*/\2=x/
s/(a|ab)(c|bcd)*/[\1][\2]/
s/([^ ]+) +([^ ]+)/\2 \1/
s/^(.*)=(.*)$/\2/
s/(foo|foobar)(bar)?/<\1|\2>/
s/([a-z])+/\1/g
s/(^|[^a-z])foo([^a-z]|$)/\1X\2/g
"""
)


def drawn(rng: random.Random, program: str = "") -> Call:
    """A call, of `program` or any."""
    draw = Draw(rng)
    makers = {"grep": draw.grep, "sed": draw.sed}
    name, words = makers[program or rng.choice(sorted(makers))]()
    encoded = tuple(word.encode().decode("latin-1") for word in words)
    texts = range(len(TEXTS))
    return Call(name, encoded, rng.choice(_LOCALES), rng.choice(texts), rng.choice(texts), rng.choice(texts))
