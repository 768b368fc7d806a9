"""stat -c: what is known of a file, after GNU coreutils 9.1 to 9.7.

Times, numbers of inodes, links and devices, and the sizes of directories are refused: they are a disk's.
"""

import re

from assembler.programs.accounts import Accounts
from assembler.programs.inputs import look, once, options_of
from assembler.shell.process import Process, Program, as_text
from assembler.shell.streams import Refused
from assembler.tree.content import size_of
from assembler.tree.staging import Inode, Kind

_TYPES = {Kind.DIR: "directory", Kind.SYMLINK: "symbolic link", Kind.FIFO: "fifo"}
_LETTERS = {Kind.DIR: "d", Kind.SYMLINK: "l", Kind.FIFO: "p", Kind.FILE: "-"}
_FORMATS = {Kind.DIR: 0o040000, Kind.SYMLINK: 0o120000, Kind.FIFO: 0o010000, Kind.FILE: 0o100000}


def stat(process: Process) -> int:
    """``stat -c`` and ``--printf``, with ``-L``."""
    options, names = options_of(process, "L|dereference c|format= printf=", repeated={"c", "printf"})
    if not names:
        process.complain("stat: missing operand")
        return 1
    if "printf" in options and ("c" in options or "\\" in options["printf"].replace("\\n", "")):
        raise Refused("a format of stat with escapes")
    once(
        {"printf": options.get("printf", "").replace("\n", "x")} if "\\n" in options.get("printf", "") else options,
        "c",
        "printf",
    )
    form = options.get("c")
    if form is None and "printf" in options:
        form = options["printf"].replace("\\n", "\n")
    elif form is not None:
        form += "\n"
    status = 0
    for name in names:
        if name == "-":
            raise Refused("stat of the standard input")
        inode = look(process, name, follow="L" in options).inode
        if inode is None:
            process.complain(f"stat: {name}: not there")
            status = 1
        elif form is not None:
            process.print(_shown(process, name, inode, form))
        elif process.captured:
            raise Refused("stat without a format")
    return status


def _shown(process: Process, name: str, inode: Inode, form: str) -> str:
    if inode.kind not in _LETTERS:
        raise Refused("stat of a device", why=name)

    def value(match: re.Match[str]) -> str:
        letter = match.group(1)
        match letter:
            case "%":
                return "%"
            case "a":
                return f"{inode.mode:o}"
            case "A":
                return _LETTERS[inode.kind] + permissions(inode.mode)
            case "f":
                return f"{_FORMATS[inode.kind] | inode.mode:x}"
            case "F":
                return _type(inode)
            case "g":
                return str(inode.gid)
            case "u":
                return str(inode.uid)
            case "G":
                group = Accounts(process.tree).group_by_id(inode.gid)
                return as_text(group.name) if group else "UNKNOWN"
            case "U":
                user = Accounts(process.tree).user_by_id(inode.uid)
                return as_text(user.name) if user else "UNKNOWN"
            case "n":
                return name
            case "s" if inode.kind is Kind.FILE:
                return str(size_of(inode.content))
            case "s" if inode.kind is Kind.SYMLINK:
                return str(len(as_text(inode.target)))
            case _:
                raise Refused("what stat tells of a disk or of time", why=f"%{letter}")

    if re.search(r"%(?![%aAfFgGuUns])", form.replace("%%", "")):
        raise Refused("a format of stat", why=form)
    return re.sub(r"%(.)", value, form, flags=re.DOTALL)


def _type(inode: Inode) -> str:
    if inode.kind is Kind.FILE:
        return "regular file" if size_of(inode.content) else "regular empty file"
    return _TYPES[inode.kind]


def permissions(mode: int) -> str:
    """Mode bits as ``ls -l`` has them."""
    out = ""
    for shift, special, letter in ((6, 0o4000, "s"), (3, 0o2000, "s"), (0, 0o1000, "t")):
        bits = mode >> shift
        last = "x" if bits & 1 else "-"
        if mode & special:
            last = letter if bits & 1 else letter.upper()
        out += ("r" if bits & 4 else "-") + ("w" if bits & 2 else "-") + last
    return out


PROGRAMS: dict[str, Program] = {"stat": stat}
"""Programs by name."""
