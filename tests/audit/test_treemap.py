"""Treemaps show sizes as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.audit.treemap import Node, add_up, squarify


@given(st.lists(st.integers(1, 10**9), max_size=12).map(lambda sizes: sorted(sizes, reverse=True)))
def test_rectangles_fill_their_room_and_do_not_overlap(sizes: list[int]) -> None:
    found = list(squarify(sizes, 100, 60))
    total = sum(sizes)
    for size, box in zip(sizes, found, strict=True):
        assert -1e-6 <= box.x <= box.x + box.width <= 100 + 1e-6
        assert -1e-6 <= box.y <= box.y + box.height <= 60 + 1e-6
        assert box.width * box.height == pytest.approx(6000 * size / total, rel=1e-6)
    for number, one in enumerate(found):
        for two in found[:number]:
            wide = min(one.x + one.width, two.x + two.width) - max(one.x, two.x)
            high = min(one.y + one.height, two.y + two.height) - max(one.y, two.y)
            assert min(wide, high) < 1e-6


def test_sums_and_what_differs() -> None:
    root = Node("image")
    for path, before, size, changes in (
        ("rootfs/p/a", 10, 10, 0),
        ("rootfs/p/b", 10, 30, 1),
        ("rootfs/q/long/way/c", 0, 5, 1),
        ("iso/gone", 7, 0, 1),
    ):
        node = root.at(*path.split("/"))
        node.before, node.size, node.changes = before, size, changes
    whole = add_up(root)
    assert (whole.size, whole.before, whole.changes, whole.touched) == (45, 27, 3, 35)
    assert [child.name for child in whole.children] == ["rootfs", "iso"], "the largest first"
    rootfs = whole.children[0]
    assert [child.name for child in rootfs.children] == ["p", "q"]
    assert rootfs.children[1].children[0].name == "long/way", "with nothing beside it on the way"
