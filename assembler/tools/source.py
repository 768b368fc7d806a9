"""Where the programs that run on the build machine come from: a source of the assembler's own.

Never from a recipe, a lock, an image or an archive that a recipe takes packages from: whoever wrote those decides what
is in an image, not what runs here. One release of Debian serves all images, whatever their own.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from assembler import releases
from assembler.boot.loaders import programs
from assembler.debian.sources import Archive, archives, parse_sources

RELEASE = releases.DEFAULT
"""Debian's release that they come from."""
PYTHON = RELEASE.python
"""The package with the Python that makes byte code for images that have the same version."""
BUILD = ("squashfs-tools", "e2fsprogs", RELEASE.libarchive, "pigz", "libc-bin", PYTHON, *programs())
"""Packages whose programs run while building. mke2fs opens libarchive only when it is given a tar, so no dependency
names it; libc-bin brings the locale C.UTF-8. Boot loaders have some of their own."""

LEAST = Path(__file__).with_name("least.toml")
"""The file with the least version of each package; see scripts/least-tools."""


@dataclass(frozen=True)
class ToolSource:
    """Archives to take tools from."""

    sources: str
    """deb822 sources, as in sources.list(5); without Signed-By, the keys that come with the assembler are trusted."""
    least: Mapping[str, str]
    """By package, the version that it must have at least: older ones are signed, too, but have known defects."""

    @cached_property
    def archives(self) -> tuple[Archive, ...]:
        """Its archives. Raises Problems when `sources` is wrong."""
        return tuple(archives(parse_sources(self.sources)))


def built_in() -> ToolSource:
    """The source that comes with the assembler: Debian's own archives, and for each package the version that it had
    when this was released.
    """
    return ToolSource(sources=RELEASE.sources, least=tomllib.loads(LEAST.read_text("utf-8"))["least"])


def of_user(sources: str) -> ToolSource:
    """The source that the user's own configuration names in place of it, whose versions are the user's affair."""
    return ToolSource(sources=sources, least={})
