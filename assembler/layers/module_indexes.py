"""Module indexes out of the store: depmod reads every module of a kernel, which need not happen twice."""

from collections.abc import Callable
from pathlib import Path

from assembler.image.keys import key
from assembler.kernel.depmod import depmod
from assembler.store.objects import Store
from assembler.tree.content import Content, Slice, whole
from assembler.tree.staging import Kind, Tree

_KIND = "depmod-1"


def cached_depmod(store: Store) -> Callable[[Tree, str], None]:
    """A stand-in for :func:`assembler.kernel.depmod.depmod` that keeps the index files in `store`.

    They are found again by what the kernel's directory holds. Raises as depmod does.
    """

    def identity(content: Content) -> object:
        # What lies in the store is immutable, and its path below the store's root is made of digests.
        if isinstance(content, Slice) and Path(content.file).is_relative_to(store.root):
            return [str(Path(content.file).relative_to(store.root)), content.offset, content.size]
        return content if isinstance(content, bytes) else [content.file, content.offset, content.size]

    def run(tree: Tree, release: str) -> None:
        top = tree.resolve(f"/lib/modules/{release}", follow=True)
        inputs = [[path, identity(inode.content)] for path, inode in tree.walk(top) if inode.kind is Kind.FILE]

        def make(directory: Path) -> None:
            directory.mkdir()
            for name, data in depmod(tree, release).files.items():
                (directory / name).write_bytes(data)

        directory = store.derived(_KIND, key(inputs=inputs), make)
        for file in sorted(directory.iterdir()):
            tree.write(f"{top}/{file.name}", whole(file))

    return run
