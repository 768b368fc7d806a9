"""What is dropped from a script would not have run: random scripts, before and after, carried out by a real shell."""

import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.configure.scripts import analyse
from assembler.shell.canonical import render
from assembler.shell.grammar import parse_script
from assembler.shell.residual import reduce_script
from assembler.shell.words import script_scope
from tests.support.host_commands import need

PRELUDE = 'maybe() { [ -e /proc ]; }\nnever() { [ -e /nowhere ]; }\neffect() { echo "$*"; }\n'
"""What stands for commands that nobody knows; they are no part of what is analysed."""

_VALUES = ["configure", "", "upgrade", "'a b'", "1.0", '"$1"', '"$2"', '"$x"', '"${2:-none}"', "$x", '"$y"', "x$2"]
_TESTS = st.one_of(
    st.tuples(
        st.sampled_from(['"$1"', '"$2"', '"$x"', '"$#"', '"$y"']),
        st.sampled_from(["=", "!="]),
        st.sampled_from(_VALUES),
    ).map(lambda parts: f"[ {' '.join(parts)} ]"),
    st.sampled_from(['[ -n "$2" ]', '[ -z "$2" ]', '[ -n "$x" ]', "[ -e /proc ]", "[ -e /nowhere ]", "maybe", "never",
                     "true", "false", 'test "$1" = configure -a -z "$2"', '[ "$1" = x -o -n "$x" ]', "! true",
                     'dpkg --compare-versions "$2" lt 1.0', 'dpkg --compare-versions "$2" lt-nl 1.0',
                     "effect condition", "{ effect c; never; }", "check a", "check"]),
)  # fmt: skip
_CONDITIONS = st.recursive(
    _TESTS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(" ".join),
        inner.map(lambda text: f"! {{ {text}; }}"),
    ),
    max_leaves=4,
)
_COMMANDS = st.sampled_from(
    ["effect a", 'effect "$1" "$2" "$#"', 'effect "$x" $y', ":", "true", "x=1", "x=", 'y="$x"', "y=$1", "exit 0",
     "shift || :", "set -- upgrade 1.0", "set -e", "set +e", "helper", "helper upgrade", "effect >/dev/null",
     "read x <<E\nnew\nE", "unset x", "export x=2", "for x in 1 2; do :; done", "x=3 effect b", 'eval "x=4"',
     "effect `effect inner`",
     "cat <<E\n$x $1\nE", "cat <<'E'\n$x\nE", "(x=5; effect sub)", "effect p | cat", "return 0 2>/dev/null || :"]
)  # fmt: skip


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    patterns = st.sampled_from(["configure", "upgrade|configure", "*", "''", "[a-d]*", "upgrade", '"$x"', "c*e", "1.*"])
    arm = st.tuples(patterns, inner).map(lambda parts: f"{parts[0]}) {parts[1]}\n;;\n")
    words = st.sampled_from(['"$1"', '"$2"', '"$x"', "$1", "x$x"])
    return st.one_of(
        st.tuples(_CONDITIONS, inner, inner).map(lambda p: f"if {p[0]}; then {p[1]}\nelse {p[2]}\nfi"),
        st.tuples(_CONDITIONS, inner, _CONDITIONS, inner).map(
            lambda p: f"if {p[0]}\nthen {p[1]}\nelif {p[2]}; then {p[3]}\nfi"
        ),
        st.tuples(words, st.lists(arm, min_size=1, max_size=3)).map(lambda p: f"case {p[0]} in\n{''.join(p[1])}esac"),
        st.tuples(_CONDITIONS, st.sampled_from(["&&", "||"]), inner).map(lambda p: f"{p[0]} {p[1]} {{ {p[2]}\n}}"),
        inner.map(lambda text: f"for i in a b; do {text}\ndone"),
        inner.map(lambda text: f"while true; do {text}\nbreak\ndone"),
        inner.map(lambda text: f"{{ {text}\n}}"),
        inner.map(lambda text: f"( {text}\n)"),
        st.tuples(inner, inner).map("\n".join),
    )


_SCRIPTS = st.tuples(
    st.sampled_from(["", "#!/bin/sh\nset -e\n", "x=0\n"]),
    st.lists(st.recursive(_COMMANDS, _compound, max_leaves=6), min_size=1, max_size=4).map("\n".join),
    st.sampled_from(['[ "$1" = configure ]', '[ -n "$1" ]', "effect in-check", "return 1", 'x="$1"']),
    st.sampled_from(['[ "$1" = configure ] || effect helper', "x=9", "exit 0", "effect helper; return 0"]),
).map(lambda parts: f"{parts[0]}check() {{ {parts[2]}; }}\nhelper() {{ {parts[3]}; }}\n{parts[1]}\n")


def said(script: str) -> str:
    """What a script writes when dpkg calls it for the first time."""
    command = [need("dash", "dash"), "-c", PRELUDE + script, "postinst", "configure", ""]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout


@settings(deadline=None, max_examples=60)
@given(_SCRIPTS)
def test_a_reduced_script_does_the_same(script: str) -> None:
    block = reduce_script(parse_script(script), script_scope("pkg", "postinst", "amd64"))
    reduced = render(block)
    if script.startswith("#!"):
        reduced = f"set -e\n{reduced}"
    assert said(reduced) == said(script)


@settings(deadline=None, max_examples=60)
@given(_SCRIPTS)
def test_a_script_with_nothing_to_do_does_nothing(script: str) -> None:
    if not script.startswith("#!"):
        script = f"#!/bin/sh\n{script}"
    # A message of the script's own is no effect; `cat` writes nothing else here.
    script = script.replace("cat <<", "effect <<")
    if analyse("pkg", "postinst", script, "amd64").layer == "nothing":
        assert said(script) == ""
