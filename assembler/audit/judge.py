"""How a tree differs from what a real dpkg makes of the same packages, path by path, and which of that is meant.

Kinds, modes, owners, extended attributes, targets and contents are compared; times are not, as dpkg has no fixed ones.
What is meant is data: `configure/leftovers.py` for what scripts leave and no image has, ``explained.toml`` for others.
"""

import difflib
import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from importlib import resources
from typing import Literal

from assembler.configure.leftovers import LEFTOVERS
from assembler.tree.content import Content, chunks
from assembler.tree.staging import Inode, Kind, Tree

Aspect = Literal["missing", "extra", "kind", "mode", "owner", "number", "xattrs", "target", "content"]
"""What differs; `number` is an account's, where the accounts themselves are the same."""

_SHOWN = 12
"""Lines of a difference that are shown."""
_RENUMBERED = "the same account: it was made earlier or later, and numbers are given one after the other"
_FIXED = range(100, 60000)
"""Numbers that are given one after the other; all others are the same on every Debian system (Debian policy 9.2.2)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One path: what of it is compared."""

    kind: str
    mode: int
    owner: tuple[int, int]
    xattrs: Mapping[str, bytes]
    target: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two trees."""

    name: str
    """Whose it is, for people."""
    entries: Mapping[str, Entry]
    read: Callable[[str], bytes]
    """The bytes of the file at a path."""

    def numbers(self, path: str) -> dict[int, str]:
        """The names of the accounts in passwd(5) or group(5) at `path`, by their numbers."""
        found: dict[int, str] = {}
        for name, number in _rows(self.read(path) if path in self.entries else b"", (0, 2)):
            if number.isdecimal():
                found.setdefault(int(number), name)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One aspect in which the trees differ at a path."""

    path: str
    aspect: Aspect
    text: str
    """How, for people; several lines where texts differ."""
    reason: str = ""
    """Why it is meant; empty when nobody has explained it."""

    def __str__(self) -> str:
        """For people."""
        return f"{self.path}: {self.aspect}: {self.text}" + (f"  [{self.reason}]" if self.reason else "")


def side_of(tree: Tree, name: str) -> Side:
    """Every path of a tree of the assembler's."""
    return Side(name=name, entries={path: _entry(inode) for path, inode in tree.walk()}, read=tree.read)


def _entry(inode: Inode) -> Entry:
    digest = _digest(inode.content) if inode.kind is Kind.FILE else ""
    mode = 0 if inode.kind is Kind.SYMLINK else inode.mode
    return Entry(inode.kind.name, mode, (inode.uid, inode.gid), dict(inode.xattrs), inode.target, digest)


@cache
def _digest(content: Content) -> str:
    state = hashlib.sha256()
    for chunk in chunks(content):
        state.update(chunk)
    return state.hexdigest()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A difference that is meant, by pattern."""

    paths: tuple[str, ...]
    """Shell patterns, in which * matches slashes too."""
    aspects: frozenset[str]
    """What may differ; empty for anything."""
    reason: str

    def matcher(self) -> "re.Pattern[str]":
        """Of paths that are meant."""
        return re.compile("|".join(map(translate, self.paths)))


@cache
def explanations() -> tuple[Explanation, ...]:
    """The explained differences of what is computed from what dpkg makes."""
    tables = tomllib.loads((resources.files(__package__) / "explained.toml").read_text("utf-8"))["explained"]
    written = (
        Explanation(tuple(table["paths"]), frozenset(table.get("aspects", ())), table["reason"]) for table in tables
    )
    left = (Explanation(each.paths, frozenset({"missing"}), each.reason) for each in LEFTOVERS)
    return (*written, *left)


def judge(ours: Side, dpkgs: Side, *, renumbered: bool = False) -> list[Difference]:
    """How `ours` differs from dpkg's, those differences that are meant with their reasons.

    With `renumbered`, packages were not configured in the same order, so that accounts which are given the next free
    number are compared by their names.
    """
    known = [(each.matcher(), each) for each in explanations()]
    found = []
    for one in _compare(ours, dpkgs, renumbered=renumbered):
        reason = one.reason or next(
            (
                each.reason
                for matcher, each in known
                if matcher.match(one.path) and (not each.aspects or one.aspect in each.aspects)
            ),
            "",
        )
        found.append(Difference(path=one.path, aspect=one.aspect, text=one.text, reason=reason))
    return found


def unexplained(found: Iterable[Difference]) -> list[Difference]:
    """Those that nobody has explained."""
    return [one for one in found if not one.reason]


def reasons(found: Iterable[Difference]) -> Counter[str]:
    """How many differences have each reason."""
    return Counter(one.reason for one in found if one.reason)


def _compare(ours: Side, dpkgs: Side, *, renumbered: bool) -> Iterator[Difference]:
    named = [(side.numbers("/etc/passwd"), side.numbers("/etc/group")) for side in (ours, dpkgs)]

    def names(which: int, owner: tuple[int, int]) -> tuple[str, str]:
        users, groups = named[which]
        return _name(owner[0], users), _name(owner[1], groups)

    for path in sorted(ours.entries.keys() | dpkgs.entries.keys()):
        left, right = ours.entries.get(path), dpkgs.entries.get(path)
        if left is None or right is None:
            text = f"only {ours.name} has {left.kind}" if left else f"{dpkgs.name} has {right.kind if right else ''}"
            yield Difference(path=path, aspect="extra" if left else "missing", text=text)
            continue
        for aspect, old, new in _aspects(left, right):
            same = aspect == "owner" and renumbered and names(0, left.owner) == names(1, right.owner)
            yield Difference(
                path=path,
                aspect="number" if same else aspect,
                text=f"{ours.name} {old}, {dpkgs.name} {new}",
                reason=_RENUMBERED if same else "",
            )
        if left.kind == right.kind and left.digest != right.digest:
            yield from _contents(path, ours, dpkgs, named if renumbered else None)


def _aspects(left: Entry, right: Entry) -> Iterator[tuple[Aspect, str, str]]:
    if left.kind != right.kind:
        yield "kind", left.kind, right.kind
    if left.mode != right.mode:
        yield "mode", oct(left.mode), oct(right.mode)
    if left.owner != right.owner:
        yield "owner", str(left.owner), str(right.owner)
    if left.xattrs != right.xattrs:
        yield "xattrs", str(dict(left.xattrs)), str(dict(right.xattrs))
    if left.target != right.target:
        yield "target", left.target, right.target


def _contents(
    path: str, ours: Side, dpkgs: Side, named: Sequence[tuple[Mapping[int, str], Mapping[int, str]]] | None
) -> Iterator[Difference]:
    """The difference of two files, if it is one."""
    left, right = (normalised(path, side.read(path)) for side in (ours, dpkgs))
    if left == right:
        return
    sizes = f"{len(left)} bytes {ours.name}, {len(right)} by {dpkgs.name}"
    text = sizes + _changed_lines(left, right)
    if named and all(
        one == other
        for one, other in [[_by_name(path, data, *both) for data, both in zip((left, right), named, strict=True)]]
    ):
        yield Difference(path=path, aspect="number", text=text, reason=_RENUMBERED)
    else:
        yield Difference(path=path, aspect="content", text=text)


def normalised(path: str, data: bytes) -> bytes:
    """The content of a file without what no two runs of dpkg have in common: the order of a hash table, the day."""
    if path == "/var/lib/dpkg/diversions":
        lines = data.splitlines()
        if len(lines) % 3:
            return data
        return repr(sorted(zip(lines[::3], lines[1::3], lines[2::3], strict=True))).encode()
    if path == "/var/lib/dpkg/statoverride":
        return b"".join(sorted(data.splitlines(keepends=True)))
    if path == "/etc/mdadm/mdadm.conf":
        return re.sub(rb"(?m)auto-generated on .*? by", b"auto-generated on DATE by", data)
    if path == "/etc/shadow":
        # The day of the last change is the day of the run.
        return re.sub(rb"(?m)^([^:]*:[^:]*):[0-9]+:", rb"\1:DAY:", data)
    return data


def _changed_lines(left: bytes, right: bytes) -> str:
    """The first lines in which two texts differ, indented; nothing for other contents."""
    try:
        texts = left.decode().splitlines(), right.decode().splitlines()
    except UnicodeDecodeError:
        return ""
    changes = list(difflib.unified_diff(*texts, n=0, lineterm=""))[2:]
    return "".join(f"\n        {line}" for line in changes[:_SHOWN])


def _rows(data: bytes, fields: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Two fields of each line of a file with colons between fields; lines that lack one are left out."""
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        row = line.split(":")
        if len(row) > max(fields):
            yield row[fields[0]], row[fields[1]]


def _name(number: int, names: Mapping[int, str]) -> str:
    """An account's name where its number is one of those that are given one after the other."""
    return names.get(number, str(number)) if number in _FIXED else str(number)


_NUMBERED: Mapping[str, Mapping[int, int]] = {
    "/etc/passwd": {2: 0, 3: 1},
    "/etc/group": {2: 1},
    "/etc/shadow": {},
    "/etc/gshadow": {},
}
"""Files of accounts, and which of their fields are numbers: of users (0) or groups (1)."""


def _by_name(path: str, data: bytes, users: Mapping[int, str], groups: Mapping[int, str]) -> object:
    """The content of a file of accounts with names instead of numbers, in no order; other files as they are."""
    if path not in _NUMBERED:
        return data
    lines = []
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        row = line.split(":")
        for field, of in _NUMBERED[path].items():
            if field < len(row) and row[field].isdecimal():
                row[field] = _name(int(row[field]), (users, groups)[of])
        lines.append(tuple(row))
    return sorted(lines)
