"""The options of sed, as GNU sed 4.9 reads them: ``-n -e -f -E -r -s -i[SUFFIX]`` and their long names in full."""

from dataclasses import dataclass, field

from assembler.programs.text_input import contents
from assembler.shell.process import Process
from assembler.shell.streams import Refused

_LONG = {
    "quiet": "n", "silent": "n", "expression": "e", "file": "f", "regexp-extended": "E", "separate": "s",
    "in-place": "i",
}  # fmt: skip


@dataclass(slots=True)
class Options:
    """What sed is told to do."""

    quiet: bool = False
    extended: bool = False
    separate: bool = False
    suffix: str | None = None
    """What is added to the names of files that are edited in place; None when none are."""
    scripts: list[str] = field(default_factory=list)
    operands: list[str] = field(default_factory=list)


def options_of(process: Process) -> Options:
    """The options and operands. Raises Refused for those that are not modelled."""
    found = Options()
    words = list(reversed(process.arguments))
    read = False

    def take(option: str, value: str) -> None:
        nonlocal read
        if option == "n":
            found.quiet = True
        elif option in "Er":
            if read and not found.extended:
                raise Refused("sed -E after a script")
            found.extended = True
        elif option == "s":
            found.separate = True
        elif option == "i":
            if found.suffix not in {None, value} or "*" in value or "/" in value:
                raise Refused("a suffix of sed -i", why=value)
            found.suffix = value
        elif option == "e":
            read = True
            found.scripts.append(value)
        else:
            read = True
            if value in {"-", "/dev/stdin"}:
                raise Refused("sed with a script from its input")
            try:
                script = contents(process, value).decode("latin-1")
            except FileNotFoundError as error:
                raise Refused("a script of sed that is not there", why=value) from error
            except IsADirectoryError as error:
                raise Refused("a script of sed that is a directory", why=value) from error
            found.scripts.append(script.removesuffix("\n"))

    def argument(option: str) -> str:
        if not words:
            raise Refused("an option of sed without its value", why=option)
        return words.pop()

    while words:
        word = words.pop()
        if word == "--":
            found.operands += reversed(words)
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            option = _LONG.get(name, "")
            if not option or (equals and option not in "efi"):
                raise Refused("an option of sed", why=word)
            take(option, argument(word) if option in "ef" and not equals else value)
        elif word.startswith("-") and len(word) > 1:
            letters = word[1:]
            while letters:
                option, letters = letters[0], letters[1:]
                if option not in "nErsief":
                    raise Refused("an option of sed", why=word)
                value = ""
                if option in "ief":
                    value, letters = letters, ""
                    if option != "i" and not value:
                        value = argument(word)
                take(option, value)
        else:
            found.operands.append(word)
    return found
