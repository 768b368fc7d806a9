"""Whether a directory is one that nobody but root and the caller can have changed, as ssh(1) asks it of its files.

Whoever may write to a directory may put other files in the place of those in it, and whoever may write to a directory
above may put another directory in its place. So all of them count, with those that symbolic links on the way lead
through.
"""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

_LINKS = 40
"""Symbolic links until a path is taken to go in circles, as the kernel does."""
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_ACL = "system.posix_acl_access"


def intruders(directory: Path, *, caller: int | None = None) -> tuple[Path, str] | None:
    """The first of all directories and links on the way to the absolute `directory` that somebody else may change,
    and why.

    None when there is none. `caller` is a user's number, by default this process's. Raises OSError when one cannot be
    looked at, as one that is missing.
    """
    caller = os.geteuid() if caller is None else caller
    last = None
    for path in _way(directory):
        found = path.lstat()
        if found.st_uid not in {0, caller}:
            return path, f"it belongs to {_name(found.st_uid)}"
        # Who may write a link's directory may replace it, and who owns it; its own mode says nothing.
        if stat.S_ISLNK(found.st_mode):
            continue
        last = (path, _writable(found)) if _shared(path, found) else None
        # In a sticky directory nobody replaces what is another's; so those above the last may be shared.
        if last is not None and not found.st_mode & stat.S_ISVTX:
            break
    return last


def changeable(path: Path) -> str:
    """Why somebody else may change the file or directory `path` itself, in a directory that nobody else can write to;
    or "".

    Raises OSError.
    """
    found = path.lstat()
    if found.st_uid not in {0, os.geteuid()}:
        return f"it belongs to {_name(found.st_uid)}"
    return _writable(found) if not stat.S_ISLNK(found.st_mode) and _shared(path, found) else ""


def _way(directory: Path) -> Iterator[Path]:
    """Everything that is looked at on the way from / to `directory`, links and where they lead included."""
    current = Path("/")
    yield current
    pending = list(directory.parts[1:])
    links = 0
    while pending:
        part = pending.pop(0)
        if part == "..":
            current = current.parent
            continue
        path = current / part
        yield path
        if path.is_symlink():
            links += 1
            if links > _LINKS:
                raise OSError(0, "too many symbolic links", str(directory))
            target = path.readlink()
            pending = [*(target.parts[1:] if target.is_absolute() else target.parts), *pending]
            if target.is_absolute():
                current = Path("/")
                yield current
        else:
            current = path


def _shared(path: Path, found: os.stat_result) -> bool:
    """Whether somebody else than root and the caller may write to `path`."""
    if not found.st_mode & _OTHERS:
        return False
    return bool(found.st_mode & stat.S_IWOTH) or _has_acl(path) or not _private(found.st_gid)


def _has_acl(path: Path) -> bool:
    """Whether the group's bits stand for those of further users, too (acl(5))."""
    try:
        return _ACL in os.listxattr(path, follow_symlinks=False)
    except OSError:  # a file system without any
        return False


def _private(group: int) -> bool:
    """Whether a group is root's, or the caller's alone, as distributions make one for each user, by the user's name."""
    try:
        entry, user = grp.getgrgid(group), pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False
    ours = {user, "root"}
    if group != 0 and entry.gr_name != user:
        return False
    return set(entry.gr_mem) <= ours and all(one.pw_name in ours for one in pwd.getpwall() if one.pw_gid == group)


def _writable(found: os.stat_result) -> str:
    return f"others may write to it (mode {stat.S_IMODE(found.st_mode):04o})"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
