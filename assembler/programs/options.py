"""Command-line options of the programs that maintainer scripts call, read as getopt_long(3) and Getopt::Long do."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Self

from assembler.errors import AssembleError


class ProgramError(AssembleError):
    """A program fails as the real one does."""

    status = 1
    """Its exit status."""

    def exits(self, status: int) -> Self:
        """With another exit status."""
        self.status = status
        return self


class UsageError(AssembleError):
    """A helper program called with arguments that it, or this rewrite of it, does not know.

    It is no failure of the program, so nothing in a script provides for it.
    """


def parse_options(
    arguments: Sequence[str],
    specification: str,
    *,
    program: str,
    single_dash: bool = False,
    repeated: AbstractSet[str] = frozenset(),
) -> tuple[dict[str, str], list[str]]:
    """Split arguments into options (by name without dashes, "" for those without a value) and other words.

    `specification` lists the options as Getopt::Long does: ``"gid|g= force|f"`` is an option with a value and one
    without, each filed under its first name. Long names may be abbreviated. The last of several equal options counts,
    but for those in `repeated` all values are kept, joined by newlines. `single_dash` is Getopt::Long's habit of taking
    ``-system`` for ``--system``. Raises UsageError.
    """
    known = {}
    for words in specification.split():
        names = words.rstrip("=").split("|")
        known.update(dict.fromkeys(names, (names[0], words.endswith("="))))
    options: dict[str, str] = {}
    rest: list[str] = []
    pending = list(reversed(arguments))

    def take(name: str, value: str | None) -> None:
        name, takes_value = known[name]
        if takes_value:
            if value is None:
                if not pending:
                    raise UsageError(f"{program}: option {name!r} needs a value", why=" ".join(arguments))
                value = pending.pop()
        elif value is not None:
            raise UsageError(f"{program}: option {name!r} takes no value", why=" ".join(arguments))
        if name in repeated and name in options:
            options[name] += "\n" + (value or "")
        else:
            options[name] = value or ""

    def long(text: str) -> None:
        name, equals, value = text.partition("=")
        matches = [name] if name in known else [full for full in known if len(full) > 1 and full.startswith(name)]
        if len({known[match][0] for match in matches}) != 1:
            raise UsageError(f"{program}: unknown option {name!r}", why=" ".join(arguments))
        take(matches[0], value if equals else None)

    while pending:
        word = pending.pop()
        if word == "--":
            rest.extend(reversed(pending))
            break
        if word.startswith("--"):
            long(word[2:])
        elif word.startswith("-") and len(word) > 1:
            if single_dash:
                long(word[1:])
                continue
            letters = word[1:]
            while letters:
                name, letters = letters[0], letters[1:]
                if name not in known:
                    raise UsageError(f"{program}: unknown option {name!r}", why=" ".join(arguments))
                if known[name][1]:
                    take(name, letters or None)
                    break
                take(name, None)
        else:
            rest.append(word)
    return options, rest
