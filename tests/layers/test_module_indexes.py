"""Module indexes come out of the store as depmod wrote them, and only for the same modules."""

from assembler.kernel.depmod import depmod
from assembler.layers.module_indexes import cached_depmod
from assembler.store.objects import Store
from assembler.tree.staging import Tree
from tests.initrd.elves import module as make_module

TOP = "/usr/lib/modules/6.1"


def kernel(**modules: str) -> Tree:
    tree = Tree()
    tree.mkdir("/usr/lib", parents=True)
    tree.symlink("usr/lib", "/lib")
    for name, alias in modules.items():
        module = make_module(name=name, alias=alias, license="GPL")
        tree.write(f"{TOP}/kernel/{name}.ko", module, parents=True)
    return tree


def indexes(tree: Tree) -> dict[str, bytes]:
    return {name: tree.read(f"{TOP}/{name}") for name in tree.names(TOP) if name.startswith("modules.")}


def test_the_indexes_are_depmods_the_first_time_and_the_second(store: Store) -> None:
    plain = kernel(one="pci:v1*", two="pci:v2*")
    depmod(plain, "6.1")
    assert "modules.alias.bin" in indexes(plain)
    for _ in range(2):
        tree = kernel(one="pci:v1*", two="pci:v2*")
        cached_depmod(store)(tree, "6.1")
        assert indexes(tree) == indexes(plain)
    assert len(list((store.root / "derived/depmod-1").iterdir())) == 1


def test_other_modules_have_other_indexes(store: Store) -> None:
    for alias in ("pci:v1*", "pci:v2*"):
        tree = kernel(one=alias)
        cached_depmod(store)(tree, "6.1")
        assert alias.encode() in tree.read(f"{TOP}/modules.alias")
