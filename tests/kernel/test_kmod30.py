"""The indexes of modules as kmod 30 writes them have the same entries, and each node after its children."""

import pytest

from assembler.kernel import depmod
from assembler.kernel.kmod30 import as_before, children_first
from tests.kernel.test_depmod import entries, sample_tree


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("", "x", 0)],
        [("a", "x", 1)],
        [("a", "x", 1), ("a", "y", 0), ("abc", "z", 2), ("abd", "z", 3), ("b*", "", 4), ("f", "w", 5)],
    ],
)
def test_indexes_have_the_same_entries(pairs: list[tuple[str, str, int]]) -> None:
    new = depmod._trie(pairs)
    old = children_first(new)
    assert len(old) == len(new)
    assert entries(old) == entries(new)


def test_a_node_comes_after_its_children() -> None:
    assert children_first(depmod._trie([("a", "x", 1), ("c", "y", 2)])) == (
        b"\xb0\x07\xf4\x57\x00\x02\x00\x01" + (0x20000000 | 32).to_bytes(4, "big")
        + b"\0\0\0\x01\0\0\0\x01x\0" + b"\0\0\0\x01\0\0\0\x02y\0"
        + b"ac" + (0x40000000 | 12).to_bytes(4, "big") + bytes(4) + (0x40000000 | 22).to_bytes(4, "big")
    )  # fmt: skip


def test_all_indexes_are_rewritten() -> None:
    tree = sample_tree()
    (release,) = tree.names("/lib/modules")
    depmod.depmod(tree, release)
    top = f"/lib/modules/{release}"
    before = {name: tree.read(f"{top}/{name}") for name in tree.names(top) if name.startswith("modules.")}
    as_before(tree, release)
    after = {name: tree.read(f"{top}/{name}") for name in tree.names(top) if name.startswith("modules.")}
    assert after.keys() == before.keys() - {"modules.weakdep"}
    changed = {name for name in after if after[name] != before[name]}
    assert {"modules.dep.bin", "modules.alias.bin", "modules.symbols.bin"} <= changed
    assert all(name.endswith(".bin") for name in changed)
