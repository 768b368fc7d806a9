"""Basic and extended regular expressions, as GNU grep and sed have them: POSIX.1-2017 (XBD 9) with GNU's extensions.

An expression is parsed (`regex_syntax.py`), made a nondeterministic automaton, and carried out as a deterministic one
that is made as text is read: a match is the leftmost, and of these the longest, and no text takes more steps than its
length times the size of the expression. What groups match is found afterwards, on the span of the match, as glibc's
set_regs() does: at each choice what comes first in the expression is preferred if the match can be completed with it.
Where glibc's answer depends on more than that it is refused: groups in what may match nothing and is repeated, or that
is repeated so many times. Back references are refused. Followed: glibc 2.36 to 2.42, gnulib's dfa.c of grep 3.8 to
3.12.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from assembler.programs.characters import Locale
from assembler.programs.regex_syntax import (
    Alternatives,
    Assertion,
    Char,
    Dialect,
    Group,
    Node,
    Repeat,
    Sequence,
    Where,
    needed,
    nullable,
    parse,
)
from assembler.shell.streams import Budget, Refused

_MAX_NODES = 4000
"""Instructions of an automaton."""
_MAX_KEPT = 100_000
"""Instructions in all states that are kept of a deterministic one."""
_MAX_CELLS = 2_000_000
"""Length of a match times instructions, when groups are asked for."""
_SHARE = 1
"""A step costs the budget as much as half a byte (a shift) of text."""
_MATCH = 32
"""Steps that a match counts as."""
_FOLDED = frozenset("\u212a\u017f\u0130\u0131")
"""Characters beyond ASCII that are some letter of ASCII when case is ignored."""

Span = tuple[int, int]


class _Op(IntEnum):
    CHAR = 0
    SPLIT = 1
    OPEN = 2
    CLOSE = 3
    ASSERT = 4
    ACCEPT = 5


class _Side(IntEnum):
    """What is beside a position."""

    OTHER = 0
    WORD = 1
    EDGE = 2


@dataclass(slots=True)
class _Instruction:
    op: _Op
    to: int = -1
    other: int = -1
    """The second choice of a SPLIT."""
    char: Char | None = None
    where: Where = Where.START
    group: int = 0


@dataclass(slots=True, eq=False)
class _State:
    """A state of the deterministic automaton: instructions that the text so far leads to, and what is before here."""

    kernel: frozenset[int]
    before: _Side
    steps: dict[str, tuple[bool, "_State"]] = field(default_factory=dict)
    """By the next character: whether a match ends before it, and what follows."""
    final: bool | None = None
    """Whether a match ends here if the text does."""


class Work:
    """Counts the steps that matching takes, for a script's budget."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.steps = 0

    def spend(self, steps: int) -> None:
        """Count. Raises Refused when the budget is used up."""
        self.steps += steps
        if self.steps >= 1 << 12:
            self.budget.spend(self.steps >> _SHARE)
            self.steps = 0


class _Machine:
    """The deterministic automaton of an expression, made on demand. One that is `loose` starts anywhere in the text."""

    def __init__(self, regex: "Regex", *, loose: bool) -> None:
        self._regex = regex
        self._loose = loose
        self._states: dict[tuple[frozenset[int], _Side], _State] = {}
        self._kept = 0

    def start(self, before: _Side) -> _State:
        return self._state(frozenset({self._regex.first}), before)

    def _state(self, kernel: frozenset[int], before: _Side) -> _State:
        found = self._states.get((kernel, before))
        if found is None:
            self._kept += len(kernel) + 1
            if self._kept > _MAX_KEPT:
                self._states.clear()
                self._kept = len(kernel) + 1
            found = self._states[kernel, before] = _State(kernel, before)
        return found

    def step(self, state: _State, char: str) -> tuple[bool, _State]:
        """What a character does; kept with the state."""
        regex = self._regex
        after = regex.side(char)
        reached, accepting = regex.closure(state.kernel, state.before, after)
        point = ord(char)
        kernel = {regex.code[at].to for at in reached if _has(regex.code[at], point, regex.locale)}
        if self._loose:
            kernel.add(regex.first)
        regex.work.spend(len(reached) + len(kernel))
        if len(state.steps) < 1 << 12:
            self._kept += 1
        else:
            state.steps.clear()
        entry = state.steps[char] = (accepting, self._state(frozenset(kernel), after))
        return entry

    def final(self, state: _State) -> bool:
        """Whether a match ends where the text does."""
        if state.final is None:
            state.final = self._regex.closure(state.kernel, state.before, _Side.EDGE)[1]
        return state.final


def _has(instruction: _Instruction, point: int, locale: Locale) -> bool:
    return instruction.char is not None and instruction.char.has(point, locale)


class Regex:
    """A regular expression; text is characters as the locale has them. Raises Refused for what is not computed."""

    def __init__(self, node: Node, *, groups: int, locale: Locale, work: Work, icase: bool = False) -> None:
        self.locale: Final = locale
        self.work: Final = work
        self.groups: Final = groups
        self._icase = icase
        self._node = node
        self._needed = needed(node)
        self.code: list[_Instruction] = [_Instruction(_Op.ACCEPT)]
        self._words = False
        self.first = self._emit(node, 0)
        self._loose = _Machine(self, loose=True)
        self._strict = _Machine(self, loose=False)
        self._certain: bool | None = None
        self._backward: Regex | None = None
        self._starts: tuple[str | None, bytes] = (None, b"")
        """The last text that was searched, with a 1 for each place where a match starts."""
        self._back: dict[int, list[int]] = {}
        self._alive_before: dict[tuple[frozenset[int], str, _Side, _Side], frozenset[int]] = {}

    # --- making ------------------------------------------------------------------------------------------------------

    def _add(self, instruction: _Instruction) -> int:
        if len(self.code) >= _MAX_NODES:
            raise Refused("a regular expression that is too large")
        self.code.append(instruction)
        return len(self.code) - 1

    def _emit(self, node: Node, to: int) -> int:
        """Add the instructions of `node`, which lead to `to`; returns where they start."""
        if isinstance(node, Char):
            return self._add(_Instruction(_Op.CHAR, to, char=node))
        if isinstance(node, Sequence):
            for part in reversed(node.parts):
                to = self._emit(part, to)
            return to
        if isinstance(node, Alternatives):
            starts = [self._emit(part, to) for part in node.parts]
            first = starts.pop()
            while starts:
                first = self._add(_Instruction(_Op.SPLIT, starts.pop(), first))
            return first
        if isinstance(node, Group):
            inside = self._emit(node.node, self._add(_Instruction(_Op.CLOSE, to, group=node.number)))
            return self._add(_Instruction(_Op.OPEN, inside, group=node.number))
        if isinstance(node, Assertion):
            self._words = self._words or node.where not in {Where.START, Where.END}
            return self._add(_Instruction(_Op.ASSERT, to, where=node.where))
        return self._repeat(node, to)

    def _repeat(self, node: Repeat, to: int) -> int:
        if node.high is None:
            loop = self._add(_Instruction(_Op.SPLIT, -1, to))
            self.code[loop].to = self._emit(node.node, loop)
            to = loop
        else:
            end = to
            for _ in range(node.high - node.low):
                to = self._add(_Instruction(_Op.SPLIT, self._emit(node.node, to), end))
        for _ in range(node.low):
            to = self._emit(node.node, to)
        return to

    @property
    def looks_around(self) -> bool:
        """Whether it says which characters may be beside a match, other than ends of the text."""
        return self._words

    # --- reading -----------------------------------------------------------------------------------------------------

    def side(self, char: str) -> _Side:
        """What a character is for its neighbours."""
        return _Side.WORD if self._words and self.locale.in_class("word", ord(char)) else _Side.OTHER

    def closure(self, kernel: Iterable[int], before: _Side, after: _Side) -> tuple[list[int], bool]:
        """The characters that may come next, as instructions, and whether a match ends here."""
        pending = list(kernel)
        seen = set(pending)
        reached: list[int] = []
        accepting = False
        while pending:
            at = pending.pop()
            instruction = self.code[at]
            if instruction.op is _Op.CHAR:
                reached.append(at)
                continue
            if instruction.op is _Op.ACCEPT:
                accepting = True
                continue
            if instruction.op is _Op.ASSERT and not _holds(instruction.where, before, after):
                continue
            for following in (instruction.to, instruction.other):
                if following >= 0 and following not in seen:
                    seen.add(following)
                    pending.append(following)
        self.work.spend(len(seen))
        return reached, accepting

    def _before(self, text: str, at: int) -> _Side:
        return _Side.EDGE if at == 0 else self.side(text[at - 1])

    def _check(self, text: str) -> None:
        if self._icase and not text.isascii() and self.locale.utf8 and not _FOLDED.isdisjoint(text):
            raise Refused("a letter of ASCII by another character")

    def found(self, text: str, start: int = 0) -> bool:
        """Whether there is a match in `text` from `start` on."""
        self._check(text)
        if not self.may_match(text, start):
            return False
        machine = self._loose
        state = machine.start(self._before(text, start))
        at = start
        for at in range(start, len(text)):
            char = text[at]
            accepting, state = state.steps.get(char) or machine.step(state, char)
            if accepting:
                self.work.spend(at - start)
                return True
        self.work.spend(at - start)
        return machine.final(state)

    def may_match(self, text: str, start: int = 0) -> bool:
        """Whether `text` has what every match contains, from `start` on."""
        if not self._needed or text.find(self._needed, start) >= 0:
            return True
        self.work.spend((len(text) - start) >> 4)
        return False

    def ends(self, text: str, start: int) -> list[int]:
        """Where matches that start at `start` end, in order."""
        machine = self._strict
        state = machine.start(self._before(text, start))
        found: list[int] = []
        for at in range(start, len(text)):
            char = text[at]
            accepting, state = state.steps.get(char) or machine.step(state, char)
            if accepting:
                found.append(at)
            if not state.kernel:
                self.work.spend(at - start + 1)
                return found
        self.work.spend(len(text) - start + 1)
        if machine.final(state):
            found.append(len(text))
        return found

    def search(self, text: str, start: int = 0) -> Span | None:
        """The leftmost longest match in `text` from `start` on."""
        if self._starts[0] is not text:
            if not self.found(text, start):
                return None
            if self._backward is None:
                node = _reversed(self._node)
                self._backward = Regex(node, groups=0, locale=self.locale, work=self.work)
            self._starts = (text, self._backward.all_ends(text[::-1])[::-1])
        self.work.spend(_MATCH)
        at = self._starts[1].find(1, start)
        return None if at < 0 else (at, self.ends(text, at)[-1])

    def all_ends(self, text: str) -> bytes:
        """A 1 for each place where a match ends, wherever it starts."""
        machine = self._loose
        state = machine.start(_Side.EDGE)
        found = bytearray(len(text) + 1)
        for at, char in enumerate(text):
            accepting, state = state.steps.get(char) or machine.step(state, char)
            if accepting:
                found[at] = 1
        self.work.spend(len(text))
        found[len(text)] = machine.final(state)
        return bytes(found)

    def whole(self, text: str) -> bool:
        """Whether all of `text` is a match."""
        self._check(text)
        ends = self.ends(text, 0)
        return bool(ends) and ends[-1] == len(text)

    # --- groups ------------------------------------------------------------------------------------------------------

    def matched(self, text: str, span: Span) -> list[Span | None]:
        """What each group matches within a match, in the order of their numbers from 1 on."""
        if self._certain is None:
            self._certain = _certain(self._node)
        if not self._certain:
            raise Refused("what a group matches that is repeated")
        start, end = span
        cells = (end - start + 1) * len(self.code)
        if cells > _MAX_CELLS:
            raise Refused("what groups match in a long line")
        self.work.spend((end - start) << 2)
        alive = self._alive(text, start, end)
        found: list[Span | None] = [None] * self.groups
        opened = [0] * (self.groups + 1)
        at, position = self.first, start
        seen: set[int] = set()
        while (instruction := self.code[at]).op is not _Op.ACCEPT:
            following = instruction.to
            if instruction.op is _Op.CHAR:
                position += 1
                seen.clear()
            elif instruction.op is _Op.OPEN:
                opened[instruction.group] = position
            elif instruction.op is _Op.CLOSE:
                found[instruction.group - 1] = (opened[instruction.group], position)
            elif instruction.op is _Op.SPLIT:
                seen.add(at)
                if following not in alive[position - start] or following in seen:
                    following = instruction.other
            at = following
        return found

    def _alive(self, text: str, start: int, end: int) -> list[frozenset[int]]:
        """For each position of a match, the instructions from which its end can be reached."""
        if not self._back:
            for at, instruction in enumerate(self.code):
                for following in (instruction.to, instruction.other):
                    if following >= 0:
                        self._back.setdefault(following, []).append(at)
        alive: list[frozenset[int]] = []
        later = frozenset[int]()
        kept = self._alive_before
        after = _Side.EDGE if end == len(text) else self.side(text[end])
        for position in range(end, start - 1, -1):
            char = text[position] if position < end else ""
            before = self._before(text, position)
            now = kept.get((later, char, before, after))
            if now is None:
                if len(kept) * len(self.code) > _MAX_KEPT:
                    kept.clear()
                now = kept[later, char, before, after] = self._alive_at(later, char, before, after)
            alive.append(now)
            later, after = now, before
        alive.reverse()
        return alive

    def _alive_at(self, later: frozenset[int], char: str, before: _Side, after: _Side) -> frozenset[int]:
        """The same for one position, of what is `later` behind its character; "" for that at the end."""
        now = {
            at
            for following in later
            for at in self._back.get(following, ())
            if char and _has(self.code[at], ord(char), self.locale)
        }
        if not char:
            now.add(0)
        pending = list(now)
        while pending:
            for at in self._back.get(pending.pop(), ()):
                instruction = self.code[at]
                if at in now or instruction.op is _Op.CHAR:
                    continue
                if instruction.op is _Op.ASSERT and not _holds(instruction.where, before, after):
                    continue
                now.add(at)
                pending.append(at)
        self.work.spend(len(self.code))
        return frozenset(now)


def _holds(where: Where, before: _Side, after: _Side) -> bool:
    if where is Where.START:
        return before is _Side.EDGE
    if where is Where.END:
        return after is _Side.EDGE
    ahead, behind = after is _Side.WORD, before is _Side.WORD
    if where is Where.WORD_START:
        return ahead and not behind
    if where is Where.WORD_END:
        return behind and not ahead
    return ahead != behind


_MIRRORED = {
    Where.START: Where.END,
    Where.END: Where.START,
    Where.WORD_START: Where.WORD_END,
    Where.WORD_END: Where.WORD_START,
    Where.WORD_EDGE: Where.WORD_EDGE,
}


def _reversed(node: Node) -> Node:
    """What matches the same texts read from their ends."""
    if isinstance(node, Sequence):
        return Sequence(tuple(_reversed(part) for part in reversed(node.parts)))
    if isinstance(node, Alternatives):
        return Alternatives(tuple(map(_reversed, node.parts)))
    if isinstance(node, Repeat):
        return Repeat(_reversed(node.node), node.low, node.high)
    if isinstance(node, Group):
        return _reversed(node.node)
    return Assertion(_MIRRORED[node.where]) if isinstance(node, Assertion) else node


def _certain(node: Node) -> bool:
    """Whether glibc's answer for groups is known: none in what is repeated and may match nothing, or is counted."""
    if isinstance(node, Repeat):
        if has_groups(node.node) and (nullable(node.node) or node.high not in {None, 1}):
            return False
        return _certain(node.node)
    if isinstance(node, Sequence | Alternatives):
        return all(map(_certain, node.parts))
    return _certain(node.node) if isinstance(node, Group) else True


def has_groups(node: Node) -> bool:
    """Whether there are groups in it."""
    if isinstance(node, Sequence | Alternatives):
        return any(map(has_groups, node.parts))
    return has_groups(node.node) if isinstance(node, Repeat) else isinstance(node, Group)


def regex(pattern: str, dialect: Dialect, work: Work) -> Regex:
    """The expression that `pattern` (characters) is. Raises Refused for what is not understood, and for errors."""
    node, groups = parse(pattern, dialect)
    return Regex(node, groups=groups, locale=dialect.locale, work=work, icase=dialect.icase)
