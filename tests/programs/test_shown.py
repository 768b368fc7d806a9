"""Programs that print about files and text do what the real ones did, as scripts/shown recorded it."""

import json

import pytest

from assembler.shell.streams import Refused
from tests.proofs.shown import RECORDED, Result, evaluated, settled

CASES = [json.loads(line) for line in RECORDED.read_text().splitlines()]


def test_all_are_as_recorded() -> None:
    different = []
    for command, status, output, files in CASES:
        found = settled(command, evaluated(command))
        if found != Result(status, output, files):
            different.append((command, found))
    assert len(CASES) > 400
    assert not different


@pytest.mark.parametrize(
    "command",
    [
        "cat -n a",
        "cat /proc/cpuinfo",
        "cat /dev/urandom",
        "cat none 2>&1",
        "cat a >>a",
        "head -n 1k a",
        "head --line=1 a",
        "head -n -1 <a",
        "tail -f a",
        "tail -2 a b",
        "wc -L a",
        "wc -m odd",
        "cut -c 1 odd",
        "cut -f 1 -f 2 a",
        "uniq -i a",
        "tee /dev/tty",
        "readlink -f /proc/self/exe",
        "readlink -f -m a",
        "readlink -m none/../a",
        "realpath -L a",
        "stat a",
        "stat -c %Y a",
        "stat -c %i a",
        "stat -c %s d",
        "stat -f a",
        "getent hosts localhost",
        "getent passwd nobody",
        "getent passwd +6",
        "id",
        "id -G",
        "id nobody",
        "groups",
        "mktemp -u none/x.XXXX",
        "mktemp /dev/shm/x.XXXX",
        "tr '[a*]' b <a",
        "tr '[:alpha:]' x <odd",
        "tr -c '[:alpha:]' x <odd",
        "sort -h a",
        "sort -m a b",
        "sort -k 1M a",
        "seq 1.5 2",
        "seq 10000000",
        "expr match a b",
        "ls -l a",
        "ls /",
        "ls loop",
        "ls -lL d >/dev/null",
        "find d -name '*.*' -print0 | sort",
        "find d -name '*.*' -printf '%f ' | sort",
        "md5sum --tag a",
        "md5sum 'a\\b'",
        "date",
        "uname -r",
        "printenv",
        "sleep --help",
        "echo a | xargs -n 0",
        "echo \"'a'\" | xargs cat",
        "find d -newer a",
        "find d -regex x",
        "find -L d",
        "find d -ls",
        "find d -size 1",
        "find / -name x",
        "find d -name '*.conf' -o -name '*.txt'",
        "find . -maxdepth 1 -name 'a*' -print -o -name 'b*' -print",
        "find d -exec cat {} \\;",
        "find d -ok rm {} \\;",
    ],
)
def test_refused(command: str) -> None:
    with pytest.raises(Refused):
        evaluated(command)


def test_a_program_that_prints_nothing_of_use_may_be_asked_anything_it_knows() -> None:
    assert evaluated("stat a >/dev/null").status == 0
    assert evaluated("cat none 2>/dev/null").status == 1


@pytest.mark.parametrize(
    "command",
    [
        "seq 1900000 | cat >big; cat big big >bigger; head -n 1 bigger",
        "seq 250000 | sort",
        "seq 200000 | xargs rm -f",
        f"find d -name '{'*a' * 300}'",
        f"cut -f {','.join(map(str, range(1, 900, 2)))} a",
    ],
)
def test_what_would_take_long_is_refused(command: str) -> None:
    with pytest.raises(Refused):
        evaluated(command)


def test_backslashes_are_squeezed_too() -> None:
    assert evaluated(r"printf 'a\\\\b..\\' | tr -s '\\.'").output == "a\\b.\\"


def test_names_of_temporary_files_are_the_same_each_time() -> None:
    assert evaluated("mktemp; mktemp; mktemp -u x.XXX").output == "/tmp/tmp.aaaaaaaaaa\n/tmp/tmp.aaaaaaaaab\nx.aaa\n"
    assert evaluated("touch() { :; }; echo >/tmp/t.aaaa; mktemp -t t.XXXX").output == "/tmp/t.aaab\n"


def test_a_machine_may_know_more_users_than_its_files() -> None:
    with pytest.raises(Refused, match="come from elsewhere"):
        evaluated("echo 'passwd: files ldap' >/etc/nsswitch.conf; getent passwd root")
    assert evaluated("echo 'passwd: files winbind' >/etc/nsswitch.conf; getent passwd nobody7; echo $?").output == "2\n"
