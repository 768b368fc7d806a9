"""What became other in a tree, as values: entries that are new or changed, and paths that are gone.

Whatever changed it, programs computed over the tree or scripts that ran in a machine, these values tell what came of
it: they can be counted, printed, kept and applied to the tree that they were found against.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assembler.tree.content import Content, Slice, chunks, size_of
from assembler.tree.staging import Inode, Kind, Tree

_INDEX, _DATA = "changes.json", "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a path is after a change; the fields are those of :class:`assembler.tree.staging.Inode`."""

    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime: int
    content: Content = b""
    target: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What to do to a tree, in this order: remove, put, link."""

    removed: tuple[str, ...] = ()
    """Paths that are gone, with all that was below them, and those where a directory has come or gone."""
    put: Mapping[str, Entry] = field(default_factory=dict)
    """New and changed entries by path, parents first. Below a changed directory everything stays."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Further names of files in `put`, each with the path there."""

    def __bool__(self) -> bool:
        return bool(self.removed or self.put or self.links)

    def apply(self, tree: Tree) -> None:
        """Change `tree`. Raises TreeError when it is not the tree that they were found against."""
        for path in self.removed:
            tree.discard(path)
        for path, entry in self.put.items():
            inode = Inode(
                entry.kind,
                entry.mode,
                entry.uid,
                entry.gid,
                entry.mtime,
                content=entry.content,
                target=entry.target,
                device=entry.device,
            )
            inode.xattrs = dict(entry.xattrs)
            if entry.kind is Kind.DIR and (found := tree.get(path)) is not None:
                inode.children = found.children
                if found is tree.root:
                    tree.root = inode
                    continue
                tree.discard(path)
            tree.put(path, inode)
        for path, first in self.links.items():
            tree.put(path, tree.at(first))


def save(changes: Changes, directory: Path) -> None:
    """Write `changes` into `directory`, which is there. Raises OSError for a full disk."""
    position = 0
    put = []
    with (directory / _DATA).open("wb") as data:
        for path, entry in changes.put.items():
            size = size_of(entry.content) if entry.kind is Kind.FILE else 0
            put.append(
                {
                    "path": path,
                    "kind": entry.kind.value,
                    "owner": [entry.mode, entry.uid, entry.gid, entry.mtime],
                    "content": [position, size],
                    "target": entry.target,
                    "device": list(entry.device),
                    "xattrs": {name: b64encode(value).decode() for name, value in sorted(entry.xattrs.items())},
                }
            )
            if size:
                for chunk in chunks(entry.content):
                    data.write(chunk)
                position += size
    index = {"removed": changes.removed, "put": put, "links": dict(changes.links)}
    (directory / _INDEX).write_text(json.dumps(index), "ascii")


def load(directory: Path) -> Changes:
    """What :func:`save` wrote; contents stay in `directory`."""
    index = json.loads((directory / _INDEX).read_bytes())
    data = directory / _DATA
    put = {}
    for each in index["put"]:
        mode, uid, gid, mtime = each["owner"]
        offset, size = each["content"]
        put[each["path"]] = Entry(
            kind=Kind(each["kind"]),
            mode=mode,
            uid=uid,
            gid=gid,
            mtime=mtime,
            content=Slice(str(data), offset, size) if size else b"",
            target=each["target"],
            device=(each["device"][0], each["device"][1]),
            xattrs={name: b64decode(value) for name, value in each["xattrs"].items()},
        )
    return Changes(removed=tuple(index["removed"]), put=put, links=index["links"])
