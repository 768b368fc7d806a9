"""What becomes other in a tree while somebody works on it, told step by step, at the cost of what changed alone.

A tree that is watched notes which of its inodes were written to; each question compares those with what they were.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from assembler.tree.changes import Entry
from assembler.tree.staging import Inode, Kind, Tree

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Became:
    """A path, and what it is before and after; None where it is not there."""

    path: str
    before: Entry | None
    after: Entry | None


class _Noted(dict[K, V]):
    """A mapping of an inode that notes when it is changed."""

    __slots__ = ("inode", "touched")

    def __init__(self, content: Mapping[K, V], inode: Inode, touched: dict[int, Inode]) -> None:
        super().__init__(content)
        self.inode, self.touched = inode, touched

    def __setitem__(self, key: K, value: V) -> None:
        self.touched[id(self.inode)] = self.inode
        super().__setitem__(key, value)

    def __delitem__(self, key: K) -> None:
        self.touched[id(self.inode)] = self.inode
        super().__delitem__(key)

    def pop(self, key: K, *default: Any) -> Any:
        self.touched[id(self.inode)] = self.inode
        return super().pop(key, *default)

    def update(self, *others: Any, **more: V) -> None:
        self.touched[id(self.inode)] = self.inode
        super().update(*others, **more)


class Watch:
    """Watches `tree` from now on."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._touched: dict[int, Inode] = {}
        self._class = _noting(self._touched)
        self._begin()

    def _begin(self) -> None:
        self._known: dict[int, tuple[Inode, Entry, dict[str, Inode]]] = {}
        """Inodes with what they were, and their entries, when last asked."""
        self._places: dict[int, set[tuple[int, str]]] = {}
        """The directories and names by which they are there."""
        self._root = self.tree.root
        self._adopt(self._root)
        self._touched.clear()

    def _adopt(self, top: Inode) -> None:
        """Know an inode, and all below it, as they are."""
        pending = [top]
        while pending:
            inode = pending.pop()
            if id(inode) in self._known:
                continue
            if not isinstance(inode.children, _Noted):
                inode.children = _Noted(inode.children, inode, self._touched)
                inode.xattrs = _Noted(inode.xattrs, inode, self._touched)
                inode.__class__ = self._class
            self._known[id(inode)] = inode, _entry(inode), dict(inode.children)
            for name, child in inode.children.items():
                self._places.setdefault(id(child), set()).add((id(inode), name))
                pending.append(child)

    def forget(self) -> None:
        """Take all that has become other for known."""
        self.became()

    def became(self) -> list[Became]:
        """All that has become other since this was last asked, in the order of paths.

        A tree that was set back to what it had been is taken for known.
        """
        if self.tree.root is not self._root:
            self._begin()
            return []
        touched = [inode for inode in list(self._touched.values()) if id(inode) in self._known]
        self._touched.clear()
        found: dict[str, tuple[Entry | None, Entry | None]] = {}
        for inode in touched:
            if not self._is_there(inode):
                continue
            was = self._known[id(inode)][2]
            for name in sorted(was.keys() | inode.children.keys()):
                old, new = was.get(name), inode.children.get(name)
                if old is new:
                    continue
                for path, entry in self._below(inode, name, old, was=True):
                    found[path] = (entry, None)
                if old is not None:
                    self._places[id(old)].discard((id(inode), name))
                if new is not None:
                    self._places.setdefault(id(new), set()).add((id(inode), name))
                    self._adopt(new)
                for path, entry in self._below(inode, name, new, was=False):
                    found[path] = (found.get(path, (None, None))[0], entry)
        for inode in touched:
            _, before, _ = self._known[id(inode)]
            after = _entry(inode)
            self._known[id(inode)] = inode, after, dict(inode.children)
            if before != after:
                for path in self._paths(inode):
                    found[path] = (found.get(path, (before, None))[0], after)
        self._touched.clear()
        return [Became(path, *found[path]) for path in sorted(found) if found[path][0] != found[path][1]]

    def _is_there(self, inode: Inode) -> bool:
        return next(self._paths(inode), None) is not None

    def _paths(self, inode: Inode) -> Iterator[str]:
        """All paths of an inode, as directories are known."""
        if inode is self._root:
            yield "/"
            return
        for parent, name in sorted(self._places.get(id(inode), ()), key=lambda place: place[1]):
            for directory in self._paths(self._known[parent][0]):
                yield f"{directory.rstrip('/')}/{name}"

    def _below(self, directory: Inode, name: str, top: Inode | None, *, was: bool) -> Iterator[tuple[str, Entry]]:
        """An entry of a directory with all below it, as they are, or were when last asked."""
        if top is None:
            return
        for above in self._paths(directory):
            pending = [(f"{above.rstrip('/')}/{name}", top)]
            while pending:
                path, inode = pending.pop()
                known = self._known.get(id(inode))
                if was and known is None:
                    continue
                yield path, known[1] if was and known else _entry(inode)
                children = known[2] if was and known else inode.children
                pending.extend((f"{path}/{each}", child) for each, child in children.items())


def _noting(touched: dict[int, Inode]) -> type[Inode]:
    class Noting(Inode):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            touched[id(self)] = self
            if name in {"children", "xattrs"} and not isinstance(value, _Noted):
                assert isinstance(value, dict)
                value = _Noted(value, self, touched)
            super().__setattr__(name, value)

    return Noting


def _entry(inode: Inode) -> Entry:
    return Entry(
        kind=inode.kind,
        mode=inode.mode,
        uid=inode.uid,
        gid=inode.gid,
        mtime=inode.mtime if inode.kind is Kind.FILE else 0,
        content=inode.content,
        target=inode.target,
        device=inode.device,
        xattrs=dict(inode.xattrs),
    )
