"""update-shells(8): /etc/shells from what packages declare in shells.d, local additions and removals kept."""

import posixpath
from collections.abc import Container

from assembler.tree.staging import Tree

_TEMPLATE = "/usr/share/debianutils/shells"
STATE = "/var/lib/shells.state"
_SHELLS = "/etc/shells"


def update_shells(tree: Tree, absent: Container[str] = frozenset(), *, repeats: bool = False) -> None:
    """Add the shells that packages declare, each also by its path without links, and drop those they no longer do.

    Paths that are `absent` are of packages that are not unpacked yet. Before debianutils 5.23 the program `repeats` a
    shell that is declared by both paths.
    """
    packaged = _declared(tree, absent, repeats=repeats)
    before = set(_read_shells(tree, STATE))
    source = _SHELLS if tree.exists(_SHELLS) else _TEMPLATE
    lines: list[str] = []
    present: set[str] = set()
    for line in tree.read_text(source).splitlines() if tree.is_file(source) else []:
        shell = line.partition("#")[0]
        if not shell:
            lines.append(line)
        elif (shell in packaged or shell not in before) and shell not in present:
            lines.append(line)
            present.add(shell)
    lines += [shell for shell in packaged if shell not in present and shell not in before]
    tree.write(_SHELLS, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
    tree.write(STATE, "".join(f"{shell}\n" for shell in packaged).encode("utf-8", "surrogateescape"), parents=True)


def is_current(tree: Tree, *, repeats: bool = False) -> bool:
    """Whether the last call has seen all shells that packages declare, and no others."""
    return set(_declared(tree, frozenset(), repeats=repeats)) == set(_read_shells(tree, STATE))


def _declared(tree: Tree, absent: Container[str], *, repeats: bool) -> list[str]:
    """The shells that packages declare, each also by its path without links; see :func:`update_shells`."""
    packaged: list[str] = []
    known: set[str] = set()
    directory = f"{_TEMPLATE}.d"
    files = (f"{directory}/{name}" for name in tree.names(directory))
    for path in [_TEMPLATE, *(file for file in files if file not in absent)]:
        for shell in _read_shells(tree, path):
            if repeats or shell not in known:
                packaged.append(shell)
            known.add(shell)
            real = posixpath.join(tree.resolve(posixpath.dirname(shell), follow=True), posixpath.basename(shell))
            if real != shell if repeats else real not in known:
                packaged.append(real)
            known.add(real)
    return packaged


def _read_shells(tree: Tree, path: str) -> list[str]:
    """The shells named in a file, comments dropped."""
    if not tree.is_file(path):
        return []
    return [shell for line in tree.read_text(path).splitlines() if (shell := line.partition("#")[0])]
