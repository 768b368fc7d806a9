"""What the layers of one build are made of, and the means to make them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assembler.configure.job import Execute, refuse
from assembler.errors import Place
from assembler.lockfile.model import Lock, LockedFile, LockedImage, LockedMachine, LockedPackage, LockedToolbox
from assembler.progress import SILENT, Reporter
from assembler.reading import UnreadableError, opened
from assembler.recipe.load import LoadedRecipe
from assembler.recipe.model import Recipe
from assembler.recipe.named import LargeFile
from assembler.store.objects import Store, StoreError
from assembler.tools.toolbox import Toolbox
from assembler.tools.unpack import unpacked
from assembler.tree.content import Content, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What steps are made with. It decides no byte: all that can be had through it is asked for by its digest, and
    digests come from what a step declares.
    """

    store: Store
    fetch: Callable[[Iterable[LockedPackage]], None]
    """Gets packages into the store."""
    prove: Callable[[Sequence[LockedPackage]], None]
    """Follows packages up to a signature of the recipe's archives: those of which something is run here."""
    toolbox: Callable[[LockedToolbox], Toolbox]
    """Those tools, proved and laid out in the store."""
    programs: Callable[[Sequence[LockedPackage], str], Toolbox]
    """The same of packages of the recipe's archives, for a build machine of that architecture."""
    fetch_files: Callable[[Iterable[LockedFile]], None]
    """Gets upstream files into the store."""
    fetch_images: Callable[[Iterable[LockedImage]], None]
    """Gets container images into the store."""
    execute: Callable[[tuple[LockedToolbox, LockedMachine] | None], Execute] = lambda _: refuse
    """What has packages configured and scripts run in that machine, whose disk is made with those tools."""
    jobs: int = 2
    reporter: Reporter = SILENT

    def content_of(self, file: LargeFile) -> Content:
        """The bytes of a host file, which are kept in the store. Raises StoreError when it is another by now."""
        if not self.store.has(file.sha256):
            try:
                with opened(file.real) as stream:
                    found = self.store.adopt_stream(stream)
            except UnreadableError as error:
                raise _changed(file, error.why) from error
            if found != file.sha256:
                raise _changed(file, f"its SHA-256 was {file.sha256}, and is {found}")
        return whole(self.store.get(file.sha256))

    def directory_of(self, packages: Sequence[LockedPackage]) -> Path:
        """A directory in the store with `packages`, fetched and laid out."""
        self.fetch(packages)
        return unpacked(self.store, packages)


def _changed(file: LargeFile, why: str) -> StoreError:
    where = Place(file=str(file.real))
    return StoreError("a file of the recipe is another by now", where=where, why=why, hint="build again")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """A recipe, its lock, and the means to build it. Layers choose of this what each of their steps declares; what
    makes a step does not see it.
    """

    loaded: LoadedRecipe
    lock: Lock
    means: Means
    libraries: Mapping[str, str]
    """Versions of the libraries that write formats here: see image/libraries.py."""
    search: str = ""
    """`PATH`, for the compilers of a kernel: the one thing that is not taken from the lock."""

    @property
    def recipe(self) -> Recipe:
        """The recipe itself."""
        return self.loaded.recipe

    @property
    def epoch(self) -> int:
        """SOURCE_DATE_EPOCH in seconds."""
        return self.lock.source_date_epoch

    @property
    def reporter(self) -> Reporter:
        """Who is told."""
        return self.means.reporter

    def files(self, table: str) -> dict[str, bytes]:
        """The bytes of the files that keys of the recipe's `table` name, by those keys, but for large ones."""
        named = self.loaded.files.items()
        return {name: file.data for name, file in named if name.startswith(f"{table}.") and not file.large}

    def large_files(self) -> dict[str, LargeFile]:
        """The large files that keys of the recipe name, by those keys."""
        return {name: file.large for name, file in self.loaded.files.items() if file.large}

    def writers(self, *names: str) -> dict[str, str]:
        """The versions of those libraries."""
        return {name: self.libraries[name] for name in names}
