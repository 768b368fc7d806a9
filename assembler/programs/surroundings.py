"""Programs that tell of their surroundings, or wait, after GNU coreutils 9.1 to 9.7, and logger(1) of util-linux 2.41.

What they tell of a clock, a kernel or a disk is refused where somebody reads it. logger finds no daemon that listens,
and says nothing about it where there is no systemd either.
"""

import re
from collections.abc import Callable
from email.utils import formatdate

from assembler.programs.hostname import NAME
from assembler.programs.inputs import look, options_of
from assembler.shell.process import Process, Program, as_text
from assembler.shell.streams import CLOSED, Opened, Refused

_KERNELS = ("99.9.9-99-generic", "2.6.32-5-686")
"""Kernels that may be running and are not in the image: newer and older than all that are known."""
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?[smhd]?")


def printenv(process: Process) -> int:
    """``printenv`` of variables."""
    _, names = options_of(process, "")
    if not names:
        if process.captured:
            raise Refused("the order of all variables")
        return 0
    status = 0
    for name in names:
        if name in process.environment:
            process.print(process.environment[name] + "\n")
        else:
            status = 1
    return status


def uname(process: Process) -> int:
    """``uname -s``, ``-n`` and ``-o``; ``-r`` where it is of no account, and the rest is a kernel's."""
    options, names = options_of(
        process, "s|kernel-name o|operating-system a|all n|nodename r|kernel-release v|kernel-version m|machine p i"
    )
    if names:
        process.complain("uname: extra operand")
        return 1
    unknown = "what uname tells of a kernel or a machine"
    if options.keys() == {"r"} and process.captured:
        process.print(process.budget.supposed.answer(unknown, [*_KERNELS, *_kernels_of(process)]) + "\n")
        return 0
    if options.keys() - {"s", "n", "o"} and process.captured:
        raise Refused(unknown)
    told = {"s": "Linux", "n": NAME, "o": "GNU/Linux"}
    process.print(" ".join(told[each] for each in "sno" if each in options or (each == "s" and not options)) + "\n")
    return 0


def _kernels_of(process: Process) -> list[str]:
    """The kernels of the image, as far as there are modules of theirs."""
    return [as_text(name) for name in process.tree.names("/lib/modules")]


def date(process: Process) -> int:
    """``date`` when nobody reads it, and ``date -R -u -d @SECONDS``, which does not ask what time it is."""
    options, names = options_of(process, "u|utc|universal R|rfc-email I d|date=")
    moment = re.fullmatch(r"@([0-9]{1,11})", options.get("d", ""))
    if moment and options.keys() == {"u", "R", "d"} and not names:
        process.print(formatdate(int(moment.group(1))).replace("-0000", "+0000") + "\n")
        return 0
    if "d" in options or process.captured or len(names) > 1 or (names and not names[0].startswith("+")):
        raise Refused("the time", why=" ".join(process.arguments))
    return 0


def sleep(process: Process) -> int:
    """``sleep``: no time passes here."""
    _, names = options_of(process, "")
    if not names or not all(map(_NUMBER.fullmatch, names)):
        process.complain("sleep: a time is missing or not valid")
        return 1
    return 0


def sync(process: Process) -> int:
    """``sync``, of files too: nothing waits to be written here."""
    options, names = options_of(process, "d|data f|file-system")
    if options and (len(options) > 1 or not names):
        process.complain("sync: an argument is missing, or an option is too much")
        return 1
    status = 0
    for name in names:
        if look(process, name).inode is None:
            process.complain(f"sync: error opening {name}")
            status = 1
    return status


def flock(process: Process) -> int:
    """``flock DESCRIPTOR`` of util-linux 2.38 to 2.42: no other process has the lock, unless it is of the same script,
    which is refused, as it may have given it up or not.
    """
    options, names = options_of(process, "s|shared x|e|exclusive u|unlock n|nb|nonblock w|wait|timeout=")
    if len(names) != 1 or not re.fullmatch(r"[0-9]", names[0]) or not _NUMBER.fullmatch(options.get("w", "1")):
        raise Refused("flock with these arguments", why=" ".join(process.arguments))
    stream = process.streams.get(int(names[0]), CLOSED)
    if stream is CLOSED:
        process.complain("flock: bad file descriptor")
        return 65
    if not isinstance(stream, Opened) or process.budget.locked.setdefault(stream.inode, stream) is not stream:
        raise Refused("a lock that something else may have", why=" ".join(process.arguments))
    if "u" in options:
        del process.budget.locked[stream.inode]
    return 0


def logger(process: Process) -> int:
    """``logger``: nobody listens."""
    options, names = options_of(process, "i|id s|stderr t|tag= p|priority= e|skip-empty", repeated={"t", "p"})
    if "p" in options and not re.fullmatch(
        r"(?:(?:auth|authpriv|cron|daemon|ftp|kern|lpr|mail|news|syslog|user|uucp|local[0-7])\.)?"
        r"(?:emerg|alert|crit|err|error|warning|warn|notice|info|debug)",
        options["p"],
    ):
        raise Refused("a priority of logger", why=options["p"])
    if not names:
        process.read()
    if "s" in options:
        process.complain("what logger prints")
    return 0


def echo(process: Process) -> int:
    """GNU's ``echo``, which scripts call by its path: it resolves no escapes, and knows ``-n``."""
    words = list(process.arguments)
    end = "\n"
    if words in (["--help"], ["--version"]) or "POSIXLY_CORRECT" in process.environment:
        raise Refused("echo with these arguments")
    while words and re.fullmatch(r"-[neE]+", words[0]):
        option = words.pop(0)
        if "e" in option:
            raise Refused("echo with escapes")
        end = "" if "n" in option else end
    process.print(" ".join(words) + end)
    return 0


def _answer(status: int) -> Callable[[Process], int]:
    def run(process: Process) -> int:
        if process.arguments in (["--help"], ["--version"]):
            raise Refused("true or false with an option")
        return status

    return run


PROGRAMS: dict[str, Program] = {
    "date": date,
    "echo": echo,
    "false": _answer(1),
    "flock": flock,
    "logger": logger,
    "printenv": printenv,
    "sleep": sleep,
    "sync": sync,
    "true": _answer(0),
    "uname": uname,
}
"""Programs by name."""
