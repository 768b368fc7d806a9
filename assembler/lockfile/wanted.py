"""An upstream file as it is asked for, before it is locked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFile:
    """An upstream file that a recipe asks for; see model.py's `LockedFile`."""

    name: str
    version: str = ""
    url: str
    sha256: str = ""
    """Empty when it is to be learned when locking."""
    learned: str = "recipe"
    """Who said `sha256`: ``recipe`` or ``known``."""
    checksums: tuple[str, ...] = ()
    """Addresses where the publisher may have a checksum file, which are asked when `sha256` is empty."""
    role: str
    key: str = ""
    """The recipe's key for it, for errors."""
