"""The host files that a recipe names, as they were when it was loaded."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from assembler.errors import Place
from assembler.reading import Reach
from assembler.recipe.document import RecipeError, TooLargeError, explained, read_bytes

MAX_FILE = 64 << 20
"""Bytes of a file that a recipe names and that is read as a whole; files of the image may be of any size."""
LARGE = 8 << 20
"""Bytes of a file of the image from which on it is not held in memory."""
MAX_FILES = 512 << 20
"""Bytes of all files that are, and that a recipe names; one that is named twice counts twice."""
_FOR_DIRECTORIES = "[[rootfs.trees]] is for directories"
MAX_LARGE = 64 << 30
"""Bytes of all others together."""


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A file that is too large to be held in memory."""

    real: Path
    """Where it is, without links."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A host file that a recipe names, as it was when the recipe was loaded."""

    path: Path
    """Relative to the working directory, or absolute."""
    data: bytes
    """Its bytes; none of them for a large one."""
    large: LargeFile | None = None
    """What is known of one that is too large to be held in memory."""


@dataclass(slots=True)
class NamedFiles:
    """Those that are read, by the key that names them, as long as there is room."""

    reach: Reach
    outside: set[str]
    """Names of files outside of the project, to which those that are read are added."""
    found: dict[str, NamedFile] = field(default_factory=dict)
    room: int = field(default_factory=lambda: MAX_FILES)
    room_for_large: int = field(default_factory=lambda: MAX_LARGE)

    def read(
        self, key: str, path: Path, where: Place, *, called: str = "", limit: int = MAX_FILE, instead: str = ""
    ) -> NamedFile:
        """Read the file `path`, at most `limit` bytes, which the recipe has `called` so at `where`.

        Raises RecipeError, with the hint `instead` for a directory.
        """
        data, own = read_bytes(path, limit=limit, where=where, what="the file", reach=self.reach, instead=instead)
        return self.keep(key, NamedFile(path=path, data=data), where, called=called, own=own)

    def read_any(self, key: str, path: Path, where: Place, *, called: str = "") -> NamedFile:
        """The same of a file of any size."""
        try:
            return self.read(key, path, where, called=called, limit=LARGE, instead=_FOR_DIRECTORIES)
        except TooLargeError:
            pass
        with explained(path, where=where, what="the file", reach=self.reach):
            large = LargeFile(*self.reach.measure(path))
        named = NamedFile(path=path, data=b"", large=large)
        return self.keep(key, named, where, called=called, own=self.reach.owns(large.real))

    def keep(self, key: str, named: NamedFile, where: Place, *, called: str = "", own: bool = True) -> NamedFile:
        """Take a file in, if there is room. Raises RecipeError."""
        self.room -= len(named.data)
        self.room_for_large -= named.large.size if named.large else 0
        for room, most in ((self.room, MAX_FILES >> 20), (self.room_for_large, MAX_LARGE >> 20)):
            if room < 0:
                why = f"the files that a recipe names have at most {most} MiB together"
                raise RecipeError("the file is too much", where=where, why=why)
        self.found[key] = named
        if not own:
            self.outside |= {str(named.path), called} - {""}  # errors call it by either
        return named

    @property
    def full(self) -> bool:
        """Whether there is no room any more."""
        return self.room < 0 or self.room_for_large < 0

    def move(self, keys: Iterable[tuple[str, str]]) -> None:
        """Call files by other keys: old and new ones."""
        for old, new in keys:
            self.found[new] = self.found.pop(old)
