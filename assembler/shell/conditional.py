"""test(1) as dash 0.5.12 has it: what each number of arguments means, and questions about files of the tree."""

import re
from collections.abc import Callable

from assembler.shell.state import State
from assembler.shell.streams import Refused
from assembler.tree.content import Unmade, size_of
from assembler.tree.staging import Inode, Kind


class TestError(Exception):
    """Arguments that make no question: status 2."""

    __test__ = False


_BINARY = frozenset({"=", "!=", "<", ">", "-eq", "-ne", "-gt", "-ge", "-lt", "-le", "-nt", "-ot", "-ef"})
_UNARY = frozenset({
    "-b", "-c", "-d", "-e", "-f", "-g", "-G", "-h", "-L", "-k", "-n", "-O", "-p", "-r", "-s", "-S", "-t", "-u", "-w",
    "-x", "-z",
})  # fmt: skip
_MAX_WORDS = 200


def condition(words: list[str], state: State) -> bool:
    """Whether it is so. Raises TestError, and Refused for what only a running system knows."""
    if len(words) > _MAX_WORDS:
        raise Refused("a test of too many words")
    try:
        return _Test(words, state).run()
    except TestError as error:
        if state.bash:
            # It asks more questions.
            raise Refused("a test that bash may understand", why=str(error)) from error
        raise


class _Test:
    """dash's parser (bltin/test.c), which follows the grammar of test(1) from left to right."""

    def __init__(self, words: list[str], state: State) -> None:
        self.words = words
        self.position = 0
        self.state = state
        self.binaries = _BINARY | {"=="} if state.bash else _BINARY

    def run(self) -> bool:
        words = self.words
        if not words:
            return False
        # Few arguments are judged by their number (POSIX.1-2017, test).
        if len(words) == 3 and words[1] in self.binaries:
            return self.binary(words[0], words[1], words[2])
        if len(words) == 3 and words[0] == "(" and words[2] == ")":
            return bool(words[1])
        if len(words) == 4 and words[0] == "!":
            return not _Test(words[1:], self.state).run()
        if len(words) == 4 and words[0] == "(" and words[3] == ")":
            return _Test(words[1:3], self.state).run()
        result = self.either()
        if self.position < len(words):
            raise TestError(f"test: {words[self.position]}: unexpected operator")
        return result

    def peek(self, ahead: int = 0) -> str | None:
        at = self.position + ahead
        return self.words[at] if at < len(self.words) else None

    def take(self) -> str:
        word = self.peek()
        if word is None:
            raise TestError("test: argument expected")
        self.position += 1
        return word

    def either(self) -> bool:
        result = self.both()
        while self.peek() == "-o":
            self.position += 1
            right = self.both()
            result = result or right
        return result

    def both(self) -> bool:
        result = self.negated()
        while self.peek() == "-a":
            self.position += 1
            right = self.negated()
            result = result and right
        return result

    def negated(self) -> bool:
        if self.peek() == "!" and not (self.peek(1) in self.binaries and self.peek(2) is not None):
            self.position += 1
            if self.peek() is None:
                return True  # `[ ! ]`: a string that is not empty
            return not self.negated()
        return self.primary()

    def primary(self) -> bool:
        word = self.take()
        operator = self.peek()
        if operator in self.binaries and self.peek(1) is not None:
            self.position += 1
            return self.binary(word, operator, self.take())
        if word == "(" and operator is not None:
            result = self.either()
            if self.take() != ")":
                raise TestError("test: closing paren expected")
            return result
        if word in _UNARY and operator is not None:
            return self.unary(word, self.take())
        return bool(word)

    def unary(self, operator: str, operand: str) -> bool:
        if operator == "-n":
            return bool(operand)
        if operator == "-z":
            return not operand
        if operator == "-t":
            return False
        if not operand:
            return False
        path = self.state.place(operand)
        if re.match(r"/dev/(?:zero|full|u?random|tty|ptmx|pts|shm|fd|std(?:in|out|err))(?:/|\Z)", path):
            raise Refused("a test of a device", why=operand)
        if path == "/dev/null":
            return operator in {"-e", "-c", "-r", "-w", "-O", "-G"}
        inode = self.state.world.tree.get(path, follow=operator not in {"-h", "-L"})
        if inode is not None and operand.endswith("/") and inode.kind is not Kind.DIR:
            inode = None
        return inode is not None and _FILE_TESTS[operator](inode)

    def binary(self, left: str, operator: str, right: str) -> bool:
        if operator in {"=", "==", "!="}:
            return (left == right) is (operator != "!=")
        if operator in {"<", ">"}:
            return left < right if operator == "<" else left > right
        if operator in {"-nt", "-ot", "-ef"}:
            return self.files(left, operator, right)
        first, second = _number(left), _number(right)
        return {
            "-eq": first == second, "-ne": first != second, "-gt": first > second, "-ge": first >= second,
            "-lt": first < second, "-le": first <= second,
        }[operator]  # fmt: skip

    def files(self, left: str, operator: str, right: str) -> bool:
        tree = self.state.world.tree
        one, other = tree.get(self.state.place(left), follow=True), tree.get(self.state.place(right), follow=True)
        if operator == "-ef":
            return one is not None and one is other
        if one is None or other is None:
            return False
        raise Refused("which of two files is newer")


def _number(text: str) -> int:
    if not re.fullmatch(r"\s*[-+]?[0-9]+\s*", text):
        raise TestError(f"test: Illegal number: {text}")
    value = int(text)
    if abs(value) >= 1 << 63:
        raise TestError(f"test: Illegal number: {text}")
    return value


def _may_execute(inode: Inode) -> bool:
    return inode.kind is Kind.DIR or bool(inode.mode & 0o111)


_FILE_TESTS: dict[str, Callable[[Inode], bool]] = {
    "-e": lambda _inode: True,
    "-f": lambda inode: inode.kind is Kind.FILE,
    "-d": lambda inode: inode.kind is Kind.DIR,
    "-h": lambda inode: inode.kind is Kind.SYMLINK,
    "-L": lambda inode: inode.kind is Kind.SYMLINK,
    "-b": lambda inode: inode.kind is Kind.BLOCK,
    "-c": lambda inode: inode.kind is Kind.CHAR,
    "-p": lambda inode: inode.kind is Kind.FIFO,
    "-S": lambda _inode: False,
    "-u": lambda inode: bool(inode.mode & 0o4000),
    "-g": lambda inode: bool(inode.mode & 0o2000),
    "-k": lambda inode: bool(inode.mode & 0o1000),
    "-O": lambda inode: inode.uid == 0,
    "-G": lambda inode: inode.gid == 0,
    # Root may read and write whatever there is.
    "-r": lambda _inode: True,
    "-w": lambda _inode: True,
    "-x": _may_execute,
    "-s": lambda inode: inode.kind is not Kind.FILE or isinstance(inode.content, Unmade) or size_of(inode.content) > 0,
}
