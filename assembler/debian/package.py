"""What the rest of the assembler knows of a Debian binary package: plain values, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from assembler.errors import AssembleError
from assembler.tree.staging import Inode


@dataclass(frozen=True, slots=True)
class Candidate:
    """A package that an archive index offers.

    Relation fields are kept as text (Debian policy 7); `debian/relations.py` parses them.
    """

    name: str
    version: str
    architecture: str
    """``amd64`` or ``all``."""
    source: str
    source_version: str
    filename: str
    """Pool path, relative to the root of the archive."""
    size: int
    """Bytes of the .deb."""
    sha256: str
    archive: str
    """Identifier of the archive (a key of the lock's archives) that offers it."""
    fields: Mapping[str, str] = field(repr=False)
    """Every field of the stanza, by its name as written there (``Pre-Depends``)."""


@dataclass(frozen=True, slots=True)
class Aside:
    """What a package ships at `path`, where another that was unpacked before it has something, too."""

    path: str
    inode: Inode
    other: str
    """The package that was there first."""
    conflict: AssembleError
    """What is wrong where no diversion makes room."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A package whose files are in the staging tree, as ``dpkg --unpack`` leaves it."""

    name: str
    version: str
    architecture: str
    fields: Mapping[str, str] = field(repr=False)
    """The control paragraph of the .deb, in its order."""
    control: Mapping[str, bytes] = field(repr=False)
    """The other members of its control archive by name: ``postinst``, ``triggers``, ``conffiles``, ``md5sums`` ..."""
    paths: tuple[str, ...] = field(repr=False)
    """Every path that the package ships, absolute, as in dpkg's .list (``/.`` first), excluded ones too."""
    named: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)
    """Paths whose owners' names, a user's and a group's, nobody had when it was unpacked; empty for one that is known.
    """
    aside: tuple[Aside, ...] = field(default=(), repr=False)
    """Files that have no place in the tree before a diversion makes room for them."""
    sums: bytes | None = field(default=None, repr=False)
    """The ``md5sums`` that dpkg makes for a package without any."""
