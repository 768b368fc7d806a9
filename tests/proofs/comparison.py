"""How a computed tree differs from a real one, path by path."""

import difflib
import fnmatch
import hashlib
import os
import re
import stat
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assembler.store.objects import sha256_of
from assembler.tree.content import Content, chunks
from assembler.tree.staging import Inode, Kind, Tree

EXPLAINED = Path(__file__).resolve().parent / "explained.toml"
_SHOWN = 12
"""Lines of a difference that are shown."""


@dataclass(frozen=True)
class Entry:
    """One path: what of it is compared."""

    kind: str
    mode: int
    owner: tuple[int, int]
    xattrs: dict[str, bytes]
    target: str
    digest: str


def entries_of_tree(tree: Tree) -> dict[str, Entry]:
    """Every path of a computed tree."""
    return {path: _entry(inode) for path, inode in tree.walk()}


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


_KINDS = {
    stat.S_IFREG: "FILE", stat.S_IFDIR: "DIR", stat.S_IFLNK: "SYMLINK", stat.S_IFCHR: "CHAR", stat.S_IFBLK: "BLOCK",
    stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "SOCKET",
}  # fmt: skip


def entries_of_directory(root: Path) -> dict[str, Entry]:
    """Every path of a real tree."""
    return {_inside(root, path): entry_of(path) for path in [root, *root.rglob("*")]}


def overlaid(base: Mapping[str, Entry], changed: Path, root: Path) -> dict[str, Entry]:
    """Every path of `root`, which is a copy by :func:`copy_of` of a tree with the entries `base`."""
    found = dict(base)
    for path in [changed, *changed.rglob("*")]:
        name, status = _inside(changed, path), path.lstat()
        whiteout = stat.S_ISCHR(status.st_mode) and status.st_rdev == 0
        opaque = stat.S_ISDIR(status.st_mode) and "trusted.overlay.opaque" in os.listxattr(path)
        replaced = name in base and base[name].kind == "DIR" and not stat.S_ISDIR(status.st_mode)
        if opaque or replaced:
            for below in [other for other in found if other.startswith(f"{name}/") and other in base]:
                del found[below]
        if whiteout:
            found.pop(name, None)
        else:
            found[name] = entry_of(root / name[1:])
    return found


def _inside(root: Path, path: Path) -> str:
    return "/" + str(path.relative_to(root)).removeprefix(".")


def entry_of(path: Path) -> Entry:
    """One path of a real tree."""
    status = path.lstat()
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    return Entry(
        kind,
        0 if kind == "SYMLINK" else stat.S_IMODE(status.st_mode),
        (status.st_uid, status.st_gid),
        {key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)},
        str(path.readlink()) if kind == "SYMLINK" else "",
        sha256_of(path) if kind == "FILE" else "",
    )


@dataclass(frozen=True)
class Explanation:
    """A difference that is meant, by pattern."""

    pattern: re.Pattern[str]
    aspects: frozenset[str]
    """What may differ: missing, extra, kind, mode, owner, xattrs, target, content. Empty for anything."""
    reason: str


def explanations() -> list[Explanation]:
    """The explained differences."""
    tables = tomllib.loads(EXPLAINED.read_text())["explained"]
    return [
        Explanation(
            re.compile("|".join(fnmatch.translate(path) for path in table["paths"])),
            frozenset(table.get("aspects", ())),
            table["reason"],
        )
        for table in tables
    ]


def normalised(path: str, data: bytes) -> bytes:
    """The content of a file without what no two runs of dpkg have in common: the order of a hash table, the day."""
    if path == "/var/lib/dpkg/diversions":
        lines = data.splitlines()
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


def compare(
    computed: dict[str, Entry], real: dict[str, Entry], contents: Callable[[str], tuple[bytes, bytes]]
) -> list[tuple[str, str, str]]:
    """The differences as (path, aspect, text)."""
    found: list[tuple[str, str, str]] = []
    for path in sorted(computed.keys() | real.keys()):
        ours, theirs = computed.get(path), real.get(path)
        if ours is None:
            found.append((path, "missing", f"dpkg has {theirs.kind if theirs else ''}"))
        elif theirs is None:
            found.append((path, "extra", f"only the assembler has {ours.kind}"))
        else:
            for aspect in ("kind", "mode", "owner", "xattrs", "target"):
                left, right = getattr(ours, aspect), getattr(theirs, aspect)
                if left != right:
                    show = oct if aspect == "mode" else str
                    found.append((path, aspect, f"computed {show(left)}, dpkg {show(right)}"))
            if ours.kind == theirs.kind and ours.digest != theirs.digest:
                left, right = (normalised(path, data) for data in contents(path))
                if left != right:
                    text = f"{len(left)} bytes computed, {len(right)} by dpkg"
                    found.append((path, "content", text + _changed_lines(left, right)))
    return found


def contents_of(tree: Tree, root: Path) -> Callable[[str], tuple[bytes, bytes]]:
    """What reads a file of the two trees, for :func:`compare`."""
    return lambda path: (tree.read(path), (root / path.lstrip("/")).read_bytes())


def judge(
    computed: dict[str, Entry], real: dict[str, Entry], contents: Callable[[str], tuple[bytes, bytes]]
) -> tuple[list[str], list[str], Counter[str]]:
    """The differences as lines: those that nobody explained, and the explained ones, with how many have each reason."""
    known = explanations()
    reasons: Counter[str] = Counter()
    unexplained, explained = [], []
    for path, aspect, text in compare(computed, real, contents):
        reason = next((e.reason for e in known if e.pattern.match(path) and (not e.aspects or aspect in e.aspects)), "")
        if reason:
            reasons[reason] += 1
            explained.append(f"{path}: {aspect}: {text}  [{reason}]")
        else:
            unexplained.append(f"{path}: {aspect}: {text}")
    return unexplained, explained, reasons
