"""What the words of a command expand to (POSIX.1-2017 XCU 2.6), in the standard's order, as dash 0.5.12 does it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from assembler.shell import arithmetic, patterns
from assembler.shell.parts import Arithmetic, Home, Parameter, Part, Substitution, Text, parse_document, parse_word
from assembler.shell.process import as_path, as_text
from assembler.shell.state import ShellError, State
from assembler.shell.streams import Refused
from assembler.shell.tokens import ParseError
from assembler.tree.staging import Kind, Tree

MAX_FIELDS = 20_000
"""Words that a command may expand to."""
_LETTERS = "uaCvxnfe"
"""The options in ``$-``, in dash's order."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text of a word; if `split`, it is the result of an expansion and split into fields."""

    text: str
    quoted: bool = False
    split: bool = False
    ends: bool = False
    """Ends a field: what stands between the arguments in ``$@``."""
    argument: bool = False
    """One of the arguments in ``"$@"``."""


_END = _Piece("", ends=True)


class Expander:
    """Expands words for a shell; `substitute` gives the output of a command substitution."""

    def __init__(self, state: State, substitute: Callable[[str], str]) -> None:
        self.state = state
        self.substitute = substitute

    def fields(self, words: Sequence[str]) -> list[str]:
        """The fields that words come to. Raises ShellError and Refused, as all methods here."""
        found: list[str] = []
        for word in words:
            parts = _parsed(word)
            if _all_arguments(parts) > 1:
                # dash keeps some empty arguments then.
                raise Refused("all arguments several times in one word")
            for field in self._split(self._pieces(parts, splitting=True)):
                found += self._paths(field)
            if len(found) > MAX_FIELDS:
                raise Refused(f"a command of more than {MAX_FIELDS} words")
        return found

    def single(self, word: str, *, assigned: bool = False) -> str:
        """A word that is neither split nor a pattern: what is assigned, a target of a redirection."""
        return self._joined(self._pieces(_parsed(word, assigned=assigned), splitting=False))

    def document(self, body: str) -> str:
        """The text of a here-document."""
        try:
            parts = parse_document(body)
        except ParseError as error:
            raise Refused(f"a here-document is not understood: {error}") from error
        return self._joined(self._pieces(parts, splitting=False))

    def pattern(self, word: str) -> str:
        """A word as a pattern, what is quoted in it escaped."""
        return _as_pattern(self._pieces(_parsed(word), splitting=False))

    # --- parts -------------------------------------------------------------------------------------------------------

    def _pieces(self, parts: Sequence[Part], *, splitting: bool, operand: bool = False) -> list[_Piece]:
        found: list[_Piece] = []
        for part in parts:
            match part:
                case Text():
                    found.append(_Piece(part.text, part.quoted, split=operand and not part.quoted))
                case Parameter():
                    found += self._parameter(part, splitting=splitting)
                case Substitution():
                    found.append(_Piece(self.substitute(part.source), part.quoted, split=not part.quoted))
                case Arithmetic():
                    text = self._joined(self._pieces(part.expression, splitting=False))
                    found.append(_Piece(self._calculated(text), part.quoted, split=not part.quoted))
                case Home():
                    home = self._home_of(part.user) if part.user else self.state.get("HOME")
                    found.append(_Piece("~" if home is None else home, quoted=True))
        return found

    def _home_of(self, user: str) -> str:
        """The home directory of a user, as getpwnam(3) finds it in a file."""
        inode = self.state.world.tree.get("/etc/passwd", follow=True)
        text = self.state.world.tree.read("/etc/passwd").decode("latin-1") if inode and inode.kind is Kind.FILE else ""
        fields = next((found for line in text.splitlines() if (found := line.split(":"))[0] == user), [])
        if len(fields) != 7 or not fields[5].startswith("/"):
            raise Refused("the home directory of a user who is not in /etc/passwd", why=user)
        return fields[5]

    def _calculated(self, text: str) -> str:
        try:
            return str(arithmetic.evaluate(text, self.state.get, self.state.put))
        except arithmetic.ArithmeticRefused as error:
            raise Refused(str(error)) from error
        except arithmetic.ArithmeticError_ as error:
            raise ShellError(str(error)) from error

    def _parameter(self, part: Parameter, *, splitting: bool) -> list[_Piece]:
        operator = part.operator
        value = self._value(part)
        present = value is not None and bool(value or not operator.startswith(":"))
        match operator.removeprefix(":"):
            case "-":
                if not present:
                    return self._pieces(part.operand, splitting=splitting, operand=not part.quoted)
            case "+":
                if not present:
                    return [_Piece("", part.quoted, split=not part.quoted)]
                return self._pieces(part.operand, splitting=splitting, operand=not part.quoted)
            case "=":
                if not present:
                    if not (part.name[0].isalpha() or part.name[0] == "_"):
                        raise ShellError(f"{part.name}: bad variable name")
                    if any(isinstance(inner, Parameter) and inner.name in "@*" for inner in part.operand):
                        raise Refused("all arguments assigned within an expansion")
                    value = self._joined(self._pieces(part.operand, splitting=False))
                    self.state.put(part.name, value)
            case "?":
                if not present:
                    raise ShellError(f"{part.name}: {self._joined(self._pieces(part.operand, splitting=False))}")
            case _:
                if value is None and "u" in self.state.options and part.name not in "@*":
                    raise ShellError(f"{part.name}: parameter not set")
        if part.name in "@*":
            return self._arguments(part, splitting=splitting)
        value = value or ""
        if operator == "length":
            value = str(len(value))
        elif operator[:1] in {"%", "#"} and operator:
            value = self._removed(value, part)
        return [_Piece(value, part.quoted, split=not part.quoted)]

    def _removed(self, value: str, part: Parameter) -> str:
        pattern = _as_pattern(self._pieces(part.operand, splitting=False))
        remove = patterns.without_suffix if part.operator[0] == "%" else patterns.without_prefix
        try:
            return remove(value, pattern, longest=len(part.operator) > 1)
        except patterns.PatternError as error:
            raise Refused(f"a pattern is not understood: {error}") from error

    def _value(self, part: Parameter) -> str | None:
        state, name = self.state, part.name
        if name in "@*":
            if part.operator == "length" or part.operator[:1] in {"%", "#", "=", "?"} - {""}:
                raise Refused("an operator on all arguments at once")
            if part.operator.startswith(":") and state.arguments and not any(state.arguments):
                raise Refused("whether empty arguments are empty")
            return "".join(state.arguments)  # dash takes them for set, even if there are none
        if name.isdigit():
            number = int(name)
            if number == 0:
                return state.name
            return state.arguments[number - 1] if number <= len(state.arguments) else None
        match name:
            case "#":
                return str(len(state.arguments))
            case "?":
                return str(state.status)
            case "!":
                return None
            case "-" if not state.bash:
                return "".join(letter for letter in _LETTERS if letter in state.options)
            case "$" | "-":
                raise Refused(f"${name} is only known while a script runs")
        return state.get(name)

    def _arguments(self, part: Parameter, *, splitting: bool) -> list[_Piece]:
        arguments = self.state.arguments
        ifs = self.state.variables.get("IFS", " \t\n")
        if part.quoted and part.name == "@" and splitting:
            found: list[_Piece] = []
            for index, argument in enumerate(arguments):
                found += [_END] if index else []
                found.append(_Piece(argument, quoted=True, argument=True))
            return found
        if part.quoted or not splitting:
            separator = " " if part.name == "@" and (splitting or part.quoted) else ifs[:1]
            return [_Piece(separator.join(arguments), part.quoted)]
        found = []
        for index, argument in enumerate(arguments):
            found += [_END] if index else []
            found.append(_Piece(argument, split=True))
        return found

    def _joined(self, pieces: Sequence[_Piece]) -> str:
        return "".join(" " if piece.ends else piece.text for piece in pieces)

    # --- fields ------------------------------------------------------------------------------------------------------

    def _split(self, pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
        """The fields, each of pieces that are not split any more (XCU 2.6.5)."""
        ifs = self.state.variables.get("IFS", " \t\n")
        blanks = {char for char in ifs if char in " \t\n"}
        here: list[_Piece] = []
        begun = behind_blank = behind_arguments = False
        for piece in pieces:
            behind_arguments = behind_arguments or piece.argument
            if piece.ends:
                if begun:
                    yield here
                here, begun, behind_blank = [], False, False
                continue
            if not piece.split or not ifs:
                if piece.text or piece.quoted:
                    here.append(piece)
                    begun, behind_blank = True, False
                continue
            if behind_arguments and any(a in blanks and b in {"", *ifs} for a, b in _neighbours(piece.text)):
                raise Refused("blanks in what is expanded behind all arguments")  # dash takes each for an end
            start = 0
            for index, char in enumerate(piece.text):
                if char not in ifs:
                    begun, behind_blank = True, False
                    continue
                if start < index:
                    here.append(_Piece(piece.text[start:index]))
                start = index + 1
                if begun or (char not in blanks and not behind_blank):
                    yield here
                    here, begun = [], False
                    behind_blank = char in blanks
                elif char not in blanks:
                    behind_blank = False
            if start < len(piece.text):
                here.append(_Piece(piece.text[start:]))
        if begun:
            yield here

    def _paths(self, field: Sequence[_Piece]) -> list[str]:
        """The paths that a field matches, or the field itself (XCU 2.6.6)."""
        text = self._joined(field)
        special = any(not piece.quoted and patterns.SPECIAL.intersection(piece.text) for piece in field)
        if "f" in self.state.options or not special:
            return [text]
        pattern = _as_pattern(field)
        if not patterns.is_pattern(pattern):
            return [text]
        try:
            found = sorted(_matching(self.state, pattern))
        except patterns.PatternError as error:
            raise Refused(f"a pattern is not understood: {error}") from error
        return found or [text]


def _all_arguments(parts: Sequence[Part]) -> int:
    """How often parts name all arguments."""
    found = [part for part in parts if isinstance(part, Parameter)]
    return sum((part.name in "@*") + _all_arguments(part.operand) for part in found)


def _neighbours(text: str) -> Iterator[tuple[str, str]]:
    """Each character with the one before it, and with the one after it; empty where there is none."""
    for before, char, after in zip(["", *text], text, [*text[1:], ""], strict=False):
        yield char, before
        yield char, after


def _parsed(word: str, *, assigned: bool = False) -> tuple[Part, ...]:
    try:
        return parse_word(word, assigned=assigned)
    except ParseError as error:
        raise Refused(f"a word is not understood: {error}") from error


def _as_pattern(pieces: Sequence[_Piece]) -> str:
    out = []
    for piece in pieces:
        if piece.quoted:
            out.append(patterns.escape(piece.text))
        elif "\\" in piece.text:
            raise Refused("a backslash in a pattern that is the result of an expansion")
        else:
            out.append(" " if piece.ends else piece.text)
    return "".join(out)


def _matching(state: State, pattern: str) -> list[str]:
    """The paths in the tree that a pattern matches, as they are written."""
    tree, absolute = state.world.tree, pattern.startswith("/")
    found = [("/" if absolute else "", "/" if absolute else state.directory)]
    if pattern.startswith("//"):
        raise patterns.PatternError("two slashes at the start")
    components = pattern[absolute:].split("/")
    for index, component in enumerate(components):
        last = index == len(components) - 1
        found = [match for written, place in found for match in _within(tree, written, place, component, last=last)]
        state.world.budget.spend(64 * len(found))
    return [written for written, _ in found]


def _within(tree: Tree, written: str, place: str, component: str, *, last: bool) -> Iterator[tuple[str, str]]:
    directory = tree.get(as_path(place), follow=True)
    if directory is None or directory.kind is not Kind.DIR:
        return
    slash = "" if last else "/"
    if not component:  # a slash at the end, or one of several, which stay
        yield written + slash, place
        return
    if not patterns.is_pattern(component):
        name = patterns.unescape(component)
        inner = f"{place.rstrip('/')}/{name}"
        if tree.get(as_path(inner), follow=not last) is not None and (last or tree.is_dir(as_path(inner))):
            yield f"{written}{name}{slash}", inner
        return
    hidden = component.startswith((".", "\\."))
    names = [as_text(name) for name in directory.children]
    for name in ([".", ".."] if hidden else []) + names:
        if name.startswith(".") and not hidden:
            continue
        inner = f"{place.rstrip('/')}/{name}"
        if patterns.matches(name, component) and (last or tree.is_dir(as_path(inner))):
            yield f"{written}{name}{slash}", inner
