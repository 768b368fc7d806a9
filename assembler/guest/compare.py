"""What a machine made of the tree that it was given: two file systems, compared path by path.

mke2fs makes every inode with a change time of zero, and Linux sets that to its clock with each change of anything in
the inode: whatever has a change time was changed, and only that is looked at further.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from assembler.formats.ext4_reader import Entry as Found
from assembler.tree.changes import Changes, Entry
from assembler.tree.content import Content, equal
from assembler.tree.staging import Inode, Kind, Tree


def compare(
    before: Tree, after: Iterable[tuple[str, Found]], *, latest: int, content: Callable[[str, Found], Content]
) -> Changes:
    """How `after` differs from `before`, whose file system it was when the machine started.

    `after` has every path with what is there, parents first; nothing else is believed of it. Times are at most `latest`
    (seconds). `content` gives the bytes of a changed file, and has its path for errors. Sockets are left out: nothing
    listens at them any more.
    """
    known = dict(before.walk())
    first: dict[int, str] = {}
    seen: set[str] = set()
    removed: list[str] = []
    put: dict[str, Entry] = {}
    links: dict[str, str] = {}

    def made(path: str, found: Found) -> Entry:
        entry = _entry(found, latest)
        return replace(entry, content=content(path, found)) if found.kind is Kind.FILE else entry

    for path, found in after:
        if found.kind is None:
            continue
        seen.add(path)
        was = known.get(path)
        if was is not None and Kind.DIR in {was.kind, found.kind} and was.kind is not found.kind:
            removed.append(path)
        if found.kind is not Kind.DIR and (one := first.setdefault(found.number, path)) != path:
            if one not in put and (was is None or known.get(one) is not was):
                # Nothing is known to have changed but that it has another name.
                put[one] = made(path, found)
            if one in put:
                links[path] = one
            continue
        if was is not None and was.kind is found.kind and not found.ctime:
            continue
        entry = made(path, found)
        if found.kind is Kind.DIR and was is not None and was.kind is Kind.DIR:
            # Its time changes with every name that comes or goes, as little as it does where trees are computed.
            entry = replace(entry, mtime=was.mtime)
        if was is None or not _same(was, entry) or (found.links > 1 and found.kind is not Kind.DIR):
            put[path] = entry
    removed += _gone(known, seen)
    return Changes(removed=tuple(sorted(removed)), put=put, links=links)


def _entry(found: Found, latest: int) -> Entry:
    assert found.kind is not None
    return Entry(
        kind=found.kind,
        mode=found.mode,
        uid=found.uid,
        gid=found.gid,
        mtime=min(found.mtime, latest),
        target=found.target,
        device=found.device,
        xattrs=found.xattrs,
    )


def _same(was: Inode, now: Entry) -> bool:
    """Whether nothing has changed after all, as when an owner is set that was there before."""
    if (was.kind, was.mode, was.uid, was.gid, was.mtime) != (now.kind, now.mode, now.uid, now.gid, now.mtime):
        return False
    if (was.target, was.device, was.xattrs) != (now.target, now.device, dict(now.xattrs)):
        return False
    return was.kind is not Kind.FILE or equal(was.content, now.content)


def _gone(known: Mapping[str, Inode], seen: Collection[str]) -> list[str]:
    """The paths that are gone; of a directory only itself. Parents come first in `known`."""
    gone: list[str] = []
    top = "\0"
    for path in known:
        if path not in seen and not path.startswith(top):
            gone.append(path)
            top = path + "/"
    return gone
