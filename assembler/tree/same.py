"""Whether two trees are the same."""

from assembler.tree.content import Content, Unmade, equal
from assembler.tree.staging import Inode, Kind, Tree


def same(one: Tree, other: Tree) -> bool:
    """Whether two trees have the same entries, with the same hard links, owners, modes, times and contents."""
    partners: dict[int, int] = {}
    """Inodes of one that have been come to, with those of the other."""
    waiting = [(one.root, other.root)]
    while waiting:
        ours, theirs = waiting.pop()
        known = partners.setdefault(id(ours), id(theirs))
        if known != id(theirs) or partners.setdefault(id(theirs), id(ours)) != id(ours) or not _alike(ours, theirs):
            return False
        if ours.kind is Kind.DIR:
            waiting += [(child, theirs.children[name]) for name, child in ours.children.items()]
    return True


def _alike(one: Inode, other: Inode) -> bool:
    return (
        (one.kind, one.mode, one.uid, one.gid, one.mtime) == (other.kind, other.mode, other.uid, other.gid, other.mtime)
        and (one.target, one.device, one.xattrs) == (other.target, other.device, other.xattrs)
        and one.children.keys() == other.children.keys()
        and _equal(one.content, other.content)
    )


def _equal(one: Content, other: Content) -> bool:
    if isinstance(one, Unmade) or isinstance(other, Unmade):
        return one == other
    return equal(one, other)
