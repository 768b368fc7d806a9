"""getopt(1) of util-linux 2.41, in its enhanced form and quoting for sh."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused

_NONE, _OPTIONAL = "", "::"


@dataclass(slots=True)
class _Syntax:
    """Which options there are."""

    short: dict[str, str] = field(default_factory=dict)
    long: dict[str, str] = field(default_factory=dict)
    alternative: bool = False
    """Whether long options may begin with a single hyphen."""
    ends: bool = False
    """Whether the first parameter that is no option ends them."""


class _WrongUsage(Exception):
    """Options that the caller's syntax does not have."""


def getopt(process: Process) -> int:
    """``getopt [-a] -o SHORT [--long LONG,...] [-n NAME] [-q] -- PARAMETER...``: the parameters in order, quoted."""
    syntax, parameters, quiet = _read(process.arguments)
    if "POSIXLY_CORRECT" in process.environment:
        raise Refused("getopt with POSIXLY_CORRECT")
    try:
        text = _arranged(syntax, parameters)
    except _WrongUsage as error:
        if process.captured:
            raise Refused("what getopt prints of wrong options is read", why=str(error)) from error
        if not quiet:
            process.complain(str(error))
        return 1
    process.print(text + "\n")
    return 0


def _read(arguments: Sequence[str]) -> tuple[_Syntax, list[str], bool]:
    syntax, quiet, named = _Syntax(), False, False
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word == "--":
            if not named:
                if not words:
                    raise Refused("getopt without options")
                # The first parameter says which there are.
                syntax.short, syntax.ends = _short(words[0]), words[0].startswith("+")
                del words[0]
            return syntax, words, quiet
        if word in {"-a", "--alternative"}:
            syntax.alternative = True
        elif word in {"-q", "--quiet"}:
            quiet = True
        elif (takes := _value(word, words)) is not None:
            kind, value = takes
            if kind == "o":
                syntax.short, named, syntax.ends = _short(value), True, value.startswith("+")
            elif kind == "l":
                syntax.long.update(_long(value))
        else:
            raise Refused("getopt with these arguments", why=word)
    raise Refused("getopt without --")


def _value(word: str, words: list[str]) -> tuple[str, str] | None:
    """The kind of an option of getopt's own that has a value, and the value; None for others."""
    names = {"-o": "o", "--options": "o", "-l": "l", "--long": "l", "--longoptions": "l", "-n": "n", "--name": "n"}
    if word in names:
        if not words:
            raise Refused("getopt with an option that lacks its value")
        return names[word], words.pop(0)
    name, equals, value = word.partition("=")
    if equals and name in names and name.startswith("--"):
        return names[name], value
    return None


def _short(text: str) -> dict[str, str]:
    if text[:1] in {"-", ":"}:
        raise Refused("getopt with another order of parameters")
    text = text.removeprefix("+")
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        colons = len(text[position + 1 : position + 3]) - len(text[position + 1 : position + 3].lstrip(":"))
        found[text[position]] = ":" * colons
        position += 1 + colons
    return found


def _long(text: str) -> dict[str, str]:
    names = [name for name in text.replace(" ", ",").split(",") if name]
    return {name.rstrip(":"): ":" * (len(name) - len(name.rstrip(":"))) for name in names}


def _arranged(syntax: _Syntax, parameters: Sequence[str]) -> str:
    """The line that getopt prints."""
    out: list[str] = []
    rest: list[str] = []
    pending = list(parameters)
    while pending:
        word = pending.pop(0)
        if word == "--":
            rest += pending
            break
        if word.startswith("--"):
            _take_long(syntax, word[2:], pending, out)
        elif not word.startswith("-") or word == "-":
            rest.append(word)
            if syntax.ends:
                rest += pending
                break
        elif syntax.alternative and (len(word) > 2 or word[1] not in syntax.short) and _matching(syntax, word[1:]):
            _take_long(syntax, word[1:], pending, out)
        else:
            _take_short(syntax, word[1:], pending, out)
    return "".join([*out, " --", *(f" {_quoted(word)}" for word in rest)])


def _matching(syntax: _Syntax, text: str) -> list[str]:
    name = text.partition("=")[0]
    return [name] if name in syntax.long else [known for known in syntax.long if known.startswith(name)]


def _take_long(syntax: _Syntax, text: str, pending: list[str], out: list[str]) -> None:
    _, equals, value = text.partition("=")
    matching = _matching(syntax, text)
    if not matching or len({syntax.long[name] for name in matching}) > 1 or len(matching) > 1:
        raise _WrongUsage(f"unrecognized or ambiguous option '--{text}'")
    (name,) = matching
    takes = syntax.long[name]
    out.append(f" --{name}")
    if takes == _NONE:
        if equals:
            raise _WrongUsage(f"option '--{name}' doesn't allow an argument")
    elif equals or takes == _OPTIONAL:
        out.append(f" {_quoted(value)}")
    elif pending:
        out.append(f" {_quoted(pending.pop(0))}")
    else:
        raise _WrongUsage(f"option '--{name}' requires an argument")


def _take_short(syntax: _Syntax, letters: str, pending: list[str], out: list[str]) -> None:
    while letters:
        letter, letters = letters[0], letters[1:]
        takes = syntax.short.get(letter)
        if takes is None or letter == ":":
            raise _WrongUsage(f"invalid option -- '{letter}'")
        out.append(f" -{letter}")
        if takes == _NONE:
            continue
        if letters or takes == _OPTIONAL:
            out.append(f" {_quoted(letters)}")
        elif pending:
            out.append(f" {_quoted(pending.pop(0))}")
        else:
            raise _WrongUsage(f"option requires an argument -- '{letter}'")
        return


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


PROGRAMS: dict[str, Program] = {"getopt": getopt}
