"""grep, sed and awk against what the real ones made of calls, and what is refused; see tests/proofs/text.py."""

import json
import shlex

import pytest

from assembler.shell.process import Process
from assembler.shell.streams import NOWHERE, Budget, Opened, Pipe, Refused, Stream
from assembler.tree.staging import Tree
from tests.proofs.text import PROGRAMS, RECORDED, Result, ours
from tests.proofs.text_draws import Call


def call(command: str, text: str = "", **files: str) -> tuple[int, str]:
    """Exit status and output of a command."""
    tree = Tree()
    for name, content in files.items():
        tree.write(f"/{name}", content.encode())
    budget = Budget()
    source, output = Pipe(budget), Pipe(budget)
    source.data += text.encode()
    name, *words = shlex.split(command)
    streams: dict[int, Stream] = {0: source, 1: output, 2: NOWHERE}
    words = [word.encode().decode("latin-1") for word in words]
    status = PROGRAMS[name](Process(tree, words, {}, "/", 0o022, streams, budget))
    return status, output.data.decode()


def test_calls_give_what_the_real_programs_gave() -> None:
    different = []
    recorded = RECORDED.read_text().splitlines()
    assert len(recorded) > 500
    for line in recorded:
        program, words, locale, source, one, two, *expected = json.loads(line)
        drawn = Call(program, tuple(words), locale, source, one, two)
        if ours(drawn) != Result(*expected):
            different.append(drawn)
    assert different == []


_REFUSED = r"""
grep -A1 x
grep -P x
grep -r x
grep -b x
grep -z x
grep --color x
grep -EF x
grep -hH x
grep -xw x
grep -w '\bx'
egrep -F x
grep -m x y
grep -m -1 y
grep --frob x
grep -qe
grep '\(a\)\1'
grep 'a\'
grep '\(a'
grep 'a\)'
grep '[a'
grep '[[:frob:]]'
grep '[[.a.]]'
grep '[[=a=]]'
grep '[:alpha:]'
grep 'a\{'
grep 'a\{300\}'
grep 'a\{2,1\}'
grep 'a\{,2\}'
grep '[z-a]'
grep '[a-[:digit:]]'
grep '[a-c-e]'
grep '\d'
grep '\B'
grep '\<*'
grep -E '^*'
grep -E '*a'
grep -E 'a|*'
grep -E '{'
grep -E 'a{'
grep -E '(a'
grep -E 'a)'
grep -E '(a)\1'
grep -i é
grep -i '[é]'
grep '[á-é]'
"""


@pytest.mark.parametrize("command", _REFUSED.strip().split("\n"))
def test_calls_that_are_not_computed(command: str) -> None:
    with pytest.raises(Refused):
        call(command, "text\n")


def test_what_is_no_text_is_not_searched() -> None:
    for data in (b"a\0", b"\xe9\n"):
        tree = Tree()
        tree.write("/f", data)
        budget = Budget()
        process = Process(tree, ["a", "/f"], {}, "/", 0o022, {1: Pipe(budget)}, budget)
        with pytest.raises(Refused):
            PROGRAMS["grep"](process)
    process.arguments[0] = "[^a]"
    process.environment = {"LC_ALL": "C"}
    assert PROGRAMS["grep"](process) == 0


def test_the_locale_decides_about_characters() -> None:
    assert call("grep -o '^.'", "é\n") == (0, "é\n")
    with pytest.raises(Refused):
        call("grep '^[[:upper:]]'", "é\n")
    with pytest.raises(Refused):
        call("grep -i k", "\u212a\n")


def test_messages_that_are_read_are_not_made_up() -> None:
    budget = Budget()
    streams: dict[int, Stream] = {1: Pipe(budget), 2: Pipe(budget)}
    for words in (["x", "none"], ["\\-", "f"]):
        with pytest.raises(Refused):
            PROGRAMS["grep"](Process(Tree(), words, {}, "/", 0o022, streams, budget))
    assert PROGRAMS["grep"](Process(Tree(), ["-s", "x", "none"], {}, "/", 0o022, streams, budget)) == 2


def test_grep_that_prints_to_the_file_that_it_reads_is_not_computed() -> None:
    tree = Tree()
    inode = tree.write("/f", b"a\n")
    budget = Budget()
    streams: dict[int, Stream] = {1: Opened(budget, inode, 0, writable=True, appends=True)}
    for words in (["a", "/f"], ["-v", "b", "/f"]):
        with pytest.raises(Refused):
            PROGRAMS["grep"](Process(tree, words, {}, "/", 0o022, streams, budget))


def test_what_grep_leaves_of_its_input() -> None:
    tree = Tree()
    inode = tree.write("/f", b"a\nb\nc\n")
    budget = Budget()
    opened = Opened(budget, inode, 0, readable=True)
    assert PROGRAMS["grep"](Process(tree, ["-m1", "b"], {}, "/", 0o022, {0: opened}, budget)) == 0
    assert opened.read() == b"c\n"


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|aa)+$", "((a*)*)*c", "(x+x+)+y", "a{1,200}{1,200}", "(.*){1,9}(.*)*z$"]
)
def test_no_expression_takes_for_ever(pattern: str) -> None:
    text = "a" * 3000 + "x" * 3000 + "\n"
    try:
        status, _ = call(f"grep -oE '{pattern}'", text * 3)
    except Refused:
        return
    assert status in {0, 1}


def test_the_budget_bounds_what_searching_takes() -> None:
    budget = Budget(output=1 << 18)
    source = Pipe(budget, bytearray(b"a" * 3000 + b"x\n"))
    with pytest.raises(Refused):
        PROGRAMS["grep"](Process(Tree(), ["-o", "a*b\\|x"], {}, "/", 0o022, {0: source}, budget))
