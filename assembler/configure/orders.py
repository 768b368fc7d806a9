"""Scripts that see in which order a file system has the entries of a directory, which is another one on each disk.

Such a script is carried out in three orders: that of the names, backwards, and that of the names read from their ends.
Any two entries come in both orders then, so that whichever of them has the last word has it once. Where all three leave
the same tree, and activate the same triggers, the order is of no account.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from assembler.programs.context import ExecutionContext
from assembler.programs.modules import ByteCode
from assembler.shell.streams import Order, OrderShows
from assembler.tree.same import same

_LOOKS = re.compile(rb"\bfind[ \t]+[-./$\"'\\]|\bphp_invoke\b|\bupdate-info-dir\b")
"""In a script that may see it. Another one that does is not computed."""


def may_see_order(text: bytes) -> bool:
    """Whether a script of that text should be carried out by :func:`in_any_order`."""
    return _LOOKS.search(text) is not None


def in_any_order(context: ExecutionContext, carry_out: Callable[[ExecutionContext], None]) -> None:
    """Carry something out, after it was tried on copies of the tree whose directories have their entries in other
    orders.

    Raises what `carry_out` raises, and OrderShows where its outcome depends on the order.
    """
    trials: list[ExecutionContext] = []
    for order in (Order(str, backwards=True), Order(_from_the_end)):
        trial = replace(
            context,
            tree=context.tree.copy(),
            triggers=list(context.triggers),
            byte_code=ByteCode(context.byte_code.version) if context.byte_code else None,
            order=order,
            node=context.node.copy(),
            done=None,
        )
        carry_out(trial)
        if not order.shown:
            break
        trials.append(trial)
    context.order = Order(str)
    try:
        carry_out(context)
    finally:
        context.order = Order()
    for trial in trials:
        alike = set(trial.triggers) == set(context.triggers) and trial.node == context.node
        if not alike or not same(trial.tree, context.tree):
            raise OrderShows("it leaves something else when directories have their entries in another order")


def _from_the_end(name: str) -> str:
    return name[::-1]
