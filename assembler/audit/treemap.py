"""Treemaps: nested rectangles whose areas are sizes, and which are close to squares.

After Bruls, Huizing and van Wijk: "Squarified Treemaps", 2000.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SMALLEST = 6.0
"""Units of a side below which a rectangle's inside is not divided any further."""
HEAD = 14.0
"""Units at the top of a rectangle for its name, if there is room."""


@dataclass(slots=True)
class Node:
    """A part of the whole; its size is that of its children, if it has some."""

    name: str
    own: int = 0
    children: "dict[str, Node]" = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes, of all below."""
        return self.own + sum(child.size for child in self.children.values())

    def at(self, *names: str) -> "Node":
        """The part below, made when it is missing."""
        node = self
        for name in names:
            node = node.children.setdefault(name, Node(name))
        return node


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in units from the upper left corner."""

    path: tuple[str, ...]
    size: int
    x: float
    y: float
    width: float
    height: float
    leaf: bool


def boxes(root: Node, width: float, height: float) -> Iterator[Box]:
    """Every part of `root` as a rectangle, the outer ones first; parts too small to be seen are left out."""
    yield from _inside(root, (), 0.0, 0.0, width, height)


def _inside(  # noqa: PLR0917  a rectangle has four numbers
    node: Node, path: tuple[str, ...], x: float, y: float, width: float, height: float
) -> Iterator[Box]:
    children = sorted(
        ((child.size, child) for child in node.children.values() if child.size),
        key=lambda item: (-item[0], item[1].name),
    )
    if not children or min(width, height) < SMALLEST:
        return
    scale = width * height / sum(size for size, _ in children)
    areas = [size * scale for size, _ in children]
    for (size, child), (left, top, wide, high) in zip(children, _squarify(areas, x, y, width, height), strict=True):
        if wide < 1 or high < 1:
            continue
        here = (*path, child.name)
        yield Box(here, size, left, top, wide, high, leaf=not child.children)
        head = HEAD if high > 3 * HEAD and wide > 2 * HEAD else 1.0
        yield from _inside(child, here, left + 1, top + head, wide - 2, high - head - 1)


def _squarify(
    areas: Sequence[float], x: float, y: float, width: float, height: float
) -> Iterator[tuple[float, float, float, float]]:
    rest = list(areas)
    while rest:
        side = min(width, height)
        row = [rest.pop(0)]
        while rest and side > 0 and _worst([*row, rest[0]], side) <= _worst(row, side):
            row.append(rest.pop(0))
        depth = sum(row) / side if side > 0 else 0.0
        position = 0.0
        for area in row:
            length = area / depth if depth > 0 else 0.0
            yield (x, y + position, depth, length) if width >= height else (x + position, y, length, depth)
            position += length
        if width >= height:
            x, width = x + depth, max(width - depth, 0.0)
        else:
            y, height = y + depth, max(height - depth, 0.0)


def _worst(row: Sequence[float], side: float) -> float:
    total = sum(row)
    if not total:
        return float("inf")
    return max(side * side * max(row) / (total * total), total * total / (side * side * max(min(row), 1e-9)))
