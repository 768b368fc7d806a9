"""locale(1) of glibc 2.36 to 2.42: which locale is used for what, and a little of what those that are built in say."""

import re

from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused

_CATEGORIES = (
    "CTYPE", "NUMERIC", "TIME", "COLLATE", "MONETARY", "MESSAGES", "PAPER", "NAME", "ADDRESS", "TELEPHONE",
    "MEASUREMENT", "IDENTIFICATION",
)  # fmt: skip
_PLAIN = frozenset({"", "C", "POSIX"})
_BUILT_IN = _PLAIN | {"C.UTF-8"}
"""Locales that are always there."""
_PAPER = {"height": "297", "width": "210"}
"""In millimetres, in all of these."""


def locale(process: Process) -> int:
    """``locale``, and ``locale KEYWORD...`` of what is asked of paper and characters."""
    names = [f"LC_{category}" for category in _CATEGORIES]
    set_ = {name: process.environment[name] for name in ("LANG", "LC_ALL", *names) if name in process.environment}
    language = process.environment.get("LANGUAGE", "")
    if not all(re.fullmatch(r"[A-Za-z0-9_.@:-]*", value) for value in (*set_.values(), language)):
        raise Refused("a locale with an odd name", why=" ".join(set_.values()))
    is_known = set(set_.values()) <= _BUILT_IN
    if not is_known:
        process.complain("locale: Cannot set LC_ALL to default locale: No such file or directory")
    for_all = set_.get("LC_ALL", "")
    otherwise = for_all or set_.get("LANG") or "POSIX"
    if process.arguments:
        _answer(process, for_all or set_.get("LC_CTYPE") or otherwise, is_known=is_known)
        return 0
    lines = [f"LANG={set_.get('LANG', '')}", f"LANGUAGE={language}"]
    lines += [f"{name}={set_[name]}" if name in set_ and not for_all else f'{name}="{otherwise}"' for name in names]
    process.print("".join(f"{line}\n" for line in (*lines, f"LC_ALL={for_all}")))
    return 0


def _answer(process: Process, of_characters: str, *, is_known: bool) -> None:
    answers = {**_PAPER, "charmap": "ANSI_X3.4-1968" if of_characters in _PLAIN else "UTF-8"}
    if not is_known or not answers.keys() >= set(process.arguments):
        raise Refused("locale with these arguments", why=" ".join(process.arguments))
    process.print("".join(f"{answers[word]}\n" for word in process.arguments))


PROGRAMS: dict[str, Program] = {"locale": locale}
"""Programs by name."""
