"""Module indexes and databases come out of the store as they were made, and only for the same inputs."""

from pathlib import Path

from assembler.kernel.depmod import depmod, indexed
from assembler.layers.keeping import keeping
from assembler.store.objects import Store
from assembler.tree.content import read, whole
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
        indexed(tree, "6.1", keeping(store))
        assert indexes(tree) == indexes(plain)
    assert len(list((store.root / "derived/depmod-1").iterdir())) == 1


def test_other_modules_have_other_indexes(store: Store) -> None:
    for alias in ("pci:v1*", "pci:v2*"):
        tree = kernel(one=alias)
        indexed(tree, "6.1", keeping(store))
        assert alias.encode() in tree.read(f"{TOP}/modules.alias")


def test_a_database_is_made_once_for_the_same_contents(store: Store, tmp_path: Path) -> None:
    made: list[str] = []

    def answer(name: str, *inputs: object) -> bytes:
        def make() -> dict[str, bytes]:
            made.append(name)
            return {"file": name.encode()}

        return read(keeping(store)("things-1", inputs, make)["file"])

    file = tmp_path / "file"
    file.write_bytes(b"content")
    assert answer("one", 1, ("/a", b"content")) == b"one"
    assert answer("two", 1, ("/a", b"content")) == b"one"
    assert answer("three", 2, ("/a", b"content")) == b"three"
    assert answer("four", 1, ("/b", b"content")) == b"four"
    assert answer("five", 1, ("/a", whole(file))) == b"five"
    assert answer("six", 1, ("/a", whole(file))) == b"five"
    assert made == ["one", "three", "four", "five"]
