"""How a tree differs from what a real dpkg makes of the same packages, path by path, and which of that is meant.

Kinds, modes, owners, extended attributes, targets and contents are compared; times are not, as dpkg has no fixed ones.
What is meant is data: `configure/leftovers.py` for what scripts leave and no image has, ``explained.toml`` for others.
"""

import difflib
import hashlib
import posixpath
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from importlib import resources
from typing import Literal

from assembler.audit import alike
from assembler.configure.identity import is_private_key, made_on_node
from assembler.configure.leftovers import ACL, BYTE_CODE, LEFTOVERS, hash_of_left_over, without_mask
from assembler.programs.tmpfiles import listed
from assembler.tree.content import Content, chunks, size_of
from assembler.tree.staging import Inode, Kind, Tree

Aspect = Literal["missing", "extra", "kind", "mode", "owner", "number", "xattrs", "target", "content"]
"""What differs; `number` is an account's, where the accounts themselves are the same."""

Accounts = Sequence[tuple[Mapping[int, str], Mapping[int, str]]]
"""The names of users and groups by their numbers, of each side."""

_SHOWN = 12
"""Lines of a difference that are shown."""
_LARGEST = 64 << 20
"""Bytes of a file that is looked into; no file that is compared but for its order or a date is as large."""
_MOST_LINES = 20_000
"""Lines of a text whose differences are looked for, which takes time that grows with the square of them."""
_RENUMBERED = "the same account: it was made earlier or later, and numbers are given one after the other"
_FEWER = "debconf's database: computed packages have not asked for their answers, all of them defaults"
_PAGES = "man's index: when dpkg made its own, alternatives led elsewhere, as further packages were not configured"
_REORDERED = "a list to which packages add: the same lines, in the order in which they were configured"
_KEY = "random: a private key, with which nothing is built"
_LIST = "POSIX ACL: squashfs holds none, and systemd-tmpfiles sets it at every boot"
_TMPFILES = ("/usr/lib/tmpfiles.d/", "/etc/tmpfiles.d/")
"""The later is read in place of the earlier."""
_BYTE_CODE = re.compile(r"(?P<directory>.*)/__pycache__/(?P<module>[^/]+)\.cpython-\d+(\.opt-\d)?\.pyc")
_BY_HASH = re.compile(r"[0-9a-f]{8}\.\d")
_WORK = "makes what scripts have left to each node"
_NODE = "random: a unit makes it when the node first starts"
_HASH = "random: the link is by the hash of a certificate that the node makes"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path: what of it is compared."""

    kind: str
    mode: int
    owner: tuple[int, int]
    xattrs: Mapping[str, bytes]
    target: str
    digest: str
    size: int
    """Bytes of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two trees."""

    name: str
    """Whose it is, for people."""
    entries: Mapping[str, Entry]
    read: Callable[[str], bytes]
    """The bytes of the file at a path."""

    def accounts(self) -> tuple[dict[int, str], dict[int, str]]:
        """The names of users and groups by their numbers."""
        users, groups = (
            alike.names(self.read(path))
            if path in self.entries and self.entries[path].kind == "FILE" and self.entries[path].size <= _LARGEST
            else {}
            for path in ("/etc/passwd", "/etc/group")
        )
        return users, groups


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
    is_file = inode.kind is Kind.FILE
    return Entry(
        kind=inode.kind.name,
        mode=0 if inode.kind is Kind.SYMLINK else inode.mode,
        owner=(inode.uid, inode.gid),
        xattrs=dict(inode.xattrs),
        target=inode.target,
        digest=_digest(inode.content) if is_file else "",
        size=size_of(inode.content) if is_file else 0,
    )


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
def explanations(*, byte_code: bool = False) -> tuple[Explanation, ...]:
    """The explained differences of what is computed, with or without byte code, from what dpkg makes."""
    tables = tomllib.loads((resources.files(__package__) / "explained.toml").read_text("utf-8"))["explained"]
    written = (
        Explanation(tuple(table["paths"]), frozenset(table.get("aspects", ())), table["reason"]) for table in tables
    )
    nobodys = LEFTOVERS if byte_code else (*LEFTOVERS, BYTE_CODE)
    left = (Explanation(each.paths, frozenset({"missing", *each.differing}), each.reason) for each in nobodys)
    return (*written, *left)


def judge(ours: Side, dpkgs: Side, *, mixed: bool = False, keys: Collection[str] = ()) -> list[Difference]:
    """How `ours` differs from dpkg's, those differences that are meant with their reasons.

    With `mixed`, some of our packages were computed, and then others executed. So they were not configured in the same
    order, and accounts which are given the next free number are compared by their names, and lists to which each
    package adds without their order; and debconf was not asked for as many answers. `keys` are paths of private keys
    that scripts of ours made and a build refuses: dpkg's is another. Byte code is compared when we have some.
    """
    byte_code = any(path.endswith(".pyc") for path in ours.entries)
    known = [(each.matcher(), each) for each in explanations(byte_code=byte_code)]
    found = []
    for one in _compare(ours, dpkgs, mixed=mixed, keys=keys):
        reason = one.reason or next(
            (
                each.reason
                for matcher, each in known
                if matcher.match(one.path)
                and (not each.aspects or one.aspect in each.aspects)
                and not _without_source(one.path, dpkgs)
            ),
            "",
        )
        found.append(Difference(path=one.path, aspect=one.aspect, text=one.text, reason=reason))
    return found


def _without_source(path: str, side: Side) -> bool:
    """Whether `path` is byte code, and what it would be made of is not there."""
    found = _BYTE_CODE.fullmatch(path)
    return found is not None and f"{found['directory']}/{found['module']}.py" not in side.entries


def unexplained(found: Iterable[Difference]) -> list[Difference]:
    """Those that nobody has explained."""
    return [one for one in found if not one.reason]


def reasons(found: Iterable[Difference]) -> Counter[str]:
    """How many differences have each reason."""
    return Counter(one.reason for one in found if one.reason)


def _compare(ours: Side, dpkgs: Side, *, mixed: bool, keys: Collection[str]) -> Iterator[Difference]:
    named = [side.accounts() for side in (ours, dpkgs)] if mixed else None
    nodes = _left_to_nodes(ours)
    for path in sorted(nodes.keys() - dpkgs.entries.keys()):
        yield Difference(path=path, aspect="extra", text=f"a node of {ours.name} makes it")
    for path in sorted(ours.entries.keys() | dpkgs.entries.keys()):
        left, right = ours.entries.get(path), dpkgs.entries.get(path)
        if left is None or right is None:
            text = f"only {ours.name} has {left.kind}" if left else f"{dpkgs.name} has {right.kind if right else ''}"
            if right and path in nodes:
                yield from _made_otherwise(path, nodes[path], right, dpkgs)
            linked = right and (hash_of_left_over(path, right.target) or _is_hash(path, right.target, nodes))
            reason = _HASH if linked else _NODE if right and path in nodes else ""
            if left and posixpath.dirname(path) == made_on_node.DIRECTORY:
                reason = _WORK
            yield Difference(path=path, aspect="extra" if left else "missing", text=text, reason=reason)
            continue
        for aspect, old, new in _aspects(left, right):
            of_list = aspect == "xattrs" or (aspect == "mode" and _but_for_mask(left, right))
            reason = _LIST if of_list and _set_at_boot(path, left, right, dpkgs) else ""
            yield Difference(path=path, aspect=aspect, text=f"{ours.name} {old}, {dpkgs.name} {new}", reason=reason)
        yield from _owners(path, ours, dpkgs, named)
        if left.kind == right.kind and left.digest != right.digest:
            yield from _contents(path, ours, dpkgs, named, keys=keys)


def _left_to_nodes(side: Side) -> dict[str, tuple[str, int]]:
    """What scripts have left to nodes, by path, with owner and mode."""
    scripts = [path for path in side.entries if posixpath.dirname(path) == made_on_node.DIRECTORY]
    return {path: (owner, mode) for script in scripts for path, owner, mode in made_on_node.places(side.read(script))}


def _made_otherwise(path: str, ours: tuple[str, int], right: Entry, dpkgs: Side) -> Iterator[Difference]:
    """How what a node makes differs from what dpkg made."""
    names = [known.get(number, str(number)) for number, known in zip(right.owner, dpkgs.accounts(), strict=True)]
    if right.kind != "FILE" or ours[1] != right.mode:
        yield Difference(path=path, aspect="mode", text=f"a node {oct(ours[1])}, {dpkgs.name} {oct(right.mode)}")
    if ours[0] != ":".join(names):
        yield Difference(path=path, aspect="owner", text=f"a node {ours[0]}, {dpkgs.name} {':'.join(names)}")


def _is_hash(path: str, target: str, left: Collection[str]) -> bool:
    """Whether a link is by the hash of a certificate that nodes make."""
    there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return _BY_HASH.fullmatch(posixpath.basename(path)) is not None and there in left


def _aspects(left: Entry, right: Entry) -> Iterator[tuple[Aspect, str, str]]:
    if left.kind != right.kind:
        yield "kind", left.kind, right.kind
    if left.mode != right.mode:
        yield "mode", oct(left.mode), oct(right.mode)
    if left.xattrs != right.xattrs:
        yield "xattrs", str(dict(left.xattrs)), str(dict(right.xattrs))
    if left.target != right.target:
        yield "target", left.target, right.target


def _but_for_mask(left: Entry, right: Entry) -> bool:
    """Whether two modes differ in nothing but that the second has an access control list, and with it a mask."""
    access = right.xattrs.get(f"{ACL}access", b"")
    return f"{ACL}access" not in left.xattrs and left.mode == without_mask(right.mode, access)


def _set_at_boot(path: str, left: Entry, right: Entry, dpkgs: Side) -> bool:
    """Whether two sets of attributes differ in nothing but the access control list that tmpfiles.d says for `path`."""
    if {**left.xattrs, **{name: value for name, value in right.xattrs.items() if name.startswith(ACL)}} != right.xattrs:
        return False
    files: dict[str, str] = {}
    for directory in _TMPFILES:
        for file, entry in dpkgs.entries.items():
            name = file.removeprefix(directory)
            if name != file and name.endswith(".conf") and entry.kind == "FILE" and entry.size <= _LARGEST:
                files[name] = dpkgs.read(file).decode("utf-8", "replace")
    return listed(files.values())(path)


def _owners(path: str, ours: Side, dpkgs: Side, named: Accounts | None) -> Iterator[Difference]:
    """The difference of two owners: by what they are called, where `named` has the accounts of both sides."""
    numbers = [side.entries[path].owner for side in (ours, dpkgs)]
    texts = [str(owner) for owner in numbers]
    same = False
    if named:
        called = [
            (alike.name(user, users), alike.name(group, groups))
            for (user, group), (users, groups) in zip(numbers, named, strict=True)
        ]
        same = called[0] == called[1]
        texts = [f"{':'.join(names)} {text}" for names, text in zip(called, texts, strict=True)]
    if numbers[0] == numbers[1] and (same or not named):
        return
    yield Difference(
        path=path,
        aspect="number" if same else "owner",
        text=f"{ours.name} {texts[0]}, {dpkgs.name} {texts[1]}",
        reason=_RENUMBERED if same else "",
    )


def _contents(
    path: str, ours: Side, dpkgs: Side, named: Accounts | None, *, keys: Collection[str]
) -> Iterator[Difference]:
    """The difference of two files, if it is one."""
    sizes = [side.entries[path].size for side in (ours, dpkgs)]
    if max(sizes) > _LARGEST:
        text = f"{sizes[0]} bytes {ours.name}, {sizes[1]} by {dpkgs.name}"
        yield Difference(path=path, aspect="content", text=text)
        return
    left, right = (alike.normalised(path, side.read(path)) for side in (ours, dpkgs))
    if left == right:
        return
    aspect: Aspect = "content"
    reason = ""
    if named and alike.by_name(path, left, *named[0]) == alike.by_name(path, right, *named[1]):
        aspect, reason = "number", _RENUMBERED
    elif named and alike.fewer_answers(path, left, right):
        reason = _FEWER
    elif named and alike.fewer_pages(path, left, right):
        reason = _PAGES
    elif named and alike.reordered(path, left, right):
        reason = _REORDERED
    elif path in keys and is_private_key(left) and is_private_key(right):
        reason = _KEY
    text = f"{len(left)} bytes {ours.name}, {len(right)} by {dpkgs.name}{_changed_lines(left, right)}"
    yield Difference(path=path, aspect=aspect, text=text, reason=reason)


def _changed_lines(left: bytes, right: bytes) -> str:
    """The first lines in which two texts differ, indented; nothing for other contents."""
    try:
        texts = left.decode().splitlines(), right.decode().splitlines()
    except UnicodeDecodeError:
        return ""
    if max(map(len, texts)) > _MOST_LINES:
        return ""
    changes = list(difflib.unified_diff(*texts, n=0, lineterm=""))[2:]
    return "".join(f"\n        {line}" for line in changes[:_SHOWN])
