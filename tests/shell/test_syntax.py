"""The shell parser: canonical text is the same program, to this parser and to dash."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.shell.grammar import parse_script
from assembler.shell.syntax import AndOr, Case, For, Function, GroupCommand, If, Simple, While
from assembler.shell.tokens import ParseError
from tests.shell.canonical import render
from tests.support.host_commands import need

SCRIPTS = {
    "comments and joined lines": "# one\n\nset  -e # two\nls \\\n  -l   a#b\n",
    "quotes": "echo 'a # b' \"c ' # $x \\\" d\" e\\ f `date \"+%Y # z\"` $(printf '%s)' x)\n",
    "here-documents": "cat <<EOF >a && cat <<-'END'\none $x\n# kept\nEOF\n\ttwo\n\tEND\necho done\n",
    "here-document before a pipe": "cat <<EOF | sort\nb\na\nEOF\n",
    "if": "if [ a = b ]; then :; elif false; then\n  echo 1\nelse echo 2; fi >/dev/null 2>&1\n",
    "case": 'case "$1" in\n  (configure|abort-*) echo x;;\n  *)\n  ;;\nesac\n',
    "case without a last ;;": "case $1 in a) echo a\nesac\n",
    "loops": "for i in a 'b c'; do echo $i; done\nwhile read x\ndo :\ndone <f\nuntil false; do break; done\n"
    "for i; do :; done\n",
    "functions and groups": "f() {\n echo 1; }\n{ f; g; } || (cd / && ls)\n! f | g\n",
    "assignments": 'A=1 B="$A 2" cmd C=3\nD=\n',
    "arithmetic expansion": "X=$((X + (1)))\n",
    "comment with a quote in a substitution": "x=$(ls # it's\n)\n",
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_canonical_text_is_a_fixed_point_and_a_program(script: str) -> None:
    text = render(parse_script(script))
    assert render(parse_script(text)) == text
    dash = [need("dash", "dash"), "-n"]
    assert subprocess.run(dash, input=text, text=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "script",
    [
        "set -- b 'a x'; for i; do echo \"$i\"; done # end",
        'x=3; if [ "$x" = 3 ] && ! false; then echo y; else echo n; fi | tr y z',
        "cat <<EOF && echo 'two'\none `echo \"x\"`\nEOF\n",
        "f() { echo \"$1\" >&2; return 3; }; f 'a  b' 2>&1 || echo $?",
        'case "a.b" in a?b|c) echo first;; *) echo rest;; esac; (exit 4); echo $?',
        "printf '%s\\n' a\\\n  b \\\n c",
        "i=0; while [ $i -lt 3 ]; do i=$((i + 1)); done; echo $i",
    ],
)
def test_canonical_text_does_the_same(script: str) -> None:
    dash = need("dash", "dash")
    outputs = [
        subprocess.run([dash, "-c", text], capture_output=True, text=True, check=False)
        for text in (script, render(parse_script(script)))
    ]
    assert outputs[0].stdout == outputs[1].stdout != ""
    assert outputs[0].returncode == outputs[1].returncode


def test_the_tree_has_what_was_written() -> None:
    block = parse_script("a=b cmd 'x y' >f\nf() { :; }\nif x; then y; fi\nx && y || z\ncase a in b) ;; esac\n{ x; }\n"
                  "for i in 1; do :; done\nwhile x; do y; done\n")  # fmt: skip
    kinds = [Simple, Function, If, AndOr, Case, GroupCommand, For, While]
    assert [type(statement) for statement in block] == kinds
    first = block[0]
    assert isinstance(first, Simple)
    assert (first.assignments, first.words) == ((("a", "b"),), ("cmd", "'x y'"))
    assert first.redirects[0].target == "f"
    assert parse_script("x && y || z") == (AndOr("||", AndOr("&&", *parse_script("x\ny")), *parse_script("z")),)


@pytest.mark.parametrize(
    "script",
    ["if x; then y", "case a in", "'open", '"open', "$(open", "`open", "cat <<EOF\n", "fi\n", "a | | b", "x )",
     "f() ", "${x", "(" * 500 + ")" * 500, "a && " * 5000 + "b", "for 1 in a; do x; done", "> \n"],
)  # fmt: skip
def test_what_is_not_understood_is_an_error(script: str) -> None:
    with pytest.raises(ParseError):
        parse_script(script)


@given(st.text(alphabet="ab \n\t;&|<>(){}'\"$`\\#=!12EOFifthencasdoulw", max_size=60))
def test_any_text_parses_to_a_fixed_point_or_is_an_error(text: str) -> None:
    try:
        canonical = render(parse_script(text))
    except ParseError:
        return
    assert render(parse_script(canonical)) == canonical


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("'", "a single quote without an end"),
        ('"', 'no closing "'),
        ("`", "no closing `"),
        ("$(", "no closing )"),
        ("$(a", "no closing )"),
        ("${a", "no closing }"),
        ("a\\", "a backslash at the end"),
        ("`\\`", "no closing `"),
        ("f()", "unexpected '' at byte 3"),
        ("(a", "expected ')', found '' at byte 2"),
        ("a)", "unexpected ')' at byte 2"),
        ("a;;", "unexpected ';;' at byte 3"),
        ("if", "expected 'then', found '' at byte 2"),
        ("if a; then b", "expected 'fi', found '' at byte 12"),
        ("case a in b", "expected ')', found '' at byte 11"),
        ("a &&", "unexpected '' at byte 4"),
        ("a |", "unexpected '' at byte 3"),
        ("cat <<EOF\nx", "a here-document without an end"),
        ("cat <<EOF", "a here-document without an end"),
        ("`a", "no closing `"),
        ('"`a"', "no closing `"),
        ("1x() { a; }", "'1x' is no name for a function"),
        ("for i in a", "expected 'do', found '' at byte 10"),
        ("while a; do", "expected 'done', found '' at byte 11"),
        ("{ a;", "expected '}', found '' at byte 4"),
        ("a <", "a redirection to ''"),
        ("!", "unexpected '' at byte 1"),
        ("a\n\n&& b", "unexpected '&&' at byte 5"),
    ],
)
def test_what_is_no_script_is_told(script: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_script(script)
    assert str(caught.value) == message


def test_a_case_needs_a_word() -> None:
    for script in ("case", "case in x) ;; esac", "case; in x) ;; esac"):
        with pytest.raises(ParseError):
            parse_script(script)


def test_what_nests_to_the_limit_is_read_and_no_deeper() -> None:
    def nested(depth: int) -> str:
        return "{ " * depth + "a; " + "}; " * depth

    parse_script(nested(99))
    with pytest.raises(ParseError, match="nested too deeply"):
        parse_script(nested(100))
