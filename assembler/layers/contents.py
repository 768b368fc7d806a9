"""The bytes of a recipe's files that are not held in memory: large ones of the host, and those from an address."""

from collections.abc import Mapping, Sequence

from assembler.image.keys import digest
from assembler.layers.context import BuildContext, Means
from assembler.lockfile.model import LockedFile
from assembler.recipe.model import Rootfs
from assembler.recipe.named import LargeFile
from assembler.store.objects import Store
from assembler.tree.content import Content, whole


def contents(context: BuildContext) -> dict[str, Content]:
    """All of them, by the key that names each, fetched and in the store. Raises StoreError and TransportError."""
    fetched = context.lock.files_for("rootfs")
    return composed(context.recipe.rootfs, context.large_files(), fetched, context.means)


def composed(
    recipe: Rootfs, large: Mapping[str, LargeFile], fetched: Sequence[LockedFile], means: Means
) -> dict[str, Content]:
    """The same of what a step declares."""
    means.fetch_files(fetched)
    return {**{key: means.content_of(file) for key, file in large.items()}, **of_addresses(recipe, means.store)}


def of_addresses(recipe: Rootfs, store: Store) -> dict[str, Content]:
    """The files that `recipe` has from an address, which are in `store`. Raises StoreError for those that are not."""
    return {
        f"rootfs.files[{index}].url": whole(store.get(file.sha256, what=file.path))
        for index, file in enumerate(recipe.files)
        if file.url
    }


def of_large(large: Mapping[str, LargeFile]) -> dict[str, str]:
    """Large files as inputs of a step."""
    return {f"file of {key}": digest(sha256=file.sha256) for key, file in large.items()}


def of_fetched(files: Sequence[LockedFile]) -> dict[str, str]:
    """Files from an address as inputs of a step."""
    return {f"file {file.name}": file.sha256 for file in files}
