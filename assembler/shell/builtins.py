"""The utilities that are part of the shell (POSIX.1-2017 XCU 2.14 and dash 0.5.12), but for those that run commands."""

import re
from collections.abc import Callable

from assembler.shell import echoes
from assembler.shell.conditional import TestError, condition
from assembler.shell.state import ShellError, State
from assembler.shell.streams import NOWHERE, Refused, lines_of

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OPTIONS = "aefunvxbC"
_LONG_OPTIONS = {
    "allexport": "a", "errexit": "e", "noclobber": "C", "noglob": "f", "nounset": "u", "xtrace": "x",
}  # fmt: skip
Builtin = Callable[[State, list[str]], int]


def complain(state: State, message: str) -> None:
    """Print a message of the shell's. Raises Refused where somebody reads it, as its text is not dash's."""
    if state.streams.get(2, NOWHERE) is not NOWHERE:
        raise Refused("a message of the shell is read", why=message)


def _require_name(name: str, what: str) -> None:
    if not _NAME.fullmatch(name):
        raise ShellError(f"{what}: {name}: bad variable name")


def _true(_state: State, _arguments: list[str]) -> int:
    return 0


def _false(_state: State, _arguments: list[str]) -> int:
    return 1


def _assign(state: State, argument: str, what: str) -> str:
    name, equals, value = argument.partition("=")
    _require_name(name, what)
    if equals:
        state.put(name, value)
    return name


def _export(state: State, arguments: list[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        raise Refused("export with options, or without a name")
    for argument in arguments:
        state.exported.add(_assign(state, argument, "export"))
    return 0


def _readonly(state: State, arguments: list[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        raise Refused("readonly with options, or without a name")
    for argument in arguments:
        state.readonly.add(_assign(state, argument, "readonly"))
    return 0


def _local(state: State, arguments: list[str]) -> int:
    fixed = state.bash and arguments[:1] == ["-r"]
    for argument in arguments[1:] if fixed else arguments:
        name, equals, value = argument.partition("=")
        if argument == "-":
            raise Refused("local -")
        _require_name(name, "local")
        state.make_local(name)
        if equals:
            state.put(name, value)
        if fixed:
            state.readonly.add(name)
    return 0


def _unset(state: State, arguments: list[str]) -> int:
    functions = False
    while arguments and arguments[0].startswith("-") and len(arguments[0]) > 1:
        option = arguments.pop(0)
        if option not in {"-v", "-f"}:
            raise Refused("unset with this option")
        functions = option == "-f"
    for name in arguments:
        if functions:
            state.functions.pop(name, None)
            continue
        _require_name(name, "unset")
        state.unset(name)
    return 0


def _shift(state: State, arguments: list[str]) -> int:
    number = _natural(arguments[0], "shift") if arguments else 1
    if number > len(state.arguments):
        raise ShellError("shift: can't shift that many")
    del state.arguments[:number]
    return 0


def _natural(text: str, what: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ShellError(f"{what}: Illegal number: {text}")
    return int(text)


def _set(state: State, arguments: list[str]) -> int:
    if not arguments:
        raise Refused("set without arguments lists all variables")
    rest = list(arguments)
    while rest and rest[0][:1] in {"-", "+"} and len(rest[0]) > 1:
        word = rest.pop(0)
        if word == "--":
            state.arguments = rest
            return 0
        on = word[0] == "-"
        for letter in word[1:]:
            if letter == "o":
                if not rest:
                    raise Refused("set -o without a name")
                letter = _LONG_OPTIONS.get(rest.pop(0), "")  # noqa: PLW2901
            if not letter or letter not in _OPTIONS or letter in "nb":
                raise Refused(f"set {word}")
            (state.options.add if on else state.options.discard)(letter)
    if rest:
        if rest[0] in {"-", "+"}:
            raise Refused("set with a lone sign")
        state.arguments = rest
    return 0


def _read(state: State, arguments: list[str]) -> int:
    raw, names = False, list(arguments)
    while names and names[0].startswith("-"):
        option = names.pop(0)
        if option == "--":
            break
        if option != "-r":
            raise Refused("read with this option")
        raw = True
    if not names:
        raise ShellError("read: arg count")
    for name in names:
        _require_name(name, "read")
    try:
        text, complete = _logical_line(state, raw=raw)
    except OSError:
        return 1
    ifs = state.variables.get("IFS", " \t\n")
    for name, value in zip(names, _distributed(text, ifs, len(names)), strict=True):
        state.put(name, value)
    return 0 if complete else 1


def _logical_line(state: State, *, raw: bool) -> tuple[list[tuple[str, bool]], bool]:
    """The characters of a line, each with whether it is quoted, and whether the line has an end."""
    stream = state.streams.get(0, NOWHERE)
    found: list[tuple[str, bool]] = []
    while True:
        line = lines_of(stream)
        state.world.budget.spend(len(line))
        complete = line.endswith(b"\n")
        text = line.rstrip(b"\n").decode("latin-1").replace("\0", "")
        position = 0
        while position < len(text):
            if text[position] == "\\" and not raw:
                if position + 1 < len(text):
                    found.append((text[position + 1], True))
                elif complete:
                    break  # the next line belongs to it
                position += 2
                continue
            found.append((text[position], False))
            position += 1
        else:
            return found, complete


def _distributed(text: list[tuple[str, bool]], ifs: str, number: int) -> list[str]:
    """The fields of a line for so many variables; the last has all that is left."""
    blanks = {char for char in ifs if char in " \t\n"}
    values: list[str] = []
    position, size = 0, len(text)

    def separates(index: int) -> bool:
        return not text[index][1] and text[index][0] in ifs

    def skip_blanks(index: int) -> int:
        while index < size and not text[index][1] and text[index][0] in blanks:
            index += 1
        return index

    position = skip_blanks(0)
    while len(values) < number - 1:
        start = position
        while position < size and not separates(position):
            position += 1
        values.append("".join(char for char, _ in text[start:position]))
        position = skip_blanks(position)
        if position < size and separates(position):
            position = skip_blanks(position + 1)
    last = text[position:]
    values.append(_last_field(last, ifs, blanks))
    return values


def _last_field(text: list[tuple[str, bool]], ifs: str, blanks: set[str]) -> str:
    """What the last variable of a read gets: without blanks at the end, and without one delimiter that ends it."""
    end = len(text)
    while end and not text[end - 1][1] and text[end - 1][0] in blanks:
        end -= 1
    if end and not text[end - 1][1] and text[end - 1][0] in ifs:
        start = end - 1
        while start and not text[start - 1][1] and text[start - 1][0] in blanks:
            start -= 1
        if not any(not quoted and char in ifs for char, quoted in text[:start]):
            end = start
    return "".join(char for char, _ in text[:end])


def _getopts(state: State, arguments: list[str]) -> int:
    if len(arguments) < 2:
        raise ShellError("getopts: Usage: getopts optstring var [arg]")
    specification, name, *own = arguments
    words = own or state.arguments
    if specification.startswith(":"):
        raise Refused("getopts that is silent")
    index = int(state.get("OPTIND") or "1") if (state.get("OPTIND") or "1").isdigit() else 1
    letters = state.letters

    def finish(value: str, status: int) -> int:
        state.put("OPTIND", str(index))
        state.letters = letters
        state.put(name, value)
        return status

    if not letters:
        word = words[index - 1] if index <= len(words) else ""
        if not word.startswith("-") or word == "-":
            return finish("?", 1)
        if word == "--":
            index += 1
            return finish("?", 1)
        letters = 1
    word = words[index - 1]
    letter = word[letters]
    letters += 1
    at = specification.find(letter) if letter != ":" else -1
    takes = at >= 0 and specification[at + 1 : at + 2] == ":"
    if takes:
        if letters < len(word):
            state.put("OPTARG", word[letters:])
        elif index < len(words):
            index += 1
            state.put("OPTARG", words[index - 1])
        else:
            complain(state, f"No arg for -{letter} option")
            state.unset("OPTARG")
            index, letters = index + 1, 0
            return finish("?", 0)
        index, letters = index + 1, 0
        return finish(letter, 0)
    if letters >= len(word):
        index, letters = index + 1, 0
    state.unset("OPTARG")
    if at < 0:
        complain(state, f"Illegal option -{letter}")
        return finish("?", 0)
    return finish(letter, 0)


def _echo(state: State, arguments: list[str]) -> int:
    return printed(state, echoes.echo(arguments))


def _printf(state: State, arguments: list[str]) -> int:
    text, status, messages = echoes.printf(arguments)
    for message in messages:
        complain(state, message)
    return printed(state, text) or status


def printed(state: State, text: str) -> int:
    """Write text to the standard output; the exit status."""
    state.world.budget.spend(len(text))
    try:
        state.print(text)
    except OSError as error:
        complain(state, f"write error: {error}")
        return 1
    return 0


def _test(state: State, arguments: list[str]) -> int:
    try:
        return 0 if condition(arguments, state) else 1
    except TestError as error:
        complain(state, str(error))
        return 2


def _bracket(state: State, arguments: list[str]) -> int:
    if not arguments or arguments[-1] != "]":
        complain(state, "[: missing ]")
        return 2
    return _test(state, arguments[:-1])


def _cd(state: State, arguments: list[str]) -> int:
    options = [word for word in arguments if word.startswith("-") and word != "-"]
    operands = [word for word in arguments if word not in options]
    if not set(options) <= {"--", "-P", "-L"} or operands == ["-"] or len(operands) > 1:
        raise Refused("cd with these arguments")
    if state.variables.get("CDPATH"):
        raise Refused("cd with CDPATH")
    target = operands[0] if operands else state.get("HOME") or ""
    if not target:
        return 0
    place = state.place(target)
    tree = state.world.tree
    if not tree.is_dir(place):
        complain(state, f"cd: can't cd to {target}")
        return 2
    if re.search(r"(^|/)\.\.?(/|$)|//", target) or tree.resolve(place, follow=True) != "/" + place.strip("/"):
        # `pwd` may then be another than the directory's own name.
        raise Refused("cd over a link, or with dots in the path")
    if {"PWD", "OLDPWD"} & state.readonly:
        raise Refused("cd where PWD or OLDPWD is read-only")
    state.variables["OLDPWD"] = state.directory
    state.directory = "/" + place.strip("/")
    state.variables["PWD"] = state.directory
    return 0


def _pwd(state: State, arguments: list[str]) -> int:
    # A directory is never come to over a link here, so that both options tell the same.
    if arguments not in ([], ["-P"], ["-L"]):
        raise Refused("pwd with arguments", why=" ".join(arguments))
    return printed(state, state.directory + "\n")


def _umask(state: State, arguments: list[str]) -> int:
    if not arguments:
        return printed(state, f"{state.umask:04o}\n")
    if len(arguments) != 1 or not re.fullmatch(r"[0-7]{1,4}", arguments[0]):
        raise Refused("umask with these arguments")
    state.umask = int(arguments[0], 8) & 0o777
    return 0


def _nothing_to_wait_for(_state: State, arguments: list[str]) -> int:
    if arguments:
        raise Refused("wait for a process")
    return 0


BUILTINS: dict[str, Builtin] = {
    ":": _true,
    "true": _true,
    "false": _false,
    "export": _export,
    "readonly": _readonly,
    "local": _local,
    "unset": _unset,
    "shift": _shift,
    "set": _set,
    "read": _read,
    "getopts": _getopts,
    "echo": _echo,
    "printf": _printf,
    "test": _test,
    "[": _bracket,
    "cd": _cd,
    "chdir": _cd,
    "pwd": _pwd,
    "umask": _umask,
    "wait": _nothing_to_wait_for,
}
"""Their state and arguments go in, the exit status comes out."""
SPECIAL = frozenset({
    ":", ".", "break", "continue", "eval", "exec", "exit", "export", "local", "readonly", "return", "set", "shift",
    "times", "trap", "unset",
})  # fmt: skip
"""Assignments before these stay, and an error in one ends the shell (XCU 2.14; local is special in dash)."""
