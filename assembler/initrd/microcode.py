"""Microcode for processors, in front of an initrd: the kernel looks there, before it can unpack anything.

Specifications: Documentation/arch/x86/microcode.rst in Linux, of the early archive and its files; Intel's Software
Developer's Manual, volume 3, 11.11, of its updates; amd.c of Linux's microcode driver, of AMD's containers.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from assembler.architecture import ARCHITECTURES, Microcode
from assembler.errors import AssembleError, Place
from assembler.tree.content import size_of
from assembler.tree.staging import Kind, Tree

ALIGNMENT = 16
"""Intel's processors take an update from an address that is a multiple of this many bytes."""
PATHS = frozenset(each.path for one in ARCHITECTURES.values() for each in one.microcode)
"""All that may be in an archive in front of an initrd."""
_LARGEST = 128 << 20
"""Bytes of all files for one vendor; Intel's have 22 MB."""
_INTEL = struct.Struct("<9I12x")
_OLD = 2048
"""Bytes of an update of Intel's whose header does not say how many they are."""
_UNIT = 1024
"""Bytes of which an update of Intel's has a multiple."""
_AMD = b"DMA\0"
_SECTION = struct.Struct("<2I")
_EQUIVALENCE, _PATCH = 0, 1


class MicrocodeError(AssembleError):
    """Microcode that no kernel would take."""


def microcode(tree: Tree, vendors: Iterable[Microcode]) -> Mapping[str, bytes]:
    """The files in front of an initrd, by path: of each of `vendors` all updates in `tree`, an update once.

    The kernel takes the one that its processor needs. Raises MicrocodeError when there is none for a vendor, and for
    files that are damaged.
    """
    return {each.path: b"".join(dict.fromkeys(_updates(tree, each))) for each in vendors}


def takes(config: bytes) -> bool:
    """Whether a kernel with this configuration loads microcode."""
    return b"CONFIG_MICROCODE=y" in config.splitlines()


def _updates(tree: Tree, vendor: Microcode) -> Iterator[bytes]:
    directory = vendor.pattern.rpartition("/")[0]
    found = [
        path
        for path, inode in (tree.walk(directory) if tree.is_dir(directory) else ())
        if inode.kind is Kind.FILE and fnmatchcase(path, vendor.pattern)
    ]
    left = _LARGEST
    for path in found:
        left -= size_of(tree.at(path).content)
        if left < 0:
            why = f"the files there have more than {_LARGEST} bytes"
            raise MicrocodeError("the microcode is too large", where=Place(path=directory), why=why)
        yield from (_intel if vendor.intel else _amd)(tree.read(path), Place(path=path))
    if not found:
        where = Place(package=vendor.package, path=vendor.pattern)
        raise MicrocodeError("the package has no microcode", where=where)


def _damaged(where: Place, why: str) -> MicrocodeError:
    return MicrocodeError("the microcode is damaged", where=where, why=why)


def _intel(data: bytes, where: Place) -> Iterator[bytes]:
    """The updates in a file of Intel's, one after the other."""
    at = 0
    while at < len(data):
        if len(data) - at < _INTEL.size:
            raise _damaged(where, f"no header at byte {at}")
        version, _, _, _, _, loader, _, size, total = _INTEL.unpack_from(data, at)
        total = total if size else _OLD
        if version != 1 or loader != 1 or total % _UNIT or not _INTEL.size + size <= total <= len(data) - at:
            raise _damaged(where, f"no header at byte {at}")
        update = data[at : at + total]
        if sum(struct.unpack(f"<{total // 4}I", update)) & 0xFFFFFFFF:
            raise _damaged(where, f"a wrong checksum of the update at byte {at}")
        yield update
        at += total


def _amd(data: bytes, where: Place) -> Iterator[bytes]:
    """The containers in a file of AMD's: a magic, a table of processors, and patches."""
    at = start = 0
    while at < len(data):
        container = data.startswith(_AMD, at)
        if container and at > start:
            yield data[start:at]
            start = at
        kind, size = _section(data, at + len(_AMD) * container)
        if kind != (_EQUIVALENCE if container else _PATCH) or not size:
            raise _damaged(where, f"no {'table' if container else 'patch'} at byte {at}")
        at += len(_AMD) * container + _SECTION.size + size
    if at != len(data) or not data:
        raise _damaged(where, "it ends too early")
    yield data[start:]


def _section(data: bytes, at: int) -> tuple[int, int]:
    """Kind and size of what is at `at`; a size of 0 where nothing is."""
    kind, size = _SECTION.unpack_from(data, at) if at + _SECTION.size <= len(data) else (0, 0)
    return int(kind), int(size)
