"""What the real dpkg leaves for some packages, and how a computed tree differs from it, path by path.

The reference is made in a chroot (root, Linux, dpkg, tar and unshare), by dpkg and the maintainer scripts, with the
packages in the order of the assembler. Nothing outside its directory is written to.
"""

import difflib
import fnmatch
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assembler.configure.engine import Settings, configure
from assembler.configure.first_boot import waiting
from assembler.configure.order import Orderable, configure_order, dependents, stages, unpack_order
from assembler.configure.report import Report
from assembler.debian.deb import Deb
from assembler.debian.unpack import unpack
from assembler.store.objects import sha256_of
from assembler.tree.content import Content, chunks
from assembler.tree.staging import Inode, Kind, Tree

EXPLAINED = Path(__file__).resolve().parent / "explained.toml"
EPOCH = 1767225600
_SHOWN = 12
"""Lines of a difference that are shown."""
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
}


@dataclass(frozen=True)
class Entry:
    """One path: what of it is compared."""

    kind: str
    mode: int
    owner: tuple[int, int]
    xattrs: dict[str, bytes]
    target: str
    digest: str


class NoReference(Exception):
    """dpkg failed; the message names the command and its log."""


# --- the two trees --------------------------------------------------------------------------------------------------


def in_order(debs: Collection[Deb], first: Collection[str] = ()) -> list[Deb]:
    """`debs` in the order in which they are unpacked, those that `first` names before the others."""
    by_name = {deb.name: deb for deb in debs}
    return [by_name[name] for name in unpack_order(_orderable(debs), first)]


def _orderable(debs: Collection[Deb]) -> list[Orderable]:
    return [Orderable(deb.name, deb.fields, "postinst" in deb.control) for deb in debs]


def compute(
    debs: Sequence[Deb], arch: str, first: frozenset[str] = frozenset(), first_boot: Sequence[str] = ()
) -> tuple[Tree, Report]:
    """The tree as the assembler makes it, and what it says of the scripts. Raises AssembleError, Problems."""
    tree = Tree(EPOCH)
    packages = unpack(tree, debs, latest=EPOCH)
    settings = Settings(EPOCH, arch, first=first, first_boot=waiting(packages, first_boot))
    return tree, configure(tree, packages, settings)


class Reference:
    """A directory in which dpkg installs packages; `files` are their .debs by name, `log` takes what is printed."""

    def __init__(self, root: Path, files: Mapping[str, Path], log: Path) -> None:
        self.root, self.files, self.log = root, files, log

    def make(self, debs: Sequence[Deb]) -> None:
        """Install `debs` into the directory, which does not exist yet: essential ones first. Raises NoReference."""
        root = self.root
        for directory in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "proc"):
            (root / directory).mkdir(parents=True)
        for alias in ("bin", "sbin", "lib", "lib64"):
            (root / alias).symlink_to(f"usr/{alias}")
        essential, rest = stages(_orderable(debs))
        by_name = {deb.name: deb for deb in debs}
        for name in essential:
            # Enough to start the dpkg in there, which then installs all of it.
            options = ["-C", str(root), "--keep-directory-symlink", "--xattrs", "--numeric-owner"]
            subprocess.run(["tar", *options, "-xpf", str(by_name[name].data)], check=True)
        for directory in ("info", "updates", "triggers", "alternatives", "parts"):
            (root / "var/lib/dpkg" / directory).mkdir(parents=True, exist_ok=True)
        for name in ("status", "available"):
            (root / "var/lib/dpkg" / name).touch()
        self.log.unlink(missing_ok=True)
        order = configure_order(_orderable(debs))
        self._install(debs, order, set(essential), "--force-depends")
        self._install(debs, order, set(rest))

    def add(self, debs: Sequence[Deb], first: Collection[str], first_boot: Collection[str] = ()) -> None:
        """Install those of `debs` that are not in `first`, which has been installed. Raises NoReference.

        What is in `first_boot`, and what needs that, is only unpacked.
        """
        packages = _orderable(debs)
        late = {*first_boot, *dependents(packages, first_boot)}
        order = [name for name in configure_order(packages, first) if name not in late]
        self._install(debs, order, {deb.name for deb in debs} - set(first))

    def _install(self, debs: Sequence[Deb], order: Sequence[str], names: Collection[str], *force: str) -> None:
        policy, directory, null = (self.root / name for name in ("usr/sbin/policy-rc.d", "debs", "dev/null"))
        # Nothing may start. runit-helper, which starts nothing without runit, would not even make its link when told.
        policy.write_text("#!/bin/sh\ngrep -qs runit-helper /proc/$PPID/cmdline && exit 0\nexit 101\n")
        policy.chmod(0o755)
        directory.mkdir()
        null.parent.mkdir(exist_ok=True)
        os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        null.chmod(0o666)
        paths = []
        for deb in debs:
            if deb.name in names:
                shutil.copyfile(self.files[deb.name], directory / f"{deb.name}.deb")
                paths.append(f"/debs/{deb.name}.deb")
        # The assembler unpacks all before it configures any, so Pre-Depends are not configured yet.
        self._in_chroot("dpkg", "--force-depends", "--unpack", *paths)
        if chosen := [name for name in order if name in names]:
            self._in_chroot("dpkg", "--configure", *force, *chosen)
        shutil.rmtree(directory)
        policy.unlink()
        null.unlink()

    def _in_chroot(self, *command: str) -> None:
        root = str(self.root)
        isolated = ["unshare", "--mount", "--pid", "--fork", "--net", f"--mount-proc={root}/proc", "chroot", root]
        with self.log.open("a") as log:
            result = subprocess.run([*isolated, *command], env=ENVIRONMENT, stdout=log, stderr=log, check=False)
        if result.returncode:
            raise NoReference(f"{' '.join(command[:3])} failed with status {result.returncode}; see {self.log}")


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


@contextmanager
def copy_of(root: Path, work: Path) -> Iterator[tuple[Path, Path]]:
    """A copy of a tree that can be written to, and the directory of what is changed in it; gone afterwards, unless
    something failed."""
    shutil.rmtree(work, ignore_errors=True)
    merged, upper, internal = (work / name for name in ("merged", "upper", "internal"))
    for directory in (merged, upper, internal):
        directory.mkdir(parents=True)
    options = f"lowerdir={root},upperdir={upper},workdir={internal},redirect_dir=off,metacopy=off,index=off"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)], check=True)
    failed = True
    try:
        yield merged, upper
        failed = False
    finally:
        subprocess.run(["umount", str(merged)], check=True)
        if not failed:
            shutil.rmtree(work)


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


# --- comparing ------------------------------------------------------------------------------------------------------


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
