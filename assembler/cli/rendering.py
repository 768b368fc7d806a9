"""Errors as text for people. Whatever strangers put into them is printable: see assembler/printable.py."""

import errno
import os
import platform
import sys
import tempfile
import traceback

import click

from assembler.errors import AssembleError, Place, Problems
from assembler.printable import printable, printable_lines

_OS_ERRORS = {
    errno.ENOSPC: ("the disk is full", "free some space, or put the store elsewhere with --store"),
    errno.EDQUOT: ("the disk quota is exceeded", "free some space, or put the store elsewhere with --store"),
    errno.EACCES: ("permission denied", "choose a place that you may write to, with --out or --store"),
    errno.EPERM: ("permission denied", "choose a place that you may write to, with --out or --store"),
    errno.EROFS: ("the file system is read-only", "choose another place, with --out or --store"),
    errno.ENOTDIR: ("a file is where a directory should be", "choose another place, with --out or --store"),
    errno.EMFILE: ("too many open files", "raise the limit: ulimit -n 4096"),
    errno.EIO: ("the disk cannot be read or written", "the kernel's log (dmesg) may say more"),
}
"""What the user can do something about: what to say, and the hint."""


def text(error: AssembleError) -> str:
    """`error` with colours, without a final line feed.

    Problems with a place in a file take one line each, as compilers write them; others are spread out.
    """
    if isinstance(error, Problems):
        parts = [_one_line(one) if _has_line(one) else _spread(one) for one in error.errors]
        if len(parts) > 1:
            parts.append(click.style(f"{len(parts)} errors", bold=True))
        return "\n".join(parts)
    return _spread(error)


def _has_line(error: AssembleError) -> bool:
    return bool(error.where.file) and not error.details


def _one_line(error: AssembleError) -> str:
    line = click.style(printable(f"{error.where}:"), bold=True) + f" {printable(error.what)}"
    if error.why:
        line += f": {printable(error.why)}"
    return f"{line} ({click.style(printable(error.hint), fg='cyan')})" if error.hint else line


def _spread(error: AssembleError) -> str:
    lines = [click.style("error:", fg="red", bold=True) + f" {click.style(printable(error.what), bold=True)}"]
    said = (("at", str(error.where)), ("because", error.why))
    lines += [f"  {label}: {printable(value)}" for label, value in said if value]
    lines += [click.style(f"  | {line}", dim=True) for detail in error.details for line in printable_lines(detail)]
    if error.hint:
        lines.append(click.style("  hint:", fg="cyan") + f" {printable(error.hint)}")
    return "\n".join(lines)


def from_os_error(error: OSError) -> AssembleError | None:
    """An error of the operating system that the user can act upon; None when it is a defect of ours."""
    known = _OS_ERRORS.get(error.errno or 0)
    if known is None:
        return None
    what, hint = known
    name = error.filename2 or error.filename
    where = Place(file=os.fsdecode(name)) if isinstance(name, str | bytes | os.PathLike) else Place()
    return AssembleError(what, where=where, hint=hint)


def from_defect(error: BaseException) -> AssembleError:
    """What to tell of an exception that nobody has thought of; its traceback goes into a log file."""
    trace = "".join(traceback.format_exception(error))
    # Without arguments and environment, which may hold passwords: the log is made to be shown to others.
    versions = f"Python {sys.version.split()[0]}, {platform.system()} {platform.release()} {platform.machine()}\n"
    summary = traceback.format_exception_only(error)[-1].strip()
    try:
        with tempfile.NamedTemporaryFile("w", prefix="assemble-", suffix=".log", delete=False) as log:
            log.write(versions + trace)
    except OSError:
        return AssembleError(
            "this is a defect of the assembler", why=summary, details=trace.splitlines(), hint="please report all of it"
        )
    return AssembleError(
        "this is a defect of the assembler",
        why=summary,
        hint=f"please report it together with {log.name}, which has all that is known",
    )
