"""What calls of grep, sed and awk are drawn from: texts, expressions and scripts as those of packages are."""

from collections.abc import Sequence


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
BASIC = _listed(r"""
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
EXTENDED = _listed(r"""
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
SETS = _listed(r"""
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
CHARACTERS = _listed(r"""
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
GREP_OPTIONS = _listed("""
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
FIXED = (
    "foo", "a", "KEY", "ab", "", "a.b", "*star*", "[x]", "foo-bar", "x", "é", "files", "foo\nbar", "o f",
)  # fmt: skip
SCRIPTS = _listed(
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
:a /^ / s/^ \( *\)/\1_/ ; t a
: find
"""
)
SCRIPTS_EXTENDED = _listed(
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
:a /^passwd:\s.*#/ s/(^[^#]+)\s(systemd)(\s|#)/\1\3/g ; t a
"""
)

AWK_TEXTS = ('"foo"', '""', '"a b"', '"x&y"', '"0"', '"10"', '" "', '"=\\t"', '"root"')
AWK_PATTERNS = _listed(
    r"""
^#
foo
^Version:
^root:
^[0-9]+$
<S>id<S>
o+
^$
^KEY=
[ab]
\/bin\/
^Status: .* installed$
a|b
:
^[ <T>]*
\.
(foo|bar)
^(a|b)+$
[[:space:]]
[^a-z]
"""
)
AWK = _listed(
    r"""
{print $2}
{ print $1 }
{ if ( $2 == "00000000" ) print $1 }
/o/ { print $4 }
/^Package:/ && $2~v {p=1} /^Version:/ && p {print $2; exit}
$1 ~ /i/ { exit 0; }; { exit 1; }
{print $4,$3,$1,$2}
{if ($1 ~ /^Package:/) { package=$2 } else if ($0 ~ /^Status: .* installed$/) { print package }}
$2 ~ /x/ && $NF ~ /:[0-9]/ { print $NF } $2 ~ /[0-9]/ { print $2 }
//{print $1}
/^LANG=/ {gsub("\"", ""); sub("LANG=", ""); lang=$0;} END {print lang}
{ print $NF }
END { print NR }
NR==2 { print; exit }
$3 >= 1 { print $1 }
BEGIN { FS=":" } { print $1 }
BEGIN { OFS="-" } { $1=$1; print }
!/^#/ && NF { n++ } END { print n }
{ printf "%s %d\n", $1, $2 }
{ n += $1 } END { print n }
{ print int($NF / 4) }
$1 / 2 > 5 { print int(NR / 2), $1 / 2 }
"""
)
