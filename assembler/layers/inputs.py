"""What the layers of one build are made of and made with."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assembler.lockfile.model import Lock, LockedFile, LockedImage, LockedPackage
from assembler.progress import SILENT, Reporter
from assembler.recipe.load import LoadedRecipe
from assembler.recipe.model import Recipe
from assembler.store.objects import Store
from assembler.tools.toolbox import Toolbox
from assembler.tools.unpack import unpacked


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A recipe, its lock, and the means to build it. A layer names what it takes of this as its own inputs."""

    loaded: LoadedRecipe
    lock: Lock
    lock_text: bytes
    """The lock's file as it goes onto the ISO: without what was recorded of builds, which would have to be known before
    it is."""
    store: Store
    fetch: Callable[[Iterable[LockedPackage]], None]
    """Gets packages into the store."""
    toolbox: Callable[[], Toolbox]
    """The lock's tools, proved and laid out in the store."""
    prove: Callable[[Sequence[LockedPackage]], None]
    """Follows packages up to a signature of the recipe's archives: those of which something is run here."""
    fetch_files: Callable[[Iterable[LockedFile]], None]
    """Gets upstream files into the store."""
    fetch_images: Callable[[Iterable[LockedImage]], None]
    """Gets container images into the store."""
    search: str = ""
    """`PATH`, for the compilers of a kernel: the one thing that is not taken from the lock."""
    jobs: int = 2
    reporter: Reporter = SILENT

    @property
    def recipe(self) -> Recipe:
        """The recipe itself."""
        return self.loaded.recipe

    @property
    def epoch(self) -> int:
        """SOURCE_DATE_EPOCH in seconds."""
        return self.lock.source_date_epoch

    @property
    def files(self) -> dict[str, bytes]:
        """The bytes of the files that the recipe names, by the key that names them."""
        return {name: file.data for name, file in self.loaded.files.items()}

    def fetched(self, role: str) -> tuple[LockedPackage, ...]:
        """The packages of `role`, in the store."""
        packages = self.lock.role(role)
        self.fetch(packages)
        return packages

    def directory_of(self, role: str) -> Path:
        """A directory in the store with the packages of `role`, fetched and laid out."""
        return unpacked(self.store, self.fetched(role))
