"""sed, after GNU sed 4.9 and its manual.

What options there are is said in `sed_options.py`, and what a script may have in `sed_script.py`. A file that is edited
in place is a new one with the mode and owner of the old one, so that a link becomes a file and other names of the file
keep what they have.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from assembler.programs.characters import Locale, locale_of
from assembler.programs.regex import Regex, Span, Work
from assembler.programs.sed_options import Options, options_of
from assembler.programs.sed_script import Address, Command, Substitution, parsed
from assembler.programs.text_input import contents, inode_of, is_output
from assembler.shell.process import Process, Program
from assembler.shell.streams import NOWHERE, Opened, Refused
from assembler.tree.staging import Inode, Kind

_COST = 32
"""Steps that a command counts as."""
_JUMP = 256
"""Steps that going back in a script counts as."""
_BAD_INPUT, _PANIC = 2, 4


class _Panic(Exception):
    """An error that ends sed at once."""


@dataclass(slots=True)
class _Line:
    text: str = ""
    ended: bool = True
    """Whether a newline follows it."""


@dataclass(slots=True)
class _Range:
    active: bool = False
    closed: bool = False
    end: int = 0


@dataclass(slots=True)
class _File:
    """An open file: lines that are left, the next one last."""

    lines: list[str]
    ended: bool
    """Whether a newline is at its end."""
    name: str = ""
    inode: Inode | None = None
    output: list[str] = field(default_factory=list)


class _Sed:
    def __init__(self, process: Process, options: Options, commands: list[Command], locale: Locale, work: Work) -> None:
        self.process = process
        self.options = options
        self.commands = commands
        self.locale = locale
        self.work = work
        self.pending = list(reversed(options.operands))
        self.file: _File | None = None
        self.pattern = _Line()
        self.hold = _Line()
        self.number = 0
        self.ranges = [_Range() for _ in commands]
        self.appended: list[Command] = []
        self.missing = False
        """Whether a newline is missing at the end of the output."""
        self.replaced = False
        self.last: Regex | None = None
        self.bad = False
        self.in_place = options.suffix is not None
        self.separate = options.separate or self.in_place
        self.begun = False

    # --- output ------------------------------------------------------------------------------------------------------

    def put(self, text: str) -> None:
        """Print characters; a newline that was missing comes before."""
        if self.missing:
            self.missing = False
            text = "\n" + text
        if self.in_place and self.file is not None:
            self.process.budget.spend(len(text))
            self.file.output.append(text)
        else:
            self.process.print(self.locale.shown(text))

    def print(self, line: _Line) -> None:
        self.put(line.text + "\n" if line.ended else line.text)
        self.missing = not line.ended

    def append(self) -> None:
        """Print what waits for the end of the cycle."""
        if not self.appended:
            return
        for command in self.appended:
            if command.name == "a":
                self.put(command.text)
                continue
            name = self.locale.encode(command.text).decode("latin-1")
            try:
                data = contents(self.process, name)
            except FileNotFoundError:
                data = b""
            except IsADirectoryError as error:
                raise Refused("sed reads a directory") from error
            self.put(self.locale.decode(data))
        self.appended.clear()

    # --- input -------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the next file. Raises _Panic."""
        name = self.pending.pop()
        process = self.process
        self.file = None
        try:
            if not self.in_place and (name == "-" or process.place(name) == "/dev/null"):
                data, inode = process.read() if name == "-" else b"", None
            else:
                inode = inode_of(process, name)
                data = contents(process, name)
        except FileNotFoundError:
            self.bad = True
            process.complain(f"sed: can't read {name}: No such file or directory")
            return
        except IsADirectoryError as error:
            raise _Panic(f"{name}: Is a directory") from error
        if not self.in_place and data and is_output(process, None if inode is None else name):
            raise Refused("sed prints to the file that it reads")
        if b"\0" in data:
            raise Refused("sed of a binary file", why=name)
        text = self.locale.decode(data)
        lines = text.split("\n")
        ended = lines[-1] == ""
        if ended:
            lines.pop()
        lines.reverse()
        self.file = _File(lines, ended, name, inode)

    def close(self) -> None:
        """Close a file; one that is edited in place takes the place of the old one."""
        file, self.file = self.file, None
        if file is None or file.inode is None or self.options.suffix is None:
            return
        self.missing = False
        tree, path, old = self.process.tree, self.process.place(file.name), file.inode
        if any(name.startswith("system.") for name in old.xattrs):
            raise Refused("sed -i of a file with an access list", why=path)
        if self.options.suffix:
            backup = self.process.place(file.name + self.options.suffix)
            found = tree.get(backup)
            if found is not None and (found.kind is Kind.DIR or found is tree.get(path)):
                raise Refused("sed -i with a copy in the place of something else", why=backup)
            tree.rename(path, backup)
        made = Inode(old.kind, old.mode, old.uid, old.gid, tree.mtime)
        made.content = self.locale.encode("".join(file.output))
        tree.put(path, made)

    def read(self, *, add: bool = False) -> bool:
        """Read the next line into the pattern space, or add it to that; False at the end."""
        self.append()
        self.replaced = False
        self.pattern.ended = True
        while self.file is None or not self.file.lines:
            self.close()
            if not self.pending:
                return False
            if not self.begun or self.separate:
                self.begun = True
                self.number = 0
                self.hold.text = ""
                self.ranges = [_Range(active=_from_zero(command)) for command in self.commands]
                if self.in_place:
                    self.missing = False
            self.open()
        text = self.file.lines.pop()
        self.pattern.ended = bool(self.file.lines) or self.file.ended
        self.pattern.text = f"{self.pattern.text}\n{text}" if add else text
        self.number += 1
        self.work.spend(len(text))
        return True

    def at_end(self) -> bool:
        """Whether there is no further line."""
        if self.file is not None and self.file.lines:
            return False
        if self.separate:
            return True
        while self.file is None or not self.file.lines:
            self.close()
            if not self.pending:
                return True
            try:
                self.open()
            except _Panic:
                # A directory is as good as an empty file here.
                self.file = None
        return False

    # --- addresses ---------------------------------------------------------------------------------------------------

    def search(self, regex: Regex | None, start: int = 0) -> tuple[Regex, Span | None]:
        """The match of an expression, or of the one that was used last."""
        regex = regex or self.last
        if regex is None:
            raise Refused("sed without a previous regular expression")
        self.last = regex
        return regex, regex.search(self.pattern.text, start)

    def holds(self, address: Address) -> bool:
        if address.kind == "regex":
            regex = address.regex or self.last
            if regex is None:
                raise Refused("sed without a previous regular expression")
            self.last = regex
            return regex.found(self.pattern.text)
        if address.kind == "last":
            return self.at_end()
        if address.kind == "step":
            return self.number >= address.number and (self.number - address.number) % address.step == 0
        return self.number == address.number

    def selected(self, command: Command, state: _Range) -> bool:
        """Whether the addresses of a command hold (match_address_p() of the real one)."""
        first, second = command.first, command.second
        if first is None:
            return True
        if second is None:
            return self.holds(first)
        if not state.active:
            if first.kind == "number":
                if state.closed or self.number < first.number:
                    return False
            elif not self.holds(first):
                return False
            state.active, state.closed = True, False
            if second.kind == "regex":
                return True
            if second.kind == "number":
                if self.number >= second.number:
                    state.active, state.closed = False, True
                return self.number <= second.number or self.holds(first)
            if second.kind == "plus":
                state.end = self.number + second.step
                return True
            if second.kind == "multiple":
                state.end = self.number + second.step - self.number % second.step
                return True
        if second.kind == "number":
            if self.number >= second.number:
                state.active, state.closed = False, True
            return self.number <= second.number
        if self.number >= state.end if second.kind in {"plus", "multiple"} else self.holds(second):
            state.active, state.closed = False, True
        return True

    # --- commands ----------------------------------------------------------------------------------------------------

    def run(self) -> int:
        status: int | None = None
        while status is None and self.read():
            status = self.cycle()
        self.close()
        return _BAD_INPUT if self.bad else status or 0

    def cycle(self) -> int | None:
        """Carry the script out on a line; the exit status when it quits."""
        at = 0
        pattern = self.pattern
        while at < len(self.commands):
            self.work.spend(_COST)
            command, state = self.commands[at], self.ranges[at]
            at += 1
            if self.selected(command, state) == command.negated:
                if command.name == "{":
                    at = command.target
                continue
            name = command.name
            if name == "b" or (name == "t" and self.replaced) or (name == "T" and not self.replaced):
                self.work.spend(_JUMP if command.target < at else 0)
                at = command.target
                self.replaced = self.replaced and name == "b"
            elif name == "T":
                self.replaced = False
            elif name == "s":
                assert command.substitution is not None
                self.substitute(command.substitution)
            elif name == "d" or (name == "D" and "\n" not in pattern.text):
                return None
            elif name == "c":
                if not state.active:
                    self.put(command.text)
                return None
            elif name == "D":
                pattern.text = pattern.text.partition("\n")[2]
                self.work.spend(_JUMP)
                at = 0
            elif name in "nN":
                if not self.following(add=name == "N"):
                    return None
            elif name == "q":
                if not self.options.quiet:
                    self.print(pattern)
                self.append()
                self.put("")
                self.leave()
                return command.status
            else:
                self.simple(command)
        if not self.options.quiet:
            self.print(pattern)
        return None

    def leave(self) -> None:
        """Whoever reads on finds the lines behind the last one that was read."""
        source, file = self.process.streams.get(0, NOWHERE), self.file
        if file is not None and file.inode is None and isinstance(source, Opened):
            left = "".join(f"{line}\n" for line in file.lines)
            source.position -= len(self.locale.encode(left)) - (bool(left) and not file.ended)

    def following(self, *, add: bool) -> bool:
        """``n`` and ``N``; False where the script ends with them."""
        if not add and not self.options.quiet:
            self.print(self.pattern)
        if self.at_end() or not self.read(add=add):
            if add and not self.options.quiet:
                self.print(self.pattern)
            return False
        self.process.budget.spend(len(self.pattern.text) if add else 0)
        return True

    def simple(self, command: Command) -> None:
        """Commands after which the next one comes."""
        pattern, hold = self.pattern, self.hold
        name = command.name
        if name in "ar":
            self.appended.append(command)
            self.work.spend(_COST)
        elif name == "i":
            self.put(command.text)
        elif name == "p":
            self.print(pattern)
        elif name == "P":
            first, newline, _ = pattern.text.partition("\n")
            self.print(_Line(first, bool(newline) or pattern.ended))
        elif name == "=":
            self.put(f"{self.number}\n")
        elif name == "g":
            pattern.text, pattern.ended = hold.text, hold.ended
        elif name == "h":
            hold.text, hold.ended = pattern.text, pattern.ended
        elif name in "GH":
            source, target = (hold, pattern) if name == "G" else (pattern, hold)
            self.process.budget.spend(len(source.text))
            target.text, target.ended = f"{target.text}\n{source.text}", source.ended
        elif name == "x":
            pattern.text, hold.text = hold.text, pattern.text
            pattern.ended, hold.ended = hold.ended, pattern.ended
        elif name == "y":
            pattern.text = "".join(command.table.get(char, char) for char in pattern.text)
            self.work.spend(len(pattern.text))

    def substitute(self, what: Substitution) -> None:
        """``s`` (do_subst() of the real one)."""
        text = self.pattern.text
        regex, first = self.search(what.regex)
        if first is None:
            return
        found: list[str] = []
        start = last_end = count = 0
        done = False
        for span in self.matches(regex, first):
            offset, end = span
            found.append(text[start:offset])
            if (end > offset or count == 0 or offset > last_end) and (count := count + 1) >= what.number:
                done = True
                found.append(self.replaced_by(what, regex, span))
                start = end
                if not what.every:
                    break
            else:
                start = end if end > offset else min(offset + 1, len(text))
                found.append(text[offset:start])
            last_end = end
        found.append(text[start:])
        if not done:
            return
        self.replaced = True
        self.pattern.text = "".join(found)
        self.process.budget.spend(len(self.pattern.text))
        if what.prints:
            self.print(self.pattern)

    def matches(self, regex: Regex, span: Span | None) -> Iterator[Span]:
        """The matches of a line from its first on."""
        text = self.pattern.text
        while span is not None:
            yield span
            offset, end = span
            # After a match of nothing the next is looked for at the same place again, and passed over.
            start = end + (end == offset)
            if end == offset and end < len(text) and not text[end].isascii() and self.locale.utf8:
                # The real one looks for the next match within that character.
                raise Refused("sed matches nothing before a character beyond ASCII")
            span = regex.search(text, start) if start <= len(text) else None

    def replaced_by(self, what: Substitution, regex: Regex, span: Span) -> str:
        text = self.pattern.text
        groups: list[Span | None] = []
        if any(isinstance(part, int) and part for part in what.replacement):
            groups = regex.matched(text, span)
        parts: list[str] = []
        for part in what.replacement:
            if isinstance(part, str):
                parts.append(part)
            else:
                matched = groups[part - 1] if part else span
                parts.append("" if matched is None else text[slice(*matched)])
        self.process.budget.spend(sum(map(len, parts)))
        return "".join(parts)


def _from_zero(command: Command) -> bool:
    return command.first is not None and command.first.kind == "number" and command.first.number == 0


def sed(process: Process) -> int:
    """``sed``. Raises Refused."""
    if "POSIXLY_CORRECT" in process.environment:
        raise Refused("sed with POSIXLY_CORRECT")
    locale = locale_of(process.environment)
    options = options_of(process)
    if not options.scripts:
        if not options.operands:
            raise Refused("sed without a script")
        options.scripts.append(options.operands.pop(0))
    for script in options.scripts[:-1]:
        if (len(script) - len(script.rstrip("\\"))) % 2:
            raise Refused("a script of sed in parts, of which one ends with a backslash")
    if not options.operands:
        if options.suffix is not None:
            raise Refused("sed -i without files")
        options.operands.append("-")
    work = Work(process.budget)
    script = locale.word("\n".join(options.scripts))
    if "\0" in script:
        raise Refused("a script of sed that is binary")
    commands = parsed(script, extended=options.extended, locale=locale, work=work)
    run = _Sed(process, options, commands, locale, work)
    try:
        return run.run()
    except _Panic as error:
        process.complain(f"sed: {error}")
        return _PANIC


PROGRAMS: dict[str, Program] = {"sed": sed}
