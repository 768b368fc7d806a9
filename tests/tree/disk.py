"""A staging tree on disk and back, for comparing with programs that work on a directory."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from assembler.tree.staging import Kind, Tree


def tree_of(files: Mapping[str, str | bytes]) -> Tree:
    """A tree of text files, directories (names that end in a slash) and links (text that starts with ``->``)."""
    tree = Tree()
    for path, text in files.items():
        if path.endswith("/"):
            tree.mkdir(path, parents=True)
        elif isinstance(text, str) and text.startswith("->"):
            tree.symlink(text[2:], path, parents=True)
        else:
            tree.write(path, text.encode() if isinstance(text, str) else text, parents=True)
    return tree


def write_out(tree: Tree, root: Path) -> Path:
    """Put the tree into a fresh directory; owners are left out."""
    shutil.rmtree(root, ignore_errors=True)
    for path, inode in tree.walk():
        target = root / path[1:]
        if inode.kind is Kind.DIR:
            target.mkdir(parents=True, exist_ok=True)
        elif inode.kind is Kind.SYMLINK:
            target.symlink_to(inode.target)
        else:
            target.write_bytes(tree.read(path))
            target.chmod(inode.mode)
    return root


def shown(tree: Tree) -> dict[str, bytes | str]:
    """Files and links of a tree by path."""
    return {
        path: inode.target if inode.kind is Kind.SYMLINK else tree.read(path)
        for path, inode in tree.walk()
        if inode.kind in {Kind.FILE, Kind.SYMLINK}
    }


def on_disk(root: Path) -> dict[str, bytes | str]:
    """Files and links of a directory by path, as :func:`shown` gives them."""
    found: dict[str, bytes | str] = {}
    for path in root.rglob("*"):
        name = "/" + str(path.relative_to(root))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            # Some programs leave files of mode 0, and the tests may run as an ordinary user.
            path.chmod(path.stat().st_mode | 0o400)
            found[name] = path.read_bytes()
    return found
