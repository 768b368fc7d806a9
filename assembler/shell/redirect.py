"""Redirections (POSIX.1-2017 XCU 2.7): what the descriptors of a command lead to."""

import re
from collections.abc import Sequence

from assembler.shell.expand import Expander
from assembler.shell.state import ShellError, State
from assembler.shell.streams import CLOSED, NOWHERE, Opened, Pipe, Refused, Stream
from assembler.shell.syntax import Redirect
from assembler.tree.staging import Kind, TreeError

_DEVICES = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}


class RedirectError(Exception):
    """A file that cannot be opened, or a descriptor that is not open."""


def redirected(state: State, redirects: Sequence[Redirect], expand: Expander) -> dict[int, Stream]:
    """The streams of a command, by descriptor; files are opened, made and emptied as they are named.

    Names are expanded before any file is opened, here-documents when their turn comes, and what fails then is no worse
    than a file that cannot be opened. Raises RedirectError, ShellError and Refused.
    """
    streams = dict(state.streams)
    targets = ["" if "<<" in redirect.operator else expand.single(redirect.target) for redirect in redirects]
    for redirect, target in zip(redirects, targets, strict=True):
        reads = redirect.operator in {"<", "<&", "<>", "<<", "<<-"}
        descriptor = int(redirect.descriptor) if redirect.descriptor else (0 if reads else 1)
        if descriptor > 9:
            raise Refused("a descriptor above 9")
        match redirect.operator:
            case "<<" | "<<-":
                quoted = any(char in redirect.target for char in "'\"\\")
                try:
                    text = redirect.body if quoted else expand.document(redirect.body)
                except ShellError as error:
                    raise RedirectError(str(error)) from error
                pipe = Pipe(state.world.budget)
                pipe.write(text.encode("latin-1"))
                streams[descriptor] = pipe
            case ">&" | "<&":
                if target == "-":
                    streams.pop(descriptor, None)
                    streams[descriptor] = CLOSED
                elif re.fullmatch(r"[0-9]", target):
                    found = streams.get(int(target), NOWHERE if int(target) < 3 else CLOSED)
                    if found is CLOSED:
                        raise RedirectError(f"{target}: Bad file descriptor")
                    streams[descriptor] = found
                else:
                    raise Refused("a redirection to a descriptor by another name")
            case operator:
                streams[descriptor] = _opened(state, operator, target)
    return streams


def _opened(state: State, operator: str, target: str) -> Stream:
    path, tree, budget = state.place(target), state.world.tree, state.world.budget
    if path == "/dev/null":
        return NOWHERE
    if path in _DEVICES:
        raise Refused("a descriptor opened by the name of a device", why=target)
    if path == "/dev/tty":
        raise RedirectError(f"cannot open {target}: No such device or address")
    try:
        place = tree.resolve(path, follow=True)
    except TreeError as error:
        raise RedirectError(f"cannot open {target}: {error.what}") from error
    if re.match(r"/(dev|proc)(/|\Z)", place):
        raise Refused("a file of a running system", why=target)
    inode = tree.get(place)
    if target.endswith("/") and (inode is None or inode.kind is not Kind.DIR):
        raise RedirectError(f"cannot open {target}")
    if inode is not None and inode.kind not in {Kind.FILE, Kind.DIR}:
        raise Refused("a redirection to what is no regular file", why=target)
    if operator == "<":
        if inode is None:
            raise RedirectError(f"cannot open {target}: No such file")
        if inode.kind is Kind.DIR:
            raise Refused("a directory that is read", why=target)
        return Opened(budget, inode, tree.mtime, readable=True)
    if inode is not None and inode.kind is Kind.DIR:
        raise RedirectError(f"cannot create {target}: Is a directory")
    if not target:
        raise RedirectError("cannot create : Directory nonexistent")
    if operator == ">" and "C" in state.options and (inode is not None or tree.lexists(path)):
        # A link that leads nowhere is in the way, too: the file is made with O_EXCL.
        raise RedirectError(f"cannot create {target}: File exists")
    try:
        if inode is None:
            inode = tree.write(place, b"", 0o666 & ~state.umask)
        elif operator in {">", ">|"}:
            inode = tree.write(place, b"")
    except TreeError as error:
        raise RedirectError(f"cannot create {target}: {error.what}") from error
    return Opened(
        budget, inode, tree.mtime, readable=operator == "<>", writable=True, appends=operator == ">>",
    )  # fmt: skip
