"""Scripts that ask what only a running machine knows, and do the same whatever it answers.

Which kernel runs (``uname -r``) is another one on each machine, and so is the hash of a certificate that the machine
makes itself. Such a script is carried out once for each answer that there may be: for a kernel that is newer than all
others, one that is older, and each of the image. Where all leave the same tree, and the same to each node, the answer
is of no account. Links that are called by such a hash are taken out before, and left to the node.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from assembler.configure.identity.made_on_node import claim_links
from assembler.programs.context import ExecutionContext
from assembler.programs.modules import ByteCode
from assembler.shell.streams import Refused, Supposed
from assembler.tree.same import same

_ASKS = re.compile(rb"\b(?:uname|dkms|openssl)\b")
"""In a script that may ask. Another one that does is not computed."""
_MOST = 4
"""Answers that are tried."""


def may_ask(text: bytes) -> bool:
    """Whether a script of that text should be carried out by :func:`whatever_is_answered`."""
    return _ASKS.search(text) is not None


def whatever_is_answered(context: ExecutionContext, carry_out: Callable[[ExecutionContext], None]) -> None:
    """Carry something out, after it was tried on copies of the tree with the other answers.

    Raises what `carry_out` raises, and Refused where its outcome depends on the answer.
    """
    first = _trial(context, 0)
    carry_out(first)
    turns = first.supposed.turns
    if turns > _MOST:
        raise Refused("a running machine is asked, which has many answers", why=f"more than {_MOST}")
    trials = [_trial(context, turn) for turn in range(1, turns)]
    for trial in trials:
        carry_out(trial)
    context.supposed = Supposed(0)
    try:
        carry_out(context)
    finally:
        context.supposed = Supposed()
    claim_links(context.tree, context.node)
    for trial in trials:
        claim_links(trial.tree, trial.node)
        if (
            trial.supposed.turns != turns
            or set(trial.triggers) != set(context.triggers)
            or trial.node != context.node
            or not same(trial.tree, context.tree)
        ):
            raise Refused("it leaves something else when a running machine answers otherwise")


def _trial(context: ExecutionContext, turn: int) -> ExecutionContext:
    return replace(
        context,
        tree=context.tree.copy(),
        triggers=list(context.triggers),
        byte_code=ByteCode(context.byte_code.version) if context.byte_code else None,
        supposed=Supposed(turn),
        node=context.node.copy(),
        done=None,
    )
