"""The staging tree: a root file system held in memory, with owners and modes as data.

Paths are `str` as in a tar member, with undecodable bytes as surrogates (PEP 383). A leading slash is optional and
always means the root of the tree. As a kernel would, every method resolves symbolic links in the parents of a path
(usr-merge aliases such as ``/bin`` or ``/lib64``, ``/var/run``); unlike a kernel's, a link never leads out of the tree:
``..`` at the root stays at the root. Hard links are one :class:`Inode` under several names.
"""

from collections.abc import Iterator
from enum import Enum

from assembler.errors import AssembleError, Place
from assembler.tree.content import Content, read

MAX_LINKS = 40
"""Symbolic links followed in one look-up before it is a loop, as in Linux (path_resolution(7))."""


class Kind(Enum):
    """What an inode is; the value is the tar type flag (POSIX.1-2001 ustar)."""

    FILE = "0"
    SYMLINK = "2"
    CHAR = "3"
    BLOCK = "4"
    DIR = "5"
    FIFO = "6"


class TreeError(AssembleError):
    """A path that cannot be reached or changed as asked."""


class Inode:
    """One file, directory, link or device. Mutable: a change shows under every hard link, as on a disk."""

    __slots__ = ("children", "content", "device", "gid", "kind", "mode", "mtime", "target", "uid", "xattrs")

    def __init__(
        self,
        kind: Kind,
        mode: int,
        uid: int = 0,
        gid: int = 0,
        mtime: int = 0,
        *,
        content: Content = b"",
        target: str = "",
        device: tuple[int, int] = (0, 0),
    ) -> None:
        self.kind = kind
        self.mode = mode
        """Permission bits, set-id and sticky bits (0o7777), without the file type."""
        self.uid = uid
        self.gid = gid
        self.mtime = mtime
        """Seconds since the epoch."""
        self.content: Content = content
        """The bytes of a FILE."""
        self.target = target
        """The text of a SYMLINK."""
        self.device = device
        """Major and minor number of a CHAR or BLOCK."""
        self.xattrs: dict[str, bytes] = {}
        """Extended attributes by full name (``security.capability``)."""
        self.children: dict[str, Inode] = {}
        """The entries of a DIR by name, in no particular order."""

    def copy(self) -> "Inode":
        """Another one that is the same, but for the entries of a directory, of which it has none."""
        new = Inode(
            self.kind,
            self.mode,
            self.uid,
            self.gid,
            self.mtime,
            content=self.content,
            target=self.target,
            device=self.device,
        )
        new.xattrs = dict(self.xattrs)
        return new

    def __repr__(self) -> str:
        return f"Inode({self.kind.name}, {self.mode:04o}, {self.uid}:{self.gid})"


def split(path: str) -> list[str]:
    """The components of a path, without empty ones and ``.``."""
    return [part for part in path.split("/") if part and part != "."]


class Tree:
    """A root file system. `mtime` (seconds) is what everything made here gets; see SOURCE_DATE_EPOCH."""

    def __init__(self, mtime: int = 0) -> None:
        self.mtime = mtime
        self.root = Inode(Kind.DIR, 0o755, mtime=mtime)
        self.here = ""
        """The directory from which paths without a leading slash start, for whoever works there."""
        self.followed = 0
        """Characters of links' targets that looking up paths has gone through, for those who bound what it takes."""

    def copy(self) -> "Tree":
        """Another tree with the same entries: hard links stay hard links, contents are shared."""
        made: dict[int, Inode] = {}

        def copied(inode: Inode) -> Inode:
            new = made.get(id(inode))
            if new is None:
                new = made[id(inode)] = inode.copy()
                new.children = {name: copied(child) for name, child in inode.children.items()}
            return new

        tree = Tree(self.mtime)
        tree.root = copied(self.root)
        return tree

    # --- looking -------------------------------------------------------------------------------------------------

    def _walk(self, path: str, *, follow: bool) -> tuple[list[tuple[str, Inode]], str | None]:
        """Resolve `path` to the chain of (name, inode) below the root.

        The second value is None when all of it exists, else the first missing component, with the chain ending at its
        parent and, if more than that is missing, the rest of the path after it ("name/rest").
        """
        chain: list[tuple[str, Inode]] = []
        todo = split(self._absolute(path))
        todo.reverse()
        links = 0
        while todo:
            name = todo.pop()
            here = chain[-1][1] if chain else self.root
            if name == "..":
                if chain:
                    chain.pop()
                continue
            if here.kind is not Kind.DIR:
                raise TreeError("a component of the path is not a directory", where=Place(path="/" + path.lstrip("/")))
            child = here.children.get(name)
            if child is None:
                todo.append(name)
                return chain, "/".join(reversed(todo))
            if child.kind is Kind.SYMLINK and (todo or follow):
                links += 1
                self.followed += len(child.target)
                if links > MAX_LINKS:
                    raise TreeError("too many levels of symbolic links", where=Place(path="/" + path.lstrip("/")))
                if child.target.startswith("/"):
                    chain.clear()
                todo.extend(reversed(split(child.target)))
                continue
            chain.append((name, child))
        return chain, None

    def _absolute(self, path: str) -> str:
        return f"{self.here}/{path}" if self.here and not path.startswith("/") else path

    def get(self, path: str, *, follow: bool = False) -> Inode | None:
        """The inode at `path`, or None. `follow` resolves a symbolic link in the last component too."""
        try:
            chain, missing = self._walk(path, follow=follow)
        except TreeError:
            return None
        if missing is not None:
            return None
        return chain[-1][1] if chain else self.root

    def at(self, path: str, *, follow: bool = False) -> Inode:
        """As :meth:`get`; raises TreeError when there is nothing."""
        inode = self.get(path, follow=follow)
        if inode is None:
            raise TreeError("no such file in the tree", where=Place(path="/" + path.lstrip("/")))
        return inode

    def exists(self, path: str) -> bool:
        """Like ``test -e``: follows links, so False for a dangling one."""
        return self.get(path, follow=True) is not None

    def lexists(self, path: str) -> bool:
        """Like ``test -e -o -L``: does not follow the last component."""
        return self.get(path) is not None

    def is_dir(self, path: str) -> bool:
        """Like ``test -d`` (follows links)."""
        inode = self.get(path, follow=True)
        return inode is not None and inode.kind is Kind.DIR

    def is_file(self, path: str) -> bool:
        """Like ``test -f`` (follows links)."""
        inode = self.get(path, follow=True)
        return inode is not None and inode.kind is Kind.FILE

    def resolve(self, path: str, *, follow: bool = False) -> str:
        """The canonical absolute path, with links in its parents (and, with `follow`, at its end) resolved.

        Components that do not exist are kept as they are. Raises TreeError on a loop or a parent that is no directory.
        """
        chain, missing = self._walk(path, follow=follow)
        names = [name for name, _ in chain]
        if missing is not None:
            names.append(missing)
        return "/" + "/".join(names)

    def read(self, path: str) -> bytes:
        """The bytes of a regular file, links followed."""
        inode = self.at(path, follow=True)
        if inode.kind is not Kind.FILE:
            raise TreeError("not a regular file", where=Place(path="/" + path.lstrip("/")))
        return read(inode.content)

    def read_text(self, path: str) -> str:
        """The text of a regular file (UTF-8, undecodable bytes as surrogates)."""
        return self.read(path).decode("utf-8", "surrogateescape")

    def names(self, path: str) -> list[str]:
        """The sorted names in a directory; empty when it is missing or no directory."""
        inode = self.get(path, follow=True)
        return sorted(inode.children) if inode is not None else []

    def walk(self, path: str = "/") -> Iterator[tuple[str, Inode]]:
        """Every (absolute path, inode) at and below `path`, parents first, names in code point order."""
        top = self.resolve(path, follow=True)
        # What is ahead shares the text of its directory: a directory of many entries may have a long path.
        pending = [("", top, self.at(top))]
        while pending:
            above, name, inode = pending.pop()
            here = above + name
            yield here, inode
            if inode.children:
                prefix = here if here.endswith("/") else here + "/"
                pending.extend((prefix, name, inode.children[name]) for name in sorted(inode.children, reverse=True))

    # --- changing ------------------------------------------------------------------------------------------------

    def _slot(self, path: str, *, parents: bool) -> tuple[Inode, str]:
        """The directory that holds the last component of `path`, and that component."""
        parts = split(self._absolute(path))
        if not parts or parts[-1] == "..":
            raise TreeError("the path names no entry", where=Place(path=path or "/"))
        parent = "/" + "/".join(parts[:-1])
        directory = self.get(parent, follow=True)
        if directory is None and parents:
            directory = self.mkdir(parent, parents=True)
        if directory is None or directory.kind is not Kind.DIR:
            raise TreeError("the parent is not a directory", where=Place(path="/" + "/".join(parts)))
        return directory, parts[-1]

    def put(self, path: str, inode: Inode, *, parents: bool = False) -> Inode:
        """Make `path` name `inode`, replacing what was there; a directory that is not empty is never replaced.

        Also how a hard link is made: put an inode a second time. `parents` makes missing directories, 0755 root:root.
        """
        return self._enter(path, inode, parents=parents, inherits=False)

    def _enter(self, path: str, inode: Inode, *, parents: bool, inherits: bool) -> Inode:
        """See `put`; one that `inherits` has the group of what root makes there."""
        directory, name = self._slot(path, parents=parents)
        old = directory.children.get(name)
        if old is not None and old is not inode and old.children:
            raise TreeError("a directory that is not empty is in the way", where=Place(path="/" + path.lstrip("/")))
        if inherits:
            inode.gid = _group_in(directory)
        directory.children[name] = inode
        return inode

    def mkdir(
        self,
        path: str,
        mode: int = 0o755,
        uid: int = 0,
        gid: int | None = None,
        *,
        parents: bool = False,
        above: int = 0o755,
    ) -> Inode:
        """Make a directory like ``mkdir`` (or ``mkdir -p``, with `above` the mode of what is missing on the way). One
        that is there is returned with its mode unchanged.

        Without `gid`, one below a set-group-ID directory has the group and the bit of that, as every new entry has its
        group (inode_init_owner() of Linux).
        """
        found = self.get(path, follow=True)
        if found is not None:
            if found.kind is not Kind.DIR:
                raise TreeError("a file is in the way of a directory", where=Place(path="/" + path.lstrip("/")))
            return found
        # A dangling link in the way is resolved, as `mkdir -p` through it would.
        target = self.resolve(path, follow=True)
        parts = split(target)
        here = self.root
        for depth, part in enumerate(parts, start=1):
            child = here.children.get(part)
            if child is None:
                if depth < len(parts) and not parents:
                    raise TreeError("the parent is not a directory", where=Place(path=target))
                last = depth == len(parts)
                inherits = gid is None or not last
                group = _group_in(here) if gid is None or inherits else gid
                child = Inode(Kind.DIR, mode if last else above, uid if last else 0, group, self.mtime)
                if inherits:
                    child.mode |= here.mode & 0o2000
                here.children[part] = child
            elif child.kind is not Kind.DIR:
                raise TreeError("a file is in the way of a directory", where=Place(path=target))
            here = child
        return here

    def write(
        self,
        path: str,
        content: Content,
        mode: int = 0o644,
        uid: int = 0,
        gid: int | None = None,
        *,
        parents: bool = False,
    ) -> Inode:
        """Write a regular file as ``open(O_CREAT|O_TRUNC)`` would.

        A file that is there, links followed, keeps its inode, owner and mode and gets the new content; otherwise it is
        made with `mode`, `uid` and `gid`; see `mkdir` for the group of one without.
        """
        path = self.resolve(path, follow=True)
        found = self.get(path)
        if found is None:
            made = Inode(Kind.FILE, mode, uid, gid or 0, self.mtime, content=content)
            return self._enter(path, made, parents=parents, inherits=gid is None)
        if found.kind is not Kind.FILE:
            raise TreeError("not a regular file", where=Place(path=path))
        found.content = content
        found.mtime = self.mtime
        return found

    def symlink(self, target: str, path: str, *, parents: bool = False) -> Inode:
        """Make `path` a symbolic link to the text `target`, replacing a file or link (``ln -sfn``)."""
        found = self.get(path)
        if found is not None and found.kind is Kind.DIR:
            raise TreeError("a directory is in the way of a symbolic link", where=Place(path="/" + path.lstrip("/")))
        made = Inode(Kind.SYMLINK, 0o777, mtime=self.mtime, target=target)
        return self._enter(path, made, parents=parents, inherits=True)

    def link(self, existing: str, path: str) -> Inode:
        """Make `path` a hard link to `existing` (which is not followed, as link(2))."""
        inode = self.at(existing)
        if inode.kind is Kind.DIR:
            raise TreeError("a directory cannot be hard-linked", where=Place(path="/" + existing.lstrip("/")))
        return self.put(path, inode)

    def remove(self, path: str) -> None:
        """Remove a file, link or empty directory (``rm``/``rmdir``)."""
        directory, name = self._slot(path, parents=False)
        inode = directory.children.get(name)
        if inode is None:
            raise TreeError("no such file in the tree", where=Place(path="/" + path.lstrip("/")))
        if inode.children:
            raise TreeError("the directory is not empty", where=Place(path="/" + path.lstrip("/")))
        del directory.children[name]

    def discard(self, path: str) -> None:
        """Remove `path` and all below it if it is there (``rm -rf``). Does not follow a link at the end."""
        if self.get(path) is not None:
            directory, name = self._slot(path, parents=False)
            del directory.children[name]

    def rename(self, old: str, new: str, *, parents: bool = False) -> None:
        """Move an entry, replacing a file or empty directory at `new` (rename(2))."""
        inode = self.at(old)
        self.put(new, inode, parents=parents)
        if self.resolve(old) != self.resolve(new):
            directory, name = self._slot(old, parents=False)
            del directory.children[name]

    def chmod(self, path: str, mode: int) -> None:
        """Set the mode bits, links followed."""
        self.at(path, follow=True).mode = mode

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group (numbers), links followed. Set-id bits stay, unlike chown(2)'s for root's caller."""
        inode = self.at(path, follow=True)
        inode.uid, inode.gid = uid, gid


def _group_in(directory: Inode) -> int:
    """The group of what root makes in a directory."""
    return directory.gid if directory.mode & 0o2000 else 0
