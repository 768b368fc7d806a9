"""Files of configuration, written into a tree."""

from assembler.tree.staging import Tree


def write(tree: Tree, path: str, text: str) -> None:
    """Write a file of configuration as new: a link or a file of other modes that is there is replaced."""
    if tree.lexists(path):
        tree.remove(path)
    tree.write(path, text.encode(), parents=True)
