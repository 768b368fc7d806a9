"""What is part of dash is looked for before programs, and is as dash has it, or refused."""

import pytest

from assembler.shell.heads import parsed
from assembler.shell.streams import Refused
from tests.proofs.shell import evaluated, real
from tests.support.host_commands import need


@pytest.mark.parametrize(
    "text",
    [
        "hash cat; echo $?",
        "hash none 2>/dev/null; echo $?",
        "hash cat none cat 2>/dev/null; echo $?",
        "f() { :; }; hash f echo hash; echo $?",
        "if hash none 2>/dev/null; then echo there; else echo not; fi",
        "set -e; hash none 2>/dev/null; echo not reached",
        "PATH=$PATH:.:; command -v none || echo $?; echo a | cat",
        "PATH=; command -v cat || echo $?",
        "command -v hash; command -v kill; command -v alias; command -v none; echo $?",
    ],
)
def test_as_dash(text: str) -> None:
    assert evaluated(text) == real(text, [need("dash", "dash")])


@pytest.mark.parametrize(
    "text",
    ["alias a=b || true", "kill -0 1 2>/dev/null || true", "ulimit -n 10 || true", "hash", "hash -r", "hash /bin/sh",
     "times", "jobs", "unalias -a", "exec ulimit -n 1", "exec kill 1"],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(Refused):
        evaluated(text)


def test_long_scripts_are_read_unless_they_would_take_long() -> None:
    assert len(parsed("echo some words\n" * 60_000)) == 60_000
    with pytest.raises(Refused, match="bytes"):
        parsed("cat <<E\nx\nE\n" * 60_000)
    with pytest.raises(Refused, match="bytes"):
        parsed("echo some words\n" * 300_000)
