"""depmod(8) as of kmod 30: what it wrote otherwise than kmod 34, which :mod:`assembler.kernel.depmod` follows.

In the binary indexes a node came after its children, and there was no ``modules.weakdep``.
"""

import struct
from dataclasses import dataclass

from assembler.kernel.depmod import CHILDREN, PREFIX, VALUES
from assembler.tree.staging import Tree

_FLAGS = 0xF0000000
_ROOT = 8
"""Where the offset of the root is."""


def as_before(tree: Tree, release: str) -> None:
    """Rewrite the index files in ``/lib/modules/RELEASE``."""
    top = tree.resolve(f"/lib/modules/{release}", follow=True)
    for name in tree.names(top):
        if name.startswith("modules.") and name.endswith(".bin"):
            tree.write(f"{top}/{name}", children_first(tree.read(f"{top}/{name}")))
    tree.discard(f"{top}/modules.weakdep")


@dataclass(slots=True)
class _Node:
    """A node whose children are being written."""

    flags: int
    data: bytearray
    slot: int
    """Where in `data` the offset of the next child is."""
    end: int
    """After the last of them."""


def children_first(index: bytes) -> bytes:
    """An index whose nodes come before their children, with the same nodes after these."""
    output = bytearray(index[:12])
    stack = [_node(index, _ROOT)]
    while stack:
        node = stack[-1]
        if node.slot < node.end:
            if any(node.data[node.slot : node.slot + 4]):
                stack.append(_node(node.data, node.slot, index))
            else:
                node.slot += 4
            continue
        stack.pop()
        place = len(output) | node.flags
        output += node.data
        if stack:
            struct.pack_into(">I", stack[-1].data, stack[-1].slot, place)
            stack[-1].slot += 4
        else:
            struct.pack_into(">I", output, _ROOT, place)
    return bytes(output)


def _node(holder: bytes | bytearray, slot: int, index: bytes | None = None) -> _Node:
    """The node whose offset is at `slot` of `holder`, in `index`, which may be that."""
    index = bytes(holder) if index is None else index
    (place,) = struct.unpack_from(">I", holder, slot)
    flags, start = place & _FLAGS, place & ~_FLAGS
    at = begin = end = start
    if flags & PREFIX:
        at = begin = end = index.index(0, at) + 1
    if flags & CHILDREN:
        begin, end = at + 2, at + 2 + 4 * (index[at + 1] - index[at] + 1)
        at = end
    if flags & VALUES:
        (number,) = struct.unpack_from(">I", index, at)
        at += 4
        for _ in range(number):
            at = index.index(0, at + 4) + 1
    return _Node(flags, bytearray(index[start:at]), begin - start, end - start)
