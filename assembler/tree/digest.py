r"""A tree as a canonical text, one line for each path, and the digest of that: the same for the same file system.

A line has these fields, separated by single spaces, in the order of :meth:`Tree.walk`:

    KIND MODE UID:GID MTIME SIZE CONTENT XATTRS PATH [-> TARGET]

`KIND` is ``file``, ``dir``, ``symlink``, ``char``, ``block``, ``fifo`` or ``link``: a further name of the file at
`TARGET`, which has all the rest. `MODE` is octal, `MTIME` in seconds, `CONTENT` the SHA-256 of a file's bytes or
``major,minor`` of a device. `XATTRS` is ``name=hex`` joined by commas, sorted. What does not apply is ``-``. In `PATH`,
`TARGET` and names of attributes, bytes other than printable ASCII, and the backslash, comma, equals sign and space, are
``\xNN``.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator

from assembler.tree.content import Content, chunks, size_of
from assembler.tree.staging import Inode, Kind, Tree

_ESCAPED = re.compile(rb"[^\x21-\x7e]|[\\,=]")


def sha256(content: Content) -> str:
    """SHA-256 (hex) of a file's bytes."""
    return sha256_of(chunks(content))


def sha256_of(pieces: Iterable[bytes]) -> str:
    """SHA-256 (hex) of bytes that come in pieces."""
    state = hashlib.sha256()
    for piece in pieces:
        state.update(piece)
    return state.hexdigest()


def md5(content: Content) -> str:
    """MD5 (hex) of a file's bytes, which dpkg's database has."""
    state = hashlib.md5(usedforsecurity=False)
    for chunk in chunks(content):
        state.update(chunk)
    return state.hexdigest()


def listing(tree: Tree, *, latest: int | None = None, content: Callable[[Content], str] = sha256) -> Iterator[str]:
    """The lines of `tree`, each with its line feed. Times are clamped to `latest` (seconds), as the writers do it.

    `content` gives the SHA-256 of a file's bytes, for callers that know it without reading them.
    """
    seen: dict[int, str] = {}
    for path, inode in tree.walk():
        first = path if inode.kind is Kind.DIR else seen.setdefault(id(inode), path)
        yield _line(path, inode, first, latest, content) + "\n"


def digest(lines: Iterable[str]) -> str:
    """The tree's digest: SHA-256 (hex) of the text that the lines of :func:`listing` are."""
    return sha256_of(line.encode("ascii") for line in lines)


def _line(path: str, inode: Inode, first: str, latest: int | None, content: Callable[[Content], str]) -> str:
    if first != path:
        return f"link - - - - - - {escaped(path)} -> {escaped(first)}"
    mtime = inode.mtime if latest is None else min(inode.mtime, latest)
    size, about, target = "-", "-", ""
    if inode.kind is Kind.FILE:
        size, about = str(size_of(inode.content)), content(inode.content)
    elif inode.kind in {Kind.CHAR, Kind.BLOCK}:
        about = "{},{}".format(*inode.device)
    elif inode.kind is Kind.SYMLINK:
        target = f" -> {escaped(inode.target)}"
    attributes = ",".join(f"{escaped(name)}={data.hex()}" for name, data in sorted(inode.xattrs.items())) or "-"
    head = f"{inode.kind.name.lower()} {inode.mode:04o} {inode.uid}:{inode.gid} {mtime} {size} {about} {attributes}"
    return f"{head} {escaped(path)}{target}"


def escaped(text: str) -> str:
    """A path, target or name as it stands in a listing."""
    raw = text.encode("utf-8", "surrogateescape")
    return _ESCAPED.sub(lambda found: b"\\x%02x" % found[0][0], raw).decode("ascii")
