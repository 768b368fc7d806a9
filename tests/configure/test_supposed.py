"""Scripts that ask what only a running machine knows are computed where the answer is of no account, and only there."""

import pytest

from assembler.configure.supposed import may_ask, whatever_is_answered
from assembler.programs.context import ExecutionContext
from assembler.shell.streams import Refused
from assembler.tree.staging import Tree
from tests.support.scripts import run
from tests.tree.disk import tree_of

SAME = (
    "k=$(uname -r); [ -e /lib/modules/$k/build ] && touch /built; echo $k\n",
    "case $(uname -r) in 1.*) touch /old;; esac\n",
    "if dpkg --compare-versions $(uname -r) lt 2.0; then touch /old; fi\n",
    "[ -d /lib/modules/$(uname -r) ] || echo none\n",
    "bash -c 'M[0]=\"x $(uname -r)\"; echo $A'\n",
)
OTHER = (
    "uname -r >/kernel\n",
    "mkdir -p /k/$(uname -r)\n",
    "case $(uname -r) in 2.*) touch /old;; esac\n",
    "if dpkg --compare-versions $(uname -r) ge 6.0; then touch /new; fi\n",
    "[ -d /lib/modules/$(uname -r) ] && touch /there || :\n",
    "dpkg-trigger t$(uname -r)\n",
    "uname -m >/machine\n",
    "[ $(uname -r) = 99.9.9-99-generic ] || uname -r >/kernel\n",
)


def with_bash() -> Tree:
    tree = Tree()
    tree.write("/usr/bin/bash", b"", 0o755, parents=True)
    return tree


def tried(script: str, *kernels: str) -> list[str]:
    tree = tree_of({f"/lib/modules/{kernel}/": "" for kernel in kernels})
    tree.write("/usr/bin/bash", b"", 0o755, parents=True)
    context = ExecutionContext(tree, "amd64", package="pkg")

    def carry_out(at: ExecutionContext) -> None:
        assert run(script, at.tree, context=at) == 0

    whatever_is_answered(context, carry_out)
    return sorted(tree.root.children.keys() - {"usr"})


@pytest.mark.parametrize("script", SAME)
def test_the_answer_is_of_no_account(script: str) -> None:
    assert may_ask(script.encode())
    assert tried(script, "6.12.1-amd64") == ["lib"]
    with pytest.raises(Refused):
        # Nobody else is answered.
        run(script, with_bash())


@pytest.mark.parametrize("script", OTHER)
def test_the_answer_shows(script: str) -> None:
    with pytest.raises(Refused):
        tried(script, "6.12.1-amd64")


def test_of_many_kernels_nothing_is_supposed() -> None:
    with pytest.raises(Refused):
        tried(SAME[0], "1", "2", "3")


def test_what_is_done_is_done_once() -> None:
    assert tried("echo x >>/out; [ $(wc -l </out) = 1 ]; uname -r\n") == ["out"]
