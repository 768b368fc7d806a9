"""What an image holds, file by file: whose each one is, its size, and the power that it gives."""

from collections.abc import Iterator
from dataclasses import dataclass

from assembler.audit.compare import LAYERS
from assembler.audit.image import Image
from assembler.audit.packages import owners
from assembler.image.names import ISO_INITRD, ISO_SQUASHFS
from assembler.tree.content import size_of
from assembler.tree.staging import Inode, Kind

_SETUID, _SETGID = 0o4000, 0o2000
_CAPABILITIES = "security.capability"


@dataclass(frozen=True, slots=True)
class Item:
    """A file: those with several names are counted once, by the first."""

    layer: str
    path: str
    """As in :class:`assembler.audit.compare.Change`."""
    package: str
    """The Debian package that ships it; empty when none does."""
    size: int
    """Bytes, before the file system that it lies in was compressed."""
    power: str
    """What whoever starts it gets: ``set-user-ID``, ``set-group-ID``, ``capabilities``; empty for most."""


def inventory(image: Image) -> Iterator[Item]:
    """Every file on the ISO, and in the trees on it. Raises AssembleError when something cannot be read."""
    for path, content in image.files.items():
        layer = LAYERS.get(path, "iso")
        if path not in {ISO_SQUASHFS, ISO_INITRD}:
            yield Item(layer, path, "", size_of(content), "")
            continue
        with image.tree(path) as tree:
            owned = owners(tree)
            seen = set()
            for name, inode in tree.tree.walk():
                if inode.kind is Kind.FILE and id(inode) not in seen:
                    seen.add(id(inode))
                    size = size_of(inode.content)
                    yield Item(layer, f"{path}!{name}", owned.get(name, ""), size, _power(inode))


def _power(inode: Inode) -> str:
    bits = ((_SETUID, "set-user-ID"), (_SETGID, "set-group-ID"))
    found = [name for bit, name in bits if inode.mode & bit]
    return ", ".join([*found, "capabilities"] if _CAPABILITIES in inode.xattrs else found)
