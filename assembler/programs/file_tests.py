"""test(1): the questions that scripts ask about files and strings."""

from collections.abc import Callable

from assembler.programs.context import ExecutionContext
from assembler.tree.content import size_of
from assembler.tree.staging import Kind, Tree

Question = Callable[[ExecutionContext], bool]


def file_test(operands: list[str]) -> Question | None:
    """The question that ``test operands`` asks about files and strings; None when it is not understood."""
    for joiner in ("-o", "-a"):
        if joiner in operands[1:-1]:
            at = operands.index(joiner, 1)
            left, right = file_test(operands[:at]), file_test(operands[at + 1 :])
            if left is None or right is None:
                return None
            if joiner == "-o":
                return lambda context: left(context) or right(context)
            return lambda context: left(context) and right(context)
    match operands:
        case ["!", *rest] if rest:
            inner = file_test(rest)
            return None if inner is None else lambda context: not inner(context)
        case [flag, path] if flag in _FILE_TESTS and path:
            check = _FILE_TESTS[flag]
            return lambda context: check(context.tree, path)
        case ["-n", value]:
            return lambda _context: bool(value)
        case ["-z", value]:
            return lambda _context: not value
        case [left_text, "=" | "==", right_text]:
            return lambda _context: left_text == right_text
        case [left_text, "!=", right_text]:
            return lambda _context: left_text != right_text
        case _:
            return None


def _has_size(tree: Tree, path: str) -> bool:
    inode = tree.get(path, follow=True)
    return inode is not None and (inode.kind is not Kind.FILE or size_of(inode.content) > 0)


def _is_link(tree: Tree, path: str) -> bool:
    inode = tree.get(path)
    return inode is not None and inode.kind is Kind.SYMLINK


def _may_execute(tree: Tree, path: str) -> bool:
    inode = tree.get(path, follow=True)
    return inode is not None and (inode.kind is Kind.DIR or bool(inode.mode & 0o111))


_FILE_TESTS: dict[str, Callable[[Tree, str], bool]] = {
    "-e": Tree.exists,
    "-f": Tree.is_file,
    "-d": Tree.is_dir,
    "-L": _is_link,
    "-h": _is_link,
    "-s": _has_size,
    "-x": _may_execute,
    # Root may read and write whatever there is.
    "-r": Tree.exists,
    "-w": Tree.exists,
    # No socket, device or pipe of a running system is there.
    "-S": lambda _tree, _path: False,
}
