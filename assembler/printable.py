r"""Strangers' text made printable, for people: servers, registries, archives and scripts choose it, terminals obey it.

:func:`printable` is the one place for that. Every error, warning, note and name of a step goes through it where the
command line shows it (`cli/`), so that code elsewhere puts text into its errors as it came. It takes away

- what a terminal obeys or hides: control characters (C0, DEL, C1), marks for the direction of writing and other format
  characters, line and paragraph separators, unusual spaces, surrogates, characters that Unicode has not assigned;
- what a CI service obeys: a line that begins with ``::`` (workflow commands of GitHub and Forgejo), and ``##[``,
  ``##vso[`` or ``##teamcity[`` anywhere in a line (GitHub's former commands, Azure Pipelines, TeamCity). As line breaks
  are escaped, too, strangers' text cannot begin a line of its own.

What is taken away is shown as an escape, as Python writes it: ``\n``, ``\x1b``, ``\u202e``, ``\U000e0041``; a byte that
is no UTF-8 (see os.fsdecode) as ``\xff``. A backslash stays as it is: the text is for reading, not for reading back.
"""

import re

_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
COMMAND = re.compile(r"#(?=#\w*\[)|^(\s*):(?=:)")
"""The character without which a CI service sees no command: the first ``#`` or ``:``."""


def printable(text: str) -> str:
    """`text` in one line, without anything that a terminal or a CI service obeys."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else _escape(letter) for letter in text)
    return COMMAND.sub(lambda found: f"{found[1] or ''}\\x{ord(found[0][-1]):02x}", text)


def printable_lines(text: str) -> list[str]:
    """`text` that may have several lines (the end of a log, a script), each printable; tabs are spaces, up to 8.

    Only a line feed, alone or behind a carriage return, ends a line. Whoever shows the lines puts something before each
    when a stranger's must not look like their own.
    """
    return [printable(line.removesuffix("\r").expandtabs()) for line in text.removesuffix("\n").split("\n")]


def _escape(letter: str) -> str:
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:
        number -= 0xDC00
    if number <= 0xFF:
        return _SHORT.get(letter, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
