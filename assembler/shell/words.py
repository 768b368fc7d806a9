"""What the words of a command expand to, as far as that is known from the text of a script alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from assembler.shell.syntax import (
    Simple,
)

_PARAMETER = r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#]"
_VARIABLE = re.compile(rf"\$(?:\{{({_PARAMETER})(?:(:?)([-+])([^}}]*))?\}}|({_PARAMETER}))")
"""``$1``, ``${DPKG_ROOT:-x}``: name, colon, operator, operand; or a bare name."""
_LITERAL = re.compile(r"[\w./=:,%@+-]+")
_MAX_WORD = 1 << 16
"""Characters of an expanded word; variables made of one another may double with each."""
_UNSET = frozenset({"DEBCONF_RECONFIGURE"})


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known where a statement stands: variables and the script's arguments, as strings."""

    variables: Mapping[str, str]
    arguments: tuple[str, ...] | None
    """None when they are not known (inside a function, after ``shift``)."""
    single: frozenset[str] = frozenset()
    """Variables that the script assigns in exactly one place and in no other way."""

    def value(self, name: str) -> str | None:
        """The value of ``$name``, None when it is not known."""
        if name.isdigit() and name != "0":
            if self.arguments is None:
                return None
            return self.arguments[int(name) - 1] if int(name) <= len(self.arguments) else ""
        return self.variables.get(name)

    def is_set(self, name: str) -> bool:
        """Whether a variable or argument whose value is known is set at all."""
        if name.isdigit() and name != "0":
            return self.arguments is not None and int(name) <= len(self.arguments)
        return name not in _UNSET

    def with_variable(self, name: str, value: str) -> "Scope":
        """The scope behind an assignment."""
        return replace(self, variables={**self.variables, name: value})


def script_scope(package: str, script: str, arch: str, trigger: str = "") -> Scope:
    """What dpkg tells a script that configures (postinst) or installs (preinst) for the first time (dpkg(1)).

    A postinst that is ``triggered`` is told by which `trigger`.
    """
    variables = {
        "DPKG_ROOT": "",
        "DPKG_ADMINDIR": "/var/lib/dpkg",
        "DPKG_MAINTSCRIPT_NAME": "preinst" if script == "preinst" else "postinst",
        "DPKG_MAINTSCRIPT_PACKAGE": package,
        "DPKG_MAINTSCRIPT_ARCH": arch,
        **dict.fromkeys(_UNSET, ""),
    }
    arguments = {"preinst": ("install",), "postinst": ("configure", ""), "triggered": ("triggered", trigger)}
    return Scope(variables, arguments[script])


def constant(word: str, scope: Scope, *, assigned: bool = False) -> str | None:
    """The one string that `word` expands to, or None when it is not known or not one string.

    Quotes, backslashes and known parameters are expanded; globs, tildes, substitutions and unquoted parameters that
    would be split or vanish are not. A value that is `assigned` is neither split nor globbed.
    """
    if _LITERAL.fullmatch(word):
        return word
    out: list[str] = []
    position, quoted = 0, False
    seen_quote = assigned
    while position < len(word):
        char = word[position]
        if char == "'" and not quoted:
            end = word.index("'", position + 1)
            out.append(word[position + 1 : end])
            position, seen_quote = end + 1, True
        elif char == '"':
            quoted, seen_quote = not quoted, True
            position += 1
        elif char == "\\":
            following = word[position + 1 : position + 2]
            out.append(following if not quoted or following in '$`"\\' else "\\" + following)
            position += 2
        elif char == "$" and (match := _VARIABLE.match(word, position)):
            value = _parameter(match, scope)
            # Unquoted, an empty value is harmless beside other text only, and one with blanks or globs never.
            if value is None or (not quoted and not value and len(match.group()) == len(word) and not assigned):
                return None
            if not quoted and not assigned and re.search(r"[\s*?\[]", value):
                return None
            out.append(value)
            position = match.end()
        elif char in "$`" or (not quoted and _is_special(word, position)):
            return None
        else:
            out.append(char)
            position += 1
    if sum(map(len, out)) > _MAX_WORD:
        return None
    return "".join(out) if out or seen_quote else None


def _is_special(word: str, position: int) -> bool:
    """Whether an unquoted character begins a glob or a tilde expansion."""
    char = word[position]
    return char in "*?" or (char == "[" and "]" in word[position:]) or (char == "~" and position == 0)


def _parameter(match: re.Match[str], scope: Scope) -> str | None:
    braced, colon, operator, operand, bare = match.groups()
    value = scope.value(braced or bare)
    if value is None or operator is None:
        return value
    # Without the colon an empty value counts as much as any other, and only one that is not set is replaced.
    replaced = not value if colon else not scope.is_set(braced)
    if replaced is (operator == "+"):
        return value if operator == "-" else ""
    return constant(operand, scope, assigned=True)


def words(simple: Simple, scope: Scope) -> list[str] | None:
    """The words of a simple command, expanded; None when one is not known. ``"$@"`` gives the arguments."""
    result: list[str] = []
    for word in simple.words:
        if word == '"$@"' and scope.arguments is not None:
            result.extend(scope.arguments)
        elif _vanishes(word, scope):
            continue
        else:
            value = constant(word, scope)
            if value is None:
                return None
            result.append(value)
    return result


def _vanishes(word: str, scope: Scope) -> bool:
    """Whether a word is one unquoted parameter that is known to be empty, which the shell drops."""
    match = _VARIABLE.fullmatch(word)
    return match is not None and _parameter(match, scope) == ""
