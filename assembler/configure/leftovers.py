"""What scripts and dpkg leave when they run, and no image has: the machine's own identity, caches, logs, locks, copies.

Computed trees never have it, see the modules that say so, as identity/ for what the node makes itself. What was
executed has it taken out here; where a real dpkg is the judge, it is what the judge has besides.
"""

import posixpath
import re
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate

from assembler.configure.identity import MADE_ON_NODE, is_made_on_node
from assembler.configure.identity.made_on_node import Work
from assembler.programs.of_the_node import CERTIFICATE, PLACEHOLDER
from assembler.programs.specifiers import conf_files
from assembler.programs.tmpfiles import listed
from assembler.tree.changes import Changes, Entry
from assembler.tree.content import read, size_of
from assembler.tree.staging import Kind, Tree


@dataclass(frozen=True, slots=True)
class Leftover:
    """Paths that no image has, and why."""

    paths: tuple[str, ...]
    """Shell patterns, in which * matches slashes too."""
    reason: str
    differing: tuple[str, ...] = ()
    """What of them may differ where an image has them all the same."""


LEFTOVERS: Sequence[Leftover] = (
    Leftover(
        MADE_ON_NODE,
        "random: a unit makes it when the node first starts",
    ),
    Leftover(
        ("/root/.rnd",),
        "random: openssl leaves it where its configuration says so, and on nodes likewise",
    ),
    Leftover(
        ("/run/*",),
        "volatile: a tmpfs hides it, and systemd-tmpfiles makes it at every boot",
        ("mode", "owner"),
    ),
    Leftover(
        ("/dev/*", "/proc/*", "/sys/*"),
        "devices, which the kernel makes in a devtmpfs when it boots, and other file systems of the kernel's",
    ),
    Leftover(
        ("/boot/initrd.img-*",),
        "the image has an initramfs of its own",
    ),
    Leftover(
        ("/var/cache/ldconfig/aux-cache",),
        "numbers and times of inodes, by which ldconfig knows files that it has read; it makes it anew",
    ),
    Leftover(
        ("/var/log/alternatives.log", "/var/log/dpkg.log"),
        "log of dpkg's own run, with its times",
    ),
    Leftover(
        (
            "/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/triggers/Lock", "/etc/.pwd.lock",
        ),
        "lock files, made when needed",
    ),
    Leftover(
        (
            "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-",
            "/var/lib/dpkg/status-old", "/var/lib/dpkg/diversions-old", "/var/lib/dpkg/statoverride-old",
            "/var/cache/debconf/*-old", "/var/lib/sgml-base/supercatalog.old", "/var/lib/ucf/hashfile.*",
            "/var/lib/ucf/registry.*",
        ),
        "backup copies of the state before the last change",
    ),
)  # fmt: skip

_ANY = re.compile("|".join(translate(path) for each in LEFTOVERS for path in each.paths))
BYTE_CODE = Leftover(
    ("*/__pycache__", "*/__pycache__/*"),
    "byte code is left out; Python makes it where it may write",
)
"""Of an image without byte code."""
_CODE = re.compile("|".join(map(translate, BYTE_CODE.paths)))
_HASH = re.compile(r"/etc/ssl/certs/[0-9a-f]{8}\.\d+")
_RUN = "/run/"
_JOURNAL = "/var/log/journal"
"""systemd-tmpfiles gives it its access control list at every boot; no image holds one."""
_MACHINE_ID = "/etc/machine-id"
ACL = "system.posix_acl_"
"""How the names of attributes begin that are access control lists."""
_ACL_HEADER, _ACL_ENTRY, _ACL_OWNING_GROUP = 4, struct.Struct("<HHI"), 4
"""The length of a version, an entry, and the tag of that for the group (linux/posix_acl_xattr.h)."""
_LARGEST = 1 << 20
"""Bytes of a file of tmpfiles.d that is looked into."""
_DBUS_ID = "/var/lib/dbus/machine-id"


def left_over(path: str, *, byte_code: bool = False) -> bool:
    """Whether no image has what scripts make at `path`, or only one that has `byte_code`."""
    return _ANY.match(path) is not None or (not byte_code and _CODE.match(path) is not None)


def hash_of_left_over(path: str, target: str) -> bool:
    """Whether a link at `path` to `target` is one by the hash of a certificate that no image has, and goes with it."""
    return _HASH.fullmatch(path) is not None and target == posixpath.basename(CERTIFICATE)


def copied(tree: Tree) -> Iterator[str]:
    """The paths of what scripts that were computed made of something that no image has."""
    for path, inode in tree.walk():
        text = inode.content if inode.kind is Kind.FILE and isinstance(inode.content, bytes) else b""
        if PLACEHOLDER in text and not is_made_on_node(path):
            yield path


def without(
    changes: Changes, shipped: Collection[str] = (), *, byte_code: bool = False, work: Work | None = None
) -> Changes:
    """`changes` but for what no image has, or only one with `byte_code`; what is `shipped`, by path, it has, and
    directories below /run, which computed trees have as well where scripts are known to make them. `work` is what
    scripts have left to nodes.

    The identity of the machine becomes the empty file that systemd fills on each node, and D-Bus's the link to it.
    """
    work = work or Work()
    left = work.paths()

    def dropped(path: str) -> bool:
        return path in left or (left_over(path, byte_code=byte_code) and path not in shipped)

    put: dict[str, Entry] = {
        path: _nobodys(path, entry)
        for path, entry in changes.put.items()
        if (not dropped(path) or (entry.kind is Kind.DIR and path.startswith(_RUN)))
        and not hash_of_left_over(path, entry.target)
        and not work.is_link(path, entry.target)
    }
    if _JOURNAL in put:
        kept = {name: value for name, value in put[_JOURNAL].xattrs.items() if not is_list(name)}
        put[_JOURNAL] = replace(put[_JOURNAL], xattrs=kept)
    links: dict[str, str] = {}
    stand_ins: dict[str, str] = {}
    for path, first in changes.links.items():
        if dropped(path):
            continue
        now = first if first in put else stand_ins.get(first, "")
        if path in {_MACHINE_ID, _DBUS_ID}:
            put[path] = _nobodys(path, changes.put[first])
        elif now:
            links[path] = now
        else:
            # The name under which it was to be made is left out.
            put[path] = changes.put[first]
            stand_ins[first] = path
    return Changes(removed=tuple(path for path in changes.removed if not dropped(path)), put=put, links=links)


def take_out(tree: Tree, shipped: Collection[str], *, byte_code: bool = False) -> None:
    """Take from a tree that was computed what no image has, or only one with `byte_code`, but for what is `shipped` by
    packages, by path.
    """
    made = [(path, inode) for path, inode in tree.walk() if path not in shipped]
    for path, inode in reversed(made):
        kept = inode.kind is Kind.DIR and (path.startswith(_RUN) or inode.children)
        if (left_over(path, byte_code=byte_code) and not kept) or (
            inode.kind is Kind.SYMLINK and hash_of_left_over(path, inode.target)
        ):
            tree.remove(path)


def take_lists(tree: Tree, paths: Iterable[str]) -> None:
    """Take the access control lists that systemd-tmpfiles sets at every boot from those of `paths` that are in `tree`.

    No image holds one; a path that has one for another reason keeps it, and is refused.
    """
    having = [path for path in paths if tree.lexists(path) and any(map(is_list, tree.at(path).xattrs))]
    if not having:
        return
    files = [tree.at(path, follow=True).content for path in conf_files(tree, "tmpfiles.d")]
    set_at_boot = listed(read(each).decode("utf-8", "replace") for each in files if size_of(each) <= _LARGEST)
    for path in having:
        if set_at_boot(path):
            inode = tree.at(path)
            inode.mode = without_mask(inode.mode, inode.xattrs.get(f"{ACL}access", b""))
            for name in list(filter(is_list, inode.xattrs)):
                del inode.xattrs[name]


def without_mask(mode: int, access: bytes) -> int:
    """The mode of a file that has lost the list `access`, of which the mode's bits for the group were the mask: no more
    than the list gave to that group.
    """
    entries = access[_ACL_HEADER:]
    if not entries or len(entries) % _ACL_ENTRY.size:
        return mode
    granted = [permissions for tag, permissions, _ in _ACL_ENTRY.iter_unpack(entries) if tag == _ACL_OWNING_GROUP]
    return mode & ~0o070 | (mode & granted[0] << 3 & 0o070 if granted else 0)


def is_list(attribute: str) -> bool:
    """Whether an extended attribute, by its name, is an access control list."""
    return attribute.startswith(ACL)


def _nobodys(path: str, entry: Entry) -> Entry:
    """`entry` without the identity that it is at `path`, if it is one."""
    if path == _MACHINE_ID and entry.kind is Kind.FILE:
        return Entry(kind=Kind.FILE, mode=0o444, uid=0, gid=0, mtime=entry.mtime)
    if path == _DBUS_ID and entry.kind in {Kind.FILE, Kind.SYMLINK}:
        return Entry(kind=Kind.SYMLINK, mode=0o777, uid=0, gid=0, mtime=entry.mtime, target=_MACHINE_ID)
    return entry
