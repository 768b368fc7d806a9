"""What dpkg's database in a tree says: which packages there are, and whose each path is."""

import re
from collections.abc import Mapping

from assembler.audit.image import OpenTree
from assembler.debian.deb822 import Deb822Error, paragraphs
from assembler.debian.dpkg_database import ADMINDIR
from assembler.tree.staging import TreeError


def _bytes(tree: OpenTree, path: str) -> bytes:
    inode = tree.tree.get(path, follow=True)
    return b"".join(tree.chunks(inode.content)) if inode is not None else b""


def stanzas(tree: OpenTree) -> tuple[Mapping[str, str], ...]:
    """The packages in dpkg's status file, each with its fields by lower-case name; none when it cannot be read."""
    try:
        text = _bytes(tree, f"{ADMINDIR}/status").decode()
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
        if {"package", "architecture", "version"} <= each.keys()
    }


def owners(tree: OpenTree) -> dict[str, str]:
    """The package that ships each path, by canonical path; folders that several ship belong to the first by name."""
    found: dict[str, str] = {}
    folder = f"{ADMINDIR}/info"
    for name in tree.tree.names(folder):
        match = re.fullmatch(r"([^:]+)(?::[^:]+)?\.list", name)
        if not match:
            continue
        for line in _bytes(tree, f"{folder}/{name}").decode("utf-8", "surrogateescape").splitlines():
            try:
                found.setdefault(tree.tree.resolve(line), match[1])
            except TreeError:
                continue
    return found
