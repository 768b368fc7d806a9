"""What dpkg's database in a tree says: which packages there are, and whose each path is."""

import re
from collections.abc import Mapping

from assembler.audit.image import OpenTree
from assembler.debian.deb822 import Deb822Error, paragraphs
from assembler.debian.dpkg_database import ADMINDIR
from assembler.formats.squashfs_reader import PATHS
from assembler.tree.content import size_of
from assembler.tree.staging import Kind, TreeError

LARGEST_STATUS = 16 << 20
"""Bytes of dpkg's status file at most; that of 243 packages has 230,000."""
LARGEST_LISTS = 32 << 20
"""Bytes of all of dpkg's lists of files at most."""
MOST_FOLLOWED = 16 << 20
"""Characters of links' targets that finding these files may go through: one path may lead through 160,000."""
_LONGEST = 255
"""Characters of a name, a version or an architecture at most."""


def _bytes(tree: OpenTree, path: str, limit: int) -> bytes:
    """The bytes of a file, links followed inside of the tree; none when it is no file, or larger than `limit`."""
    inode = tree.tree.get(path, follow=True)
    if inode is None or inode.kind is not Kind.FILE or size_of(inode.content) > limit:
        return b""
    return b"".join(tree.chunks(inode.content))


def stanzas(tree: OpenTree) -> tuple[Mapping[str, str], ...]:
    """The packages in dpkg's status file, each with its fields by lower-case name; none when it cannot be read."""
    try:
        text = _bytes(tree, f"{ADMINDIR}/status", LARGEST_STATUS).decode()
        return tuple(
            {name: " ".join(field.words) for name, field in paragraph.items()} for paragraph in paragraphs(text)
        )
    except (Deb822Error, UnicodeDecodeError):
        return ()


def installed(tree: OpenTree) -> dict[tuple[str, str], str]:
    """Versions by name and architecture."""
    return {
        (each["package"], each["architecture"]): each["version"]
        for each in stanzas(tree)
        if all(0 < len(each.get(field, "")) <= _LONGEST for field in ("package", "architecture", "version"))
    }


def owners(tree: OpenTree) -> dict[str, str]:
    """The package that ships each path, by canonical path; directories that several ship belong to the first by name.

    What is beyond the limits above belongs to none.
    """
    found: dict[str, str] = {}
    left, lines, before = LARGEST_LISTS, 2 * PATHS, tree.tree.followed
    directory = f"{ADMINDIR}/info"
    for name in tree.tree.names(directory):
        match = re.fullmatch(r"([^:]+)(?::[^:]+)?\.list", name)
        if not match or tree.tree.followed - before > MOST_FOLLOWED:
            continue
        data = _bytes(tree, f"{directory}/{name}", left)
        left -= len(data)
        for line in data.decode("utf-8", "surrogateescape").splitlines():
            lines -= 1
            if lines < 0 or tree.tree.followed - before > MOST_FOLLOWED:
                return found
            try:
                found.setdefault(tree.tree.resolve(line), match[1])
            except TreeError:
                continue
    return found
