"""Programs that call others: xargs, after GNU findutils 4.9 to 4.10, and what find needs for ``-exec``."""

import posixpath
import re
from collections.abc import Sequence

from assembler.programs.inputs import once, options_of
from assembler.shell.process import Process, Program
from assembler.shell.streams import NOWHERE, Refused

MAX_LINE = 100_000
"""Bytes of a command line that surely need not be cut in two."""
_MAX_TEXT = 1 << 20
UNORDERED = frozenset({"chgrp", "chmod", "chown", "mkdir", "rm", "rmdir", "touch"})
"""Programs whose operands may come in any order, as long as nobody reads what they print."""


def order_is_free(words: Sequence[str]) -> bool:
    """Whether a program may be called for several files in any order."""
    return posixpath.basename(words[0]) in UNORDERED and not {"-v", "-c", "--verbose"} & set(words)


def xargs(process: Process) -> int:
    """``xargs``, with ``-r``, ``-0``, ``-n``, ``-d`` of a newline and ``-I``."""
    words = list(process.arguments)
    at = _first_operand(words)
    options, command = options_of(
        process,
        "r|no-run-if-empty 0|null n|max-args= d|delimiter= I=",
        arguments=[*words[:at], "--", *words[at:]],
        repeated={"n", "d", "I"},
    )
    once(options, "n", "I")
    command = command or ["echo"]
    if len({"n", "I"} & options.keys()) > 1 or options.get("d", "\\n") not in {"\\n", "\n"}:
        raise Refused("options of xargs that are not computed")
    if "n" in options and not re.fullmatch(r"[1-9][0-9]{0,5}", options["n"]):
        raise Refused("a number of xargs", why=options["n"])
    items = _items(process, options)
    replaced = options.get("I")
    if replaced is not None:
        calls = [[word.replace(replaced, item) if replaced else word for word in command] for item in items]
    elif not items:
        calls = [] if "r" in options else [command]
    else:
        size = int(options["n"]) if "n" in options else len(items)
        calls = [[*command, *items[start : start + size]] for start in range(0, len(items), size)]
    streams = {**process.streams, 0: NOWHERE}
    status = 0
    for line in calls:
        if sum(map(len, line)) + len(line) > MAX_LINE:
            raise Refused("a command line of many words")
        process.budget.step()
        found = process.call(line, process.environment, streams)
        if found in {126, 127}:
            process.complain("xargs: the program is not there")
            return found
        if found == 255:
            process.complain("xargs: exited with status 255")
            return 124
        if found:
            status = 123
    return status


def _first_operand(words: list[str]) -> int:
    """Where the program begins: options end there."""
    at = 0
    while at < len(words) and words[at].startswith("-") and len(words[at]) > 1:
        if words[at] == "--":
            raise Refused("xargs with --")
        at += 2 if re.fullmatch(r"-[r0]*[ndI]|--(max-args|delimiter)", words[at]) else 1
    return min(at, len(words))


def _items(process: Process, options: dict[str, str]) -> list[str]:
    """The words of the standard input."""
    text = process.read().decode("latin-1")
    if len(text) > _MAX_TEXT:
        raise Refused("much text for xargs")
    if "0" in options or "d" in options:
        if {"0", "d"} <= options.keys():
            raise Refused("two delimiters of xargs")
        items = text.split("\0" if "0" in options else "\n")
        if "\0" in text and "0" not in options:
            raise Refused("a zero byte for xargs")
        return items[:-1] if items[-1] == "" else items
    if re.search(r"[\0\\'\"]", text):
        raise Refused("quoting in what xargs reads")
    if "I" in options:
        return [line.lstrip(" \t") for line in text.split("\n") if line.strip(" \t")]
    if not text.isascii() or re.search(r"[\v\f\r]", text):
        raise Refused("odd characters in what xargs reads")
    return text.split()


PROGRAMS: dict[str, Program] = {"xargs": xargs}
"""Programs by name."""
