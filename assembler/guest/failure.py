"""What went wrong in a machine, for people: which package or script, how it ended, and what it said last.

dpkg goes on after a package that it could not configure, so that all that fail are told at once. What it prints is read
as dpkg 1.21 and later has it, in the C locale; whatever is not found in it costs nothing but the name of the culprit.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from assembler.configure.job import Answer, Configure, Job, Run, Shell, Step, Unpack
from assembler.errors import AssembleError, Place, Problems
from assembler.guest.machine import GuestError, Said

_LINES = 25
"""Lines of a log that an error shows."""
_MOST = 50
"""Packages that are told one by one; dpkg gives up after as many."""
_RESULT = re.compile(r"failed ([0-9]{1,6}) (\w{1,20})")
_BEGINS = re.compile(r"(?:Setting up|Unpacking|Processing triggers for) (\S+) \(|Preparing to unpack (\S+)")
_ENDS = re.compile(r"dpkg: error processing (?:package (\S+)|archive (?:\S*/)?(\S+?)(?:\.deb)?) \(--\w+\):")
_SCRIPTS = (
    ("pre-installation", "preinst"),
    ("post-installation", "postinst"),
    ("pre-removal", "prerm"),
    ("post-removal", "postrm"),
)
_STATUS = re.compile(r"(?:returned error|failed with) exit status ([0-9]+)")
_WAITS = "dependency problems"
_NEEDS = re.compile(r" (\S+) (?:pre-)?depends on (\S+?)(?::\S+?)?(?: \(|[;, ])")
_WHY = {
    "late": "it took too long, and was ended",
    "much": "it printed too much, and was ended",
    "memory": "there was not enough memory for it",
    "unknown": "it was ended by something else",
}
"""What our init says of a step that did not end by itself."""
_SIGNALS = {129: "restarted", 130: "switched off", 137: "killed"}
"""What the exit status may mean: Linux ends the first process of those that want to restart or switch off a machine
which is not theirs (reboot(2)), and that with a signal."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """A package that dpkg gave up."""

    name: str
    why: str
    lines: tuple[str, ...]


def failure(job: Job, said: Said, logs: Mapping[int, bytes], where: str) -> AssembleError:
    """The error for a machine that did not do its job; `logs` has what each step printed, and `where` is the file that
    has all of it.
    """
    found = _RESULT.fullmatch(said.result)
    if found is None or int(found[1]) >= len(job.steps):
        return _ended(job, said, where)
    number, status = int(found[1]), found[2]
    lines = logs.get(number, b"").decode("utf-8", "replace").splitlines() or list(said.tail)
    step = job.steps[number]
    if isinstance(step, Unpack | Configure):
        failed, waiting = _failed(lines)
        if status.isdecimal() and failed:
            errors = [_of_package(each, _for_want_of(each.name, waiting, lines), where) for each in failed[:_MOST]]
            return errors[0] if len(errors) == 1 else Problems(errors)
    package = said.package if isinstance(step, Unpack | Configure) else ""
    return GuestError(
        f"{_what(step)} failed in the machine",
        where=Place(file=where, package=package),
        why=_why(status),
        hint=_hint(package) if package else "",
        details=lines[-_LINES:],
    )


def _ended(job: Job, said: Said, where: str) -> GuestError:
    """A machine that ended before its time, or tells nonsense."""
    at = job.steps[said.step] if said.step is not None and said.step < len(job.steps) else None
    why = f"its kernel gave up: {said.panic}" if said.panic else "something switched it off or restarted it"
    return GuestError(
        "the machine ended before its job was done",
        where=Place(file=where, package=said.package),
        why=f"{why}; it was at {_what(at)}" if at else why,
        hint=_hint(said.package) if said.package else "",
        details=tuple(said.tail),
    )


def _what(step: Step) -> str:
    match step:
        case Unpack():
            return "unpacking packages"
        case Configure():
            return "configuring packages"
        case Answer():
            return "answering debconf's questions"
        case Run():
            return f"the script {step.name}"
        case Shell():
            return "the shell"


def _why(status: str) -> str:
    if not status.isdecimal():
        return _WHY.get(status, _WHY["unknown"])
    meaning = _SIGNALS.get(int(status))
    return f"exit status {status}" + (f", as of one that was {meaning}" if meaning else "")


def _of_package(failed: _Failed, waiting: Sequence[str], where: str) -> GuestError:
    script = next((name for words, name in _SCRIPTS if words in failed.why), "")
    status = _STATUS.search(failed.why)
    why = f"exit status {status[1]}" if status else failed.why
    if waiting:
        why += f"; {', '.join(waiting[:5])}{' and others' * (len(waiting) > 5)} could not be configured for want of it"
    return GuestError(
        "a package's script failed in the machine" if script else "dpkg failed in the machine",
        where=Place(file=where, package=f"{failed.name} {script}".rstrip()),
        why=why,
        hint=_hint(failed.name),
        details=failed.lines,
    )


def _for_want_of(name: str, waiting: Sequence[str], lines: Sequence[str]) -> list[str]:
    """Those of `waiting` that dpkg could not configure as the package `name` was not, or for another such."""
    needs = [(found[1].partition(":")[0], found[2]) for line in lines if (found := _NEEDS.match(line))]
    missing = {name}
    while more := {one for one, needed in needs if needed in missing} - missing:
        missing |= more
    return [one for one in waiting if one in missing]


def _hint(package: str) -> str:
    return (
        f"`assemble shell RECIPE --at {package}` shows the tree as it found it; "
        f'[rootfs] first_boot = ["{package}"] leaves it to the node'
    )


def _failed(lines: Sequence[str]) -> tuple[list[_Failed], list[str]]:
    """The packages that dpkg gave up for a reason of their own, each once, and those that only wait for such."""
    failed: dict[str, _Failed] = {}
    waiting: list[str] = []
    for name, why, said in _errors(lines):
        if why.startswith(_WAITS):
            waiting.append(name)
        else:
            failed.setdefault(name, _Failed(name, why, tuple(said[-_LINES:])))
    return list(failed.values()), [name for name in dict.fromkeys(waiting) if name not in failed]


def _errors(lines: Sequence[str]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Every error of dpkg's about a package: its name, the reason, and what was printed about it before."""
    begin = 0
    for number, line in enumerate(lines):
        if _BEGINS.match(line):
            begin = number
        elif found := _ENDS.match(line):
            name = (found[1] or found[2]).partition(":")[0].partition("_")[0]
            why = lines[number + 1].strip() if number + 1 < len(lines) else ""
            yield name, why, lines[begin : number + 2]
            begin = number + 2
