"""The statements of a shell script (POSIX.1-2017 XCU 2) as values, whose words are kept as written."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirection: ``2`` ``>`` ``/dev/null``. For a here-document `body` is its text and `target` the delimiter."""

    descriptor: str
    operator: str
    target: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple command: assignments, words as written (with their quotes), redirections."""

    assignments: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    redirects: tuple[Redirect, ...] = ()
    line: int = field(default=0, compare=False)
    """Where it begins, from 1."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by ``|``, or one command after ``!``."""

    negated: bool
    commands: tuple["Statement", ...]


@dataclass(frozen=True, slots=True)
class AndOr:
    """``left && right`` or ``left || right``."""

    operator: str
    left: "Statement"
    right: "Statement"


@dataclass(frozen=True, slots=True)
class If:
    """Branches of (condition, body), and the else part (empty for none)."""

    branches: tuple[tuple["Block", "Block"], ...]
    otherwise: "Block"
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """``case word in``: arms of (patterns, body)."""

    word: str
    arms: tuple[tuple[tuple[str, ...], "Block"], ...]
    redirects: tuple[Redirect, ...] = ()
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class For:
    """``for name in words``; `words` is None without ``in``."""

    name: str
    words: tuple[str, ...] | None
    body: "Block"
    redirects: tuple[Redirect, ...] = ()
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class While:
    """``while`` or ``until`` (`keyword`)."""

    keyword: str
    condition: "Block"
    body: "Block"
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupCommand:
    """``{ ...; }`` or, with `subshell`, ``( ... )``."""

    subshell: bool
    body: "Block"
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """The definition of `name`."""

    name: str
    body: "Statement"
    bash: bool = False
    """Whether it begins with the word ``function``, which dash does not know."""


@dataclass(frozen=True, slots=True)
class Background:
    """``command &``."""

    body: "Statement"


Statement = Simple | Pipeline | AndOr | If | Case | For | While | GroupCommand | Function | Background
Block = tuple[Statement, ...]
