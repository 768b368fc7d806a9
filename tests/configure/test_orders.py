"""Scripts that see the order of a directory's entries are computed where the order is of no account, and only there."""

import pytest

from assembler.configure.orders import in_any_order
from assembler.programs.context import ExecutionContext
from assembler.shell.streams import OrderShows, Refused
from tests.support.scripts import run
from tests.tree.disk import tree_of

FILES = {"/d/ab": "1", "/d/ba": "2", "/d/cc": "3", "/out/": ""}
SAME = (
    "for f in $(find /d -type f); do ln -s $f /out/; done\n",
    "for f in $(find /d -type f); do cp $f /out/; cat $f >>/out/${f##*/}; done\n",
    "find /d -type f -exec cp {} /out \\;\n",
    "n=0; for f in $(find /d -type f); do n=$((n + 1)); done; echo $n >/out/n\n",
    "find /d -type f | while read f; do dpkg-trigger /t$f; done\n",
    "find /d/ab >/out/one\n",
)
OTHER = (
    "find /d -type f >/out/list\n",
    "for f in $(find /d -type f); do cp $f /out/last; done\n",
    "for f in $(find /d -type f); do [ -e /out/first ] || cp $f /out/first; done\n",
    "for f in $(find /d -type f); do cat $f >>/out/all; done\n",
    "find /d -type f | { read f; dpkg-trigger /t$f; }\n",
    "find /d -type f | { read a; read b; echo $b >/out/middle; }\n",
    "for f in $(find /d -type f); do set -- $f; done; chmod 600 $1\n",
    "for f in $(find /d -type f); do last=$f; done; ln $last /out/last\n",
)


def tried(script: str) -> tuple[list[str], set[str]]:
    tree = tree_of(FILES)
    context = ExecutionContext(tree, "amd64", package="pkg")
    times: list[int] = []

    def carry_out(at: ExecutionContext) -> None:
        times.append(run(script, at.tree, context=at))

    in_any_order(context, carry_out)
    assert set(times) == {0}
    assert len(times) in {2, 3}
    with pytest.raises(OrderShows):
        # Nobody else is told of an order.
        run("for f in $(find /d -type f); do :; done\n", tree, context=context)
    return sorted(tree.names("/out")), set(context.triggers)


@pytest.mark.parametrize("script", SAME)
def test_the_order_is_of_no_account(script: str) -> None:
    assert tried(script) != ([], set())


@pytest.mark.parametrize("script", OTHER)
def test_the_order_shows(script: str) -> None:
    with pytest.raises(OrderShows):
        tried(script)


def test_what_is_done_once_is_done_from_the_same_start() -> None:
    names, triggers = tried("mkdir /out/d\nfor f in $(find /d -type f); do dpkg-trigger t$f; done\n")
    assert names == ["d"]
    assert triggers == {"t/d/ab", "t/d/ba", "t/d/cc"}


def test_without_it_the_order_is_refused() -> None:
    for script in SAME[:3] + OTHER[:3]:
        with pytest.raises(Refused):
            run(script, tree_of(FILES))
