"""What bash 5.2 does in its own way, in scripts whose first line names it: its words, ``[[``, and braces.

A script for bash is carried out as dash would, as far as bash does the same; this tells where it does not, and has what
such scripts use most. What may be something else in bash, and is not here, is refused.
"""

import re
from collections.abc import Sequence

from assembler.shell import patterns
from assembler.shell.conditional import TestError, condition
from assembler.shell.expand import Expander
from assembler.shell.state import State
from assembler.shell.streams import Refused

_OWN = re.compile(r"\$['\"]|\{[^}]*(?:,|\.\.)[^}]*\}|[@?*+!]\(|~[-+]")
"""What bash reads in another way than dash."""
_VALUE = r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!-]|\{[A-Za-z_][A-Za-z0-9_]*\})"
_QUOTED = rf"""'[^']*'|"(?:[^"\\`$]|\\.|{_VALUE}|\$(?=[^A-Za-z0-9_({{@*#?!-]))*"|\\."""
_EASY = re.compile(rf"""(?:[^'"\\`$]|{_VALUE}|{_QUOTED})*""", re.DOTALL | re.ASCII)
"""A word of which it is plain what is quoted."""
_QUOTES = re.compile(_QUOTED, re.DOTALL | re.ASCII)
_BESIDE = rf"""(?:[^'"\\`${{}}]|{_VALUE}|{_QUOTED})*"""
_BRACED = re.compile(
    rf"""({_BESIDE})\{{([^'"\\`$ {{}}]*,[^'"\\`$ {{}}]*)\}}({_BESIDE})""", re.DOTALL | re.ASCII
)  # fmt: skip
"""A word with one pair of braces, and between them plain text alone."""
_ELEMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\[[0-9]{1,6}\]=", re.ASCII)
_SAME_FORMAT = re.compile(r"(?:[^\\%]|\\[nt\\]|%%|%[-0-9]*[sd])*")
"""A format of printf that is the same in bash."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FILES = frozenset({"-b", "-c", "-d", "-e", "-f", "-g", "-h", "-k", "-L", "-p", "-r", "-s", "-S", "-u", "-w", "-x"})
_EXPRESSION = re.compile(
    r"\^?(?:(?:[A-Za-z0-9_/:,=@%#!-]|\.|\[\^?[A-Za-z0-9_./:,=@%-]+\])[*+?]?)+\$?", re.ASCII
)  # fmt: skip
"""A regular expression that has the same meaning in Python, as far as whether it matches."""
_OF_SEVERAL = re.compile(r"(?<!\\)(?:\\\\)*[@?*+!]\(")
"""In a pattern, what bash's ``extglob`` reads otherwise, which ``[[`` always has on."""
_MAX_TIMES, _MAX_TEXT = 2, 200
"""How often something repeats in one, and characters of what it is looked for in: it is tried in all ways."""


def is_own_call(name: str, arguments: Sequence[str]) -> bool:
    """Whether echo or printf may do something else in bash."""
    if name == "echo" and arguments[:1] == ["-n"]:
        arguments = arguments[1:]
    if name == "printf":
        return not arguments or arguments[0].startswith("-") or _SAME_FORMAT.fullmatch(arguments[0]) is None
    return name == "echo" and (any("\\" in word for word in arguments) or "".join(arguments[:1]).startswith("-"))


def is_own_word(word: str) -> bool:
    """Whether bash may read a word in its own way; what is quoted it reads as dash does."""
    return _OWN.search(_QUOTES.sub("''", word) if _EASY.fullmatch(word) else word) is not None


def without_braces(words: Sequence[str]) -> list[str]:
    """Words as written, those with ``{a,b}`` as the words that bash makes of them before all else."""
    found: list[str] = []
    for word in words:
        braced = _BRACED.fullmatch(word)
        # Those of an assignment stay, but not where it is an argument.
        if braced is None or "=" in braced[1]:
            found.append(word)
        else:
            before, between, behind = braced.groups()
            made = (f"{before}{text}{behind}" for text in between.split(","))
            # Nothing at all is no word.
            found += [each for each in made if each]
    return found


def assigns_elements(words: Sequence[str], expand: Expander, state: State) -> bool:
    """Assign elements of arrays, if all `words` as written do. Nobody may read such an array here."""
    found = [_ELEMENT.match(word) for word in words]
    if not found or not all(found):
        return False
    for word, match in zip(words, found, strict=True):
        if match is not None:
            if is_own_word(word[match.end() :]) or match[1] in state.exported or match[1] in state.readonly:
                raise Refused("an element of an array", why=word)
            expand.single(word[match.end() :], assigned=True)
            state.variables.pop(match[1], None)
            state.arrays.add(match[1])
    return True


def conditional(words: Sequence[str], expand: Expander, state: State) -> int:
    """``[[ ... ]]`` of one question, its words as written; the exit status. Raises Refused for more than that."""
    if words[-1] != "]]" or any(map(is_own_word, words)):
        raise Refused("[[ with more than one question", why=" ".join(words))
    inside = list(words[1:-1])
    negated = inside[:1] == ["!"]
    if negated:
        del inside[0]
    match inside:
        case [word] if not word.startswith(("-", "(", "!")):
            found = bool(expand.single(word))
        case ["-n" | "-z" as operator, word]:
            found = bool(expand.single(word)) is (operator == "-n")
        case [left, _, _] if left in _FILES or left in {"-n", "-z"}:
            raise Refused("[[ that begins as another question", why=" ".join(words))
        case [operator, word] if operator in _FILES:
            found = _asked([operator, expand.single(word)], state)
        case [left, "=" | "==" | "!=" as operator, right]:
            found = _is_like(expand.single(left), expand.pattern(right)) is (operator != "!=")
        case [left, "-eq" | "-ne" | "-gt" | "-ge" | "-lt" | "-le" as operator, right]:
            numbers = [expand.single(left), expand.single(right)]
            if not all(map(_NUMBER.fullmatch, numbers)):
                raise Refused("numbers in [[ that are calculated", why=" ".join(numbers))
            found = _asked([numbers[0], operator, numbers[1]], state)
        case [left, "=~", right]:
            found = _has(expand.single(left), right)
        case _:
            raise Refused("[[ with this question", why=" ".join(words))
    return int(found is negated)


def _asked(words: list[str], state: State) -> bool:
    try:
        return condition(words, state)
    except TestError as error:
        raise Refused("a test that bash may understand", why=str(error)) from error


def _is_like(text: str, pattern: str) -> bool:
    if _OF_SEVERAL.search(pattern):
        raise Refused("a pattern that [[ reads in its own way", why=pattern)
    try:
        return patterns.matches(text, pattern)
    except patterns.PatternError as error:
        raise Refused(f"a pattern is not understood: {error}") from error


def _has(text: str, expression: str) -> bool:
    """Whether a regular expression, as written, is found in a text."""
    times = len(re.findall(r"[*+?]", re.sub(r"\[[^]]*\]", "x", expression)))
    if _EXPRESSION.fullmatch(expression) is None or times > _MAX_TIMES or len(text) > _MAX_TEXT or not text.isascii():
        raise Refused("a regular expression in [[", why=expression)
    # POSIX knows no ends of lines, and a dot is any character.
    expression = expression.removesuffix("$") + r"\Z" * expression.endswith("$")
    try:
        return re.search(expression, text, re.DOTALL) is not None
    except re.error as error:
        raise Refused(f"a regular expression in [[: {error}", why=expression) from error
