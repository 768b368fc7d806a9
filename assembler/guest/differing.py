"""What scripts leave behind that is random or dated by nature: it is other with another seed, or another date."""

from dataclasses import dataclass

from assembler.tree.changes import Changes, Entry
from assembler.tree.content import equal
from assembler.tree.staging import Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """A path that is not the same in two results of the same job."""

    path: str
    what: str
    """What differs, for people."""


def differing(one: Changes, other: Changes) -> tuple[Difference, ...]:
    """How two results of the same job differ, sorted by path."""
    found: dict[str, str] = {}
    for path in one.put.keys() ^ other.put.keys():
        found[path] = "is there once only"
    for path in one.put.keys() & other.put.keys():
        if what := _differs(one.put[path], other.put[path]):
            found[path] = what
    for path in set(one.removed) ^ set(other.removed):
        found.setdefault(path, "is gone once only")
    for path, _ in one.links.items() ^ other.links.items():
        found.setdefault(path, "is another file")
    return tuple(Difference(path, found[path]) for path in sorted(found))


def _differs(one: Entry, other: Entry) -> str:
    if one.kind is not other.kind:
        return "is of another kind"
    if (one.mode, one.uid, one.gid, dict(one.xattrs)) != (other.mode, other.uid, other.gid, dict(other.xattrs)):
        return "has another owner or mode"
    if (one.target, one.device) != (other.target, other.device):
        return "leads elsewhere"
    if one.kind is Kind.FILE and not equal(one.content, other.content):
        return "has other bytes"
    return "has another time" if one.mtime != other.mtime else ""
