"""Reducing scripts to what may run on a fresh install, checked against a real shell where it decides something."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.shell.canonical import render
from assembler.shell.conditions import truth
from assembler.shell.grammar import parse_script
from assembler.shell.residual import reduce_script
from assembler.shell.syntax import Simple
from assembler.shell.words import constant, script_scope, words
from tests.support.host_commands import need

SCOPE = script_scope("pkg", "postinst", "amd64")


def reduced(script: str, name: str = "postinst") -> str:
    return render(reduce_script(parse_script(script), script_scope("pkg", name, "amd64")))


@pytest.mark.parametrize(
    ("script", "left"),
    [
        ("#!/bin/sh\nset -e\n# nothing\nexit 0\n", ""),
        ('case "$1" in\nconfigure) a;;\nabort-*) b;;\n*) exit 1;;\nesac\n', "a\n"),
        ('if [ "$1" = configure ] && [ -n "$2" ]; then upgrade; fi\n', ""),
        ('if [ "$1" = "configure" ] || [ "$1" = x ]; then a; b; fi\n', "a\nb\n"),
        ('if [ "$1" = configure ] && [ -e /x ]; then a; fi\n', "if [ -e /x ]\nthen\na\nfi\n"),
        ('[ "$1" = configure ] || exit 0\na\n', "a\n"),
        ('if [ "$1" != configure ]; then exit 0; fi\na\n', "a\n"),
        ("a\nexit 0\nb\n", "a\nexit 0\n"[:2]),
        ('if dpkg --compare-versions "$2" lt-nl 1.0; then a; fi\n', ""),
        ('if dpkg --compare-versions "$2" lt 1.0; then a; fi\n', "a\n"),
        ('old=$2\nif [ -n "$old" ]; then a; fi\n', "old=$2\n"),
        ('x=1\nx=2\nif [ "$x" = 1 ]; then a; fi\n', 'x=1\nx=2\nif [ "$x" = 1 ]\nthen\na\nfi\n'),
        ("f() { a; }\ng() { f; }\nb\n", "b\n"),
        ('f() { [ "$1" = configure ] && a; }\nf x\n', 'f() {\n[ "$1" = configure ] && a\n}\nf x\n'),
        ('shift\nif [ "$1" = configure ]; then a; fi\n', 'shift\nif [ "$1" = configure ]\nthen\na\nfi\n'),
        ('if x; then [ -n "$2" ] && a; fi\n', "if x\nthen\n:\nfi\n"),
        ("if x; then exit 0; fi\n", "if x\nthen\nexit 0\nfi\n"),
        (": >/file\n", ": >/file\n"),
        ('[ -z "$DPKG_ROOT" ] && a\n', "a\n"),
        ('eval "$x"\n', 'eval "$x"\n'),
        ('{ a; [ -n "$2" ] && b; c; }\n', "a\nc\n"),
        ('( [ -n "$2" ] && b )\n', '(\n[ -n "$2" ] && b\n)\n'),
        ('case "$x" in\na) [ -n "$2" ] && b;;\n*) c;;\nesac\n', 'case "$x" in\na)\n:\n;;\n*)\nc\n;;\nesac\n'),
        ('case "$1" in\n[c]onfigure) a;;\nesac\n', 'case "$1" in\n[c]onfigure)\na\n;;\nesac\n'),
        ('case "$1" in\nconf*) a;;\nesac\n', "a\n"),
        ('case "$1" in\n?onfigure) a;;\nesac\n', "a\n"),
        ('case "$1" in\nabort) a;;\nesac\nb\n', "b\n"),
        ("[ -e /x ] && true\n", "[ -e /x ]\n"),
        ("a && true\n", "a && true\n"),
        ("[ -e /x ] || true\n", "[ -e /x ] || true\n"),
        ('[ -n "$2" ] && [ -e /x ] && a\n', ""),
        ('[ -n "$1" ] && [ -e /x ] && a\n', "[ -e /x ] && a\n"),
        ('[ -e /x ] && [ -n "$1" ] && a\n', "[ -e /x ] && a\n"),
        ('[ -e /x ] && { [ -n "$2" ] && a; b; }\n', "[ -e /x ] && {\nb\n}\n"),
        ('while x; do [ -n "$2" ] && a; b; done\n', "while x\ndo\nb\ndone\n"),
        ('for x in 1 2; do [ -n "$2" ] && a; done\n', "for x in 1 2\ndo\n:\ndone\n"),
        ('if x; then :; elif [ -n "$2" ]; then b; elif [ -n "$1" ]; then c; fi\n', "if x\nthen\n:\nelse\nc\nfi\n"),
        ('if x; then a; else [ -n "$2" ] && b; fi\n', "if x\nthen\na\nelse\n:\nfi\n"),
        ("{ a; } >/x\n", "{\na\n} >/x\n"),
        ("umask 022\nset -e\nset -eu\na\n", "a\n"),
        ("umask 077\n", "umask 077\n"),
        ("exit 1\na\n", "exit 1\n"),
        ('if [ "$1" = configure ]; then a; exit 0; fi\nb\n', "a\n"),
        ("f() { f; }\ng() { h; }\nh() { g; }\na\n", "g() {\nh\n}\nh() {\ng\n}\na\n"),
        ("f() { a; }\nf-x\n", "f-x\n"),
        ('set -- x\nif [ "$1" = configure ]; then a; fi\n', 'set -- x\nif [ "$1" = configure ]\nthen\na\nfi\n'),
        ("true >/x\n", "true >/x\n"),
        ("exit 0 >/x\n", "exit 0 >/x\n"),
        ('[ -n "$1" ] || a\nb\n', "b\n"),
    ],
)  # fmt: skip
def test_reducing(script: str, left: str) -> None:
    assert reduced(script) == left


def test_preinst_installs_and_postinst_configures() -> None:
    script = 'case "$1" in\ninstall) a;;\nconfigure) b;;\nesac\n'
    assert reduced(script, "preinst") == "a\n"
    assert reduced(script, "postinst") == "b\n"


def test_a_variable_that_is_read_or_exported_elsewhere_is_not_known() -> None:
    for other in ("read x", "for x in a b; do :; done", "local x", 'eval "x=$y"', "unset x"):
        script = f'x=1\n{other}\nif [ "$x" = 1 ]; then a; fi\n'
        assert "if" in reduced(script), other


@pytest.mark.parametrize("operator", ["lt", "le", "eq", "ne", "ge", "gt", "lt-nl", "le-nl", "ge-nl", "gt-nl"])
def test_an_empty_version_compares_as_dpkg_says(operator: str) -> None:
    command = ["dpkg", "--compare-versions", "", operator, "1.0"]
    expected = subprocess.run([need("dpkg", "dpkg"), *command[1:]], check=False).returncode == 0
    assert truth(parse_script(f'dpkg --compare-versions "$2" {operator} 1.0')[0], SCOPE) is expected


_TESTS = st.recursive(
    st.sampled_from(
        ['-n "$1"', '-z "$1"', '-n "$2"', '-z "$2"', '"$1" = configure', '"$1" != configure', '"$2" = ""', 'x"$2" = x',
         '"$1" = upgrade', "-z $2", "-n $2",
         '! "$2" = a', "'a b' = a", '"${2:-d}" = d', '"${1:+e}" = e', '"${2-d}" = d']
    ).map(lambda text: f"[ {text} ]"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(" ".join), inner.map(lambda text: f"! {{ {text}; }}")
    ),
    max_leaves=6,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(_TESTS)
def test_decided_conditions_are_what_a_shell_says(condition: str) -> None:
    answer = truth(parse_script(condition)[0], SCOPE)
    run = subprocess.run([need("dash", "dash"), "-c", condition, "x", "configure", ""], check=False)
    assert answer is None or answer is (run.returncode == 0)


@given(st.text(alphabet="ab '\"\\$12{}:-*[]~/=", max_size=12))
def test_constant_words_expand_as_in_a_shell(word: str) -> None:
    try:
        block = parse_script(f"c {word}")
    except ValueError:
        return
    if len(block) != 1 or not isinstance(block[0], Simple) or block[0].redirects:
        return
    expanded = words(block[0], SCOPE)
    if expanded is None:
        return
    script = f"c() {{ for i; do printf '%s\\n' \"$i\"; done; }}; c {word}"
    command = [need("dash", "dash"), "-c", script, "x", "configure", ""]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/proc")
    assert run.stdout == "".join(f"{item}\n" for item in expanded[1:])


def test_what_is_no_constant() -> None:
    for word in ("*.bin", "~/x", "$(ls)", "`ls`", "$HOME", '"$HOME"', "a?b", "[ab]", "$2"):
        assert constant(word, SCOPE) is None, word


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ('[ ! "" ]', True),
        ("[ ! a ]", False),
        ("[ ! -e /x ]", None),
        ('[ a -a "" ]', False),
        ('[ "" -o a ]', True),
        ('[ -e /x -a "" ]', False),
        ("[ -e /x -o a ]", True),
        ("[ -e /x -a a ]", None),
        ('[ -e /x -o "" ]', None),
        ('[ "" -o "" ]', False),
        ("[ a -a a ]", True),
        ("[ ]", False),
        ("[ ! ]", True),
        ("test a", True),
        ("[ a == a ]", True),
        ("[ a != a ]", False),
        ("[ a -eq a ]", None),
        ("true <<EOF\nx\nEOF", True),
        ("true >/x", None),
        ("true >/dev/null 2>&1", True),
        ("true >&x", None),
        ("true 2>&-", True),
        ("false x", None),
        ("false", False),
        ("dpkg --compare-versions 1 lt 2", None),
        ('dpkg --compare-versions "" lt ""', None),
        ('dpkg --compare-versions -- "" lt 2', True),
        ('dpkg --compare-versions "" lt 2 3', None),
        ('dpkg --compare-versions "" near 2', None),
        ("{ true; }", True),
        ("{ true; false; }", None),
        ("( true )", None),
        ("{ true; } >/x", None),
        ("! true", False),
        ("! -e", None),
        ("[ a", None),
        ("x=1 true", None),
        ("true && false", False),
        ("false || true", True),
        ("-e || true", None),
        ("true || x", True),
        ("false && x", False),
        ("x && false", None),
        ("x || true", None),
        ('[ "$0" = a ]', None),
        ('[ "$9" = "" ]', True),
        ('[ "$3" = "" ]', True),
    ],
)
def test_what_is_known_of_a_command(command: str, answer: bool | None) -> None:  # noqa: FBT001  a parameter
    assert truth(parse_script(f"{command}\n")[0], SCOPE) is answer


@pytest.mark.parametrize("change", ["shift", "shift 1", "set -- upgrade", "set upgrade 1.0", "set -e --"])
def test_arguments_that_change_are_not_known_any_more(change: str) -> None:
    script = f'{change}\nif [ "$1" = configure ]\nthen\na\nfi\n'
    assert reduced(script) == script


@pytest.mark.parametrize("change", ["set -e", "set +x", "shifty"])
def test_arguments_that_do_not_change_stay_known(change: str) -> None:
    assert "then" not in reduced(f'{change}\nif [ "$1" = configure ]\nthen\na\nfi\n')


@pytest.mark.parametrize("name", ["f", "f-x", "f.x", "f_x"])
def test_functions_that_nothing_calls_go_whatever_their_names_are(name: str) -> None:
    assert reduced(f"{name}() {{ a; }}\nb\n") == "b\n"
    called = f"{name}() {{\na\n}}\n{name} x\n"
    assert reduced(called) == called
    indirect = f"{name}() {{\na\n}}\ng() {{\n{name}\n}}\n"
    assert reduced(f"{indirect}g\n") == f"{indirect}g\n"
    assert reduced(f"{indirect}b\n") == "b\n"


@pytest.mark.parametrize(
    ("word", "value"),
    [('"\\a"', "\\a"), ('"\\$"', "$"), ('"\\`"', "`"), ('"\\""', '"'), ('"\\\\"', "\\"), ("\\a", "a"), ("\\$", "$"),
     ("'\\a'", "\\a"), ('""', ""), ("''", ""), ("a\"b\"'c'", "abc"), ("~", None), ("a*", None), ('"a*"', "a*"),
     ("$z", None)],
)  # fmt: skip
def test_words_that_are_known(word: str, value: str | None) -> None:
    assert constant(word, SCOPE) == value


def test_which_arguments_are_set() -> None:
    assert [SCOPE.is_set(name) for name in ("1", "2", "3", "x")] == [True, True, False, True]
    assert [SCOPE.value(name) for name in ("1", "2", "3")] == ["configure", "", ""]
