"""The seam between boot loaders and the rest: what each of them is asked, and what it answers. loaders.py lists them.

A loader reads the files of its packages, may call programs of its own, and says as plain values what belongs where. It
knows nothing of file systems and images: layers/boot.py puts its answer onto a medium.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from assembler.architecture import Architecture
from assembler.errors import AssembleError, Place


class Programs(Protocol):
    """What runs a loader's programs: see :meth:`assembler.tools.toolbox.Toolbox.run`."""

    def run(
        self, name: str, args: Sequence[str | Path], *, reads: Sequence[Path] = ..., writes: Sequence[Path] = ...
    ) -> str:
        """Run a program, which may read `reads` and write `writes`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The live system that is to be started from an ISO."""

    architecture: Architecture
    title: str
    """The image's name, for people."""
    identity: str
    """Any text that differs between images, by custom a digest of all inputs: a loader tells its own medium by it."""
    kernel: str
    initrd: str
    """Where both are on the ISO."""
    medium: str
    """The SHA-256 (hex) by which the initrd tells its medium: the value of ``livecd.medium=``."""
    state: str = "auto"
    """The value of ``livecd.state=`` in the normal entry."""
    cmdline: str = ""
    """Further kernel parameters, double quotes around those with spaces."""
    timeout: int = 1
    """Seconds that the menu is shown."""
    parts: Mapping[str, Path] = field(default_factory=dict)
    """Kernel and initrd by their paths on the ISO, for loaders that need them elsewhere as well."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu."""

    name: str
    title: str
    arguments: tuple[str, ...]
    """Kernel parameters, one each, not quoted."""


def entries(live: Live, more: Sequence[str]) -> tuple[Entry, ...]:
    """The menu: a normal start, one without a state disk, and one that ends in a rescue shell.

    `more` are the words of `live.cmdline`.
    """
    common = (f"livecd.medium={live.medium}", *live.architecture.consoles, *more)
    state = f"livecd.state={live.state}"
    return (
        Entry("normal", live.title, (state, *common)),
        Entry("no-state", f"{live.title} (changes are lost at power-off)", ("livecd.state=none", *common)),
        Entry("rescue", f"{live.title} (rescue shell)", (state, "livecd.rescue", *common)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bios:
    """What a BIOS starts. Both are told where on a disk the image lies, as 64-bit little-endian numbers of sectors."""

    image: bytes
    """An El Torito image without emulation, with room for a boot information table; its first 4 sectors are loaded."""
    image_at: tuple[int, int]
    """Where in the image its first sector, and how many more, is written: (offset, sectors)."""
    code: bytes
    """Code for the master boot record, 440 bytes, which finds the image on a disk."""
    code_at: tuple[int, int]
    """The same in the code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a loader needs to have on the medium."""

    files: Mapping[str, bytes]
    """On the ISO, by absolute path."""
    esp: Mapping[str, bytes]
    """On the EFI system partition, by absolute path, in upper case where names are to be short; empty for none."""
    bios: Bios | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where on the ISO its boot images are. The writer of the ISO puts them there, so no list of contents has them."""

    catalog: str
    bios: str
    efi: str

    @property
    def all(self) -> frozenset[str]:
        """Every one of them."""
        return frozenset({self.catalog, self.bios, self.efi})


class Loader(Protocol):
    """A boot loader."""

    @property
    def places(self) -> Places:
        """Where its images are on an ISO."""
        ...

    @property
    def programs(self) -> tuple[str, ...]:
        """Debian packages whose programs run while building."""
        ...

    def packages(self, architecture: Architecture) -> tuple[str, ...]:
        """Debian packages that files for `architecture` are taken out of; what these depend on stays away."""
        ...

    def parts(self, programs: Programs, directory: Path, live: Live) -> Parts:
        """What starts `live`, out of the packages in `directory`.

        Raises AssembleError for a file that is missing, and for parameters that the loader cannot pass on.
        """
        ...


def present(path: Path, package: str) -> Path:
    """`path` itself. Raises AssembleError when it is missing from `package`."""
    if not path.exists():
        raise AssembleError(
            "a boot loader file is missing",
            where=Place(file=str(path)),
            hint=f"it comes with {package}: lock again",
        )
    return path
