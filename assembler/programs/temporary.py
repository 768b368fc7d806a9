"""mktemp, after GNU coreutils 9.1 to 9.7, and tempfile of debianutils 5.7, with a name that is the same every time.

A real one draws the name at random, so no script can count on more than what mktemp(1) promises: that it is of the form
of the template, and did not exist. The first such name does as well as any other, and gives the same image every time.
Scripts remove what they made; what one leaves behind has another name here than in a root file system of dpkg's, where
it has another name each time.
"""

import posixpath

from assembler.programs.inputs import Found, found, once, options_of
from assembler.shell.process import Process, Program, as_path
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MOST = 10_000
"""Names that are tried."""
_COST = 64
"""What trying a name takes of a script's budget, in bytes."""
_LEAST = 3
"""Letters X of a template."""


def mktemp(process: Process) -> int:
    """``mktemp``, with ``-d``, ``-u``, ``-q``, ``-t``, ``-p`` and ``--suffix``."""
    words = ["--p=" + word[9:] if word.startswith("--tmpdir=") else word for word in process.arguments]
    words = ["--p=" if word == "--tmpdir" else word for word in words]
    options, names = options_of(
        process, "d|directory u|dry-run q|quiet t p= suffix=", arguments=words, repeated={"p", "suffix"}
    )
    once(options, "p", "suffix")
    if len(names) > 1:
        process.complain("mktemp: too many templates")
        return 1
    template = names[0] if names else "tmp.XXXXXXXXXX"
    if not names:
        options.setdefault("p", "")
    parts = _parts(template, options.get("suffix"))
    directory = _directory(process, options, template)
    if parts is None or directory is None:
        process.complain(f"mktemp: {template}: no template")
        return 1
    stem, length, suffix = parts
    if directory:
        stem = directory.rstrip("/") + "/" + stem if directory.strip("/") else "/" + stem
    made = _make(process, stem, length, suffix, options)
    if made is None:
        if "q" not in options:
            process.complain("mktemp: failed to create it")
        return 1
    process.print(made + "\n")
    return 0


def _parts(template: str, suffix: str | None) -> tuple[str, int, str] | None:
    """What is before the letters X of a template, how many these are, and what follows; None when it is none."""
    if suffix is not None:
        if not template.endswith("X"):
            return None
        body = template
    else:
        at = template.rfind("X") + 1
        body, suffix = template[:at], template[at:]
        if not at:
            return None
    stem = body.rstrip("X")
    if "/" in suffix or len(body) - len(stem) < _LEAST:
        return None
    return stem, len(body) - len(stem), suffix


def _directory(process: Process, options: dict[str, str], template: str) -> str | None:
    """Where the template belongs, "" for nowhere; None when it may not be there."""
    if "t" in options:
        if "/" in template:
            return None
        return process.environment.get("TMPDIR") or options.get("p") or "/tmp"  # noqa: S108  as mktemp does
    if "p" not in options:
        return ""
    if template.startswith("/"):
        return None
    return options["p"] or process.environment.get("TMPDIR") or "/tmp"  # noqa: S108  as mktemp does


def _make(process: Process, stem: str, length: int, suffix: str, options: dict[str, str]) -> str | None:
    """Make the first name that is not there, but for a dry run; None when it cannot be made."""
    tree = process.tree
    above = posixpath.dirname(process.place(stem + "x")) or "/"
    there: Found = found(tree, above + "/")
    if there.inode is None and "u" in options:
        raise Refused("a name for a temporary file in a directory that is not there")
    if there.inode is None or there.inode.kind is not Kind.DIR:
        return None
    for number in range(_MOST):
        process.budget.spend(_COST)
        name = stem + _letters(number, length) + suffix
        last = as_path(name.rsplit("/", 1)[-1])
        if len(last.encode("utf-8", "surrogateescape")) > 255 or len(name) > 4000:
            raise Refused("a template with a long name")
        if last in there.inode.children:
            continue
        path = posixpath.join(there.place, last)
        if "u" not in options and "d" in options:
            made = tree.mkdir(path)
            made.mode = (made.mode & 0o7000) | (0o700 & ~process.umask)
        elif "u" not in options:
            tree.write(path, b"", 0o600 & ~process.umask)
        return name
    raise Refused("too many temporary files")


def _letters(number: int, length: int) -> str:
    out = ""
    for _ in range(length):
        number, digit = divmod(number, len(_LETTERS))
        out = _LETTERS[digit] + out
    return out


def tempfile(process: Process) -> int:
    """``tempfile``, which Debian has no more after bookworm."""
    if process.arguments or "TMPDIR" in process.environment:
        raise Refused("tempfile with arguments, or another directory", why=" ".join(process.arguments))
    process.complain("WARNING: tempfile is deprecated; consider using mktemp instead.")
    made = _make(process, "/tmp/file", 6, "", {})  # noqa: S108  as tempfile does
    if made is None:
        return 1
    process.print(made + "\n")
    return 0


PROGRAMS: dict[str, Program] = {"mktemp": mktemp, "tempfile": tempfile}
"""Programs by name."""
