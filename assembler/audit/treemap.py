"""Treemaps: nested rectangles whose areas are sizes, and which are close to squares.

After Bruls, Huizing and van Wijk: "Squarified Treemaps", 2000.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

_KEPT = 2
"""Levels below the whole that are never joined with what is in them: layers and packages."""


@dataclass(slots=True)
class Node:
    """A part of the whole, while it is put together; children add to what it has of its own."""

    name: str
    size: int = 0
    before: int = 0
    changes: int = 0
    children: "dict[str, Node]" = field(default_factory=dict)

    def at(self, *names: str) -> "Node":
        """The part below, made when it is missing."""
        node = self
        for name in names:
            node = node.children.setdefault(name, Node(name))
        return node


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the whole."""

    name: str
    size: int
    """Bytes, of all below."""
    before: int
    """What it was in the older image."""
    changes: int
    """How many paths differ, of all below."""
    touched: int
    """How many of the bytes are in files that differ."""
    children: "tuple[Part, ...]"
    """The largest first."""


def add_up(node: Node, depth: int = 0) -> Part:
    """`node` with the sums of all below. Deep down, a directory with nothing but one other directory is one with
    that.
    """
    children = [add_up(child, depth + 1) for child in node.children.values()]
    if depth > _KEPT and len(children) == 1 and children[0].children and not node.size | node.before | node.changes:
        return replace(children[0], name=f"{node.name}/{children[0].name}")
    return Part(
        node.name,
        node.size + sum(child.size for child in children),
        node.before + sum(child.before for child in children),
        node.changes + sum(child.changes for child in children),
        (node.size if node.changes or node.size != node.before else 0) + sum(child.touched for child in children),
        tuple(sorted(children, key=lambda child: (-max(child.size, child.before), child.name))),
    )


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in units from the upper left corner."""

    x: float
    y: float
    width: float
    height: float


def squarify(sizes: Sequence[float], width: float, height: float) -> Iterator[Box]:
    """A rectangle for each of `sizes`, of which none is zero; together they fill the room.

    They come closest to squares when the largest is first.
    """
    scale = width * height / sum(sizes) if sizes else 0.0
    rest = [size * scale for size in sizes]
    x = y = 0.0
    while rest:
        side = min(width, height)
        row = [rest.pop(0)]
        while rest and side > 0 and _worst([*row, rest[0]], side) <= _worst(row, side):
            row.append(rest.pop(0))
        depth = sum(row) / side if side > 0 else 0.0
        position = 0.0
        for area in row:
            length = area / depth if depth > 0 else 0.0
            yield Box(x, y + position, depth, length) if width >= height else Box(x + position, y, length, depth)
            position += length
        if width >= height:
            x, width = x + depth, max(width - depth, 0.0)
        else:
            y, height = y + depth, max(height - depth, 0.0)


def _worst(row: Sequence[float], side: float) -> float:
    """How far from a square the rectangles of a row are."""
    total = sum(row)
    if not total:
        return float("inf")
    return max(side * side * max(row) / (total * total), total * total / (side * side * max(min(row), 1e-9)))
