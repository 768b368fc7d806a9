"""What a preinst sees: it runs before its package is unpacked, whereas in the staging tree all packages are."""

from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager

from assembler.debian import dpkg_database
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place, Problems
from assembler.programs.accounts import Accounts
from assembler.programs.dpkg_helpers import diversions
from assembler.tree.staging import Inode, Kind, Tree


class OverwrittenConffile(AssembleError):
    """A conffile that the preinst of its own package has made, about which dpkg would ask."""


def shippers(packages: Sequence[Unpacked]) -> Mapping[str, int]:
    """How many of `packages` ship each path."""
    return Counter(path for package in packages for path in package.paths if path not in _paths_aside(package))


@contextmanager
def hidden_until_unpacked(tree: Tree, package: Unpacked, shipped_by: Mapping[str, int]) -> Iterator[None]:
    """Without what only `package` has brought into `tree`, for as long as the context lasts.

    Afterwards its files replace what was made in their places, and directories that were made stay, as when dpkg
    unpacks. Raises OverwrittenConffile.
    """
    aside: list[tuple[str, Inode]] = []
    waiting = _paths_aside(package)
    for path in sorted(package.paths, reverse=True):
        inode = tree.get(path)
        if inode is None or shipped_by[path] > 1 or path == "/." or path in waiting:
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


def _paths_aside(package: Unpacked) -> Collection[str]:
    return {each.path for each in package.aside}


def unpack_aside(tree: Tree, package: Unpacked, there: Container[str]) -> None:
    """Put what was set aside of a package to its place, or to where it is diverted. The packages `there` are in `tree`.

    Raises Problems with what is in the way.
    """
    diverted = {path: (to, by) for path, to, by in diversions(tree)} if package.aside else {}
    conflicts = []
    for each in package.aside:
        if each.other in there:
            to, by = diverted.get(each.path, (each.path, package.name))
            place = each.path if by == package.name else to
            if tree.lexists(place):
                conflicts.append(each.conflict)
            else:
                tree.put(place, each.inode.copy())
    if conflicts:
        raise Problems(conflicts)


def owned_by_name(tree: Tree, package: Unpacked) -> None:
    """Give what `package` ships to the accounts of those names that there are now: its preinst may have made them."""
    accounts = Accounts(tree) if package.named else None
    for path, user, group in package.named:
        inode = tree.get(path)
        if accounts is not None and inode is not None:
            found, ours = accounts.user(user), accounts.group(group)
            inode.uid = found.uid if found else inode.uid
            inode.gid = ours.gid if ours else inode.gid


def owners(packages: Sequence[Unpacked], path: str) -> Container[str]:
    """Those of `packages` that ship what is at `path`."""
    return {one.name for one in packages if path in one.paths and path not in _paths_aside(one)}
