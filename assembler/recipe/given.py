"""Values that somebody gives a recipe's arguments, and what of them is shown to nobody."""

from collections.abc import Collection

_LEAST = 5
"""Characters of a value that is hidden; shorter ones are parts of ordinary words."""
_START = 8
"""Characters of the beginning of one that are hidden, too, where it is cut off: by an ellipsis, or the text's end."""


class Arguments(dict[str, str]):
    """Values for a recipe's arguments, by name."""

    open: frozenset[str] = frozenset()
    """Names of those that stand on the command line, where every user of the machine can read them (ps)."""


def without(text: str, hidden: Collection[str]) -> str:
    """`text` with an ellipsis in place of each of the values `hidden`, as they are or as they stand in quotes."""
    forms = {form for value in hidden for form in (value, repr(value)[1:-1], _escaped(value)) if len(form) >= _LEAST}
    for form in sorted(forms, key=len, reverse=True):
        text = _without(text, form)
    return text


def _escaped(value: str) -> str:
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in value)


def _without(text: str, form: str) -> str:
    start, at = form[:_START], 0
    while (at := text.find(start, at)) >= 0:
        end = at + len(start)
        while end < len(text) and end - at < len(form) and text[end] == form[end - at]:
            end += 1
        if end - at == len(form) or text[end : end + 1] in {"", "…"}:
            text = f"{text[:at]}…{text[end:]}"
        at += 1
    return text
