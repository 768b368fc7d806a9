"""The image's own apt: where apt is installed it knows the recipe's archives, or nothing would ever be updated."""

from collections.abc import Collection, Iterator

from assembler.debian.mirrors import BUILT_IN, MAIN, SECURITY
from assembler.debian.sources import Archive
from assembler.lock.wanted import archives_of
from assembler.recipe.additions import File
from assembler.recipe.model import Debian, Recipe
from assembler.recipe.model import Rootfs as RootfsRecipe

SOURCES = "/etc/apt/sources.list.d/debian.sources"
"""As Debian's installer calls it."""
_OF_APT = "/etc/apt/sources.list"
"""What the paths of such files begin with; others are in a directory ``sources.list.d``."""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
"""Of the package debian-archive-keyring, which apt depends on."""


def with_archives(recipe: Recipe, installed: Collection[str]) -> RootfsRecipe:
    """The recipe's table `rootfs`, with the file of its archives when apt is among the packages `installed`.

    Archives in files of the machine that builds are left out, as the image has none of these. A recipe that has files
    of that kind itself keeps them alone. Raises as `archives_of`.
    """
    rootfs = recipe.rootfs
    if "apt" not in installed or any(file.path.startswith(_OF_APT) for file in rootfs.files):
        return rootfs
    served = [archive for archive in archives_of(recipe) if not archive.root.startswith("file:")]
    text = "\n".join(_stanza(archive, recipe.debian) for archive in served)
    return rootfs.model_copy(update={"files": [*rootfs.files, File(path=SOURCES, content=text)]})


def _stanza(archive: Archive, debian: Debian) -> str:
    """A stanza of sources.list(5). The recipe's own mirror is in it; who builds with another one keeps that."""
    return "".join(f"{line}\n" for line in _lines(archive, debian))


def _lines(archive: Archive, debian: Debian) -> Iterator[str]:
    given = {MAIN: debian.mirror, SECURITY: debian.mirror_security}
    source = archive.source
    yield "Types: deb"
    yield f"URIs: {(given.get(archive.root) or BUILT_IN.get(archive.root, archive.root)).rstrip('/')}"
    yield f"Suites: {archive.suite}"
    if source.components:
        yield f"Components: {' '.join(source.components)}"
    if source.architectures:
        yield f"Architectures: {' '.join(source.architectures)}"
    if not source.check_valid_until:
        yield "Check-Valid-Until: no"
    if not source.key:
        yield f"Signed-By: {KEYRING}"
        return
    yield "Signed-By:"
    yield from (f" {line or '.'}" for line in source.key.strip().splitlines())
