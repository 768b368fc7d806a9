"""What a preinst sees: it runs before its package is unpacked, whereas in the staging tree all packages are."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from assembler.debian import dpkg_database
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place
from assembler.tree.staging import Inode, Kind, Tree


class OverwrittenConffile(AssembleError):
    """A conffile that the preinst of its own package has made, about which dpkg would ask."""


def shippers(packages: Sequence[Unpacked]) -> Mapping[str, int]:
    """How many of `packages` ship each path."""
    return Counter(path for package in packages for path in package.paths)


@contextmanager
def hidden_until_unpacked(tree: Tree, package: Unpacked, shipped_by: Mapping[str, int]) -> Iterator[None]:
    """Without what only `package` has brought into `tree`, for as long as the context lasts.

    Afterwards its files replace what was made in their places, and directories that were made stay, as when dpkg
    unpacks. Raises OverwrittenConffile.
    """
    aside: list[tuple[str, Inode]] = []
    for path in sorted(package.paths, reverse=True):
        inode = tree.get(path)
        if inode is None or shipped_by[path] > 1 or path == "/.":
            continue
        if inode.kind is not Kind.DIR or not inode.children:
            tree.remove(path)
            aside.append((path, inode))
    try:
        yield
    finally:
        conffiles = {path for path, _ in dpkg_database.conffiles(package)}
        for path, inode in reversed(aside):
            if tree.is_dir(path) and inode.kind is Kind.DIR:
                continue
            if path in conffiles and tree.lexists(path):
                raise OverwrittenConffile("a preinst makes a conffile of its own package", where=Place(path=path))
            tree.put(path, inode, parents=True)
