"""Real trees, in directories, as :mod:`assembler.audit.judge` compares them."""

import os
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from assembler.audit.judge import Difference, Entry, Side, judge
from assembler.store.objects import sha256_of

_KINDS = {
    stat.S_IFREG: "FILE", stat.S_IFDIR: "DIR", stat.S_IFLNK: "SYMLINK", stat.S_IFCHR: "CHAR", stat.S_IFBLK: "BLOCK",
    stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "SOCKET",
}  # fmt: skip


BY_NATURE = "dated or random by nature: dpkg makes another one each time"


def by_nature(found: Iterable[Difference], first: Side, second: Side) -> list[Difference]:
    """`found`, where contents that differ between two trees of dpkg's own, `first` and `second`, are explained."""
    differing = {one.path for one in judge(first, second) if one.aspect == "content"}
    return [
        replace(one, reason=BY_NATURE) if not one.reason and one.aspect == "content" and one.path in differing else one
        for one in found
    ]


def held_against(
    ours: Side, dpkgs: Sequence[Side], *, mixed: bool = False, keys: Collection[str] = ()
) -> list[Difference]:
    """How `ours` differs from the first of `dpkgs`; where there is a second, what is another each time is explained.

    `mixed` and `keys` are as for :func:`assembler.audit.judge.judge`.
    """
    found = judge(ours, dpkgs[0], mixed=mixed, keys=keys)
    return by_nature(found, *dpkgs) if len(dpkgs) > 1 else found


def side_of_directory(root: Path, entries: Mapping[str, Entry] | None = None) -> Side:
    """A tree that dpkg has made; `entries` are its paths, if they are known."""
    return Side(
        name="dpkg",
        entries=entries_of_directory(root) if entries is None else entries,
        read=lambda path: (root / path.lstrip("/")).read_bytes(),
    )


def entries_of_directory(root: Path) -> dict[str, Entry]:
    """Every path of a real tree."""
    return {_inside(root, path): entry_of(path) for path in [root, *root.rglob("*")]}


def overlaid(base: Mapping[str, Entry], changed: Path, root: Path) -> dict[str, Entry]:
    """Every path of `root`, which is a copy by :func:`tests.proofs.reference.copy_of` of a tree with the entries
    `base`.
    """
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
        os.readlink(path) if kind == "SYMLINK" else "",  # noqa: PTH115  a Path has no two slashes in a row
        sha256_of(path) if kind == "FILE" else "",
        status.st_size if kind == "FILE" else 0,
    )
