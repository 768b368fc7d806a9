"""What takes long to compute, out of the store: a kernel's module indexes, udev's hardware database."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from assembler.image.keys import key
from assembler.store.objects import Store
from assembler.tree.content import Content, Slice, whole
from assembler.tree.kept import Keep, Make


def keeping(store: Store) -> Keep:
    """What keeps files in `store`, and finds them again by their inputs. Raises as what makes them."""

    def identity(value: object) -> object:
        # What lies in the store is immutable, and its path below the store's root is made of digests.
        if isinstance(value, Slice):
            path = Path(value.file)
            own = path.is_relative_to(store.root)
            return [str(path.relative_to(store.root)) if own else value.file, value.offset, value.size]
        return [identity(each) for each in value] if isinstance(value, (list, tuple)) else value

    def keep(kind: str, inputs: Sequence[object], make: Make) -> Mapping[str, Content]:
        def write(directory: Path) -> None:
            directory.mkdir()
            for name, data in make().items():
                (directory / name).write_bytes(data)

        directory = store.derived(kind, key(inputs=[identity(each) for each in inputs]), write)
        return {file.name: whole(file) for file in sorted(directory.iterdir())}

    return keep
