"""The parts of paths and where they lead: basename, dirname, readlink and realpath after GNU coreutils 9.1 to 9.10, and
dpkg-realpath.
"""

import posixpath

from assembler.programs.inputs import Found, found, look, options_of
from assembler.shell.heads import is_script
from assembler.shell.process import AsScript, Process, Program, as_text
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind

_MAX_DPKG_LINKS = 25
"""That dpkg-realpath follows."""


def basename(process: Process) -> int:
    """``basename``, with ``-a`` and ``-s``."""
    options, names = options_of(process, "a|multiple s|suffix= z|zero")
    suffix = options.get("s", "")
    several = "a" in options or "s" in options
    if not names or (len(names) > 2 and not several):
        process.complain("basename: a missing or an extra operand")
        return 1
    if len(names) == 2 and not several:
        suffix = names.pop()
    end = "\0" if "z" in options else "\n"
    process.print("".join(_last(name, suffix) + end for name in names))
    return 0


def _last(name: str, suffix: str) -> str:
    if name and not name.strip("/"):
        return "/"
    last = name.rstrip("/").rsplit("/", 1)[-1]
    return last if last == suffix else last.removesuffix(suffix)


def dirname(process: Process) -> int:
    """``dirname``."""
    options, names = options_of(process, "z|zero")
    if not names:
        process.complain("dirname: missing operand")
        return 1
    end = "\0" if "z" in options else "\n"
    process.print("".join(_above(name) + end for name in names))
    return 0


def _above(name: str) -> str:
    if name and not name.strip("/"):
        return "/"
    head, slash, _ = name.rstrip("/").rpartition("/")
    if not slash:
        return "."
    return head.rstrip("/") or "/"


# --- links -----------------------------------------------------------------------------------------------------------


def readlink(process: Process) -> int:
    """``readlink``, with ``-f``, ``-e``, ``-m``, ``-n``, ``-q``, ``-s`` and ``-z``."""
    options, names = options_of(
        process,
        "f|canonicalize e|canonicalize-existing m|canonicalize-missing n|no-newline q|quiet s|silent v|verbose z|zero",
    )
    if not names:
        process.complain("readlink: missing operand")
        return 1
    modes = {"f", "e", "m"} & options.keys()
    if len(modes) > 1:
        raise Refused("readlink with several ways to be canonical")
    end = "" if "n" in options and len(names) == 1 else "\0" if "z" in options else "\n"
    if "n" in options and len(names) > 1:
        process.complain("readlink: ignoring --no-newline with multiple arguments")
    status = 0
    for name in names:
        if modes:
            shown = canonical(process, name, min(modes))
        else:
            inode = look(process, name, follow=False).inode
            shown = as_text(inode.target) if inode is not None and inode.kind is Kind.SYMLINK else None
        if shown is None:
            if "v" in options:
                process.complain(f"readlink: {name}")
            status = 1
        else:
            process.print(shown + end)
    return status


def realpath(process: Process) -> int:
    """``realpath``, with ``-e``, ``-m``, ``-s`` and ``-q``."""
    options, names = options_of(
        process,
        "e|canonicalize-existing m|canonicalize-missing s|strip|no-symlinks q|quiet z|zero E|canonicalize P|physical",
    )
    if not names:
        process.complain("realpath: missing operand")
        return 1
    modes = {"e", "m", "E"} & options.keys()
    if len(modes) > 1 or {"s", "P"} <= options.keys():
        raise Refused("realpath with several ways to be canonical")
    mode = {"E": "f"}.get(found_mode := next(iter(modes), "f"), found_mode)
    status = 0
    for name in names:
        shown = _textual(process, name, mode) if "s" in options else canonical(process, name, mode)
        if shown is None:
            if "q" not in options:
                process.complain(f"realpath: {name}")
            status = 1
        else:
            process.print(shown + ("\0" if "z" in options else "\n"))
    return status


def canonical(process: Process, name: str, mode: str) -> str | None:
    """A path without links: ``e``, all of it exists; ``f``, all but its last component; ``m``, whatever of it."""
    if not name:
        return None
    path = process.place(name)
    there = found(process.tree, path)
    if there.inode is not None:
        return as_text(there.place)
    if mode == "f":
        # A slash at the end of what does not exist does no harm.
        rest = [part for part in there.missing if part != "."]
        if there.error == "ENOENT" and len(rest) == 1 and rest[0] != "..":
            return as_text(posixpath.join(there.place, rest[0]))
        return None
    return _missing(there) if mode == "m" else None


def _missing(there: Found) -> str:
    """A path of which not all exists."""
    if there.error not in {"ENOENT", "ENOTDIR"} or ".." in there.missing:
        raise Refused("a path that leads back from what does not exist")
    return as_text(posixpath.join(there.place, *(part for part in there.missing if part != ".")))


def _textual(process: Process, name: str, mode: str) -> str | None:
    """``realpath -s``: links are kept."""
    if not name:
        return None
    path = posixpath.normpath(process.place(name))
    path = "/" + path.lstrip("/")
    if mode == "m":
        return as_text(path)
    if {".", ".."} & set(name.split("/")) or name.endswith("/"):
        raise Refused("realpath -s of a path with . or .., or a slash at its end")
    there = found(process.tree, path)
    if there.inode is not None:
        return as_text(path)
    if there.error != "ENOENT":
        raise Refused("realpath -s of a link that leads in circles, or to no directory")
    above = found(process.tree, posixpath.dirname(path)).inode
    if above is None or above.kind is not Kind.DIR:
        raise Refused("realpath -s of what is not there")
    return as_text(path) if mode == "f" else None


def dpkg_realpath(process: Process) -> int:
    """``dpkg-realpath [--root ''] PATH`` of dpkg 1.23, and before a script: where a path leads, be it there or not."""
    itself = process.tree.get("/usr/bin/dpkg-realpath", follow=True)
    if itself is not None and is_script(itself):
        raise AsScript
    words = list(process.arguments)
    root = process.environment.get("DPKG_ROOT", "")
    if words[:1] in (["--root"], ["--instdir"]) and len(words) > 1:
        root = words[1]
        del words[:2]
    if root or len(words) != 1 or words[0].startswith("-"):
        raise Refused("dpkg-realpath with these arguments", why=" ".join(process.arguments))
    if not words[0]:
        process.complain("dpkg-realpath: need a pathname argument")
        return 2
    parts: list[str] = []
    todo = _reversed(process.place(words[0]))
    links = 0
    while todo:
        name = todo.pop()
        if name == "..":
            # Of what is not there, too.
            del parts[-1:]
            continue
        inode = found(process.tree, "/" + "/".join((*parts, name)), follow=False).inode
        if name != "." and (inode is None or inode.kind is not Kind.SYMLINK):
            parts.append(name)
        elif name != "." and inode is not None:
            links += 1
            if links > _MAX_DPKG_LINKS:
                process.complain("dpkg-realpath: too many levels of symbolic links")
                return 2
            if inode.target.startswith("/"):
                parts.clear()
            todo += _reversed(inode.target)
    process.print("".join(f"/{as_text(part)}" for part in parts) + "\n")
    return 0


def _reversed(path: str) -> list[str]:
    return [part for part in path.split("/")[::-1] if part]


PROGRAMS: dict[str, Program] = {
    "basename": basename,
    "dirname": dirname,
    "dpkg-realpath": dpkg_realpath,
    "readlink": readlink,
    "realpath": realpath,
}
"""Programs by name."""
