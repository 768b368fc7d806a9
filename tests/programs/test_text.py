"""grep, sed and awk against what the real ones made of calls, and what is refused; see tests/proofs/text.py."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from assembler.shell.process import Process
from assembler.shell.streams import NOWHERE, Budget, Opened, Pipe, Refused, Stream
from assembler.tree.staging import Inode, Kind, Tree
from tests.proofs.text import PROGRAMS, RECORDED, Result, ours
from tests.proofs.text_draws import Call
from tests.support.host_commands import need


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
grep -rq x
grep -rqm1 x /d
grep -rq x -
grep -rl x /d
grep -rq x /
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
grep 'a**'
grep '\(^a\)\+'
grep -E '(a|b$){2}'
sed
sed -z p
sed -u p
sed --posix p
sed --debug p
sed --follow-symlinks -i p x
sed -l 3 p
sed --expr p
sed --quiet=1 p
sed -i p
sed -i.*~ p x
sed -ia/b p x
sed -i.a -i.b p x
sed -e p -E
sed -e 'a\' -e x
sed -f none
sed -f -
sed '#n'
sed s/a/b/e
sed s/a/b/w
sed s/a/b/m
sed s/a/b/gg
sed s/a/b/pp
sed s/a/b/0
sed s/a/b/11111111111
sed s/a/b/1g2
sed s/a/b
sed s/a
sed 's/a/b/ x'
sed 's/a/\1/'
sed 's/a/\U&/'
sed 's/a/\x41/'
sed 's/a/\cA/'
sed 's/a/\é/'
sed 's/\x41/a/'
sed 's/a/b\'
sed 's|a\|b|c|'
sed saxbxa
sed 's&a&b\&&'
sed s//a/
sed -E 's/((t*)*)/\2/'
sed -E 's/(e|x){2}|(t){2,3}|(t){1,2}/\3/'
sed 's/[/x'
sed 's/[[:a/x/'
sed y/a/bc/
sed y/aa/bc/
sed 'y/\a/b/'
sed //Ip
sed /a/Mp
sed '/a'
sed '\'
sed 0p
sed 0,3p
sed 1,p
sed 1~0p
sed 1,+0p
sed '1!!p'
sed '{p'
sed 'p}'
sed '1}'
sed 'p x'
sed l
sed 'w x'
sed 'R x'
sed e
sed F
sed z
sed v
sed Q
sed q999
sed 1,2q
sed a
sed 'a\\'
sed 'a b\x41'
sed r
sed 'b x'
sed ':a;:a'
sed ':'
sed '1:a'
sed '{b}'
sed ba}
sed 99999999999p
sed k
awk
awk -f x
awk -W version
awk -F
awk -v 2=3 '{print}'
awk -v RS=x '{print}'
awk '{print}' a=b
awk '{print > "x"}'
awk '{print | "x"}'
awk '{print >> "x"}'
awk '{getline}'
awk '{a[1]=2}'
awk '{for (i in a) print}'
awk '{while (1) print}'
awk 'function f() { print }'
awk '{f()}'
awk '{print split($0, a)}'
awk '{system("x")}'
awk '{print 1.5}'
awk '{print 1e5}'
awk '{print 3/2}'
awk '{print int(1/0)}'
awk '{print int(1.5)}'
awk '{print 2^3}'
awk '{print 2147483647 + 1}'
awk '{print 1 ? 2 : 3}'
awk '{print !x ~ y}'
awk '/a/,/b/'
awk '{NF=2}'
awk '{FS=":"}'
awk '{RS=":"}'
awk '{print ENVIRON}'
awk '{print $-1}'
awk '{$999=1}'
awk '{1=2}'
awk '{1++}'
awk '{printf}'
awk '{printf "%x", 1}'
awk '{printf "%s"}'
awk '{printf "a", 1}'
awk '{print "\a"}'
awk '{print "a}'
awk '/a{2}/'
awk '/\w/'
awk '/()/'
awk '/a$(b)/'
awk '/a^/'
awk '/é/'
awk '{gsub(/x*/, "")}'
awk '{sub(/x/, "\\&")}'
awk '{sub(/x/, "", 1)}'
awk '{print substr($0, 0)}'
awk '{print -1 % 2}'
awk BEGIN
awk 'BEGIN {next}'
awk 'BEGIN {if (0) next}'
awk 'BEGIN {if (0) print /(a|)/}'
awk '{'
awk '{print}}'
awk '{print @}'
awk -F. '{print $1}'
awk -F^x '{print $1}'
awk -F 'x*' '{print $1}'
awk '{print}' /
"""


@pytest.mark.parametrize("command", _REFUSED.strip().split("\n"))
def test_calls_that_are_not_computed(command: str) -> None:
    with pytest.raises(Refused):
        call(command, "text\n")


def test_of_a_long_program_the_line_is_named() -> None:
    with pytest.raises(Refused, match=r"^match of awk: if \(match\(.0, \"x\"\)\) next$"):
        call("awk '{ a = 1 }\n  {\n  if (match($0, \"x\")) next\n}'", "text\n")


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
    budget = Budget(output=1 << 16)
    source = Pipe(budget, data=bytearray(b"a" * 40_000 + b"x\n"))
    with pytest.raises(Refused):
        PROGRAMS["grep"](Process(Tree(), ["-o", "a*b\\|x"], {}, "/", 0o022, {0: source}, budget))


def test_files_of_a_running_machine_are_not_made_up() -> None:
    tree = Tree()
    tree.mkdir("/etc")
    tree.symlink("/proc/self/mounts", "/etc/mtab")
    budget = Budget()
    for path in ("/proc/cmdline", "/etc/mtab", "/dev/stdin"):
        for name in ("grep", "sed", "awk"):
            with pytest.raises(Refused):
                PROGRAMS[name](Process(tree, ["/p/", path], {}, "/", 0o022, {}, budget))
    assert PROGRAMS["grep"](Process(tree, ["p", "/dev/null"], {}, "/", 0o022, {}, budget)) == 1


def test_files_are_edited_in_place() -> None:
    tree = Tree(mtime=7)
    old = tree.write("/d/f", b"a\n", 0o2640, 3, 4, parents=True)
    tree.put("/d/hard", old)
    tree.symlink("f", "/d/link")
    budget = Budget()
    process = Process(tree, ["-i.old", "s/a/b/", "f", "link"], {}, "/d", 0o022, {}, budget)
    assert PROGRAMS["sed"](process) == 0
    made = tree.at("/d/f")
    assert (made.mode, made.uid, made.gid, made.mtime, tree.read("/d/f")) == (0o2640, 3, 4, 7, b"b\n")
    assert tree.at("/d/f.old") is tree.at("/d/hard") is old
    assert tree.at("/d/link").kind is Kind.FILE
    assert tree.at("/d/link.old").kind is Kind.SYMLINK
    made.xattrs["system.posix_acl_access"] = b""
    with pytest.raises(Refused):
        PROGRAMS["sed"](process)


def test_what_sed_leaves_of_its_input() -> None:
    for text, left in ((b"a\nb\nc\n", b"b\nc\n"), (b"a\nb", b"b"), (b"a", b"")):
        budget = Budget()
        opened = Opened(budget, Tree().write("/f", text), 0, readable=True)
        assert PROGRAMS["sed"](Process(Tree(), ["-n", "1q"], {}, "/", 0o022, {0: opened}, budget)) == 0
        assert opened.read() == left


def test_sed_that_prints_to_the_file_that_it_reads_is_not_computed() -> None:
    tree = Tree()
    inode = tree.write("/f", b"a\n")
    budget = Budget()
    streams: dict[int, Stream] = {1: Opened(budget, inode, 0, writable=True, appends=True)}
    with pytest.raises(Refused):
        PROGRAMS["sed"](Process(tree, ["p", "/f"], {}, "/", 0o022, streams, budget))
    inode.content = b""
    assert PROGRAMS["sed"](Process(tree, ["p", "/f"], {}, "/", 0o022, streams, budget)) == 0


@pytest.mark.parametrize("part", ["!", "1 ", "(", "$", "- ", "{", "if (1) ", "x = ", "1 + "])
def test_no_program_of_awk_is_too_deep(part: str) -> None:
    program = part * 3000 + "1" if part in {"{", "if (1) "} else f"print {part * 3000}1"
    with pytest.raises(Refused):
        call(f"awk '{{{program}}}'", "x\n")


@pytest.mark.parametrize("script", [":a;ba", ":a;s/x/xx/g;ta", ":a;G;h;ba", ":a;a x\nba"])
def test_no_script_takes_for_ever(script: str) -> None:
    budget = Budget(output=1 << 18)
    with pytest.raises(Refused):
        PROGRAMS["sed"](Process(Tree(), [script], {}, "/", 0o022, {0: Pipe(budget, data=bytearray(b"x\n"))}, budget))


@pytest.mark.parametrize("locale", [{"LC_ALL": "de_DE.UTF-8"}, {"LANG": "de_DE.UTF-8"}, {"POSIXLY_CORRECT": ""}])
def test_other_surroundings_are_not_known(locale: dict[str, str]) -> None:
    budget = Budget()
    for name in ("grep", "sed"):
        with pytest.raises(Refused):
            PROGRAMS[name](Process(Tree(), ["p"], locale, "/", 0o022, {}, budget))


@pytest.mark.parametrize(
    "words", ["-rq x d", "-qr none d", "-rqi X d/sub", "-rq ^y d", "-rqw x one", "-rqs x nofile d", "-rq none nofile d",
              "-rqv . d", "-rqF x l", "-rqE '^(a|z)' d l"]
)  # fmt: skip
def test_grep_below_directories_is_as_the_real_one(words: str, tmp_path: Path) -> None:
    files = {"one": "x\n", "d/two": "a\n", "d/sub/three": "xx\n\nq x\n", "out": "y\nz\n"}
    tree = Tree()
    for name, text in files.items():
        tree.write(f"/{name}", text.encode(), parents=True)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    # A link that is named is followed, one below is not.
    for link, target in (("l", "d/sub"), ("d/to", "../out")):
        tree.symlink(target, f"/{link}")
        (tmp_path / link).symlink_to(target)
    streams: dict[int, Stream] = dict.fromkeys((0, 1, 2), NOWHERE)
    arguments = shlex.split(words)
    status = PROGRAMS["grep"](Process(tree, arguments, {}, "/", 0o022, streams, Budget()))
    real = subprocess.run([need("grep", "grep"), *arguments], cwd=tmp_path, check=False, stderr=subprocess.DEVNULL)
    assert status == real.returncode


@pytest.mark.parametrize("words", ["grep -rq none /d", "grep -rq x /fifo"])
def test_grep_below_directories_of_what_is_no_text(words: str) -> None:
    tree = Tree()
    tree.write("/d/binary", b"x\0y\n", parents=True)
    tree.put("/fifo", Inode(Kind.FIFO, 0o644))
    name, *arguments = words.split()
    with pytest.raises(Refused):
        PROGRAMS[name](Process(tree, arguments, {}, "/", 0o022, dict.fromkeys((0, 1, 2), NOWHERE), Budget()))
