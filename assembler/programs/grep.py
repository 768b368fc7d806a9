"""grep, egrep and fgrep, after GNU grep 3.8 to 3.12 and its manual.

Not computed: context lines (-A, -B, -C), byte offsets, Perl's expressions, files below directories where their order
may be seen (all that is not -rq), colours where they are always wanted, files that are binary (a NUL, or no UTF-8 in
its locale).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assembler.programs.characters import Locale, locale_of
from assembler.programs.inputs import look
from assembler.programs.options import UsageError, parse_options
from assembler.programs.regex import Regex, Span, Work
from assembler.programs.regex_syntax import Alternatives, Char, Dialect, Node, literal, parse
from assembler.programs.text_input import contents, is_output
from assembler.shell.process import Process, Program, as_text
from assembler.shell.streams import NOWHERE, Opened, Refused
from assembler.tree.staging import Kind

_OPTIONS = (
    "q|quiet|silent s|no-messages v|invert-match i|y|ignore-case x|line-regexp w|word-regexp c|count "
    "l|files-with-matches L|files-without-match n|line-number o|only-matching h|no-filename H|with-filename "
    "E|extended-regexp F|fixed-strings G|basic-regexp e|regexp= f|file= m|max-count= a|text P|perl-regexp "
    "A|after-context= B|before-context= C|context= b|byte-offset r|recursive R|dereference-recursive I z|null-data "
    "Z|null T|initial-tab U|binary V|version help line-buffered label= color colour include= exclude= exclude-dir= "
    "exclude-from= no-ignore-case binary-files= d|directories= D|devices= group-separator= no-group-separator"
)
_MODELLED = frozenset("qsvixwclLnohHEFGefmar")
_EXCLUSIVE = (frozenset("EFG"), frozenset("hH"), frozenset("lL"))


_COST = 16
"""What coming to a file takes of a script's budget, in bytes."""


class _Trouble(Exception):
    """An error that ends grep: its status is 2."""


_PLAIN = re.compile(r"[A-Za-z0-9_ ,:/=@%-]*")
"""A regular expression in which nothing is special."""


@dataclass(slots=True)
class _Grep:
    process: Process
    options: dict[str, str]
    names: list[str]
    locale: Locale
    regex: Regex
    limit: int | None
    failed: bool = False
    selected: bool = False
    plain: frozenset[str] | None = None
    """The patterns, where they are but text."""

    def has(self, option: str) -> bool:
        return option in self.options

    def match(self, text: str, start: int = 0) -> Span | None:
        """The match that counts, from `start` on."""
        if self.has("x"):
            return (0, len(text)) if start == 0 and self.regex.whole(text) else None
        if not self.has("w"):
            return self.regex.search(text, start)
        if not self.regex.found(text, start):
            return None
        for begin in range(start, len(text) + 1):
            ends = self.regex.ends(text, begin)
            if not ends or (begin > 0 and self.is_word(text[begin - 1])):
                continue
            for end in reversed(ends):
                # What is tried after the longest is never empty.
                if (end > begin or end == ends[-1]) and not (end < len(text) and self.is_word(text[end])):
                    return begin, end
        return None

    def is_word(self, char: str) -> bool:
        return self.locale.in_class("word", ord(char))

    def matches(self, text: str) -> bool:
        if self.plain is not None:
            return text in self.plain if self.has("x") else any(pattern in text for pattern in self.plain)
        if self.has("x") or self.has("w"):
            return self.match(text) is not None
        return self.regex.found(text)

    def may_match(self, text: str) -> bool:
        """Whether any line of `text` may match."""
        if self.plain is not None:
            return any(pattern in text for pattern in self.plain)
        return self.regex.may_match(text)

    def run(self) -> int:
        if self.limit == 0 and not self.has("L"):
            return 1
        for name in self.names:
            try:
                if self.file(name):
                    return 0
            except FileNotFoundError as error:
                self.fail(str(error))
        if self.failed and self.selected and not self.process.captured:
            # It is otherwise for /dev/null.
            raise Refused("grep finds something, fails and prints to nobody")
        return 2 if self.failed else 0 if self.selected else 1

    def fail(self, message: str) -> None:
        self.failed = True
        if not self.has("s"):
            self.process.complain(f"grep: {message}")

    def file(self, name: str) -> bool:
        """Look at one file, and tell whether that is all."""
        process = self.process
        quiet = self.has("q")
        listing = not quiet and (self.has("l") or self.has("L"))
        if not quiet and not listing and (self.limit is None or self.limit > 1):
            try:
                if is_output(process, None if name == "-" else name):
                    raise Refused("grep prints to the file that it reads")
            except (FileNotFoundError, IsADirectoryError):
                pass
        source = process.streams.get(0, NOWHERE)
        position = source.position if isinstance(source, Opened) else 0
        try:
            data = process.read() if name == "-" else contents(process, name)
        except IsADirectoryError:
            # It is opened like a file.
            self.fail(f"{name}: Is a directory")
            data = b""
        if b"\0" in data:
            raise Refused("grep of a binary file", why=name)
        text = self.locale.decode(data)
        shown = "(standard input)" if name == "-" else name
        head = f"{shown}:" if self.has("H") or (len(self.names) > 1 and not self.has("h")) else ""
        count = taken = 0
        worth = self.has("v") or self.may_match(text)
        for number, line in enumerate(_lines(text) if worth else (), 1):
            taken += len(line) + 1
            if self.matches(line) == self.has("v"):
                continue
            count += 1
            if quiet:
                return True
            if listing:
                break
            if not self.has("c"):
                self.show(head, number, line)
            if count == self.limit:
                if name == "-" and isinstance(source, Opened):
                    used = len(self.locale.encode(text[:taken]))
                    source.position = position + used
                break
        self.selected = self.selected or count > 0
        if listing and (count > 0) == self.has("l"):
            process.print(f"{shown}\n")
        elif self.has("c") and not quiet and not listing:
            process.print(f"{head}{count}\n")
        return False

    def show(self, head: str, number: int, line: str) -> None:
        if self.has("n"):
            head += f"{number}:"
        if not self.has("o"):
            self.process.print(f"{head}{self.locale.shown(line)}\n")
            return
        if self.has("v"):
            return
        at = 0
        while at < len(line) and (span := self.match(line, at)) is not None:
            start, end = span
            if end == start:
                if end < len(line) and ord(line[end]) >= 0x80:
                    raise Refused("grep -o with a match of nothing before a character beyond ASCII")
                at = end + 1
                continue
            self.process.print(f"{head}{self.locale.shown(line[start:end])}\n")
            at = end


def _lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _patterns(process: Process, options: dict[str, str], operands: list[str], locale: Locale) -> list[str]:
    """The patterns, one a line. Takes one off the operands when no option gives any. Raises _Trouble."""
    found: list[str] = []
    if "e" in options:
        found += locale.word(options["e"]).split("\n")
    if "f" in options:
        try:
            data = process.read() if options["f"] == "-" else contents(process, options["f"])
        except (FileNotFoundError, IsADirectoryError) as error:
            raise _Trouble(str(error)) from error
        if b"\0" in data:
            raise Refused("grep with a binary file of patterns")
        found += _lines(locale.decode(data))
    if "e" in options or "f" in options:
        return found
    if not operands:
        raise _Trouble("no pattern")
    return locale.word(operands.pop(0)).split("\n")


def _below(process: Process, options: dict[str, str], operands: list[str]) -> list[str]:
    """The files of operands, and below those that are directories (``-r``): links in these are not followed.

    They come in the order in which a file system has them, so that nothing of it may show: Raises Refused unless only
    whether there is a match counts, and all that is read is text.
    """
    if "q" not in options or options.keys() & {"f", "m"} or not operands or "-" in operands:
        raise Refused("grep -r whose order may be seen", why=" ".join(process.arguments))
    found: list[str] = []
    for name in operands:
        top = look(process, name)
        if top.inode is None or top.inode.kind is not Kind.DIR:
            found.append(name)
            continue
        if top.place == "/":
            raise Refused("grep in the root of a running system")
        for path, inode in process.tree.walk(top.place):
            process.budget.spend(_COST)
            if inode.kind in {Kind.FIFO, Kind.CHAR, Kind.BLOCK}:
                # Devices are skipped where they are not named.
                continue
            if inode.kind is Kind.FILE:
                found.append(as_text(path))
    return found


def _expression(patterns: list[str], *, fixed: bool, dialect: Dialect, work: Work) -> Regex:
    nodes: list[Node] = []
    for pattern in dict.fromkeys(patterns):
        if fixed:
            nodes.append(literal(pattern, dialect))
            continue
        node, _groups = parse(pattern, dialect)
        nodes.append(node)
    # No patterns, as an empty file has, match nothing.
    node = nodes[0] if len(nodes) == 1 else Alternatives(tuple(nodes)) if nodes else Char()
    return Regex(node, groups=0, locale=dialect.locale, work=work, icase=dialect.icase)


def _grep(process: Process, kind: str) -> int:
    if "POSIXLY_CORRECT" in process.environment:
        raise Refused("grep with POSIXLY_CORRECT")
    locale = locale_of(process.environment)
    arguments = list(process.arguments)
    while arguments[:1] in (["--color=auto"], ["--colour=auto"], ["--color=never"], ["--colour=never"]):
        del arguments[0]  # nothing that it prints goes to a terminal
    try:
        options, operands = parse_options(arguments, _OPTIONS, program="grep", repeated={"e"})
    except UsageError as error:
        raise Refused("an option of grep", why=error.why) from error
    if options.keys() - _MODELLED:
        raise Refused("an option of grep", why=" ".join(sorted(options.keys() - _MODELLED)))
    if {"x", "w"} <= options.keys():
        raise Refused("grep with -x and -w")
    if any(len(group & options.keys()) > 1 for group in _EXCLUSIVE) or (kind and options.keys() & {"E", "F", "G"}):
        raise Refused("options of grep of which one counts", why=" ".join(process.arguments))
    limit: int | None = None
    if "m" in options:
        if not (options["m"].isascii() and options["m"].isdigit() and len(options["m"]) < 10):
            raise Refused("a number of grep", why=options["m"])
        limit = int(options["m"])
    if kind == "":
        kind = next((option for option in "EF" if option in options), "")
    try:
        patterns = _patterns(process, options, operands, locale)
    except _Trouble as error:
        process.complain(f"grep: {error}")
        return 2
    everything = set(patterns) == {""} and not options.keys() & {"x", "w"}
    if "L" not in options and (everything if "v" in options else not patterns):
        # What cannot be found is not looked for.
        return 1
    dialect = Dialect(locale, extended=kind == "E", icase="i" in options)
    regex = _expression(patterns, fixed=kind == "F", dialect=dialect, work=Work(process.budget))
    if dialect.strays:
        process.complain("grep: warning: stray \\")
    if "w" in options and regex.looks_around:
        raise Refused("grep -w with a place that depends on what is around it")
    names = _below(process, options, operands) if "r" in options else operands or ["-"]
    found = _Grep(process, options, names, locale, regex, limit)
    if not options.keys() & {"i", "w"} and (kind == "F" or all(map(_PLAIN.fullmatch, patterns))):
        found.plain = frozenset(patterns)
    return found.run()


def grep(process: Process) -> int:
    """``grep``. Raises Refused."""
    return _grep(process, "")


def egrep(process: Process) -> int:
    """``egrep``, as Debian has it: it does not say that it is obsolete. Raises Refused."""
    return _grep(process, "E")


def fgrep(process: Process) -> int:
    """``fgrep``, likewise. Raises Refused."""
    return _grep(process, "F")


PROGRAMS: dict[str, Program] = {"grep": grep, "egrep": egrep, "fgrep": fgrep}
