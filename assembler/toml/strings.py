"""Where multi-line strings of TOML end (TOML 1.0, String), for whoever walks through a text without reading values."""

import re

MULTILINE = ('"""', "'''")
"""How they begin, and end."""
# What escapes a quotation mark, or ends a string. No pattern takes the whole string: going back would take memory for
# each character, and possessive groups, which do not go back, are wrong in Python before 3.11.4 when a round fails.
_MARK = re.compile(r'\\.|"""', re.DOTALL)


def end_of_multiline(text: str, start: int) -> int:
    """The offset behind the multi-line string that begins at `start`; -1 when it does not end.

    Up to two quotation marks may stand right before the closing three.
    """
    quotes = text[start : start + 3]
    begin = start + len(quotes)
    if quotes == MULTILINE[0]:
        end = next((mark.start() for mark in _MARK.finditer(text, begin) if mark[0] == quotes), -1)
    else:
        end = text.find(quotes, begin)
    if end < 0:
        return -1
    end += len(quotes)
    for _ in range(2):
        end += text.startswith(quotes[0], end)
    return end
