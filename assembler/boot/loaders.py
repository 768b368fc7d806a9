"""All boot loaders. A new one is a module beside this and a line in `LOADERS`."""

from collections.abc import Mapping
from types import MappingProxyType

from assembler.boot.grub import Grub
from assembler.boot.loader import Loader

LOADERS: Mapping[str, Loader] = MappingProxyType({"grub": Grub()})
"""By name."""
LIVE: Loader = LOADERS["grub"]
"""The one that live ISOs have."""


def programs() -> tuple[str, ...]:
    """Debian packages with what any of them runs while building."""
    return tuple(dict.fromkeys(name for loader in LOADERS.values() for name in loader.programs))


def unlisted() -> frozenset[str]:
    """Paths on an ISO that may be boot images, which lists of contents leave out."""
    return frozenset().union(*(loader.places.all for loader in LOADERS.values()))
