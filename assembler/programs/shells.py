"""update-shells(8): /etc/shells from what packages declare in shells.d, local additions and removals kept."""

import posixpath

from assembler.tree.staging import Tree

_TEMPLATE = "/usr/share/debianutils/shells"
_STATE = "/var/lib/shells.state"
_SHELLS = "/etc/shells"


def update_shells(tree: Tree) -> None:
    """Add the shells that packages declare, each also by its path without links, and drop those they no longer do."""
    packaged: dict[str, None] = {}
    directory = f"{_TEMPLATE}.d"
    for path in [_TEMPLATE, *(f"{directory}/{name}" for name in tree.names(directory))]:
        for shell in _read(tree, path):
            packaged[shell] = None
            packaged[posixpath.join(tree.resolve(posixpath.dirname(shell), follow=True), posixpath.basename(shell))] = (
                None
            )
    before = set(_read(tree, _STATE))
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
    tree.write(_STATE, "".join(f"{shell}\n" for shell in packaged).encode("utf-8", "surrogateescape"), parents=True)


def _read(tree: Tree, path: str) -> list[str]:
    """The shells named in a file, comments dropped."""
    if not tree.is_file(path):
        return []
    return [shell for line in tree.read_text(path).splitlines() if (shell := line.partition("#")[0])]
