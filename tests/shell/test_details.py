"""What random programs have shown to be easily got wrong, each as dash does it."""

import pytest

from assembler.shell.streams import Refused
from tests.proofs.shell import evaluated, real
from tests.support.host_commands import need

SHOW = 'show() { printf "<%s>" "$#" "$@"; echo; }\n'
NO_ARGUMENTS = r"""
a=; set --
show "$@" ; show "${@}"; show x"$@"; show $a"$@"; show "$a$@"; show "$a""$@"; show "$@$a"; show "$@"''; show $@""
show ${a:-"$@"}; show "${a:-$@}"; show ${a:-""}; show ${a+"$@"}; show ${b+"$@"}; show ${1+"$@"}; show "${1+$@}"
show "$*"; show $*; show ${a:-"$*"}; show ${*}${a:-x} 1
"""
JOINED = r"""
a=$(cat <<'END'
co\
nt
END
)
b=`cat <<'END'
co\
nt
END
`
show "$a" "$b" "a\
b" $(echo a\
b) "$(echo "x\
y")" $((1+\
2)) ${c:-\
z}
"""
DOCUMENTS = r"""
set -u
read -r x <<END
$q
END
echo $?; cat >out2 <<END || echo s $?
$q
END
{ echo in; } <<END
$q
END
echo $?; ( : <<END
$q
END
echo never ); echo $?; ( echo no ) <<END
$q
END
echo $?; exec 3<<END
$q
END
echo never
"""
PROGRAMS = {
    "quotes round all arguments, of which there are none": NO_ARGUMENTS,
    "quotes round all arguments, of which one is empty": NO_ARGUMENTS.replace("set --", 'set -- ""'),
    "what follows all arguments is split": 'b="p q"; show "$@"$b; show a$b"$@"; IFS=:; b=p::q; show "$@"$b',
    "an empty value in arithmetic": 'c=" "; echo $((c * 2)); c=" 7 "; echo $((c)); c=; echo $((c + 1))',
    "an error is told where it happens": "set -u; { echo ${nope}; } 2>/dev/null; echo never",
    "lines that are joined within a substitution": JOINED,
    "a here-document that cannot be expanded": DOCUMENTS,
    "names of files are expanded before any is opened": (
        "( cat >made <${nope?} ); [ -e made ] || echo none; ( cat >made2 <nofile ); [ -e made2 ] && echo made"
    ),
    "what an expansion assigns stays": (
        'c="${c=\\$}" cat one; show "$c"; unset c; c="${c=x}" eval \'show "$c"\'; show "$c"\n'
        'b=$((c+=1)) true; show "$c"'
    ),
    "a tilde in what is exported, kept or local": (
        "export c=~/x; show $c; readonly q=~/r; show $q; f() { local z=~; show $z; }; f; x=1 export d=~/w; show $d"
    ),
    "a loop left from within a subshell": (
        "for i in 1; do false; ( break ); echo $?; break; done; echo $?\n"
        "for i in 1; do false; ( continue ); echo $?; done"
    ),
    "variables that are read-only": (
        "readonly c=1; read c <one; echo $?; IFS=: read a c <one; show $? $a; set -- -a; getopts a c; echo $?\n"
        "echo x | while read c; do echo $c; done; echo $?; ( for c in 1; do echo no; done ); echo $?\n"
        "( c=2 true ); echo $?; ( echo $((c=2)) ); echo $?; ( unset c; echo no ); echo $?; export c=2; echo never"
    ),
    "nothing is written to what is closed": (
        "set -e; echo -n >&-; printf '' >&-; echo fine; echo x >&- || echo $?; printf x >&-; echo never"
    ),
    "aliases": (
        'alias shout=\'printf "<%s>" "a b"\'\nx=$(shout c); f() { echo d | shout e; }\nshow $x `shout` "$(f)"; f\n'
        "\\shout; 'shout'; echo $? shout; (shout g) | cat; { shout h; }; ! shout i || shout j; shout >out k; cat out\n"
        "if shout l; then shout m; fi; cat <<E\n$(shout n)\nE\nshow ${y:-$(shout o)}; y=shout; $y; echo $?"
    ),
    "quotes within quotes": (
        'x="a  b"; show "${x:+"$x, "}${x##*/}" "${x:+"*"}" "${x:+"$x" * "$x"}" "${q:-"a}b"}c" "${q:="r s"}" $q "$q"\n'
        """show "${n:-"x"${z:-"k"}}" "${n:-${z:-"k"}"l"}" "${n:-"it's"}" "${n:-""}" "${n:-a"$*"b}" "${n:-"~$"}"\n"""
        'cat <<E\n${x:+"$x"} "c"\nE'
    ),
    "files that are kept": (
        "set -C; echo a >new; echo b >new || echo $?; echo c >>new; cat new; echo d >|new; set +o noclobber; cat new;"
        " set -o noclobber; echo e >nowhere/x || echo $?; : >/dev/null && echo $-; set +C; echo f >new; cat new"
    ),
    "options": 'echo "<$->"; set -efu; show "$-" "${-}" "${#-}"; case $- in *e*) echo e;; esac; set +f -a; echo $-',
    "the directory": 'cd d; x=$(pwd -P); echo "${x##*/}"; [ "$x" = "$(pwd -L)" ] && echo same',
    "expansions in quotes within quotes": (
        """y='a  *'; z="${x:-"${y} b"}"; show "$z" "${x:-"$y"}" "${x:-p "${y}" q}" "${y:+"${y}"}" "${x:-"a}b"c}";"""
        """ : "${v:="/etc/${y}"}"; show "$v" """
    ),
    "what is sourced, evaluated and trapped": (
        ". ./two.c; f() { eval 'g() { return 3; }'; g; }; f || echo $? $x; trap 'echo $x' EXIT"
    ),
}


IN_BASH = {
    "functions by their word": "function f() { show $1; }; function g { f $2; }; h () { g $1 $2; }; h a b; f c",
    "tests": (
        """[ a == a ]; echo $?; test a == b; [ == == == -a b = b ]; [ ! a == b -o x ]; echo $?; [ "==" = = ]; echo $?"""
    ),
    "programs that are not there": "none 2>/dev/null; echo $?; if none a; then :; else echo -n no; fi; ./x || echo $?",
    "local variables are empty": 'x=1; f() { local x y=2; show "$x" "$y"; x=3; local x; show $x; }; f; show "$x" "$y"',
    "local variables that stay": 'f() { local -r a="p q"; show "$a"; }; f; f; a=1; show $a',
    "a file that is sourced": "echo 'x=1; y() { echo $x; }' >s; source ./s; y; source ./s && . ./s; show $x",
    "braces": (
        """show {a,b} d/{three.c,f} "q r"{1,2}'s  t' {,x}y {,} a{b,}c {a}; x=v; for i in $x{,-}"$x" ${x}{1,2,}z;"""
        """ do show $i; done; echo {*,d}/*.c \\{a,b}; echo "\\"'"{a,b}"'" """
    ),
    "questions": (
        """x='a b'; y=; [[ $x ]]; echo $?; [[ -n $y ]]; echo $?; [[ -z $y ]] && echo z; [[ ! -z $x ]]; echo $?;"""
        """ [[ -f one ]]; echo $?; [[ ! -d one ]]; echo $?; [[ -e nofile ]] || echo no; [[ $x == a* ]]; echo $?;"""
        """ [[ $x != "a"* ]]; echo $?; [[ $x = 'a*' ]]; echo $?; [[ 5 -gt 3 ]]; echo $?; [[ $x == $y ]]; echo $?;"""
        """ if [[ $y ]] || [[ -L one ]]; then echo y; else echo n; fi; [[ "a]]" = *"]]" ]]; echo $?"""
    ),
    "questions by expressions": (
        """for x in '#a' a#b 12 1a '' abab 'a b' x.y; do [[ $x =~ ^# ]]; echo -n $?; [[ $x =~ b# ]]; echo -n $?;"""
        """ [[ $x =~ ^[0-9]+$ ]]; echo -n $?; [[ ! "$x" =~ a.b ]]; echo -n $?; [[ $x =~ [^a-z]$ ]]; echo -n $?;"""
        """ [[ $x =~ ^a?b*$ ]]; echo $?; done"""
    ),
    "questions and what ends a script": "set -e; [[ a == b ]] || echo no; f() { [[ a ]]; }; f; [[ a == b ]]; echo not",
    "elements of arrays": (
        """x[0]="a $(echo b >&2)" x[12]=$1; y=1; y[1]='c d'; z[0]=$((1+1)); echo $?; unset x; show "$x" """
    ),
    "what is quoted is read as in dash": (
        """show '{a,b}$"+(x)' "{1..2}" "$1{a,b}@(y)" "~+" "x$" \\{a,b}; x="$'z'"; show "$x" """
    ),
}


@pytest.mark.parametrize("name", IN_BASH)
def test_as_bash_does_it(name: str) -> None:
    text = SHOW + IN_BASH[name] + "\n"
    expected = real(text, [need("bash", "bash")])
    assert expected is not None
    assert evaluated(text, bash=True) == expected


@pytest.mark.parametrize(
    "text",
    [
        "[ -v x ]", "[ -a one ]", "[ -o errexit ]", "[ -N one ]", "[ a b ]", "[ -z -a x ]", "[ a =~ b ]",
        "x=1; (( x++ ))", "((none)); echo", "( (none) && true )", "x=1; x+=2", "x[1]=2; echo $x",
        "x=1; x[1]=2; echo ${x:-}",
        "export x; x[1]=2", "x[y]=2", "x[0]+=2", "x[0]=1 true", "exec {fd}>out", "let x=1",
        "shopt -s x", "[[ a && b ]]", "[[ a > b ]]",
        "[[ a == +(a) ]]", "p='@(a|b)'; [[ a == $p ]]", "[[ a =~ (a) ]]", "[[ /r =~ ~ ]]", "[[ a =~ [z-a] ]]",
        "[[ -f = -f ]]", "[[ -n == x ]]", "set -h", "[[ a =~ $x ]]", "[[ é =~ a ]]", "[[ aaaaa =~ a*a*a*b ]]",
        "[[ 1+1 -eq 2 ]]", "[[ -v x ]]", "[[ a -nt b ]]", "[[ -n ]]", "[[ a ]] >x", "source nofile", "source",
        "command -v source", "command_not_found_handle() { echo $1; }; none", "echo -n -e x", "echo {a,{b,c}}",
        "echo {a,b}{c,d}", "echo {a,$1}", "export x={a,b}", "x={a,b}", "echo $'a'", "for i in {1..3}; do echo $i; done",
        "case $'a' in b) ;; esac", "echo x >{a,b}",
        'case a in $"a") ;; esac', "( echo a ) >$'b'", "x=1; export x; f() { local x; }; f",
        'x=a; echo "${x:+"b$(echo c)"}"', "f() { local -r a=1; a=2; }; f",
    ],
)  # fmt: skip
def test_bash_reads_in_its_own_way(text: str) -> None:
    with pytest.raises(Refused):
        evaluated(f"{text}\n", bash=True)


@pytest.mark.parametrize(
    "text",
    [
        "alias shout='echo a'; shout", "f() { shout; }; f\nalias shout=cat\nf() { shout; }\nf2() { :; }\neval shout",
        "if true; then alias shout=cat; fi", "( alias shout=cat )", "f() { alias shout=cat; }; f", "alias", "alias -p",
        "alias shout='cat '", "alias shout='cat #'", "alias shout='a; b'", "alias shout='x=1 cat'", "alias shout=shout",
        "alias then=cat", "alias shout=cat\nx=1 shout", "alias shut=cat\ncase a in shut) ;; esac", "eval 'alias a=b'",
        "alias shout=cat\nshout() { :; }", "alias shout=cat\ncommand -v shout", "for i in 1; do alias shout=cat; done",
        "alias shout=cat && :", "x=$(alias shout=cat)", "alias shout=cat\nalias shout=echo", "unalias shout",
    ],
)  # fmt: skip
def test_aliases_that_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        evaluated(f"{text}\n")


def test_aliases_are_not_bash() -> None:
    with pytest.raises(Refused):
        evaluated("alias shout=cat\n", bash=True)


def test_the_word_function_is_not_dash() -> None:
    with pytest.raises(Refused):
        evaluated("function f() { echo; }\n")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_dash_does_it(name: str) -> None:
    text = SHOW + PROGRAMS[name] + "\n"
    expected = real(text, [need("dash", "dash")])
    assert expected is not None
    assert evaluated(text) == expected
