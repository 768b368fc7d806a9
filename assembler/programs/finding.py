"""find, after GNU findutils 4.9 to 4.10: links are not followed, and there are no times.

find tells of the entries of a directory in the order in which a file system has them, which is another on each disk.
Where that order would be seen, as more than one name below a directory is printed to somebody who reads it, it is
refused, unless a script is tried in several orders (configure/orders.py). Who carries a script out may say that the
order is of no account, by an attribute ``unordered`` of the stream: the reader sorts. Names are then in the order of
bytes.
"""

import posixpath
import re
from collections.abc import Callable
from functools import cached_property

from assembler.programs import find_tests
from assembler.programs.accounts import Accounts
from assembler.programs.calling import MAX_LINE, order_is_free
from assembler.programs.find_tests import PLAIN_TESTS, TESTS, Seen, Test, base
from assembler.programs.inputs import Failure, look
from assembler.shell.process import Process, Program, as_text
from assembler.shell.streams import NOWHERE, Refused
from assembler.tree.staging import Kind

_MAX_DEPTH = 200
_COST = 16
"""What coming to a file takes of a script's budget, in bytes."""
_FLAGS = frozenset({"xdev", "mount", "noleaf", "nowarn", "ignore_readdir_race"})
"""Options that change nothing here."""
_OPERATORS = frozenset({"(", ")", "!", ","})


def _both(one: Test, other: Test) -> Test:
    return lambda seen: one(seen) and other(seen)


class _Find:
    """One find: its expression, and what it has come to."""

    def __init__(self, process: Process) -> None:
        self.process = process
        words = list(process.arguments)
        at = next((at for at, word in enumerate(words) if word.startswith("-") or word in _OPERATORS), len(words))
        self.starts = words[:at] or ["."]
        self.words = words[at:]
        self.at = 0
        self.nesting = 0
        self.least, self.most = 0, _MAX_DEPTH
        self.depth_first = self.acts = self.deletes = self.prunes = self.quits = self.changes = False
        self.pruned = self.has_quit = False
        self.status = 0
        self.shown = 0
        """How often something was told or done whose order may be seen."""
        self.batches: list[tuple[list[str], list[str]]] = []
        output = process.streams.get(1, NOWHERE)
        self.silent = output is NOWHERE
        self.ordered = not self.silent and not getattr(output, "unordered", False)

    def run(self) -> int:
        try:
            test = self.expression()
        except Failure as error:
            self.process.complain(f"find: {error}")
            return 1
        if self.deletes and self.prunes:
            raise Refused("find that both prunes and deletes")
        if self.quits and self.changes:
            raise Refused("find that changes files and quits")
        if not self.acts:
            test = _both(test, self.printed(lambda seen: seen.path + "\n"))
        for start in self.starts:
            there = look(self.process, start, follow=False)
            if there.inode is None:
                self.complain(start)
                continue
            if start.endswith("//") and start != "//":
                raise Refused("a path with several slashes at its end", why=start)
            if there.place == "/" and self.most > 0:
                raise Refused("find in the root of a running system")
            self.visit(Seen(start, there.place, there.inode, 0), test)
        for command, paths in self.batches:
            self.call_all(command, paths)
        return self.status

    def complain(self, path: str) -> None:
        self.process.complain(f"find: {path}: it cannot be")
        self.status = 1

    # --- walking -----------------------------------------------------------------------------------------------------

    def visit(self, seen: Seen, test: Test) -> None:
        """A file, and what is below it."""
        self.process.budget.spend(_COST)
        if seen.depth > _MAX_DEPTH:
            raise Refused("find in a tree that is deep")
        if not self.depth_first:
            self.pruned = False
            if seen.depth >= self.least:
                test(seen)
            if self.pruned:
                return
        if seen.inode.kind is Kind.DIR and seen.depth < self.most:
            self.descend(seen, test)
        if self.depth_first and seen.depth >= self.least:
            test(seen)

    def descend(self, seen: Seen, test: Test) -> None:
        if look(self.process, seen.path, follow=False).inode is not seen.inode:
            self.complain(seen.path)
            return
        times = 0
        order = self.process.budget.order
        for name in order.of(seen.inode.children):
            child = seen.inode.children.get(name)
            if child is None:
                raise Refused("find comes to a file that it has removed", why=name)
            before = self.shown
            path = seen.path + ("" if seen.path.endswith("/") else "/") + as_text(name)
            self.visit(Seen(path, posixpath.join(seen.place, name), child, seen.depth + 1), test)
            times += self.shown > before
            if times > 1:
                order.show(seen.path)

    # --- the expression ----------------------------------------------------------------------------------------------

    def peek(self) -> str | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def argument(self, name: str) -> str:
        word = self.peek()
        if word is None:
            raise Failure(f"missing argument to {name}")
        self.at += 1
        return word

    def expression(self) -> Test:
        if not self.words:
            return lambda _seen: True
        test = self.listed()
        if self.peek() is not None:
            raise Failure("the expression")
        return test

    def listed(self) -> Test:
        tests = [self.either()]
        while self.peek() == ",":
            self.at += 1
            tests.append(self.either())
        return tests[0] if len(tests) == 1 else lambda seen: [test(seen) for test in tests][-1]

    def either(self) -> Test:
        tests = [self.both()]
        while self.peek() in {"-o", "-or"}:
            self.at += 1
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda seen: any(test(seen) for test in tests)

    def both(self) -> Test:
        tests = [self.negated()]
        while self.peek() not in {None, "-o", "-or", ",", ")"}:
            if self.peek() in {"-a", "-and"}:
                self.at += 1
            tests.append(self.negated())
        return tests[0] if len(tests) == 1 else lambda seen: all(test(seen) for test in tests)

    def negated(self) -> Test:
        word = self.peek()
        if word in {"!", "-not"}:
            self.at += 1
            inner = self.negated()
            return lambda seen: not inner(seen)
        if word == "(":
            self.at += 1
            self.nesting += 1
            if self.nesting > 30:
                raise Refused("find with many parentheses")
            inner = self.listed()
            if self.peek() != ")":
                raise Failure("a parenthesis without its end")
            self.at += 1
            return inner
        return self.primary()

    def primary(self) -> Test:
        word = self.argument("the expression")
        if not word.startswith("-") or len(word) == 1:
            raise Failure(f"{word}: not expected")
        if word in {"-o", "-or", "-a", "-and"}:
            raise Failure(f"{word}: not expected")
        name = word[1:]
        if name in TESTS:
            return find_tests.make(self.process, name, self.argument(word))
        if name in PLAIN_TESTS:
            return PLAIN_TESTS[name](self.process)
        action = self.actions().get(name)
        if action is not None:
            return action()
        if name in {"maxdepth", "mindepth"}:
            number = self.argument(word)
            if not re.fullmatch(r"[0-9]{1,9}", number):
                raise Failure(f"{word}: {number}")
            if name == "maxdepth":
                self.most = int(number)
            else:
                self.least = int(number)
        elif name in {"depth", "d"}:
            self.depth_first = True
        elif name not in _FLAGS:
            raise Refused("a test or an action of find that is not computed", why=word)
        return lambda _seen: True

    # --- actions -----------------------------------------------------------------------------------------------------

    def actions(self) -> dict[str, Callable[[], Test]]:
        return {
            "print": lambda: self.acting(self.printed(lambda seen: seen.path + "\n")),
            "print0": lambda: self.acting(self.printed(lambda seen: seen.path + "\0", line=False)),
            "printf": self.formatted,
            "delete": self.deleting,
            "prune": self.pruning,
            "quit": self.quitting,
            "exec": self.executing,
        }

    def acting(self, test: Test) -> Test:
        self.acts = True
        return test

    def show(self) -> None:
        """Something is told or done that may be seen; raises Refused where another file could have been first."""
        if self.has_quit:
            raise Refused("find that tells of one of several files")
        self.shown += 1

    def printed(self, text: Callable[[Seen], str], *, line: bool = True) -> Test:
        """Print something of each file; whether it is a `line`, which whoever sorts lines brings in order."""

        def act(seen: Seen) -> bool:
            if self.ordered or (not self.silent and (not line or "\n" in seen.path)):
                self.show()
            if not self.silent:
                self.process.print(text(seen))
            return True

        return act

    def formatted(self) -> Test:
        form = self.argument("-printf")
        if re.search(r"\\(?![nt0\\])|\\0[0-7]|%(?![pfPhmUGugdyl%])", re.sub(r"\\\\|%%", "", form)):
            raise Refused("a format of find that is not computed", why=form)

        def text(seen: Seen) -> str:
            return re.sub(r"\\.|%.", lambda match: self.piece(match.group(), seen), form, flags=re.DOTALL)

        line = form.endswith("\\n") and form.count("\\") == 1
        return self.acting(self.printed(text, line=line))

    @cached_property
    def accounts(self) -> Accounts:
        """Those that there are."""
        return Accounts(self.process.tree)

    def piece(self, directive: str, seen: Seen) -> str:
        """What stands for an escape or a directive of ``-printf``."""
        escapes = {"\\n": "\n", "\\t": "\t", "\\0": "\0", "\\\\": "\\", "%%": "%"}
        if directive in escapes:
            return escapes[directive]
        if directive in {"%f", "%h", "%P"} and seen.path.endswith("/"):
            raise Refused("a part of a path that ends in a slash", why=seen.path)
        match directive:
            case "%p":
                return seen.path
            case "%f":
                return base(seen.path)
            case "%h":
                return seen.path.rpartition("/")[0] if "/" in seen.path else "."
            case "%P":
                return "/".join(seen.path.split("/")[-seen.depth :]) if seen.depth else ""
            case "%m":
                return f"{seen.inode.mode:o}"
            case "%U":
                return str(seen.inode.uid)
            case "%G":
                return str(seen.inode.gid)
            case "%u":
                user = self.accounts.user_by_id(seen.inode.uid)
                return str(seen.inode.uid) if user is None else as_text(user.name)
            case "%g":
                group = self.accounts.group_by_id(seen.inode.gid)
                return str(seen.inode.gid) if group is None else as_text(group.name)
            case "%d":
                return str(seen.depth)
            case "%l":
                return as_text(seen.inode.target) if seen.inode.kind is Kind.SYMLINK else ""
            case _:
                return {Kind.FILE: "f", Kind.DIR: "d", Kind.SYMLINK: "l", Kind.FIFO: "p"}[seen.inode.kind]

    def deleting(self) -> Test:
        self.acts = self.deletes = self.depth_first = self.changes = True

        def act(seen: Seen) -> bool:
            if seen.path == ".":
                return True
            if base(seen.path) in {".", "..", "/"} or seen.path.endswith("/"):
                raise Refused("find deletes a path of this form", why=seen.path)
            if seen.inode.children:
                self.complain(seen.path)
                return False
            self.process.tree.remove(seen.place)
            return True

        return act

    def pruning(self) -> Test:
        self.prunes = True

        def act(_seen: Seen) -> bool:
            self.pruned = True
            return True

        return act

    def quitting(self) -> Test:
        self.quits = True

        def act(_seen: Seen) -> bool:
            if self.has_quit and not self.silent:
                raise Refused("find that tells of one of several files")
            self.has_quit = True
            return False

        return act

    def executing(self) -> Test:
        """``-exec``: a program for each file, or for all."""
        self.acts = self.changes = True
        words: list[str] = []
        while (word := self.argument("-exec")) != ";":
            if word == "+" and words[-1:] == ["{}"]:
                return self.executing_all(words[:-1])
            words.append(word)
        if not words:
            raise Failure("-exec without a program")
        free = order_is_free(words)

        def act(seen: Seen) -> bool:
            if not free:
                self.show()
            self.process.budget.step()
            return self.call([word.replace("{}", seen.path) for word in words]) == 0

        return act

    def executing_all(self, words: list[str]) -> Test:
        if not words or any("{}" in word for word in words):
            raise Failure("-exec with {} and +")
        paths: list[str] = []
        self.batches.append((words, paths))
        free = order_is_free(words)

        def act(seen: Seen) -> bool:
            if not free:
                self.show()
            paths.append(seen.path)
            return True

        return act

    def call_all(self, words: list[str], paths: list[str]) -> None:
        line = [*words, *paths]
        if sum(map(len, line)) + len(line) > MAX_LINE:
            raise Refused("a command line of many words")
        if paths and self.call(line):
            self.status = 1

    def call(self, words: list[str]) -> int:
        return self.process.call(words, self.process.environment, self.process.streams)


def find(process: Process) -> int:
    """``find``."""
    if process.arguments[:1] and process.arguments[0] in {"-L", "-H", "-P", "-D", "-O", "--help", "--version", "--"}:
        raise Refused("an option of find that is not computed", why=process.arguments[0])
    if "POSIXLY_CORRECT" in process.environment:
        raise Refused("a variable that changes how programs read their arguments")
    return _Find(process).run()


PROGRAMS: dict[str, Program] = {"find": find}
"""Programs by name."""
